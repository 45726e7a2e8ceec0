"""Judge what stands in a folder of state files: is a file whole, does the writer of a temp live?"""

import enum
import errno
import os
import stat
from contextlib import suppress
from typing import NamedTuple

from holdfast.statefile.content import Kind, fault, json_value, kind_of
from holdfast.statefile.intent import parse_intent_name, read_content
from holdfast.statefile.lock import sidecar_name
from holdfast.statefile.owner import has_no_locks, living
from holdfast.statefile.place import Place
from holdfast.statefile.recovery.leftovers import Stranger
from holdfast.statefile.system.ops import SAFELY, Ops
from holdfast.statefile.temp import TempName, checksum

_CHUNK = 1 << 20
# Between its creation and its flock a temp of a living writer looks dead; this is ample for that.
_BIRTH_S = 60.0
# The start of a process is known to the hundredth of a second, the change of a file to some ms.
_CLOCK_GRAIN_S = 1.0


class State(enum.Enum):
    """What a state file is; `UNREADABLE` says nothing about its content."""

    VALID = "valid"
    INVALID = "invalid"
    MISSING = "missing"
    UNREADABLE = "unreadable"


class Status(enum.Enum):
    """What a temp is.

    `LIVE`: its writer is at work. `COMPLETE`: whole by its checksum and its kind. `PARTIAL`: any
    other of our making. `FOREIGN`: made by another program, or not to be trusted.
    """

    LIVE = "live"
    COMPLETE = "complete"
    PARTIAL = "partial"
    FOREIGN = "foreign"


class FoundTemp(NamedTuple):
    """One temp; `why` it is no more than its status says. Ages in seconds, below 0 for the future.

    Content and generation are told by those that could take the target's place: `checksum` is the
    CRC-32, `generation` an integer of that name in a JSON object.
    """

    name: str
    status: Status
    bytes: int
    age_s: float
    why: str | None = None
    changed_ns: int = 0
    checksum: str = ""
    generation: int | None = None


class Backup(NamedTuple):
    """One earlier version, and why it is not whole if it is not."""

    name: str
    valid: bool
    why: str | None = None


class Scene(NamedTuple):
    """One state file, and what is known when the things beside it are judged.

    `owners` are the users whose temps count as ours. `busy`: somebody holds its lock.
    """

    place: Place
    kind: Kind
    now: float
    owners: frozenset[int]
    busy: bool


def scene_of(place: Place, now: float, *, locked_by_us: bool) -> Scene:
    """Return the scene of a place.

    Raises:
        OSError: its lock file or its folder cannot be looked at.
    """
    busy = not locked_by_us and is_busy(place)
    return Scene(place, kind_of(place.name), now, _owners(place), busy)


def beside(place: Place, name: str, stem: str) -> Place:
    """Return the place of another file of the same folder."""
    return place._replace(path=os.path.join(place.folder.path, name), name=name, stem=stem)


def is_busy(place: Place) -> bool:
    """Tell whether somebody holds the lock of a place now.

    Raises:
        OSError: the lock file cannot be looked at.
    """
    try:
        fd = place.ops.open(place.folder, sidecar_name(place.stem), os.O_RDONLY | SAFELY)
    except (FileNotFoundError, PermissionError):
        return False
    try:
        return place.ops.is_locked(fd)
    except OSError as error:
        if not has_no_locks(error):
            raise
        return living(place) is not None
    finally:
        _close(fd, place.ops)


def _owners(place: Place) -> frozenset[int]:
    """Return whose temps are ours: for root also those of whom the file, or its folder, belongs to."""
    me = place.ops.uid()
    if me:
        return frozenset({me})
    for name in (place.name, "."):
        with suppress(FileNotFoundError):
            return frozenset({me, place.ops.lstat(place.folder, name).st_uid})
    return frozenset({me})


def judge_target(scene: Scene) -> tuple[State, str | None]:
    """Return the state of the file itself, and why it is not valid.

    Raises:
        OSError: it is there, but cannot be read.
    """
    place = scene.place
    content = read_content(place.folder, place.name, place.ops)
    if content is None:
        return State.MISSING, None
    # A pipe gives nothing, and an empty read of one says nothing about a file.
    if not content and not stat.S_ISREG(place.ops.lstat(place.folder, place.name).st_mode):
        raise OSError(errno.EINVAL, "it is a pipe, a socket or a device, not a file")
    why = fault(content, scene.kind)
    return (State.VALID, None) if why is None else (State.INVALID, why)


def judge_temp(scene: Scene, name: str, said: TempName) -> FoundTemp | None:
    """Judge one temp of ours; None when it is gone meanwhile, or a folder.

    Raises:
        OSError: it is ours, but cannot be read.
    """
    found = _look(scene, name)
    if found is None:
        return None
    distrust = _distrust(scene, found)
    if distrust is not None:
        return _told(scene, name, found, Status.FOREIGN, distrust)
    ops, folder = scene.place.ops, scene.place.folder
    try:
        fd = ops.open(folder, name, os.O_RDONLY | SAFELY)
    except FileNotFoundError:
        return None
    try:
        if _is_held(scene, found, fd):
            return _told(scene, name, found, Status.LIVE, "its writer is at work")
        if found.st_size != said.size:
            cut = f"it holds {found.st_size} of {said.size} bytes"
            return _told(scene, name, found, Status.PARTIAL, cut)
        return _weighed(scene, name, found, said, _contents(fd, ops))
    finally:
        _close(fd, ops)


def _look(scene: Scene, name: str) -> os.stat_result | None:
    try:
        found = scene.place.ops.lstat(scene.place.folder, name)
    except FileNotFoundError:
        return None
    return None if stat.S_ISDIR(found.st_mode) else found


