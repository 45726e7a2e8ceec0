import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from holdfast import statefile
from holdfast.cli.checkups import disk
from holdfast.cli.checkups.finding import Finding, Grade
from holdfast.home import Home
from holdfast.statefile.system.ops import Folder, Ops

if sys.platform == "win32":
    pytest.skip("Windows has no such disks", allow_module_level=True)


class Disk(Ops):
    """A disk that refuses locks, or syncs of folders, with an error of its own."""

    def __init__(self, code: int) -> None:
        super().__init__()
        self.code = code

    def is_locked(self, fd: int) -> bool:
        raise OSError(self.code, os.strerror(self.code))

    def sync_folder(self, folder: Folder) -> bool:
        raise OSError(self.code, os.strerror(self.code))


class NoFolderSync(Ops):
    def sync_folder(self, folder: Folder) -> bool:
        return False


def only(findings: list[Finding]) -> Finding:
    (found,) = findings
    assert found.grade is Grade.OK or found.advice
    return found


def test_a_home_with_locks_is_well(home: Home) -> None:
    assert only(list(disk.locks(home))).grade is Grade.OK
    with statefile.hold(home.supervisor_lock):
        assert only(list(disk.locks(home))).grade is Grade.OK


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_home_without_locks_is_a_failure_that_says_where_to_go(home: Home, code: int) -> None:
    found = only(list(disk.locks(home, ops=Disk(code))))

    assert found.grade is Grade.FAIL
    assert errno.errorcode[code] in found.found
    assert "local disk" in found.advice


def test_a_lock_that_fails_is_a_failure_of_the_disk(home: Home) -> None:
    found = only(list(disk.locks(home, ops=Disk(errno.EIO))))

    assert (found.grade, found.advice) == (Grade.FAIL, "look at the system log")


def test_where_no_home_is_nothing_is_said_of_locks(tmp_path: Path) -> None:
    assert list(disk.locks(Home(tmp_path / "nowhere"))) == []


def test_a_folder_that_can_be_synced_is_well(tmp_path: Path) -> None:
    assert only(list(disk.folder_sync(tmp_path))).grade is Grade.OK


def test_a_disk_that_knows_no_sync_of_folders_is_a_warning(tmp_path: Path) -> None:
    assert only(list(disk.folder_sync(tmp_path, ops=NoFolderSync()))).grade is Grade.WARN


def test_a_sync_that_fails_is_a_failure(tmp_path: Path) -> None:
    assert only(list(disk.folder_sync(tmp_path, ops=Disk(errno.EIO)))).grade is Grade.FAIL


def test_without_a_folder_nothing_is_said_of_its_sync(tmp_path: Path) -> None:
    assert list(disk.folder_sync(tmp_path / "nowhere")) == []


def test_nothing_is_said_of_syncs_that_nobody_swallows(home: Home) -> None:
    assert list(disk.syncs(home)) == []


def test_a_command_whose_syncs_are_swallowed_is_a_failure(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LD_PRELOAD", "/usr/lib/libeatmydata.so")

    found = only(list(disk.syncs(home)))

    assert (found.grade, "this command" in found.found) == (Grade.FAIL, True)


_HOLDS_AND_LOADS = """
import mmap, sys
from holdfast.statefile import hold
held = hold(sys.argv[1])
with open(sys.argv[2], "rb") as library:
    loaded = mmap.mmap(library.fileno(), 0, access=mmap.ACCESS_READ)
print(flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_supervisor_whose_syncs_are_swallowed_is_a_failure(home: Home, tmp_path: Path) -> None:
    library = tmp_path / "libeatmydata.so.1"
    library.write_bytes(b"not really")
    with subprocess.Popen(
        [sys.executable, "-c", _HOLDS_AND_LOADS, str(home.supervisor_lock), str(library)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as supervisor:
        assert supervisor.stdout is not None
        assert supervisor.stdout.readline() == b"\n"
        found = only(list(disk.syncs(home)))
        supervisor.kill()

    assert (found.grade, "the supervisor" in found.found) == (Grade.FAIL, True)


@pytest.mark.parametrize(
    ("environ", "loaded", "swallowed"),
    [
        ({}, [], False),
        ({"LD_PRELOAD": "libjemalloc.so"}, ["7f r-xp /usr/lib/libc.so.6\n"], False),
        ({"LD_PRELOAD": "libjemalloc.so:libeatmydata.so"}, [], True),
        ({"DYLD_INSERT_LIBRARIES": "libeatmydata.dylib"}, [], True),
        ({}, ["7f r-xp /usr/lib/libeatmydata.so.1.3\n"], True),
    ],
)
def test_what_swallows_syncs_is_known_by_name(
    environ: dict[str, str], loaded: list[str], swallowed: bool
) -> None:
    assert disk.swallows(environ, loaded) is swallowed
