"""Faults of real disks: whatever the system refuses, the old content stands, the error is typed and no temp is left."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from holdfast.errors import StateIOError
from holdfast.statefile import Durability, locked, write_atomic
from holdfast.statefile.system.ops import Ops
from holdfast.statefile.transactions import transaction

if sys.platform == "win32":
    pytest.skip("the faults of POSIX systems", allow_module_level=True)

if TYPE_CHECKING:
    from tests.crash.conftest import Disk, FragileOps, Room

OLD = b"the old content\n"
LONG = b"thirty thousand bytes, which a small disk has not\n" * 600
LEVELS = list(Durability)
NO_CALL_FITS = 100


def temps(folder: Path) -> list[str]:
    return [name for name in os.listdir(folder) if name.endswith(".tmp")]


def refused(target: Path, new: bytes = LONG, *, durability: Durability = Durability.FULL) -> str:
    """Write in vain, and return the name of the error; the old content stands and no temp is left."""
    with pytest.raises(StateIOError) as caught:
        write_atomic(target, new, durability=durability, ops=Ops())
    assert target.read_bytes() == OLD
    assert temps(target.parent) == []
    assert caught.value.path == str(target)
    return caught.value.errno_name


def old_file(folder: Path) -> Path:
    target = folder / "state.json"
    target.write_bytes(OLD)
    return target


def fill(folder: Path, *, leave: int = 0) -> Path:
    """Take all the space of a disk, but so many bytes."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            try:
                while file.write(b"\1" * size) == size:
                    pass
            except OSError:
                continue
        os.ftruncate(file.fileno(), os.fstat(file.fileno()).st_size - leave)
    return ballast


@pytest.mark.parametrize("durability", LEVELS)
def test_a_disk_too_small_for_the_new_content_keeps_the_old(
    room: "Room", durability: Durability
) -> None:
    target = old_file(room.tmpfs("size=16k"))

    assert refused(target, durability=durability) == "ENOSPC"


@pytest.mark.parametrize("durability", LEVELS)
def test_whatever_space_is_left_a_write_is_whole_or_refused(
    room: "Room", durability: Durability
) -> None:
    folder = room.tmpfs("size=64k")
    target = old_file(folder)
    found = set()
    for pages in range(12):
        ballast = fill(folder, leave=pages * 4096)
        try:
            write_atomic(target, LONG, durability=durability, ops=Ops())
        except StateIOError as error:
            found.add(error.errno_name)
            assert target.read_bytes() == OLD
        else:
            found.add("written")
            assert target.read_bytes() == LONG
        assert temps(folder) == []
        ballast.unlink()
        target.write_bytes(OLD)
    assert found == {"ENOSPC", "written"}


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs"])
@pytest.mark.parametrize("durability", LEVELS)
def test_a_full_disk_of_each_kind_keeps_the_old_content(
    room: "Room", kind: str, durability: Durability
) -> None:
    disk = room.disk(kind, size_mb={"ext4": 8, "xfs": 300, "btrfs": 128}[kind])
    target = old_file(disk.root)
    reserve = disk.root / "reserve"
    reserve.write_bytes(b"\1" * (1 << 20))
    sync_all(room, disk)
    fill(disk.root)

    assert refused(target, LONG * 40, durability=durability) == "ENOSPC"
    reserve.unlink()
    (disk.root / "ballast").unlink()
    sync_all(room, disk)
    write_atomic(target, LONG, durability=durability, ops=Ops())
    assert target.read_bytes() == LONG


def sync_all(room: "Room", disk: "Disk") -> None:
    room.run("sync", "--file-system", str(disk.place))


def test_a_full_table_of_files_keeps_the_old_content(room: "Room") -> None:
    target = old_file(room.tmpfs("size=1m,nr_inodes=4"))
    (target.parent / "state.txt").touch()

    assert refused(target) == "ENOSPC"


