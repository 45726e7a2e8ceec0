"""Pipes that outlive those who hold them, against the real kernel."""

import fcntl
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from holdfast.errors import Refused

if sys.platform == "win32":
    pytest.skip("named pipes in the file system are a POSIX thing", allow_module_level=True)

from holdfast.machine.output.fifo import GROWN_BYTES, Fifo, discard_unheld, open_fifo

SOMEBODY = 12345
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a pipe away")
needs_linux = pytest.mark.skipif(
    sys.platform != "linux", reason="pipes of a chosen size are Linux"
)


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "api.out")


@pytest.fixture
def fifo(path: str) -> Iterator[Fifo]:
    fifo = open_fifo(path)
    yield fifo
    fifo.close()


def test_a_new_pipe_is_private(fifo: Fifo) -> None:
    found = os.lstat(fifo.path)

    assert stat.S_ISFIFO(found.st_mode)
    assert stat.S_IMODE(found.st_mode) == 0o600
    assert found.st_uid == os.geteuid()


def test_what_is_in_a_pipe_survives_its_reader_while_a_service_holds_it(path: str) -> None:
    first = open_fifo(path)
    outlet = first.outlet()
    os.write(outlet, b"last words\n")
    first.close()

    second = open_fifo(path)

    assert second.waiting() == 11
    assert os.read(second.fd, 100) == b"last words\n"
    second.close()
    os.close(outlet)


def test_the_death_of_the_service_takes_nothing_and_looks_like_silence(fifo: Fifo) -> None:
    outlet = fifo.outlet()
    os.write(outlet, b"last words\n")
    os.close(outlet)

    assert os.read(fifo.fd, 100) == b"last words\n"
    with pytest.raises(BlockingIOError):
        os.read(fifo.fd, 100)


def test_the_service_gets_a_blocking_end_and_we_keep_one_that_does_not_block(fifo: Fifo) -> None:
    outlet = fifo.outlet()

    assert os.get_blocking(outlet)
    assert not os.get_blocking(fifo.fd)
    assert fcntl.fcntl(outlet, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDWR
    assert not os.get_inheritable(outlet)
    os.close(outlet)


@needs_linux
def test_a_pipe_that_grows_keeps_what_it_holds(fifo: Fifo) -> None:
    os.write(fifo.fd, b"x" * fifo.capacity)

    fifo.grow()

    assert fifo.capacity == GROWN_BYTES
    assert fifo.waiting() == 1 << 16


CROWD = """
import fcntl, os, sys, termios  # all, before the right to read them is given up
from holdfast.machine.output.fifo import open_fifo
os.setuid(65534)
pipes = [open_fifo(f"{sys.argv[1]}/{number}") for number in range(80)]
for pipe in pipes:
    pipe.grow()
print(sorted({open_fifo(f"{sys.argv[1]}/new").capacity, *(pipe.capacity for pipe in pipes)}))
"""


@needs_root
@needs_linux
def test_large_pipes_leave_room_for_the_pipes_of_others() -> None:
    with TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        done = subprocess.run(
            [sys.executable, "-c", CROWD, folder], check=True, capture_output=True, text=True
        )

    assert done.stdout == f"[{1 << 16}, {GROWN_BYTES}]\n"


def _plain_file(path: str) -> None:
    Path(path).write_text("not a pipe")


def _link(path: str) -> None:
    os.mkfifo(path + ".elsewhere")
    os.symlink(path + ".elsewhere", path)


def _folder(path: str) -> None:
    os.mkdir(path)


def _socket(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)


@pytest.mark.parametrize("make", [_plain_file, _link, _folder, _socket])
def test_what_is_no_pipe_is_refused_and_left_alone(path: str, make: object) -> None:
    assert callable(make)
    make(path)
    before = os.lstat(path)

    with pytest.raises(Refused, match=r"is not a pipe; a pipe .* was expected"):
        open_fifo(path)

    assert os.lstat(path).st_ino == before.st_ino


@needs_root
def test_a_new_pipe_belongs_to_the_user_of_the_service(path: str) -> None:
    fifo = open_fifo(path, SOMEBODY)

    assert os.lstat(path).st_uid == SOMEBODY
    fifo.close()


@needs_root
def test_somebody_elses_pipe_in_use_is_refused(path: str) -> None:
    theirs = open_fifo(path, SOMEBODY)

    with pytest.raises(Refused, match="belongs to user 12345"):
        open_fifo(path, 0)

    theirs.close()


@needs_root
def test_somebody_elses_pipe_out_of_use_is_replaced(path: str) -> None:
    open_fifo(path, SOMEBODY).close()

    mine = open_fifo(path, 0)

    assert os.lstat(path).st_uid == 0
    mine.close()


@needs_root
def test_without_a_user_the_pipe_of_a_running_service_is_taken_as_it_is(path: str) -> None:
    first = open_fifo(path, SOMEBODY)
    outlet = first.outlet()
    first.close()

    again = open_fifo(path)

    assert os.lstat(path).st_uid == SOMEBODY
    again.close()
    os.close(outlet)


def test_an_outlet_is_refused_when_another_pipe_took_the_place(fifo: Fifo) -> None:
    os.unlink(fifo.path)
    os.mkfifo(fifo.path)

    with pytest.raises(Refused, match="no longer the pipe it was"):
        fifo.outlet()


def test_only_a_pipe_that_nobody_holds_is_discarded(path: str) -> None:
    fifo = open_fifo(path)

    assert not discard_unheld(path)
    fifo.close()
    assert discard_unheld(path)
    assert not os.path.lexists(path)
    assert discard_unheld(path)
