"""A beat reaches the supervisor, or else the heartbeat file, and never harms the program that sends it."""

import json
import os
import socket
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from holdfast import clock
from holdfast.client import beat, ready, status_text, stopping
from holdfast.errors import StateIOError, UsageError
from holdfast.home import Home


@pytest.fixture
def receiver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    if sys.platform == "win32":
        pytest.skip("there is no notify socket on Windows")
    # A relative path keeps the address short, however deep the folder of the test is.
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("notify.sock")
        listener.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", "notify.sock")
        yield listener


def heartbeat(home: Home, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(home.heartbeat(name).read_text(encoding="utf-8"))
    return found


def test_a_beat_outside_a_service_writes_every_promised_field(home: Home) -> None:
    before = clock.SystemClock().wall()

    assert beat(service="notes", interval=10, lease=25)

    found = heartbeat(home, "notes")
    assert before <= found["timestamp"] <= clock.SystemClock().wall()
    assert found.pop("expires_at") == found.pop("timestamp") + 25
    assert found == {
        "pid": os.getpid(),
        "generation": None,
        "boot_id": clock.boot_id(),
        "status": "healthy",
        "interval": 10,
        "error": None,
        "progress": None,
    }


def test_a_lease_lasts_three_intervals_unless_said_otherwise(home: Home) -> None:
    beat(service="notes")

    found = heartbeat(home, "notes")
    assert found["interval"] == 30
    assert found["expires_at"] == found["timestamp"] + 90


def test_status_error_progress_and_extra_fields_are_kept(home: Home) -> None:
    beat("error", "disk full", 7, service="notes", project="notes", last_backup_files=12)

    found = heartbeat(home, "notes")
    assert (found["status"], found["error"], found["progress"]) == ("error", "disk full", 7)
    assert (found["project"], found["last_backup_files"]) == ("notes", 12)


@pytest.mark.parametrize("status", ["healthy", "syncing", "error", "stopped", "running"])
def test_every_status_of_the_contract_is_taken(home: Home, status: str) -> None:
    assert beat(status, service="notes")


@pytest.mark.parametrize("status", ["", "ok", "HEALTHY", "dead"])
def test_any_other_status_is_refused_and_nothing_written(home: Home, status: str) -> None:
    with pytest.raises(UsageError, match="healthy, syncing, error, stopped, running"):
        beat(status, service="notes")

    assert not home.root.exists()


@pytest.mark.parametrize("name", ["../escape", "a/b", "", "Notes", ".hidden", "-x", "a\n", "a\0b"])
def test_a_name_cannot_lead_out_of_the_folder(home: Home, name: str) -> None:
    with pytest.raises(UsageError, match="names no service"):
        beat(service=name)

    assert not home.root.exists()


@pytest.mark.parametrize("name", ["supervisor", "watchdog"])
def test_nobody_beats_for_holdfast_itself(home: Home, name: str) -> None:
    with pytest.raises(UsageError, match="Holdfast itself"):
        beat(service=name)

    assert not home.root.exists()


def test_outside_a_service_a_beat_needs_a_name(home: Home) -> None:
    with pytest.raises(UsageError, match="service="):
        beat()


@pytest.mark.parametrize(
    ("interval", "lease"),
    [(0, 10), (-1, 10), (10, 19.9), (10, float("inf")), (float("nan"), 10), (1, float("nan"))],
)
def test_a_lease_shorter_than_two_intervals_is_refused(
    home: Home, interval: float, lease: float
) -> None:
    with pytest.raises(UsageError, match="at least two intervals"):
        beat(service="notes", interval=interval, lease=lease)


def test_progress_that_is_no_number_is_refused(home: Home) -> None:
    with pytest.raises(UsageError, match="progress"):
        beat(service="notes", progress=float("nan"))


@pytest.mark.parametrize("name", ["timestamp", "pid", "expires_at", "generation", "boot_id"])
def test_an_extra_field_cannot_replace_a_fixed_one(home: Home, name: str) -> None:
    extra: dict[str, Any] = {name: 1}

    with pytest.raises(UsageError, match=name):
        beat(service="notes", **extra)


@pytest.mark.parametrize("value", [{1, 2}, float("nan"), object()])
def test_an_extra_field_without_a_json_form_is_refused(home: Home, value: object) -> None:
    with pytest.raises(UsageError, match="no JSON form"):
        beat(service="notes", project=value)


def test_a_beat_of_the_service_itself_bears_its_generation(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOLDFAST_SERVICE", "notes")
    monkeypatch.setenv("HOLDFAST_GENERATION", "41")

    beat()
    beat(service="other")

    assert heartbeat(home, "notes")["generation"] == 41
    assert heartbeat(home, "other")["generation"] is None


def test_a_heartbeat_is_for_this_user_only(home: Home) -> None:
    beat(service="notes")

    assert stat.S_IMODE(home.heartbeat("notes").stat().st_mode) == 0o600
    assert stat.S_IMODE(home.root.stat().st_mode) == 0o700


def test_a_beat_leaves_nothing_but_the_heartbeat_and_its_lock(home: Home) -> None:
    for _ in range(5):
        beat(service="notes")

    assert sorted(path.name for path in home.heartbeats.iterdir()) == [
        ".notes.json.lock",
        "notes.json",
    ]


def test_an_unwritable_home_is_an_error_outside_a_service(home: Home) -> None:
    home.root.write_text("in the way")

    with pytest.raises(StateIOError):
        beat(service="notes")


def test_an_unwritable_home_does_not_end_a_service(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.root.write_text("in the way")
    monkeypatch.setenv("HOLDFAST_SERVICE", "notes")

    assert not beat()


def test_inside_a_service_a_beat_goes_to_the_notify_socket(
    home: Home, receiver: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOLDFAST_SERVICE", "notes")

    assert beat("error", "no space\nleft", 0.5, project="n\nn")

    assert receiver.recv(10_000).decode().split("\n") == [
        "WATCHDOG=1",
        "STATUS=error: no space left",
        "X_HOLDFAST_STATUS=error",
        "X_HOLDFAST_ERROR=no space left",
        "X_HOLDFAST_PROGRESS=0.5",
        'X_HOLDFAST_EXTRA={"project": "n\\nn"}',
    ]
    assert not home.root.exists()


def test_a_plain_beat_is_three_lines(home: Home, receiver: socket.socket) -> None:
    assert beat()

    assert receiver.recv(10_000) == b"WATCHDOG=1\nSTATUS=healthy\nX_HOLDFAST_STATUS=healthy"


def test_what_the_program_says_of_its_lease_travels_with_the_beat(receiver: socket.socket) -> None:
    assert beat(interval=10)
    assert beat(lease=60)

    lines = [set(receiver.recv(10_000).decode().split("\n")) for _ in range(2)]
    assert {"X_HOLDFAST_INTERVAL=10", "X_HOLDFAST_LEASE=30"} <= lines[0]
    assert {"X_HOLDFAST_INTERVAL=20.0", "X_HOLDFAST_LEASE=60"} <= lines[1]


@pytest.mark.parametrize(
    ("told", "lease"), [("45000000", 45), ("0", 90), ("", 90), ("-1", 90), ("9" * 400, 90)]
)
def test_without_a_word_of_its_own_the_configured_lease_holds(
    home: Home, monkeypatch: pytest.MonkeyPatch, told: str, lease: float
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", told)

    beat(service="notes")

    found = heartbeat(home, "notes")
    assert found["expires_at"] == found["timestamp"] + lease
    assert found["interval"] == lease / 3


def test_a_service_that_may_not_write_in_the_home_writes_beside_its_socket(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.root.write_text("closed to this user")
    (tmp_path / "run" / "heartbeat").mkdir(parents=True)
    monkeypatch.setenv("HOLDFAST_SERVICE", "notes")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "run" / "notify-1.sock"))

    assert beat(progress=3)
    assert not beat(service="other")

    written = json.loads((tmp_path / "run" / "heartbeat" / "notes.json").read_text())
    assert written["progress"] == 3


def test_a_beat_for_another_service_does_not_use_our_socket(
    home: Home, receiver: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOLDFAST_SERVICE", "notes")

    assert beat(service="other")

    receiver.setblocking(False)
    with pytest.raises(BlockingIOError):
        receiver.recv(1)
    assert heartbeat(home, "other")["pid"] == os.getpid()


def test_without_a_receiver_the_beat_goes_to_the_file(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOLDFAST_SERVICE", "notes")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody.sock"))

    assert beat(progress=3)

    assert heartbeat(home, "notes")["progress"] == 3


def test_a_full_queue_makes_no_program_wait(home: Home, receiver: socket.socket) -> None:
    while beat():
        pass

    assert not beat()


def test_without_a_receiver_and_without_a_name_a_beat_is_false(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", "/nobody/listens")

    assert not beat()


def test_an_abstract_socket_is_reached(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    if sys.platform != "linux":
        pytest.skip("abstract sockets are known to Linux alone")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("")
        listener.settimeout(10)
        name: bytes = listener.getsockname()
        monkeypatch.setenv("NOTIFY_SOCKET", "@" + name[1:].decode())

        assert ready("up")

        assert listener.recv(1000) == b"READY=1\nSTATUS=up"


def test_ready_stopping_and_status_speak_sd_notify(receiver: socket.socket) -> None:
    assert ready()
    assert stopping("asked")
    assert status_text("two\nlines")

    assert receiver.recv(1000) == b"READY=1"
    assert receiver.recv(1000) == b"STOPPING=1\nSTATUS=asked"
    assert receiver.recv(1000) == b"STATUS=two lines"


def test_with_nobody_to_notify_the_answer_is_false(home: Home) -> None:
    assert not ready()
    assert not stopping()
    assert not status_text("alone")