def test_a_transaction_without_space_for_all_its_files_changes_none(room: "Room") -> None:
    folder = room.tmpfs("size=160k")
    paths = [folder / name for name in ("a.md", "b.md", "c.md")]
    found = set()
    for pages in range(34):
        for path in paths:
            path.write_bytes(OLD)
        ballast = fill(folder, leave=pages * 4096)
        found.add(answer := written_together(paths))
        assert {path.read_bytes() for path in paths} == {LONG if answer == "written" else OLD}
        hidden = [name for name in os.listdir(folder) if name.startswith(".txn-")]
        assert (temps(folder), hidden) == ([], [])
        ballast.unlink()
    assert found == {"ENOSPC", "written"}


def written_together(paths: list[Path]) -> str:
    try:
        with transaction(*paths, ops=Ops()) as together:
            for path in paths:
                together.write(path, LONG)
    except StateIOError as error:
        return error.errno_name
    return "written"


_WRITES = """
import sys
from holdfast.errors import StateIOError
from holdfast.statefile import write_atomic
try:
    write_atomic(sys.argv[1], "x" * 300)
except StateIOError as error:
    print(error.errno_name)
"""


def test_a_limit_on_the_size_of_files_keeps_the_old_content(tmp_path: Path) -> None:
    target = old_file(tmp_path)

    limited = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
    assert run(limited + _WRITES, target) == "EFBIG"

    assert target.read_bytes() == OLD
    assert temps(tmp_path) == []


