"""How the home stands: its folders, its supervisor, its records, its configuration."""

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from holdfast import statefile
from holdfast.cli import known, reach, render, settings
from holdfast.cli.checkups import disk
from holdfast.cli.checkups.finding import Finding, failure, warning, well
from holdfast.cli.checkups.mount import Mount, mount_of
from holdfast.errors import ConfigError, HoldfastError, LockHeld, NotRunning, StateError
from holdfast.home import Home
from holdfast.machine.supervisor import records, standing, view

LITTLE_SPACE = 500_000_000
NO_SPACE = 10_000_000
"""Bytes: 60 MB of logs a service is usual; a record must still fit."""

FEW_INODES = 1_000

LONGEST_SOCKET_PATH = 107
"""Bytes of an AF_UNIX path, unix(7)."""

REMOTE = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "9p", "afs", "beegfs", "ceph", "glusterfs", "gpfs", "lustre"}
    | {f"fuse.{kind}" for kind in ("sshfs", "glusterfs", "ceph", "rclone", "s3fs", "juicefs")}
    | {"fuse.gcsfuse"}
)
FORGETFUL = frozenset({"tmpfs", "ramfs"})
UNORDERED = frozenset({"nobarrier", "barrier=0"})
"""Options that keep a disk from being told to empty its own cache: ext4(5), btrfs(5)."""


def home(place: Home) -> Iterator[Finding]:
    """Look at the state folder and the disk below it."""
    root = place.root
    if not root.exists():
        above = _existing(root)
        if os.access(above, os.W_OK | os.X_OK):
            yield well("home", f"{root} does not exist yet; up makes it")
        else:
            yield failure(
                "home",
                f"{root} cannot be made in {above}",
                "set HOLDFAST_HOME to a folder of yours",
            )
    elif not root.is_dir():
        yield failure("home", f"{root} is no folder", "set HOLDFAST_HOME to a folder of yours")
        return
    else:
        yield _folder(root)
    yield from space(_existing(root))
    yield from _disk(_existing(root))
    yield from disk.folder_sync(_existing(root))
    yield from disk.locks(place)
    yield from disk.syncs(place)


def _existing(path: Path) -> Path:
    return next(one for one in (path, *path.parents) if one.exists())


def _folder(root: Path) -> Finding:
    found = root.stat()
    if sys.platform != "win32" and found.st_uid != os.geteuid():
        return failure(
            "home",
            f"{root} belongs to user {found.st_uid}",
            "set HOLDFAST_HOME to a folder of yours",
        )
    if not os.access(root, os.R_OK | os.W_OK | os.X_OK):
        return failure("home", f"{root} cannot be written", f"chmod 700 {root}")
    if sys.platform != "win32" and found.st_mode & 0o077:
        mode = f"{found.st_mode & 0o777:04o}"
        return warning("home", f"{root} is open to others ({mode})", f"chmod 700 {root}")
    return well("home", str(root))


def space(folder: Path) -> Iterator[Finding]:
    """Look at what is free on the disk of a folder."""
    if sys.platform == "win32":
        return
    found = os.statvfs(folder)
    yield of_bytes(found.f_bavail * found.f_frsize)
    # Some file systems make inodes as they need them, and say that there are 0.
    if found.f_files:
        yield of_inodes(found.f_favail)


def of_bytes(free: int) -> Finding:
    """Judge how many bytes are free."""
    told = f"{render.size(free)} free"
    if free < NO_SPACE:
        return failure("space", told, "make room: state can no longer be written")
    if free < LITTLE_SPACE:
        return warning("space", told, "make room; or keep less in [defaults.log]")
    return well("space", told)


def of_inodes(free: int) -> Finding:
    """Judge how many more files fit."""
    told = f"{free} more files fit"
    if free == 0:
        return failure("inodes", told, "remove files: state can no longer be written")
    if free < FEW_INODES:
        return warning("inodes", told, "remove files that are not needed")
    return well("inodes", told)


def _disk(folder: Path) -> Iterator[Finding]:
    found = mount_of(folder)
    if found is not None:
        yield of_mount(found)


