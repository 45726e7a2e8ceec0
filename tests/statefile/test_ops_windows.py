"""Windows: paths instead of folder descriptors, and patience with readers."""

import errno
import os
from pathlib import Path

import pytest

from holdfast.errors import Conflict, StateIOError
from holdfast.statefile.lock import hold, holder, locked
from holdfast.statefile.ops_windows import WindowsOps
from holdfast.statefile.write import Durability, write_atomic


def windows_error(code: int) -> OSError:
    error = OSError(errno.EACCES, "Permission denied")
    setattr(error, "winerror", code)  # noqa: B010 - the attribute exists on Windows only
    return error


class FakeWindows(WindowsOps):
    """Windows rules on this system: a few renames are refused, an open file is never renamed."""

    def __init__(self, *refusals: int) -> None:
        super().__init__()
        self.refusals = list(refusals)
        self.moves = 0
        self.waited = 0.0
        self.open_files: dict[int, str] = {}

    def open(self, folder: object, name: str, flags: int, mode: int = 0o600) -> int:
        fd = super().open(folder, name, flags, mode)  # type: ignore[arg-type]  # passed on as is
        self.open_files[fd] = name
        return fd

    def close(self, fd: int) -> None:
        self.open_files.pop(fd, None)
        super().close(fd)

    def move(self, source: str, target: str) -> None:
        self.moves += 1
        assert os.path.basename(source) not in self.open_files.values()
        if self.refusals:
            raise windows_error(self.refusals.pop(0))
        super().move(source, target)

    def pause(self, seconds: float) -> None:
        self.waited += seconds


@pytest.fixture
def target(tmp_path: Path) -> Path:
    path = tmp_path / "state.json"
    path.write_text("old")
    return path


def test_a_reader_in_the_way_is_waited_for(target: Path) -> None:
    ops = FakeWindows(5, 32, 33, 5)

    result = write_atomic(target, "new", ops=ops)

    assert target.read_text() == "new"
    assert ops.moves == 5
    assert ops.waited == pytest.approx(0.001 + 0.002 + 0.004 + 0.008)
    assert (result.achieved, result.lost) == (Durability.FILE, ("attributes",))


def test_a_reader_that_stays_is_a_typed_error_after_two_seconds(target: Path) -> None:
    ops = FakeWindows(*[32] * 1000)

    with pytest.raises(StateIOError) as caught:
        write_atomic(target, "new", ops=ops)

    assert caught.value.errno_name == "EBUSY"
    assert 2.0 <= ops.waited < 2.2
    assert target.read_text() == "old"
    assert sorted(os.listdir(target.parent)) == [".state.json.lock", "state.json"]


def test_other_errors_are_not_waited_out(target: Path) -> None:
    ops = FakeWindows(112)

    with pytest.raises(StateIOError):
        write_atomic(target, "new", ops=ops)

    assert (ops.moves, ops.waited) == (1, 0)


@pytest.mark.parametrize("name", ["nul", "NUL.json", "com1.json", "state:json", "state. ", "x."])
def test_names_that_mean_something_else_there_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(StateIOError) as caught:
        write_atomic(tmp_path / name, "new", ops=FakeWindows())

    assert caught.value.errno_name == "EINVAL"
    assert os.listdir(tmp_path) == []


def test_create_only_is_left_to_a_rename_that_refuses_taken_names(tmp_path: Path) -> None:
    class Taken(FakeWindows):
        def rename_new(self, folder: object, source: str, target: str) -> None:
            raise FileExistsError(errno.EEXIST, "File exists", (folder, source, target))

    with pytest.raises(Conflict):
        write_atomic(tmp_path / "state.json", "new", create_only=True, ops=Taken())

    assert os.listdir(tmp_path) == [".state.json.lock"]


def test_a_missing_folder_is_told_from_a_file_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder, errno_name in [("none", "ENOENT"), ("file", "ENOTDIR")]:
        with pytest.raises(StateIOError) as caught:
            write_atomic(tmp_path / folder / "state.json", "new", ops=FakeWindows())
        assert caught.value.errno_name == errno_name


def test_links_are_followed_by_path(tmp_path: Path, target: Path) -> None:
    (tmp_path / "link").symlink_to(target)

    write_atomic(tmp_path / "link", "new", ops=FakeWindows())

    assert (tmp_path / "link").is_symlink()
    assert target.read_text() == "new"


def test_a_lock_by_path_is_the_same_lock_for_every_spelling(target: Path) -> None:
    ops = FakeWindows()

    with locked(target, 0, ops=ops), locked(target.parent / "." / "state.json", 0, ops=ops):
        write_atomic(target, "new", ops=ops)

    assert target.read_text() == "new"


def test_only_what_stays_locked_is_a_holder(tmp_path: Path) -> None:
    path = tmp_path / "supervisor.lock"
    ops = FakeWindows()

    with hold(path, ops=ops):
        assert holder(path, ops=ops) == os.getpid()
        assert ops.waited >= 0.1

    assert holder(path, ops=ops) is None
