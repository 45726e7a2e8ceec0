import asyncio
import http.server
import os
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from holdfast.clock import SystemClock
from holdfast.hub.probes.look import probe
from holdfast.model.check import CheckKind, CheckSpec, Observation


def look(kind: CheckKind, *target: str, **fields: object) -> Observation:
    spec = CheckSpec(name="x", kind=kind, target=target, **fields)  # type: ignore[arg-type]  # given by name
    return asyncio.run(probe(spec, SystemClock()))


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(int(self.path.strip("/")))
        self.send_header("Location", "/200")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def site() -> Iterator[str]:
    """Serve pages whose path is the status they answer with."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.fixture
def closed() -> Iterator[int]:
    """Return a port of loopback that nobody listens on; it is held, so that nobody else takes it meanwhile."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield int(held.getsockname()[1])


def test_a_page_is_well_below_400(site: str) -> None:
    for status, failure in (
        (200, ""),
        (204, ""),
        (302, ""),
        (404, "it answered with 404"),
        (503, "it answered with 503"),
    ):
        found = look(CheckKind.HTTP, f"{site}/{status}")
        assert found.failure == failure
        assert (found.covered_at is None) is bool(failure)


def test_a_web_address_that_cannot_be_asked_says_why_without_its_secrets(closed: int) -> None:
    away = look(CheckKind.HTTP, f"http://127.0.0.1:{closed}/hook?token=secret")
    assert away.failure == "127.0.0.1: no connection could be made"

    assert "no web address" in look(CheckKind.HTTP, "ftp://x/").unverified
    assert "valid host name" in look(CheckKind.HTTP, f"http://{'a' * 64}.example/").failure


def test_a_port_takes_connections_or_not(site: str, closed: int) -> None:
    assert look(CheckKind.TCP, site.removeprefix("http://")).failure == ""
    assert "refused" in look(CheckKind.TCP, f"127.0.0.1:{closed}").failure
    assert "no address" in look(CheckKind.TCP, "127.0.0.1").unverified


def test_a_file_must_be_there_and_written_lately(tmp_path: Path) -> None:
    path = tmp_path / "dump"
    assert look(CheckKind.FILE, str(path)).failure == f"{path} is not there"
    path.touch()
    now = SystemClock().wall()

    assert look(CheckKind.FILE, "dump", cwd=str(tmp_path), period=3600.0).failure == ""

    os.utime(path, (now, now - 7200))
    old = look(CheckKind.FILE, str(path), period=3600.0, grace=60.0)
    assert "expected at most 3660 s" in old.failure
    by_age = look(CheckKind.FILE, str(path), period=3600.0, warning_after=60.0)
    assert by_age.failure == ""
    assert by_age.covered_at == pytest.approx(now - 7200)
    usual = look(CheckKind.FILE, str(path), period=60.0)
    assert "expected at most 60 s" in usual.failure


def test_a_program_is_judged_by_how_it_ends(tmp_path: Path) -> None:
    def run(text: str) -> Observation:
        return look(CheckKind.COMMAND, sys.executable, "-c", text, cwd=str(tmp_path))

    assert run("import os; assert os.getcwd()").failure == ""
    assert run("print('no space'); raise SystemExit(3)").failure == "it exited with 3: no space"
    assert run("import os; os.kill(os.getpid(), 9)").failure == "it was ended by signal 9"
    missing = look(CheckKind.COMMAND, str(tmp_path / "none"))
    assert "cannot be run: No such file" in missing.failure


def test_a_program_that_takes_too_long_is_ended_with_its_children(tmp_path: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("needs a FIFO")
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    text = f"import os,time; f=open({str(fifo)!r},'w'); os.fork(); time.sleep(60)"

    found = look(CheckKind.COMMAND, sys.executable, "-c", text, timeout=1.0)

    assert found.failure == "no answer within 1 s"
    os.set_blocking(reader, True)
    assert os.read(reader, 1) == b""  # nobody holds the other end any more
    os.close(reader)


def test_a_program_whose_time_is_over_as_soon_as_it_runs_is_ended_with_its_children_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if sys.platform == "win32":
        pytest.skip("needs a FIFO")
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    text = f"import os,time; f=open({str(fifo)!r},'w'); os.fork() or print('.', file=f, flush=True); time.sleep(60)"

    class Late(subprocess.Popen[bytes]):
        def __init__(self, *words: Any, **options: Any) -> None:
            super().__init__(*words, **options)
            os.set_blocking(reader, True)
            select.select([reader], [], [])  # the loop stands still until there is a child
            assert os.read(reader, 2) == b".\n"

    monkeypatch.setattr(subprocess, "Popen", Late)
    found = look(CheckKind.COMMAND, sys.executable, "-c", text, timeout=0.001)

    assert found.failure == "no answer within 0.001 s"
    assert os.read(reader, 1) == b""  # nobody holds the other end any more
    os.close(reader)


def test_a_check_without_a_target_cannot_be_verified() -> None:
    assert look(CheckKind.TCP).unverified


@pytest.mark.parametrize(
    ("kind", "target"),
    [
        (CheckKind.FILE, "a\0b"),
        (CheckKind.COMMAND, "a\0b"),
        (CheckKind.HTTP, "http://[::1/"),
        (CheckKind.TCP, "[::1:5"),
        (CheckKind.TCP, f"{'a' * 64}.example:5"),
    ],
)
def test_a_target_nobody_can_look_at_harms_no_other_check(kind: CheckKind, target: str) -> None:
    assert look(kind, target).unverified
