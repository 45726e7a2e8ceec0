"""Where files have no locks nothing is lost, nothing is torn, and the dead keep nobody out."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from holdfast.errors import LockTimeout, StateIOError
from holdfast.statefile.documents import read_json, write_json
from holdfast.statefile.durability import Durability
from holdfast.statefile.lock import hold, locked
from holdfast.statefile.system.ops import Ops
from holdfast.statefile.write import write_atomic

if sys.platform == "win32":
    pytest.skip("the links and processes of POSIX", allow_module_level=True)

CHANCE = "0123456789abcdef"


class NoLocks(Ops):
    """Real files on a disk whose files cannot be locked, as with Lustre or NFS without its lock service."""

    def __init__(self, code: int = errno.ENOLCK) -> None:
        super().__init__()
        self.code = code

    def lock(self, fd: int) -> bool:
        raise OSError(self.code, os.strerror(self.code))

    def unlock(self, fd: int) -> None:
        raise OSError(self.code, os.strerror(self.code))

    def is_locked(self, fd: int) -> bool:
        raise OSError(self.code, os.strerror(self.code))


_NO_LOCKS = """
import errno, os, sys
from holdfast.statefile.system.ops import Ops
from holdfast.statefile.lock import locked
from holdfast.statefile.documents import read_json, write_json
from holdfast.statefile.durability import Durability
from holdfast.statefile.write import write_atomic

class NoLocks(Ops):
    def lock(self, fd):
        raise OSError(errno.ENOLCK, "none")
    unlock = is_locked = lock
"""
_INCREMENT = (
    _NO_LOCKS
    + """
ops = NoLocks()
for _ in range(25):
    with locked(sys.argv[1], 60, ops=ops):
        count = read_json(sys.argv[1])["count"]
        write_json(sys.argv[1], {"count": count + 1}, durability=Durability.ATOMIC, ops=ops)
"""
)
_DIES_WRITING = (
    _NO_LOCKS
    + """
class DiesAtTheRename(NoLocks):
    def replace(self, folder, source, target):
        os.kill(os.getpid(), 9)

write_atomic(sys.argv[1], "never seen", ops=DiesAtTheRename())
"""
)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "state.json"


def names(target: Path) -> list[str]:
    return sorted(os.listdir(target.parent))


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP])
def test_a_write_leaves_the_file_and_its_sidecar_only(target: Path, code: int) -> None:
    write_atomic(target, "old", ops=NoLocks(code))
    write_atomic(target, "new", ops=NoLocks(code))

    assert target.read_text() == "new"
    assert names(target) == [".state.json.lock", "state.json"]


def test_a_lock_that_is_refused_for_another_reason_is_an_error(target: Path) -> None:
    with pytest.raises(StateIOError) as caught:
        write_atomic(target, "new", ops=NoLocks(errno.EIO))

    assert caught.value.errno_name == "EIO"
    assert names(target) == [".state.json.lock"]


def test_writes_enter_the_lock_their_thread_holds(target: Path) -> None:
    ops = NoLocks()

    with locked(target, 0, ops=ops), locked(target, 0, ops=ops):
        write_atomic(target, "new", ops=ops)
        assert target.with_name(".state.json.owner").is_symlink()

    assert names(target) == [".state.json.lock", "state.json"]


def test_an_error_inside_frees_it(target: Path) -> None:
    ops = NoLocks()

    with pytest.raises(FileNotFoundError), locked(target, ops=ops):
        target.read_text()

    with locked(target, 0, ops=ops):
        pass


def test_a_lock_that_is_not_free_in_time_is_a_timeout(target: Path) -> None:
    with NoLocksIn(target) as other, pytest.raises(LockTimeout, match=f"process {other.pid}"):
        write_in_time(target)

    write_in_time(target)


class NoLocksIn(subprocess.Popen[str]):
    """A process that holds the lock of a file until it is killed at the end of the block."""

    def __init__(self, target: Path) -> None:
        script = f"{_NO_LOCKS}\nwith locked(sys.argv[1], ops=NoLocks()):\n    print(flush=True)\n    sys.stdin.read()\n"
        super().__init__(
            [sys.executable, "-c", script, str(target)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> "NoLocksIn":
        super().__enter__()
        assert self.stdout is not None
        assert self.stdout.readline() == "\n"
        return self

    def __exit__(self, *what: object) -> None:
        self.kill()
        super().__exit__(None, None, None)


def write_in_time(target: Path) -> None:
    ops = NoLocks()
    with locked(target, 0, ops=ops):
        write_atomic(target, "mine", ops=ops)


def test_four_processes_that_read_change_and_write_lose_nothing(target: Path) -> None:
    write_json(target, {"count": 0}, durability=Durability.ATOMIC)

    writers = [subprocess.Popen([sys.executable, "-c", _INCREMENT, str(target)]) for _ in range(4)]

    assert [writer.wait() for writer in writers] == [0, 0, 0, 0]
    assert read_json(target) == {"count": 100}
    assert names(target) == [".state.json.lock", "state.json"]


def test_what_a_killed_writer_left_is_swept_by_the_next(target: Path) -> None:
    target.write_text("old")
    killed = subprocess.run([sys.executable, "-c", _DIES_WRITING, str(target)], check=False)
    assert killed.returncode == -9
    assert target.read_text() == "old"
    assert len(names(target)) == 4

    result = write_atomic(target, "new", ops=NoLocks())

    assert (result.swept, result.swept_bytes) == (1, len("never seen"))
    assert names(target) == [".state.json.lock", "state.json"]


def test_the_cut_temp_of_another_file_is_swept_only_when_its_owner_is_gone(target: Path) -> None:
    cut = target.with_name(f".other.json.5.0.{CHANCE}.tmp")
    with NoLocksIn(target.with_name("other.json")):
        cut.write_text("cut")
        write_atomic(target, "new", ops=NoLocks())
        assert cut.exists()

    write_atomic(target, "newer", ops=NoLocks())

    assert not cut.exists()
    assert not target.with_name(".other.json.owner").is_symlink()


def test_a_program_holds_no_lock_where_there_are_none(tmp_path: Path) -> None:
    with pytest.raises(StateIOError) as caught:
        hold(tmp_path / "supervisor.lock", ops=NoLocks())

    assert caught.value.errno_name == "ENOLCK"
