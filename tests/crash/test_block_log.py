"""Power cuts at any write of a disk that reorders, loses and tears what was not flushed; and a disk that fails once."""

import json
import os
import random
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from holdfast.errors import CommittedNotDurable, StateIOError
from holdfast.statefile import write_atomic
from holdfast.statefile.recovery.recover import recover
from holdfast.statefile.system.ops import Folder, Ops
from holdfast.statefile.transactions import transaction

if sys.platform != "linux":
    pytest.skip("FUSE and loop devices are of Linux", allow_module_level=True)
try:
    import mfusepy  # type: ignore[import-untyped]  # noqa: F401  # it says nothing of its types
except (ImportError, OSError):
    pytest.skip("mfusepy, or the library of FUSE, is not installed", allow_module_level=True)

if TYPE_CHECKING:
    from tests.crash.conftest import Room


OLD = b'{"generation": 0, "ballast": ""}\n'
NEW = b'{"generation": 1, "ballast": "' + b"x" * 20_000 + b'"}\n'
SECTOR = 512
RECORD = struct.Struct("<cQI")
# CRASH_GENERATIONS=40 looks at every image of a long run: some minutes for each file system.
GENERATIONS = int(os.environ.get("CRASH_GENERATIONS", "9"))
MOST_IMAGES = 100 if GENERATIONS < 10 else 1_000_000
pytestmark = pytest.mark.timeout(300 if GENERATIONS < 10 else 3000)
BALLAST = (200, 10_000, 300_000)
KINDS = {"ext4": 32, "xfs": 300, "btrfs": 128}
# Ext4 would bring a file to the disk by itself when it is renamed over another.
OPTIONS = {"ext4": "noauto_da_alloc", "xfs": "", "btrfs": ""}


class Record(NamedTuple):
    """What happened to the disk: a write, a flush, or a mark between them."""

    kind: bytes
    offset: int
    content: bytes