def run(program: str, *words: object, before: Sequence[str] = ()) -> str:
    done = subprocess.run(
        [*before, sys.executable, "-c", program, *map(str, words)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.mark.parametrize("was_written", [True, False], ids=["written before", "never written"])
def test_a_read_only_mount_keeps_the_old_content(
    room: "Room", tmp_path: Path, was_written: bool
) -> None:
    (tmp_path / "folder").mkdir()
    target = old_file(tmp_path / "folder")
    if was_written:
        write_atomic(target, OLD, ops=Ops())
    view = room.mount(tmp_path / "folder", "--bind", "--options", "ro", str(tmp_path / "folder"))

    assert refused(view / target.name) == "EROFS"


def test_a_file_system_that_became_read_only_keeps_the_old_content(room: "Room") -> None:
    target = old_file(room.tmpfs("size=1m"))
    write_atomic(target, OLD, ops=Ops())
    room.mount(room.folder / "tmpfs", "--options", "remount,ro")

    assert refused(target) == "EROFS"


@pytest.mark.parametrize("immutable", ["the file", "the folder"])
def test_what_is_immutable_keeps_the_old_content(room: "Room", immutable: str) -> None:
    disk = room.disk("ext4", size_mb=16)
    (disk.root / "folder").mkdir()
    target = old_file(disk.root / "folder")
    kept = target if immutable == "the file" else target.parent
    subprocess.run(["chattr", "+i", str(kept)], check=True)
    try:
        assert refused(target) in ("EPERM", "EACCES")
    finally:
        subprocess.run(["chattr", "-i", str(kept)], check=True)
    write_atomic(target, LONG, ops=Ops())


def test_a_folder_to_which_one_may_only_add_keeps_the_old_content(room: "Room") -> None:
    disk = room.disk("ext4", size_mb=16)
    (disk.root / "folder").mkdir()
    target = old_file(disk.root / "folder")
    subprocess.run(["chattr", "+a", str(target.parent)], check=True)
    try:
        with pytest.raises(StateIOError) as caught:
            write_atomic(target, LONG, ops=Ops())
    finally:
        subprocess.run(["chattr", "-a", str(target.parent)], check=True)
    assert caught.value.errno_name == "EPERM"
    assert target.read_bytes() == OLD
    # Such a folder lets nobody remove the temp either; the next write does.
    swept = write_atomic(target, LONG, ops=Ops()).swept
    assert (swept, temps(target.parent)) == (1, [])


def test_a_file_that_is_mounted_by_itself_keeps_the_old_content(
    room: "Room", tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()
    target = old_file(tmp_path / "folder")
    room.mount(target, "--bind", str(target))

    # A name is busy only for those who see what is mounted on it.
    assert run(_WRITES, target, before=room.entering()) == "EBUSY"

    assert target.read_bytes() == OLD
    assert temps(target.parent) == []


@pytest.mark.parametrize("durability", LEVELS)
def test_a_quota_keeps_the_old_content(room: "Room", durability: Durability) -> None:
    disk = room.disk("btrfs", size_mb=256)
    place = str(disk.place)
    room.run("btrfs", "quota", "enable", place)
    room.run("btrfs", "subvolume", "create", f"{place}/mine")
    target = old_file(disk.root / "mine")
    room.run("btrfs", "qgroup", "limit", "2m", f"{place}/mine")
    sync_all(room, disk)

    assert refused(target, LONG * 200, durability=durability) == "EDQUOT"


@pytest.mark.parametrize("length", [181, 200, 255])
def test_a_name_of_any_length_the_disk_takes_is_written(tmp_path: Path, length: int) -> None:
    target = tmp_path / ("n" * length)
    target.write_bytes(OLD)

    write_atomic(target, LONG, ops=Ops())

    assert target.read_bytes() == LONG
    assert temps(tmp_path) == []


def test_a_name_too_long_for_the_disk_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(StateIOError) as caught:
        write_atomic(tmp_path / ("n" * 256), LONG, ops=Ops())

    assert caught.value.errno_name == "ENAMETOOLONG"
    assert os.listdir(tmp_path) == []


def test_the_other_name_of_a_file_keeps_the_old_content(tmp_path: Path) -> None:
    target = old_file(tmp_path)
    other = tmp_path / "other.json"
    other.hardlink_to(target)

    result = write_atomic(target, LONG, ops=Ops())

    assert result.lost == ("links",)
    assert (target.read_bytes(), other.read_bytes()) == (LONG, OLD)


def test_a_chain_of_links_to_another_disk_leads_there_and_stays(
    room: "Room", tmp_path: Path
) -> None:
    far = old_file(room.tmpfs("size=1m"))
    (tmp_path / "second").symlink_to(far)
    first = tmp_path / "state.json"
    first.symlink_to("second")

    write_atomic(first, LONG, ops=Ops())

    assert first.is_symlink()
    assert (tmp_path / "second").is_symlink()
    assert far.read_bytes() == LONG
    assert temps(far.parent) == []
    assert sorted(os.listdir(tmp_path)) == ["room", "second", "state.json"]


def test_a_dangling_link_gets_its_target(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    link = tmp_path / "state.json"
    link.symlink_to("there/new.json")

    write_atomic(link, LONG, ops=Ops())

    assert link.is_symlink()
    assert (tmp_path / "there" / "new.json").read_bytes() == LONG


def test_links_in_a_circle_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")

    with pytest.raises(StateIOError) as caught:
        write_atomic(tmp_path / "a", LONG, ops=Ops())

    assert caught.value.errno_name == "ELOOP"


def remove(folder: Path) -> None:
    for name in os.listdir(folder):
        (folder / name).unlink()
    folder.rmdir()


def move(folder: Path) -> None:
    folder.rename(folder.with_name("moved"))


def put_a_link_in_its_place(folder: Path) -> None:
    move(folder)
    folder.symlink_to(folder.with_name("elsewhere"))


@pytest.mark.parametrize("deed", [remove, move, put_a_link_in_its_place])
def test_a_folder_that_goes_during_a_write_takes_the_write_with_it_or_fails_it(
    tmp_path: Path, fragile: "type[FragileOps]", deed: Callable[[Path], None]
) -> None:
    for at in range(1, NO_CALL_FITS):
        root = tmp_path / f"step{at}"
        (root / "elsewhere").mkdir(parents=True)
        (root / "folder").mkdir()
        target = old_file(root / "folder")

        ops = fragile(at, deed=partial(deed, target.parent))
        result = written(target, ops)

        assert result in ("written", "ENOENT")
        moved = root / "moved"
        if at == 1 and deed is put_a_link_in_its_place:  # before anything was opened
            moved = root / "elsewhere"
        elif deed is put_a_link_in_its_place:
            assert os.listdir(root / "elsewhere") == []
        if moved.exists():
            assert temps(moved) == []
            assert (moved / target.name).read_bytes() == (LONG if result == "written" else OLD)
        if len(ops.made) < at:
            return
    pytest.fail(f"a write has more than {NO_CALL_FITS} steps")


def written(target: Path, ops: Ops) -> str:
    try:
        write_atomic(target, LONG, ops=ops)
    except StateIOError as error:
        return error.errno_name
    return "written"


_FORKS_WHILE_HOLDING = """
import os, sys
from holdfast.errors import LockTimeout
from holdfast.statefile import locked, write_atomic
path = sys.argv[1]
with locked(path):
    child = os.fork()
    if child == 0:
        try:
            with locked(path, 0.05):
                os._exit(3)
        except LockTimeout:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status))
    other = os.posix_spawn(sys.executable, [sys.executable, "-c", '''
import sys
from holdfast.errors import LockTimeout
from holdfast.statefile import locked
try:
    with locked(sys.argv[1], 0.05):
        sys.exit(3)
except LockTimeout:
    sys.exit(0)
''', path], os.environ)
    print(os.waitstatus_to_exitcode(os.waitpid(other, 0)[1]))
    write_atomic(path, "written by the holder")
"""


def test_a_fork_while_the_lock_is_held_neither_shares_nor_frees_it(tmp_path: Path) -> None:
    target = tmp_path / "state.json"

    assert run(_FORKS_WHILE_HOLDING, target).split() == ["0", "0"]

    assert target.read_text() == "written by the holder"


_CHILD_OUTLIVES_THE_HOLDER = """
import os, sys
from holdfast.statefile import locked
reading, writing = os.pipe()
with locked(sys.argv[1]):
    child = os.fork()
    if child == 0:
        os.close(writing)
        os.read(reading, 1)
        os._exit(0)
with locked(sys.argv[1], 0.05):
    print("free")
os.close(writing)
os.waitpid(child, 0)
"""


def test_a_child_that_never_executes_another_program_keeps_no_lock(tmp_path: Path) -> None:
    assert run(_CHILD_OUTLIVES_THE_HOLDER, tmp_path / "state.json") == "free"


def test_ten_thousand_orphans_go_in_bounded_pieces(tmp_path: Path) -> None:
    target = old_file(tmp_path)
    for number in range(10_000):
        (tmp_path / f".state.json.5.{0:08x}.{number:016x}.tmp").write_bytes(b"part")
    huge = tmp_path / f".state.json.40000000.{0:08x}.{10_000:016x}.tmp"
    huge.touch()
    os.truncate(huge, 1 << 30)

    ops = Ops()
    results = [write_atomic(target, LONG, ops=ops) for _ in range(25)]

    assert max(result.swept for result in results) <= 1000
    assert sum(result.swept for result in results) == 10_001
    assert sum(result.swept_bytes for result in results) == 40_000 + (1 << 30)
    assert temps(tmp_path) == []


_WAITS_BRIEFLY = """
import sys
from holdfast.errors import LockTimeout
from holdfast.statefile import locked
try:
    with locked(sys.argv[1], 0.01):
        pass
except LockTimeout as error:
    print(error)
"""


def test_who_waits_in_vain_is_told_the_process_that_holds_the_lock(tmp_path: Path) -> None:
    target = old_file(tmp_path)

    with locked(target, ops=Ops()):
        said = run(_WAITS_BRIEFLY, target)

    assert f"process {os.getpid()} holds its lock" in said
