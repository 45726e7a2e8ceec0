"""What a power cut leaves: the file systems ext4 and xfs are shut down without a flush, and mounted again."""

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from holdfast.statefile import Durability, locked, write_atomic
from holdfast.statefile.recovery.recover import recover
from holdfast.statefile.system.ops import Folder, Ops
from holdfast.statefile.transactions import transaction

if sys.platform == "win32":
    pytest.skip("loop devices and mounts are of Linux", allow_module_level=True)

if TYPE_CHECKING:
    from tests.crash.conftest import Disk, FragileOps, Room

pytestmark = pytest.mark.timeout(300)

OLD = b'{"content": "old"}\n'
NEW = b'{"content": "new, and longer than the old one"}\n'
LARGE = b'{"content": "' + b"0123456789abcdef" * 20_000 + b'"}\n'

DISKS = [("ext4", 64, ""), ("ext4", 64, "noauto_da_alloc"), ("xfs", 300, "")]
# With auto_da_alloc, ext4 itself brings a file to the disk that is renamed over another.
UNFORGIVING_DISKS = DISKS[1:]

Write = Callable[[Path, Ops], object]


def disk_of(room: "Room", kind: str, size_mb: int, options: str) -> "Disk":
    return room.disk(kind, size_mb=size_mb, options=options)


@pytest.fixture(params=DISKS, ids=lambda one: f"{one[0]} {one[2]}".strip())
def disk(request: pytest.FixtureRequest, room: "Room") -> "Disk":
    return disk_of(room, *request.param)


@pytest.fixture(params=UNFORGIVING_DISKS, ids=lambda one: f"{one[0]} {one[2]}".strip())
def unforgiving_disk(request: pytest.FixtureRequest, room: "Room") -> "Disk":
    return disk_of(room, *request.param)


def full(target: Path, ops: Ops) -> None:
    write_atomic(target, NEW, ops=ops)


def file(target: Path, ops: Ops) -> None:
    write_atomic(target, NEW, durability=Durability.FILE, ops=ops)


def large(target: Path, ops: Ops) -> None:
    write_atomic(target, LARGE, ops=ops)


def with_backups(target: Path, ops: Ops) -> None:
    write_atomic(target, NEW, backups=1, ops=ops)


def create(target: Path, ops: Ops) -> None:
    write_atomic(target, NEW, create_only=True, ops=ops)


def with_parents(target: Path, ops: Ops) -> None:
    write_atomic(target.parent / "deep" / "er" / target.name, NEW, parents=True, ops=ops)


WRITES: list[tuple[Write, bytes | None, bytes]] = [
    (full, OLD, NEW),
    (file, OLD, NEW),
    (large, OLD, LARGE),
    (with_backups, OLD, NEW),
    (full, None, NEW),
    (create, None, NEW),
]


def prepared(folder: Path, old: bytes | None) -> Path:
    """Return where a target will stand; the old content, or the folder, is on the disk already."""
    target = folder / "state.json"
    write_atomic(folder / "other.json", b"{}\n", parents=True, ops=Ops())
    if old is not None:
        write_atomic(target, old, ops=Ops())
    return target


def content(target: Path) -> bytes | None:
    return target.read_bytes() if target.exists() else None


def temps(folder: Path) -> list[str]:
    return [name for name in os.listdir(folder) if name.endswith(".tmp")]


def recovered(target: Path) -> bytes | None:
    """Recover a file if there is anything of it, and return its content."""
    if any(name.startswith((".state.json.", "state.json")) for name in os.listdir(target.parent)):
        recover(target, ops=Ops())
    return content(target)


def write_id(value: Write | bytes | None) -> str:
    if value is None or isinstance(value, bytes):
        return f"{len(value)} bytes" if value else "nothing"
    return str(getattr(value, "__name__", ""))


