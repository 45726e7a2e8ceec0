"""Heartbeat files: read what services wrote there by any atomic means, and show everybody what came by socket."""

import contextlib
import json
import os
import stat
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from holdfast import statefile
from holdfast.home import Home
from holdfast.machine.beats.message import LONGEST_TEXT, span
from holdfast.model.beat import PLAIN_STATUS, Beat, Refusal
from holdfast.model.service import Now
from holdfast.statefile import Durability

LARGEST = 64 * 1024
"""Bytes of a heartbeat file; a larger one is refused."""

FIXED = frozenset(
    {"timestamp", "pid", "status", "interval", "expires_at"}
    | {"generation", "boot_id", "error", "progress"}
)
"""The fields that mean something here; every other one is kept and shown."""


@dataclass(slots=True)
class _Known:
    """What was seen of the two files of a service; the folder of another user's service is looked at only if made."""

    has_folder: bool = False
    seen: dict[str, tuple[int, ...]] = field(default_factory=dict)
    written_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What stood in a file that changed; `is_shown` when everybody who looks into the home has seen it."""

    said: Beat | Refusal
    is_shown: bool

    @property
    def stamp(self) -> float | None:
        """Return the moment it says of itself."""
        return self.said.wall if isinstance(self.said, Beat) else None


class HeartbeatFiles:
    """The files of all services: in the home, and for a service of another user in a folder of its own."""

    def __init__(self, home: Home, runtime: Path) -> None:
        self.home = home
        self._shown = str(home.heartbeats)
        self.runtime = runtime
        self._known: dict[str, _Known] = {}

    def prepare(self, name: str, uid: int) -> None:
        """Make the folder in which a service of another user can write; the home is closed to it.

        Raises:
            OSError: it cannot be made.
        """
        if sys.platform == "win32" or uid == os.geteuid():
            return
        folder = self._folder(name)
        os.makedirs(folder, mode=0o700, exist_ok=True)
        os.chown(folder, uid, -1, follow_symlinks=False)

    def begin(self, name: str) -> None:
        """Look at a service anew: what stands there now may tell of an earlier process."""
        self._known[name] = _Known(has_folder=os.path.isdir(self._folder(name)))

    def look(self, name: str, now: Now) -> list[Found]:
        """Return what was written since the look before, oldest first; costs one `stat` where nothing was."""
        known = self._known.get(name) or _Known()
        found = [_told(one, now, is_shown=True) for one in _look(self._shown, name, known)]
        if known.has_folder:
            own = _look(self._folder(name), name, known)
            found += [_told(one, now, is_shown=False) for one in own]
        told = [one for one in found if one.stamp is None or one.stamp != known.written_at]
        return sorted(told, key=lambda one: one.stamp or 0.0)

    def write(
        self, name: str, beat: Beat, expires_at: float | None, extra: Mapping[str, object]
    ) -> None:
        """Show a beat in the home, for whoever looks from outside; never waits for another writer.

        Raises:
            LockTimeout: somebody else is writing it.
            StateError: the disk refuses it.
        """
        content = {
            **{key: value for key, value in extra.items() if key not in FIXED},
            "timestamp": beat.wall,
            "pid": beat.pid,
            "status": beat.status,
            "interval": beat.interval,
            "expires_at": expires_at,
            "generation": beat.generation,
            "boot_id": beat.boot_id,
            "error": beat.error,
            "progress": beat.progress,
        }
        path = self.home.heartbeat(name)
        statefile.write_json(path, content, durability=Durability.ATOMIC, mode=0o600, wait_for=0.0)
        if name in self._known:
            self._known[name].written_at = beat.wall

    def forget(self, name: str) -> None:
        """Let go of a service that is gone, and remove its folder."""
        known = self._known.pop(name, None)
        if known is not None and known.has_folder:
            _remove(self._folder(name))

    def _folder(self, name: str) -> str:
        return f"{self.runtime}/{name}/heartbeat"


def _look(folder: str, name: str, known: _Known) -> list[dict[str, object] | Refusal]:
    """Read a file that changed; a link, a pipe and whatever is no plain file of its folder's owner is refused."""
    path = f"{folder}/{name}.json"
    try:
        found = os.lstat(path)
    except OSError:
        return []
    seen = (found.st_ino, found.st_mtime_ns, found.st_size)
    if known.seen.get(folder) == seen:
        return []
    known.seen[folder] = seen
    try:
        content = _read(path, os.stat(folder).st_uid)
    except OSError:  # removed or replaced meanwhile, or not a plain file
        return [Refusal.FORM]
    if len(content) > LARGEST:
        return [Refusal.SIZE]
    try:
        told = json.loads(content)
    except (ValueError, RecursionError):
        return [Refusal.FORM]
    return [told if isinstance(told, dict) else Refusal.FORM]


def _read(path: str, owner: int) -> bytes:
    flags = os.O_RDONLY
    if sys.platform != "win32":
        flags |= os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
    source = os.open(path, flags)
    try:
        found = os.fstat(source)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != owner:
            raise PermissionError(f"{path} is no plain file of the owner of its folder")
        return os.read(source, LARGEST + 1)
    finally:
        os.close(source)


def _told(content: dict[str, object] | Refusal, now: Now, *, is_shown: bool) -> Found:
    said = content if isinstance(content, Refusal) else _beat(content, now)
    return Found(said=said, is_shown=is_shown)


def _beat(told: dict[str, object], now: Now) -> Beat | Refusal:
    """Read the fields; those that make no sense are passed over, except the moment, without which it is no beat."""
    stamp = _number(told.get("timestamp"))
    if stamp is None:
        return Refusal.FORM
    expires = _number(told.get("expires_at"))
    return Beat(
        wall=stamp,
        mono=now.mono - (now.wall - stamp),
        pid=_whole(told.get("pid")),
        generation=_whole(told.get("generation")),
        boot_id=_text(told.get("boot_id")),
        status=_text(told.get("status")) or PLAIN_STATUS,
        error=_text(told.get("error")),
        progress=_number(told.get("progress")),
        interval=span(_number(told.get("interval"))),
        lease=None if expires is None else span(expires - stamp),
        extra={key: value for key, value in told.items() if key not in FIXED},
    )


def _number(value: object) -> float | None:
    # A bool is an int to Python; an int too large for a float is an OverflowError.
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < 1e18 else None


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _text(value: object) -> str | None:
    return value[:LONGEST_TEXT] if isinstance(value, str) else None


def _remove(folder: str) -> None:
    """Remove a folder of files that belongs to somebody else, without following what stands in it."""
    if sys.platform == "win32":
        return
    with contextlib.suppress(OSError):
        opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            for name in os.listdir(opened):
                with contextlib.suppress(OSError):
                    os.unlink(name, dir_fd=opened)
        finally:
            os.close(opened)
        os.rmdir(folder)
