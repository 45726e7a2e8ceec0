"""The service that watches: real files, a real kernel, and a control socket that a test answers."""

import contextlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from holdfast import statefile
from holdfast.home import Home
from holdfast.machine.backup import record
from holdfast.machine.backup.serve import Newest, Supervisor, newest
from holdfast.machine.backup.watcher import Answer
from holdfast.model.backup import BackupRecord, Snapshot
from holdfast.model.project import Project
from holdfast.model.wire import to_plain

if sys.platform == "win32":
    pytest.skip("these tests use sockets of POSIX", allow_module_level=True)

DEADLINE_S = 30.0
SERVE = "from holdfast.machine.backup.serve import serve; from holdfast.clock import SystemClock; from holdfast.home import Home, default_home; serve(Home(default_home()), SystemClock())"


class Control:
    """Stands for the supervisor: takes every order on the control socket, and every word on the notify socket."""

    def __init__(self, home: Home) -> None:
        runtime = home.runtime()
        runtime.mkdir(mode=0o711, exist_ok=True)
        self.answer: dict[str, Any] = {"result": {}}
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(home.control_socket))
        self.listener.listen()
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify_path = str(runtime / "notify.sock")
        self.notify.bind(self.notify_path)

    def order(self) -> dict[str, Any]:
        """Wait for the next order, and answer it."""
        _await(self.listener)
        connection, _ = self.listener.accept()
        with connection, connection.makefile("rb") as lines:
            found: dict[str, Any] = json.loads(lines.readline())
            reply = {"jsonrpc": "2.0", "id": found["id"], **self.answer}
            connection.sendall(json.dumps(reply).encode() + b"\n")
        return found

    def said(self, wanted: str) -> str:
        """Wait until the service says something that holds this."""
        while True:
            _await(self.notify)
            text = self.notify.recv(65_536).decode()
            if wanted in text:
                return text

    def close(self) -> None:
        self.listener.close()
        self.notify.close()


def _await(one: socket.socket) -> None:
    assert select.select([one], [], [], DEADLINE_S)[0], "nothing came"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    runtime = tempfile.mkdtemp(prefix="hf-", dir="/tmp")
    Path(runtime).chmod(0o711)
    monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
    monkeypatch.setenv("HOLDFAST_HOME", str(tmp_path / "home"))
    found = Home(tmp_path / "home")
    found.make()
    yield found
    shutil.rmtree(runtime, ignore_errors=True)


@pytest.fixture
def control(home: Home) -> Iterator[Control]:
    made = Control(home)
    yield made
    made.close()


def project(tmp_path: Path, **facts: Any) -> Project:
    folder = tmp_path / "notes"
    folder.mkdir(exist_ok=True)
    usual = {"name": "notes", "path": str(folder), "repository": "/r", "on_change": 0.2}
    return Project(**{**usual, **facts})


def test_it_orders_a_backup_of_what_changed_and_reads_its_projects_again(
    tmp_path: Path, home: Home, control: Control
) -> None:
    notes = project(tmp_path)
    statefile.write_json(home.config_pointer, {"backups": []})
    environment = {
        **os.environ,
        "NOTIFY_SOCKET": control.notify_path,
        "HOLDFAST_SERVICE": "backup",
    }
    served = subprocess.Popen([sys.executable, "-c", SERVE], env=environment)
    try:
        control.said("READY=1")
        assert "healthy" in control.said("WATCHDOG=1")
        statefile.write_json(home.config_pointer, {"backups": [to_plain(notes)]})
        wanted = {"name": "notes", "wait": False, "trigger": "change"}
        for _ in range(2):
            order = control.order()
            assert (order["method"], order["params"]) == ("job_run", wanted)
            Path(notes.path, "a.md").write_text(f"{time.monotonic()}", encoding="utf-8")
        served.send_signal(signal.SIGHUP)
        record.save(home, BackupRecord(name="notes", covered_at=7.0))
        assert '"last_backup": 7.0' in control.said('"project": "notes"')
        served.send_signal(signal.SIGTERM)
        control.said("STOPPING=1")
        assert served.wait(DEADLINE_S) == 0
    finally:
        with contextlib.suppress(ProcessLookupError):
            served.kill()
        served.wait()


def test_what_becomes_of_an_order_is_understood(home: Home) -> None:
    assert Supervisor(home).order("notes") is Answer.LATER
    assert Supervisor(home).tell([]) is False


def test_the_heartbeat_tells_of_the_newest_snapshot_and_of_what_failed(home: Home) -> None:
    assert newest(home, ["notes"]) == Newest()
    snapshot = Snapshot(id="1", at=100.0, files=7, bytes=9)
    record.save(home, BackupRecord(name="notes", snapshots=(snapshot,), covered_at=100.0))
    record.save(home, BackupRecord(name="photos", last_error="no space left"))
    home.backup("broken").write_text("{", encoding="utf-8")
    found = newest(home, ["notes", "photos", "broken"])
    assert (found.project, found.at, found.files) == ("notes", 100.0, 7)
    assert (found.error or "").startswith("photos: no space left; ")
    assert "broken.json" in (found.error or "")


def test_a_project_under_way_counts(tmp_path: Path, home: Home) -> None:
    assert Supervisor(home).under_way(["notes"]) == 0
    with statefile.hold(record.lock_of(home, "notes")):
        assert Supervisor(home).under_way(["notes", "photos"]) == 1
    assert Supervisor(home).under_way(["notes"]) == 0


def test_what_is_in_force_is_read_and_nonsense_is_nothing(tmp_path: Path, home: Home) -> None:
    assert record.projects(home) == ()
    statefile.write_json(home.config_pointer, {"backups": [{"name": 1}]})
    assert record.projects(home) == ()
    statefile.write_json(home.config_pointer, {"backups": [to_plain(project(tmp_path))]})
    assert record.project(home, "notes") == project(tmp_path)
