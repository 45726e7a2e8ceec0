"""Both ways to get bytes out of a pipe keep the same promises."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

if sys.platform == "win32":
    pytest.skip("named pipes in the file system are a POSIX thing", allow_module_level=True)

from holdfast.machine.output.fifo import open_fifo
from holdfast.machine.output.tap import CopyTap, Scratch, SpliceTap, Tap, tap_for


def _splicing(path: str, scratch: Scratch) -> Tap:
    return SpliceTap(open_fifo(path), scratch)


def _copying(path: str, scratch: Scratch) -> Tap:
    return CopyTap(open_fifo(path))


MAKERS = [
    pytest.param(
        _splicing, marks=pytest.mark.skipif(sys.platform != "linux", reason="splice is Linux")
    ),
    _copying,
]


@pytest.fixture(params=MAKERS)
def tap(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Tap]:
    make: Callable[[str, Scratch], Tap] = request.param
    scratch = Scratch()
    tap = make(str(tmp_path / "pipe"), scratch)
    yield tap
    tap.fifo.close()
    scratch.close()


@pytest.fixture
def file(tmp_path: Path) -> Iterator[int]:
    fd = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    yield fd
    os.close(fd)


def _write(tap: Tap, content: bytes) -> None:
    os.write(tap.fifo.fd, content)


def test_an_empty_pipe_gives_nothing_and_does_not_wait(tap: Tap, file: int) -> None:
    assert tap.peek(10) == b""
    assert tap.move(file, 10) == 0
    assert tap.skip(10) == 0


def test_looking_takes_nothing_away(tap: Tap, file: int) -> None:
    _write(tap, b"one\ntwo\n")

    assert tap.peek(5) == b"one\nt"
    assert tap.peek(100) == b"one\ntwo\n"
    assert tap.move(file, 100) == 8


def test_exactly_as_much_is_moved_as_was_asked_for(tap: Tap, file: int) -> None:
    _write(tap, b"one\ntwo\n")

    assert tap.move(file, 4) == 4
    assert tap.peek(100) == b"two\n"
    assert os.pread(file, 100, 0) == b"one\n"


def test_bytes_go_to_the_position_of_the_file(tap: Tap, file: int) -> None:
    os.write(file, b"before ")
    _write(tap, b"after")

    tap.move(file, 100)

    assert os.pread(file, 100, 0) == b"before after"


def test_what_was_skipped_is_gone(tap: Tap) -> None:
    _write(tap, b"one\ntwo\n")

    assert tap.skip(4) == 4
    assert tap.peek(100) == b"two\n"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_a_full_disk_takes_nothing_out_of_the_pipe(tap: Tap) -> None:
    _write(tap, b"one\n")
    full = os.open("/dev/full", os.O_RDWR)

    with pytest.raises(OSError, match="No space left"):
        tap.move(full, 100)

    assert tap.peek(100) == b"one\n"
    os.close(full)


def test_a_file_that_cannot_be_spliced_to_is_written_to(tap: Tap, tmp_path: Path) -> None:
    # The kernel refuses to splice to a file opened for appending as it does on file systems without splice.
    refusing = os.open(tmp_path / "file", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    _write(tap, b"one\ntwo\n")

    assert tap.move(refusing, 4) == 4
    assert tap.move(refusing, 100) == 4

    assert (tmp_path / "file").read_bytes() == b"one\ntwo\n"
    os.close(refusing)


def test_looking_into_something_that_is_no_pipe_fails(tmp_path: Path, file: int) -> None:
    scratch = Scratch()

    with pytest.raises(OSError, match=r"Invalid argument|Linux only"):
        scratch.look(file, 10)

    scratch.close()


@pytest.mark.skipif(sys.platform != "linux", reason="splice is Linux")
def test_on_linux_nothing_is_ever_held_outside_the_pipe(tmp_path: Path) -> None:
    scratch = Scratch()
    tap = tap_for(open_fifo(str(tmp_path / "pipe")), scratch)
    _write(tap, b"one\ntwo")
    tap.peek(100)

    assert isinstance(tap, SpliceTap)
    assert tap.held() == 0
    tap.fifo.close()
    scratch.close()