@pytest.mark.parametrize(("write", "old", "new"), WRITES, ids=write_id)
def test_a_power_cut_before_any_step_leaves_old_or_new_and_recovery_leaves_no_temp(
    disk: "Disk", fragile: "type[FragileOps]", write: Write, old: bytes | None, new: bytes
) -> None:
    counted = fragile()
    write(prepared(disk.root / "counted", old), counted)
    found = set()
    for at, name in enumerate(counted.made, start=1):
        target = prepared(disk.root / f"step{at}", old)
        ops = fragile(at)
        with pytest.raises(ops.Died):
            write(target, ops)

        disk.cut_power()
        ops.bury()
        disk.restore_power()

        left = content(target)
        assert left in (old, new), f"torn by a power cut before step {at}, {name}"
        found.add(left)
        after = recovered(target) if old is not None or temps(target.parent) else left
        assert after == left if left is not None else after in (None, new)
        assert temps(target.parent) == [], f"left by a power cut before step {at}, {name}"
    assert old in found


@pytest.mark.parametrize("write", [full, large, with_backups, create, with_parents], ids=write_id)
def test_what_was_acknowledged_at_full_is_there_after_a_power_cut(
    disk: "Disk", write: Write
) -> None:
    target = prepared(disk.root / "folder", None if write in (create, with_parents) else OLD)

    write(target, Ops())
    disk.cut_power()
    disk.restore_power()

    if write is with_parents:
        target = target.parent / "deep" / "er" / target.name
    assert content(target) == (LARGE if write is large else NEW)
    if write is with_backups:
        assert target.with_name("state.json.~1~").read_bytes() == OLD


@pytest.mark.parametrize("new", [NEW, LARGE], ids=["small", "large"])
def test_what_was_acknowledged_at_file_is_old_or_new_and_never_torn(
    disk: "Disk", new: bytes
) -> None:
    for number in range(5):
        target = prepared(disk.root / str(number), OLD)

        write_atomic(target, new, durability=Durability.FILE, ops=Ops())
        disk.cut_power()
        disk.restore_power()

        assert content(target) in (OLD, new)


def test_a_backup_brings_back_what_a_power_cut_took_of_a_write_at_atomic(disk: "Disk") -> None:
    target = prepared(disk.root / "folder", OLD)
    write_atomic(target, NEW, durability=Durability.ATOMIC, backups=1, ops=Ops())
    sync_folder(target.parent)

    disk.cut_power()
    disk.restore_power()

    recover(target, ops=Ops())
    assert content(target) in (OLD, NEW)


def sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)


_ENDLESS_WRITER = """
import itertools, sys
from holdfast.statefile import write_json
for number in itertools.count(int(sys.argv[2])):
    write_json(sys.argv[1], {"number": number, "ballast": "x" * (number * 99_991 % 200_000)})
    print(number, flush=True)
"""


def test_power_cuts_at_random_moments_take_nothing_that_was_acknowledged(disk: "Disk") -> None:
    target = prepared(disk.root / "folder", b'{"number": 0, "ballast": ""}\n')
    acknowledged = 0
    for _ in range(6):
        words = [sys.executable, "-c", _ENDLESS_WRITER, str(target), str(acknowledged + 1)]
        with subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as writer:
            assert writer.stdout is not None
            for _ in range(1 + secrets.randbelow(40)):
                acknowledged = int(writer.stdout.readline())
            disk.cut_power()
            writer.kill()
            rest = writer.stdout.read().split("\n")[:-1]
        acknowledged = max([acknowledged, *map(int, rest)])
        disk.restore_power()

        recover(target, ops=Ops())
        assert temps(target.parent) == []
        acknowledged = number_in(target, at_least=acknowledged)


def number_in(target: Path, at_least: int) -> int:
    document = json.loads(target.read_bytes())
    number = int(document["number"])
    assert number >= at_least
    assert len(document["ballast"]) == number * 99_991 % 200_000 or number == 0
    return number