def _told(
    scene: Scene, name: str, found: os.stat_result, status: Status, why: str | None
) -> FoundTemp:
    age = scene.now - found.st_mtime
    return FoundTemp(name, status, found.st_size, age, why, found.st_mtime_ns)


def _distrust(scene: Scene, found: os.stat_result) -> str | None:
    """Say why a thing with a name of ours is not ours; it is not even opened then."""
    if stat.S_ISLNK(found.st_mode):
        return "it is a link"
    if not stat.S_ISREG(found.st_mode):
        return "it is a pipe, a socket or a device"
    if found.st_uid not in scene.owners:
        return f"it belongs to the user with the number {found.st_uid}"
    if found.st_nlink > 1 and not _is_twin(scene.place, found):
        return "it has a second name elsewhere"
    return None


def _is_twin(place: Place, found: os.stat_result) -> bool:
    """Tell whether a file is the target or its youngest backup by another name, as a killed writer leaves it."""
    for name in (place.name, f"{place.name}.~1~"):
        with suppress(FileNotFoundError):
            other = place.ops.lstat(place.folder, name)
            if (other.st_dev, other.st_ino) == (found.st_dev, found.st_ino):
                return True
    return False


def _is_held(scene: Scene, found: os.stat_result, fd: int) -> bool:
    if scene.busy and scene.now - found.st_mtime < _BIRTH_S:
        return True
    return _is_locked(fd, scene)


def _is_locked(fd: int, scene: Scene) -> bool:
    """Ask the lock of a temp; where there are no locks its writer is the owner of the target."""
    try:
        return scene.place.ops.is_locked(fd)
    except OSError as error:
        if not has_no_locks(error):
            raise
        return scene.busy


def _weighed(
    scene: Scene, name: str, found: os.stat_result, said: TempName, content: bytes
) -> FoundTemp:
    """Judge a temp by what it holds."""
    why = None
    if not said.is_certified:
        why = "its writer died before it was certain of the content"
    elif not said.is_fulfilled_by(content):
        why = "its content is not what its name says"
    elif parse_intent_name(said.stem) is not None:
        why = "it announces a transaction that never began"
    else:
        why = fault(content, scene.kind)
    told = _told(scene, name, found, Status.COMPLETE if why is None else Status.PARTIAL, why)
    return told if why else with_content(told, scene.kind, content)


def with_content(temp: FoundTemp, kind: Kind, content: bytes) -> FoundTemp:
    """Add what tells one candidate from another."""
    generation = None
    if kind is Kind.JSON:
        value = json_value(content)
        generation = value.get("generation") if isinstance(value, dict) else None
    return temp._replace(
        checksum=checksum(content), generation=generation if type(generation) is int else None
    )


def _contents(fd: int, ops: Ops) -> bytes:
    chunks = []
    while chunk := ops.read(fd, _CHUNK):
        chunks.append(chunk)
    return b"".join(chunks)


def judge_stranger(scene: Scene, stranger: Stranger) -> FoundTemp | None:
    """Judge one temp of another program by its name and its lock; None when it is gone, or a folder.

    Raises:
        OSError: it cannot be looked at.
    """
    found = _look(scene, stranger.name)
    if found is None:
        return None
    if stranger.pid is not None and _has_lived_through(scene, stranger.pid, found):
        why = f"process {stranger.pid} may be at work on it"
        return _told(scene, stranger.name, found, Status.LIVE, why)
    distrust = _distrust(scene, found)
    if distrust is None and _is_locked_by_name(scene, stranger.name):
        return _told(scene, stranger.name, found, Status.LIVE, "its writer is at work")
    why = distrust or "it was made by another program"
    return _told(scene, stranger.name, found, Status.FOREIGN, why)


def _has_lived_through(scene: Scene, pid: int, found: os.stat_result) -> bool:
    """Tell whether a process lives that was there when a file was last changed."""
    if scene.place.ops.start_of(pid) is None:
        return False
    lived = scene.place.ops.process_age(pid)
    return lived is None or lived + _CLOCK_GRAIN_S >= scene.now - found.st_mtime


def _is_locked_by_name(scene: Scene, name: str) -> bool:
    ops = scene.place.ops
    try:
        fd = ops.open(scene.place.folder, name, os.O_RDONLY | SAFELY)
    except (FileNotFoundError, PermissionError):
        return False
    try:
        return _is_locked(fd, scene)
    finally:
        _close(fd, ops)


def weighed_stranger(scene: Scene, temp: FoundTemp) -> FoundTemp:
    """Add to a dead temp of another program what makes it a candidate, or why it is none.

    Raises:
        OSError: it cannot be read.
    """
    found = _look(scene, temp.name)
    if temp.status is not Status.FOREIGN or found is None or _distrust(scene, found) is not None:
        return temp
    content = read_content(scene.place.folder, temp.name, scene.place.ops)
    if content is None:
        return temp
    why = fault(content, scene.kind)
    return temp._replace(why=why) if why else with_content(temp, scene.kind, content)


def judge_backup(scene: Scene, name: str) -> Backup | None:
    """Judge one earlier version; None when it is gone, or a folder.

    Raises:
        OSError: it cannot be read.
    """
    found = _look(scene, name)
    if found is None:
        return None
    if not stat.S_ISREG(found.st_mode):
        return Backup(name, valid=False, why="it is no regular file")
    content = read_content(scene.place.folder, name, scene.place.ops)
    if content is None:
        return None
    why = fault(content, scene.kind)
    return Backup(name, valid=why is None, why=why)


def _close(fd: int, ops: Ops) -> None:
    # Nothing was written through it, so its errors mean nothing.
    with suppress(OSError):
        ops.close(fd)
