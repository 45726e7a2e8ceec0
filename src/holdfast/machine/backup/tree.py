"""The files of a snapshot and of a restore: made under names nobody looks at, whole on disk before they count."""

import contextlib
import errno
import hashlib
import os
import shutil
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from holdfast.machine.backup.manifest import Entry, EntryKind
from holdfast.statefile.system.this import SYSTEM

CHUNK = 1 << 20
STORED_MODE = 0o400
"""Mode of what is kept: one inode may be in many snapshots, so nobody is to write to it; the true mode is in the manifest."""

_READ = (
    os.O_RDONLY
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)  # a pipe put there meanwhile must not stop us
    | getattr(os, "O_BINARY", 0)
)
_MAKE = (
    os.O_WRONLY
    | os.O_CREAT
    | os.O_EXCL
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_BINARY", 0)
)

GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
"""What the system says of a path that went away meanwhile, or became a link or something below a file."""

Tick = Callable[[int], None]
"""Takes the bytes just read."""


class Copied(NamedTuple):
    """What was copied: how the file stood when it was opened, its SHA-256, and whether it stood still meanwhile."""

    status: os.stat_result
    sha256: str
    size: int
    is_still: bool


def read_through(source: str, target: str | None, tick: Tick) -> Copied:
    """Read a regular file, never through a link, into a new file, or only for its SHA-256.

    Raises:
        OSError: it cannot be read, or the target cannot be written; `filename` tells which.
    """
    fd = os.open(source, _READ)
    try:
        before = os.fstat(fd)
        if not stat.S_ISREG(before.st_mode):
            raise FileNotFoundError(2, "it is no file any more", source)
        if target is None:
            sha256, size = _pump(_chunks(fd, source), tick)
        else:
            out = os.open(target, _MAKE, 0o600)
            try:
                sha256, size = _pump(_stored(_chunks(fd, source), out, target), tick)
            finally:
                os.close(out)
        after = os.fstat(fd)
    finally:
        os.close(fd)
    is_still = _marks(before) == _marks(after) and size == after.st_size
    return Copied(before, sha256, size, is_still)


def _marks(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _pump(chunks: Iterable[bytes], tick: Tick) -> tuple[str, int]:
    found = hashlib.sha256()
    size = 0
    for chunk in chunks:
        found.update(chunk)
        size += len(chunk)
        tick(len(chunk))
    return found.hexdigest(), size


def _chunks(fd: int, source: str) -> Iterator[bytes]:
    with _named(source):
        while chunk := os.read(fd, CHUNK):
            yield chunk


def _stored(chunks: Iterable[bytes], out: int, target: str) -> Iterator[bytes]:
    for chunk in chunks:
        rest = memoryview(chunk)
        with _named(target):
            while rest:
                rest = rest[os.write(out, rest) :]
        yield chunk


@contextlib.contextmanager
def _named(path: str) -> Iterator[None]:
    """Say which file the system refused: a bad sector of the project is no fault of the repository."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or path
        raise


def keep(path: str, mtime_ns: int) -> None:
    """Give a stored file its date, for those who look at it, and take away the right to write to it."""
    os.utime(path, ns=(mtime_ns, mtime_ns))
    os.chmod(path, STORED_MODE)


def link(source: str, target: str) -> bool:
    """Give a stored file another name; tell whether the file system could."""
    try:
        os.link(source, target, follow_symlinks=False)
    except FileExistsError:
        raise
    except OSError:
        return False  # no hard links here, or too many to this file: a copy does as well
    return True


def put_link(target: str, path: str) -> None:
    """Make a symbolic link."""
    os.symlink(target, path)


def write_lines(path: str, lines: Iterable[bytes]) -> tuple[int, str]:
    """Write lines into a new file; return how many bytes, and their SHA-256."""
    found = hashlib.sha256()
    size = 0
    with open(path, "xb") as target:
        for line in lines:
            found.update(line)
            size += len(line)
            target.write(line)
    return size, found.hexdigest()


def settle(folder: str) -> None:
    """Bring everything below a new folder onto the disk.

    Raises:
        OSError: some of it could not be written.
    """
    if sys.platform == "linux":
        import ctypes

        fd = os.open(folder, os.O_RDONLY)
        try:
            # One call for the file system, where an fsync for each of 20,000 files takes minutes.
            if ctypes.CDLL(None, use_errno=True).syncfs(fd) != 0:
                number = ctypes.get_errno()
                raise OSError(number, os.strerror(number), folder)
        finally:
            os.close(fd)
    else:
        _sync_each(folder)


def _sync_each(folder: str) -> None:
    for root, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(root, name)
            if os.path.islink(path):
                continue
            fd = os.open(path, os.O_RDONLY)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)


def rename(folder: str, source: str, target: str) -> None:
    """Give a folder another name within the same folder, in one step that a power cut keeps."""
    place = SYSTEM.open_folder(folder)
    try:
        SYSTEM.replace(place, source, target)
        SYSTEM.sync_folder(place)
    finally:
        SYSTEM.close_folder(place)


def remove(path: str) -> None:
    """Remove a folder and all below it, as far as it is there."""
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(path)


def clear(path: str, kind: EntryKind) -> None:
    """Make room for what a restore puts at a path; a folder where one belongs stays, what is in it too.

    Raises:
        OSError: a folder that is not empty stands where a file belongs.
    """
    try:
        found = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(found):
        os.unlink(path)
    elif kind is not EntryKind.FOLDER:
        os.rmdir(path)


def dress(path: str, entry: Entry) -> None:
    """Give a restored path its owner, where we may, its mode and its date."""
    if sys.platform != "win32":
        if os.geteuid() == 0:
            os.chown(path, entry.uid, entry.gid, follow_symlinks=False)
        if entry.kind is not EntryKind.LINK:
            os.chmod(path, entry.mode)
        os.utime(path, ns=(entry.mtime_ns, entry.mtime_ns), follow_symlinks=False)
    elif entry.kind is not EntryKind.LINK:
        os.chmod(path, entry.mode)
        os.utime(path, ns=(entry.mtime_ns, entry.mtime_ns))
