"""What was written before is written in one breath, with the same outcome and by the same calls."""

import errno
import os
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from holdfast.errors import CommittedNotDurable, LockTimeout, StateIOError
from holdfast.statefile.again import SMALL, write_again
from holdfast.statefile.durability import Durability
from holdfast.statefile.lock import locked
from holdfast.statefile.system.ops import Folder, Ops
from holdfast.statefile.write import write_atomic

if sys.platform == "win32":
    pytest.skip("the files and locks of POSIX", allow_module_level=True)

OLD = b"old"
NEW = b"new content"


class Counting(Ops):
    """Counts how often a folder was looked at by its key, which only the general way does."""

    def __init__(self) -> None:
        super().__init__()
        self.general = 0

    def key(self, folder: Folder) -> tuple[int | str, ...]:
        self.general += 1
        return super().key(folder)


@pytest.fixture
def ops() -> Counting:
    return Counting()


@pytest.fixture
def target(tmp_path: Path, ops: Counting) -> Path:
    target = tmp_path / "state.json"
    write_atomic(target, OLD, ops=ops)
    ops.general = 0
    return target


def temps(target: Path) -> list[str]:
    return [name for name in os.listdir(target.parent) if name.endswith(".tmp")]


@pytest.mark.parametrize("durability", list(Durability))
def test_the_second_write_takes_the_short_way_and_keeps_the_permissions(
    target: Path, ops: Counting, durability: Durability
) -> None:
    target.chmod(0o640)
    result = write_atomic(target, NEW, durability=durability, ops=ops)

    assert ops.general == 0
    assert target.read_bytes() == NEW
    assert target.stat().st_mode & 0o777 == 0o640
    assert (result.achieved, result.lost, result.written) == (durability, (), True)
    assert temps(target) == []


def linked(target: Path) -> None:
    os.link(target, target.with_name("other"))


def with_attribute(target: Path) -> None:
    if sys.platform == "linux":
        try:
            os.setxattr(target, "user.note", b"x")
        except OSError:
            pytest.skip("this file system keeps no attributes")


def replaced_by_link(target: Path) -> None:
    target.rename(target.with_name("real"))
    target.symlink_to("real")


def removed(target: Path) -> None:
    target.unlink()


def lock_removed(target: Path) -> None:
    target.with_name(".state.json.lock").unlink()


def written_by_another(target: Path) -> None:
    subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from holdfast.statefile import write_atomic; write_atomic(sys.argv[1], 'x')",
            str(target),
        ],
        check=True,
    )


@pytest.mark.parametrize(
    "unusual",
    [linked, with_attribute, replaced_by_link, removed, lock_removed, written_by_another],
)
def test_what_is_unusual_goes_the_general_way(
    target: Path, ops: Counting, unusual: Callable[[Path], None]
) -> None:
    unusual(target)
    write_atomic(target, NEW, ops=ops)
    assert ops.general > 0
    assert target.read_bytes() == NEW
    assert temps(target) == []


def test_options_and_large_contents_go_the_general_way(target: Path, ops: Counting) -> None:
    write_atomic(target, NEW, backups=1, ops=ops)
    write_atomic(target, b"x" * SMALL, ops=ops)
    assert ops.general == 2


def test_a_mode_goes_the_short_way_and_is_set(target: Path, ops: Counting) -> None:
    for mode in (0o600, 0o640, 0o600):
        write_atomic(target, NEW, mode=mode, ops=ops)
        assert stat.S_IMODE(target.stat().st_mode) == mode
    assert ops.general == 0


def test_what_is_no_file_any_more_is_told(target: Path, ops: Counting) -> None:
    target.unlink()
    os.mkfifo(target)
    with pytest.raises(StateIOError, match="pipe"):
        write_atomic(target, NEW, ops=ops)
    target.unlink()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(target))
        with pytest.raises(StateIOError, match="socket"):
            write_atomic(target, NEW, ops=ops)


def test_inside_a_lock_of_its_own_it_does_not_wait_for_itself(target: Path, ops: Counting) -> None:
    with locked(target, ops=ops):
        write_atomic(target, NEW, ops=ops)
    assert target.read_bytes() == NEW


def test_somebody_elses_lock_is_waited_for(target: Path, ops: Counting) -> None:
    refused = []

    def write() -> None:
        try:
            write_atomic(target, NEW, wait_for=0.01, ops=ops)
        except LockTimeout:
            refused.append(True)

    with locked(target, ops=ops):
        thread = threading.Thread(target=write)
        thread.start()
        thread.join()
    assert refused == [True]
    assert target.read_bytes() == OLD


def test_a_forked_child_has_written_nothing_before(target: Path, ops: Counting) -> None:
    class Child(Ops):
        def pid(self) -> int:
            return os.getpid() + 1

    child = Child()
    child.written = ops.written
    assert write_again(str(target), NEW, Durability.FULL, child) is None


def test_another_owner_goes_the_general_way_for_good(target: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root writes files of others and keeps their owner")
    ops = Counting()
    os.chown(target, 1234, 1234)
    for _ in range(3):
        write_atomic(target, NEW, ops=ops)
    assert target.stat().st_uid == 1234
    assert ops.general == 3
    assert temps(target) == []


def test_short_writes_are_gone_on_with(target: Path, ops: Counting) -> None:
    class Short(Counting):
        def write(self, fd: int, content: bytes | memoryview) -> int:
            return super().write(fd, content[:3])

    short = Short()
    short.written = ops.written
    write_atomic(target, NEW, ops=short)
    assert (short.general, target.read_bytes()) == (0, NEW)


def test_a_folder_that_cannot_be_synced_is_committed_and_not_durable(
    target: Path, ops: Counting
) -> None:
    class Failing(Counting):
        def sync_folder(self, folder: Folder) -> bool:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    failing = Failing()
    failing.written = ops.written
    with pytest.raises(CommittedNotDurable, match="power cut"):
        write_atomic(target, NEW, ops=failing)
    assert (failing.general, target.read_bytes()) == (0, NEW)


def test_no_descriptor_is_left_open(target: Path, ops: Counting) -> None:
    before = len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0
    for _ in range(20):
        write_atomic(target, NEW, ops=ops)
    assert before == (len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0)
