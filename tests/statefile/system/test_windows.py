"""Windows: paths instead of folder descriptors, and patience with readers."""

import errno
import os
import struct
import sys
from pathlib import Path

import pytest

from holdfast.errors import Conflict, StateIOError
from holdfast.statefile.documents import read_json
from holdfast.statefile.durability import Durability
from holdfast.statefile.lock import hold, holder, locked
from holdfast.statefile.system.kernel32 import access_of, disposition_of, rename_info
from holdfast.statefile.system.windows import WindowsOps, kernel32
from holdfast.statefile.write import write_atomic


def windows_error(code: int) -> OSError:
    error = OSError(errno.EACCES, "Permission denied")
    setattr(error, "winerror", code)  # noqa: B010 - the attribute exists on Windows only
    return error


class FakeKernel:
    """Renames and opens as this system does; `posix_refusal` is what a disk that knows no such rename says."""

    def __init__(self, posix_refusal: int | None = None) -> None:
        self.posix_refusal = posix_refusal
        self.renames: list[str] = []
        self.opened: list[str] = []

    def open_shared(self, path: str, flags: int) -> int:
        self.opened.append(os.path.basename(path))
        return os.open(path, flags, 0o600)

    def rename_over(self, source: str, target: str) -> None:
        self.renames.append("posix")
        if self.posix_refusal is not None:
            raise windows_error(self.posix_refusal)
        os.replace(source, target)

    def move_over(self, source: str, target: str) -> None:
        self.renames.append("old")
        os.replace(source, target)


class FakeWindows(WindowsOps):
    """Windows rules on this system: a few renames are refused, an open file is never renamed."""

    def __init__(self, *refusals: int, kernel: FakeKernel | None = None) -> None:
        super().__init__(kernel or FakeKernel())
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


def test_files_are_replaced_as_posix_does_it(target: Path) -> None:
    kernel = FakeKernel()

    write_atomic(target, "new", ops=FakeWindows(kernel=kernel))

    assert target.read_text() == "new"
    assert kernel.renames == ["posix"]


@pytest.mark.parametrize("code", [1, 50, 87])
def test_a_disk_that_knows_no_posix_rename_gets_the_old_one(target: Path, code: int) -> None:
    kernel = FakeKernel(posix_refusal=code)

    write_atomic(target, "new", ops=FakeWindows(kernel=kernel))

    assert target.read_text() == "new"
    assert kernel.renames == ["posix", "old"]


@pytest.mark.parametrize("code", [5, 32, 33, 112])
def test_a_refused_rename_is_not_tried_the_old_way(target: Path, code: int) -> None:
    kernel = FakeKernel(posix_refusal=code)

    with pytest.raises(StateIOError):
        write_atomic(target, "new", ops=FakeWindows(kernel=kernel))

    assert set(kernel.renames) == {"posix"}
    assert target.read_text() == "old"


def test_a_reader_of_ours_lets_others_rename_what_it_reads(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text("{}")
    kernel = FakeKernel()

    assert read_json(tmp_path / "state.json", ops=FakeWindows(kernel=kernel)) == {}

    assert kernel.opened == ["state.json"]


@pytest.mark.parametrize(
    ("flags", "access", "disposition"),
    [
        (os.O_RDONLY, 0x80000000, 3),
        (os.O_RDWR, 0xC0000000, 3),
        (os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0x40000000, 1),
        (os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0x40000000, 2),
        (os.O_RDWR | os.O_CREAT, 0xC0000000, 4),
        (os.O_WRONLY | os.O_TRUNC, 0x40000000, 5),
    ],
)
def test_flags_of_open_are_put_in_the_words_of_windows(
    flags: int, access: int, disposition: int
) -> None:
    assert (access_of(flags), disposition_of(flags)) == (access, disposition)


def test_the_new_name_stands_in_a_rename_behind_its_length_in_bytes() -> None:
    info = rename_info("C:\\état\\\U0001f600.json")

    flags, root, length = struct.unpack_from("@IPI", info)
    name = info[struct.calcsize("@IPI") :]
    assert (flags, root, length) == (3, 0, len(name) - 2)
    assert name.decode("utf-16-le") == "C:\\état\\\U0001f600.json\0"


def test_a_backup_is_a_second_name_by_path(target: Path) -> None:
    result = write_atomic(target, "new", backups=1, ops=FakeWindows())

    assert "backup" not in result.lost
    assert target.with_name("state.json.~1~").read_text() == "old"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has one")
def test_other_systems_have_no_kernel_of_windows() -> None:
    with pytest.raises(OSError, match="Windows only"):
        kernel32()


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
