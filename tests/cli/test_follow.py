import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.cli import follow
from holdfast.cli.follow import Inotify, Pause, changes
from holdfast.errors import HoldfastError

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="inotify exists on Linux only")


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Inotify]:
    if sys.platform != "linux":
        pytest.skip("inotify exists on Linux only")
    told = Inotify(str(tmp_path), lambda name: name == "api.log")
    yield told
    told.close()


@linux_only
def test_a_write_is_told(told: Inotify, tmp_path: Path) -> None:
    (tmp_path / "api.log").write_bytes(b"x")

    told.wait()


@linux_only
def test_what_was_written_before_the_wait_is_told_too(told: Inotify, tmp_path: Path) -> None:
    (tmp_path / "api.log").write_bytes(b"x")
    told.wait()
    (tmp_path / "api.log").write_bytes(b"y")

    told.wait()


@linux_only
def test_a_splice_from_a_pipe_is_told_as_a_write_is(told: Inotify, tmp_path: Path) -> None:
    if sys.platform != "linux":
        return
    file = os.open(tmp_path / "api.log", os.O_RDWR | os.O_CREAT)
    told.wait()
    out, into = os.pipe()
    os.write(into, b"line\n")

    os.splice(out, file, 5)

    told.wait()
    for descriptor in (file, out, into):
        os.close(descriptor)


@linux_only
def test_a_renamed_file_is_told(told: Inotify, tmp_path: Path) -> None:
    (tmp_path / "new").write_bytes(b"x")
    (tmp_path / "new").rename(tmp_path / "api.log")

    told.wait()


@linux_only
def test_other_files_are_no_reason_to_wake(told: Inotify, tmp_path: Path) -> None:
    (tmp_path / "db.log").write_bytes(b"x")
    woken = threading.Event()

    def wait() -> None:
        told.wait()
        woken.set()

    waiting = threading.Thread(target=wait)
    waiting.start()
    assert not woken.wait(0.2)
    (tmp_path / "api.log").write_bytes(b"x")
    waiting.join()

    assert woken.is_set()


@linux_only
def test_a_folder_that_is_removed_ends_the_wait(told: Inotify, tmp_path: Path) -> None:
    tmp_path.rmdir()

    with pytest.raises(HoldfastError, match="removed"):
        told.wait()


@linux_only
def test_nobody_left_to_read_ends_the_wait(tmp_path: Path) -> None:
    program = (
        "import sys; from holdfast.cli.follow import Inotify\n"
        f"try: Inotify({str(tmp_path)!r}, bool).wait()\n"
        "except BrokenPipeError: sys.exit(7)"
    )
    waiting = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert waiting.stdout is not None
    waiting.stdout.close()

    assert waiting.wait(30) == 7


@linux_only
def test_where_the_kernel_tells_it_is_asked(tmp_path: Path) -> None:
    with changes(str(tmp_path), bool) as told:
        assert isinstance(told, Inotify)


def test_a_folder_that_is_not_there_yet_is_looked_at_again_and_again(tmp_path: Path) -> None:
    with changes(str(tmp_path / "later"), bool) as told:
        assert isinstance(told, Pause)


def test_where_no_kernel_tells_one_looks_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")

    with changes(str(tmp_path), bool) as told:
        assert isinstance(told, Pause)


def test_a_pause_ends() -> None:
    pause = Pause(every=0.0)

    pause.wait()
    pause.close()


def test_a_wait_that_is_closed_leaves_no_descriptor(tmp_path: Path) -> None:
    if sys.platform != "linux":
        pytest.skip("looks into /proc")
    before = set(os.listdir("/proc/self/fd"))
    for _ in range(50):
        with changes(str(tmp_path), bool), changes(str(tmp_path / "no"), bool):
            pass

    assert len(set(os.listdir("/proc/self/fd")) - before) == 0


def test_events_of_one_read_are_told_apart() -> None:
    name = b"api.log".ljust(16, b"\0")
    first = follow._EVENT.pack(1, 2, 0, len(name)) + name
    second = follow._EVENT.pack(1, 0x4000, 0, 0)

    assert list(follow._events(first + second)) == [(2, "api.log"), (0x4000, "")]