def change_three(target: Path, ops: Ops) -> None:
    with transaction(*three(target), ops=ops) as together:
        for path in three(target):
            together.write(path, NEW)


def three(target: Path) -> list[Path]:
    return [target.with_name(name) for name in ("a.json", "b.json", "c.json")]


def test_a_power_cut_before_any_step_of_a_transaction_leaves_all_old_or_all_new(
    disk: "Disk", fragile: "type[FragileOps]"
) -> None:
    counted = fragile()
    change_three(prepared_three(disk.root / "counted"), counted)
    found = set()
    for at, name in enumerate(counted.made, start=1):
        target = prepared_three(disk.root / f"step{at}")
        ops = fragile(at)
        with pytest.raises(ops.Died):
            change_three(target, ops)

        disk.cut_power()
        ops.bury()
        disk.restore_power()

        recover(target.parent, ops=Ops())
        left = [content(path) for path in three(target)]
        assert left in ([OLD] * 3, [NEW] * 3), f"mixed by a power cut before step {at}, {name}"
        found.add(left[0])
        hidden = [
            one
            for one in os.listdir(target.parent)
            if one.startswith(".txn-") or one.endswith(".tmp")
        ]
        assert hidden == []
    assert found == {OLD, NEW}


def test_an_acknowledged_transaction_is_whole_after_a_power_cut(disk: "Disk") -> None:
    target = prepared_three(disk.root / "folder")

    change_three(target, Ops())
    disk.cut_power()
    disk.restore_power()

    assert [content(path) for path in three(target)] == [NEW] * 3


def test_who_enters_a_lock_after_a_power_cut_finds_the_transaction_settled(
    disk: "Disk", fragile: "type[FragileOps]"
) -> None:
    counted = fragile()
    change_three(prepared_three(disk.root / "counted"), counted)
    for at, name in enumerate(counted.made, start=1):
        first, *others = three(prepared_three(disk.root / f"step{at}"))
        ops = fragile(at)
        with pytest.raises(ops.Died):
            change_three(first, ops)
        disk.cut_power()
        ops.bury()
        disk.restore_power()

        with locked(first, ops=Ops()):
            seen = content(first)
            write_atomic(first, b'{"content": "derived from what was seen"}\n', ops=Ops())

        recover(first.parent, ops=Ops())
        left = [seen, *map(content, others)]
        assert left in ([OLD] * 3, [NEW] * 3), f"mixed by a power cut before step {at}, {name}"


def prepared_three(folder: Path) -> Path:
    for path in three(folder / "any"):
        write_atomic(path, OLD, parents=True, ops=Ops())
    return folder / "any"


class LyingFileOps(Ops):
    """Says that a file is on the disk, and brings it nowhere."""

    def sync_file(self, fd: int) -> bool:
        return True


class LyingFolderOps(Ops):
    """Says that the names in a folder are on the disk, and brings them nowhere."""

    def sync_folder(self, folder: Folder) -> bool:
        return True


def test_without_the_sync_of_the_file_the_same_power_cut_destroys_it(
    unforgiving_disk: "Disk",
) -> None:
    left = after_power_cuts(unforgiving_disk, LyingFileOps())

    assert [one for one in left if one not in (OLD, NEW)], "this bench shows no corruption at all"


def test_without_the_sync_of_the_folder_the_same_power_cut_takes_an_acknowledged_write(
    disk: "Disk",
) -> None:
    left = after_power_cuts(disk, LyingFolderOps())

    assert OLD in left, "this bench shows no loss at all"
    assert set(left) <= {OLD, NEW}


def after_power_cuts(disk: "Disk", ops: Ops) -> list[bytes | None]:
    left = []
    for number in range(8):
        target = prepared(disk.root / str(number), OLD)
        write_atomic(target, NEW, ops=ops)
        disk.cut_power()
        disk.restore_power()
        left.append(content(target))
    return left