class LoggedDisk:
    """A file system on a disk that is served, and written down, by the program beside this file."""

    def __init__(self, room: "Room", kind: str) -> None:
        self.kind = kind
        self.log = room.folder / "log"
        self.image = room.folder / "image"
        self.pristine = room.folder / "pristine"
        self._room = room
        self._served = room.folder / "served"
        self._place = room.folder / "mounted"
        self.root = room.inside(self._place)
        self._program: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Make the file system, serve its disk and mount it."""
        self._room.make_image(self.pristine, self.kind, KINDS[self.kind])
        copy(self.pristine, self.image)
        self._served.mkdir()
        words = [sys.executable, str(Path(__file__).with_name("logged_disk.py"))]
        self._program = subprocess.Popen(
            [*self._room.entering(), *words, str(self.image), str(self._served), str(self.log)],
            stdin=subprocess.PIPE,
        )
        disk = self._room.inside(self._served) / "disk"
        while not disk.exists():
            if self._program.poll() is not None:
                pytest.skip("this machine lets nobody mount a file system of FUSE")
        self.mount()

    def mount(self) -> None:
        options = ",".join(filter(None, ["loop", OPTIONS[self.kind]]))
        self._room.mount(self._place, "-t", self.kind, "-o", options, str(self._served / "disk"))

    def unmount(self) -> None:
        self._room.run("umount", str(self._place))

    def mark(self, generation: int) -> None:
        """Note in the log that a generation was acknowledged."""
        fd = os.open(self._room.inside(self._served) / "marks", os.O_WRONLY)
        os.write(fd, b"%d" % generation)
        os.close(fd)

    def fail_the_next_write(self) -> None:
        Path(f"{self.log}.broken").touch()

    @property
    def has_failed(self) -> bool:
        return not Path(f"{self.log}.broken").exists()

    def records(self) -> list[Record]:
        content = self.log.read_bytes()
        found = []
        at = 0
        while at < len(content):
            kind, offset, size = RECORD.unpack_from(content, at)
            at += RECORD.size + size
            found.append(Record(kind, offset, content[at - size : at]))
        return found

    def end(self) -> None:
        """End the program; what is mounted ends with the room."""
        if self._program is not None:
            assert self._program.stdin is not None
            self._program.stdin.close()
            self._program.wait()


def copy(source: Path, target: Path) -> None:
    subprocess.run(["cp", "--sparse=always", str(source), str(target)], check=True)


@pytest.fixture(params=KINDS)
def disk(request: pytest.FixtureRequest, room: "Room") -> Iterator[LoggedDisk]:
    made = LoggedDisk(room, request.param)
    try:
        made.start()
        yield made
    finally:
        made.end()


def one_file(folder: Path, content: bytes, ops: Ops) -> None:
    write_atomic(folder / "state.json", content, ops=ops)


def two_files(folder: Path, content: bytes, ops: Ops) -> None:
    paths = [folder / "state.json", folder / "history.json"]
    with transaction(*paths, ops=ops) as together:
        for path in paths:
            together.write(path, content)


Write = Callable[[Path, bytes, Ops], None]


def write_generations(disk: LoggedDisk, write: Write, ops: Ops) -> None:
    folder = disk.root / "folder"
    write_atomic(folder / "other.json", b"{}\n", parents=True, ops=Ops())
    two_files(folder, OLD, Ops())
    disk.mark(0)
    for generation in range(1, GENERATIONS + 1):
        write(folder, content_of(generation), ops)
        disk.mark(generation)
    disk.unmount()


def content_of(generation: int) -> bytes:
    ballast = "x" * BALLAST[generation % len(BALLAST)]
    return (json.dumps({"generation": generation, "ballast": ballast}) + "\n").encode()


def generation_in(target: Path) -> int | None:
    """Return which generation a file holds whole; None when it holds none."""
    try:
        content = target.read_bytes()
        generation = int(json.loads(content)["generation"])
    except (OSError, ValueError):
        return None
    expected = content_of(generation) if generation else OLD
    return generation if content == expected else None


class Image(NamedTuple):
    """What may be on the disk after a power cut: the writes up to the last flush and some of those after it."""

    acknowledged: int
    flushed: tuple[Record, ...]
    kept: tuple[Record, ...]
    is_torn: bool


def images(records: list[Record], chance: random.Random) -> Iterator[Image]:
    """Yield, for the end of every stretch between two flushes or marks, what a power cut may leave."""
    flushed: list[Record] = []
    since: list[Record] = []
    acknowledged: int | None = None
    for record in records:
        if record.kind == b"w":
            since.append(record)
            continue
        if acknowledged is not None:
            for kept, is_torn in subsets(since, chance):
                yield Image(acknowledged, tuple(flushed), kept, is_torn)
        if record.kind == b"f":
            flushed += since
            since = []
        else:
            acknowledged = int(record.content)


def subsets(
    since: list[Record], chance: random.Random
) -> Iterator[tuple[tuple[Record, ...], bool]]:
    yield (), False
    if not since:
        return
    yield tuple(since), False
    yield tuple(one for one in since if chance.random() < 0.5), False
    torn = since[chance.randrange(len(since))]
    cut = SECTOR * chance.randrange(len(torn.content) // SECTOR)
    before = tuple(one for one in since if one is not torn and chance.random() < 0.5)
    yield (*before, torn._replace(content=torn.content[:cut])), True


class Replay:
    """Mounts what a power cut may have left, and looks at it."""

    def __init__(self, room: "Room", disk: LoggedDisk) -> None:
        self._room = room
        self._disk = disk
        self._flushed = room.folder / "flushed"
        self._applied = 0
        self._image = room.folder / "candidate"
        self._place = room.folder / "replayed"
        self._place.mkdir()
        copy(disk.pristine, self._flushed)

    def mount(self, image: Image) -> Path | None:
        """Return the folder of the state files, or None when the file system itself is broken."""
        apply(self._flushed, image.flushed[self._applied :])
        self._applied = len(image.flushed)
        copy(self._flushed, self._image)
        apply(self._image, image.kept)
        options = ["-t", self._disk.kind, "-o", "loop", str(self._image), str(self._place)]
        if not self._room.succeeds("mount", *options):
            return None
        return self._room.inside(self._place) / "folder"

    def unmount(self) -> None:
        self._room.run("umount", str(self._place))


def apply(image: Path, records: tuple[Record, ...]) -> None:
    with image.open("r+b") as file:
        for record in records:
            file.seek(record.offset)
            file.write(record.content)


def looks(
    room: "Room", disk: LoggedDisk, look: Callable[[Path, int], str | None]
) -> tuple[int, list[str]]:
    """Look at all images; return at how many, and what was wrong with some."""
    replay = Replay(room, disk)
    chance = random.Random(5)
    count = broken = 0
    wrong: list[str] = []
    for image in some_of(list(images(disk.records(), chance)), chance):
        folder = replay.mount(image)
        if folder is None:
            # A file system may be lost when its own superblock is torn, not otherwise.
            assert image.is_torn
            broken += 1
            continue
        try:
            count += 1
            fault = look(folder, image.acknowledged)
            wrong += [fault] if fault else []
        finally:
            replay.unmount()
    assert broken < count / 10
    return count, wrong


def some_of(every: list[Image], chance: random.Random) -> list[Image]:
    """Return as many as there is time for, in their order."""
    chosen = chance.sample(range(len(every)), min(MOST_IMAGES, len(every)))
    return [every[index] for index in sorted(chosen)]


def is_whole(folder: Path, acknowledged: int) -> str | None:
    generation = generation_in(folder / "state.json")
    if generation is None or generation < acknowledged:
        return f"{generation} after {acknowledged} was acknowledged"
    return None


def is_whole_and_clean_after_recovery(folder: Path, acknowledged: int) -> str | None:
    before = generation_in(folder / "state.json")
    recover(folder / "state.json", ops=Ops())
    left = [name for name in os.listdir(folder) if name.endswith(".tmp")]
    if left or generation_in(folder / "state.json") != before:
        return f"recovery left {left}"
    return is_whole(folder, acknowledged)


def is_one_generation_after_recovery(folder: Path, acknowledged: int) -> str | None:
    recover(folder, ops=Ops())
    found = [generation_in(folder / name) for name in ("state.json", "history.json")]
    if found[0] != found[1]:
        return f"mixed: {found}"
    left = [name for name in os.listdir(folder) if name.startswith(".txn-")]
    return f"recovery left {left}" if left else is_whole(folder, acknowledged)


@pytest.mark.parametrize(
    ("write", "look"),
    [
        (one_file, is_whole_and_clean_after_recovery),
        (two_files, is_one_generation_after_recovery),
    ],
    ids=["one file", "two files together"],
)
def test_no_image_a_power_cut_may_leave_is_torn_or_older_than_what_was_acknowledged(
    room: "Room",
    disk: LoggedDisk,
    write: Write,
    look: Callable[[Path, int], str | None],
) -> None:
    write_generations(disk, write, Ops())

    count, wrong = looks(room, disk, look)

    print(f"{count} images, {len(wrong)} wrong")
    assert count > GENERATIONS
    assert wrong == []


class LyingOps(Ops):
    """Says that a file is on the disk, and brings it nowhere."""

    def sync_file(self, fd: int) -> bool:
        return True


def test_without_the_sync_of_the_file_some_image_is_torn(room: "Room", disk: LoggedDisk) -> None:
    write_generations(disk, one_file, LyingOps())

    _, wrong = looks(room, disk, is_whole)

    assert wrong, "this bench shows no corruption at all"


def prepared(disk: LoggedDisk) -> Path:
    """Return a file with its old content; nothing is left for the disk to write."""
    target = disk.root / "folder" / "state.json"
    write_atomic(target, OLD, parents=True, ops=Ops())
    disk.unmount()
    disk.mount()
    return target


class BreakingOps(Ops):
    """Has the disk fail the next write just before a sync, and counts the syncs."""

    def __init__(self, disk: LoggedDisk, *, at_folder: bool = False) -> None:
        super().__init__()
        self.disk = disk
        self.at_folder = at_folder
        self.file_syncs = self.folder_syncs = 0

    def sync_file(self, fd: int) -> bool:
        self.file_syncs += 1
        if not self.at_folder:
            self.disk.fail_the_next_write()
        return super().sync_file(fd)

    def sync_folder(self, folder: Folder) -> bool:
        self.folder_syncs += 1
        if self.at_folder:
            self.disk.fail_the_next_write()
        return super().sync_folder(folder)


class RepeatingOps(BreakingOps):
    """Syncs a file again when that failed, as nobody must."""

    def sync_file(self, fd: int) -> bool:
        try:
            return super().sync_file(fd)
        except OSError:
            os.fsync(fd)
            return True


def on_the_disk(disk: LoggedDisk, target: Path) -> bytes:
    disk.unmount()
    disk.mount()
    return target.read_bytes()


def test_a_failed_sync_is_not_repeated_and_the_old_content_stays_on_the_disk(
    disk: LoggedDisk,
) -> None:
    target = prepared(disk)
    ops = BreakingOps(disk)

    with pytest.raises(StateIOError) as caught:
        write_atomic(target, NEW, ops=ops)

    assert disk.has_failed
    assert (caught.value.errno_name, ops.file_syncs) == ("EIO", 1)
    assert sorted(os.listdir(target.parent)) == [".state.json.lock", "state.json"]
    assert on_the_disk(disk, target) == OLD
    write_atomic(target, NEW, ops=Ops())
    assert on_the_disk(disk, target) == NEW


def test_a_repeated_sync_succeeds_over_lost_bytes(disk: LoggedDisk) -> None:
    target = prepared(disk)

    write_atomic(target, NEW, ops=RepeatingOps(disk))

    assert disk.has_failed
    with suppress(OSError):  # btrfs sees by its checksums that the bytes are not those
        assert on_the_disk(disk, target) != NEW


def test_a_failed_sync_of_the_folder_is_not_repeated_and_says_that_the_new_content_stands(
    disk: LoggedDisk,
) -> None:
    target = prepared(disk)
    ops = BreakingOps(disk, at_folder=True)

    if disk.kind == "btrfs":  # it keeps its names twice, and one of them is enough
        write_atomic(target, NEW, ops=ops)
    else:
        with pytest.raises(CommittedNotDurable):
            write_atomic(target, NEW, ops=ops)

    assert disk.has_failed
    assert ops.folder_syncs == 1
    assert on_the_disk(disk, target) in (OLD, NEW)