def of_mount(found: Mount) -> Finding:
    """Judge whether a file system keeps what was written and tells locks apart."""
    told = f"{found.kind} on {found.point}"
    if found.kind == "overlay" and "volatile" in found.options:
        return failure(
            "file system", f"{told}, volatile", "nothing is ever synced: put the home on a volume"
        )
    if found.options & UNORDERED:
        return warning(
            "file system",
            f"{told}, without barriers",
            "a power cut may cut state files: mount it without nobarrier",
        )
    if found.kind in FORGETFUL:
        return warning("file system", told, "gone with the next reboot; fine for a trial")
    if found.kind in REMOTE:
        return warning(
            "file system", told, "locks may not hold between machines; use a local disk"
        )
    return well("file system", told)


def runtime(place: Home) -> Iterator[Finding]:
    """Look at the folder of sockets and pipes."""
    folder, socket = place.runtime(), place.control_socket
    length = len(os.fsencode(socket))
    if length > LONGEST_SOCKET_PATH:
        yield failure(
            "runtime folder",
            f"{socket} has {length} bytes; sockets take {LONGEST_SOCKET_PATH}",
            "set XDG_RUNTIME_DIR to a short path",
        )
    elif sys.platform != "win32" and _is_foreign(folder):
        yield failure(
            "runtime folder",
            f"{folder} belongs to somebody else",
            "remove it, or set XDG_RUNTIME_DIR",
        )
    else:
        yield well("runtime folder", f"{folder} ({length} of {LONGEST_SOCKET_PATH} bytes)")


def _is_foreign(folder: Path) -> bool:
    if sys.platform == "win32":
        return False
    try:
        found = folder.lstat()
    except FileNotFoundError:
        return False
    return folder.is_symlink() or found.st_uid != os.geteuid()


def supervisor(place: Home) -> Iterator[Finding]:
    """Look whether a supervisor runs and answers, and what one that is gone left behind."""
    try:
        pid = statefile.holder(place.supervisor_lock)
    except LockHeld as error:
        yield warning("supervisor", str(error), "find it with: lsof")
        return
    except StateError as error:
        yield failure("supervisor", str(error), "make the file readable, on a disk with locks")
        return
    if pid is not None:
        yield _answering(place, pid)
        return
    alive = [row["name"] for row in view.from_disk(place)["services"] if row["pid"] is not None]
    if alive:
        told = f"none runs, and nobody watches over {', '.join(alive)}"
        yield failure("supervisor", told, "run: holdfast up")
    elif place.control_socket.exists():
        yield warning("supervisor", "ended without cleaning up", "run: holdfast up")
    else:
        yield well("supervisor", "not running")


def _answering(place: Home, pid: int) -> Finding:
    try:
        with reach.supervisor() as control:
            version = control.call("ping")["version"]
    except (NotRunning, HoldfastError) as error:
        told = f"pid {pid} holds the lock and does not answer: {error}"
        return failure("supervisor", told, f"see {place.log('supervisor')}")
    return well("supervisor", f"running, version {version}, pid {pid}")


def service_records(place: Home) -> Iterator[Finding]:
    """Look whether every record of a service can be read."""
    names = sorted(known.services(place))
    broken = 0
    for name in names:
        try:
            records.load(place, name)
        except FileNotFoundError:
            continue
        except StateError as error:
            broken += 1
            advice = "up sets it aside and waits with automatic restarts; restore it, or run: holdfast up"
            yield failure("service records", str(error), advice)
    if not broken:
        yield well("service records", f"{len(names)} readable")
    for evidence in sorted(place.services.glob("*.corrupt-*")):
        yield warning("service records", f"{evidence} was set aside", "look at it, then remove it")


def newest_file(place: Home) -> float:
    """Return when the newest file of the home was written, in seconds since the epoch; 0 without any."""
    newest = 0.0
    for folder in (place.root, place.services, place.heartbeats, place.journal, place.logs):
        with suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                with suppress(OSError):
                    newest = max(newest, entry.stat(follow_symlinks=False).st_mtime)
    return newest


def configuration(place: Home) -> Iterator[Finding]:
    """Look whether the configuration this home was brought up with can still be read."""
    remembered = standing.remembered(place).get("config")
    if not remembered:
        yield well("configuration", "none remembered yet; up remembers it")
        return
    try:
        found = settings.load(str(remembered))
    except ConfigError as error:
        problems = "\n".join(map(str, error.problems))
        advice = "what runs goes on; mend it before the next up or reload"
        yield failure("configuration", problems, advice)
        return
    yield well("configuration", f"{found.path} ({len(found.services)} services)")
