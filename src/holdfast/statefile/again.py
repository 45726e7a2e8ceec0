"""Write a file that this process has written before: all steps in one breath, as long as nothing is unusual.

A small write waits for the disk twice, and each time the processor forgets this program: whatever runs in between has
to come from memory again. The fewer functions that is, the sooner the write is done: a tenth of its time.
"""

import os
import stat
from contextlib import suppress

from holdfast.statefile.draft import Order
from holdfast.statefile.durability import Durability
from holdfast.statefile.place import Place, split
from holdfast.statefile.system.ops import SAFELY, Folder, Ops
from holdfast.statefile.temp import checksum, temp_name, write_all

SMALL = 1 << 16
"""From this size on the disk takes so long that nothing is gained."""

_LOCK = os.O_RDWR | SAFELY
_READ = os.O_RDONLY | SAFELY
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | SAFELY
_RECORD_SIZE = 64
_MOST_KNOWN = 1000
_NEVER = -1
_CLOSED = -1


class NotSynced(Exception):
    """The content is in place; what came after that failed, for the reason in `__cause__`."""


def remember(place: Place) -> None:
    """Note that this process has written a path, and with that has done all that is done there once."""
    ops = place.ops
    if not ops.renames_open_files or place.stem in ops.swept.get(place.key, {place.stem}):
        return
    if len(ops.written) >= _MOST_KNOWN:
        ops.written.clear()
    ops.written.setdefault(place.path, ops.pid())


def write_again(
    path: str, content: bytes, durability: Durability, ops: Ops, *, mode: int | None = None
) -> Durability | None:
    """Replace a file and return the level achieved; None when nothing was done, as something is unusual.

    The order and the meaning of `mode` are those of `write_atomic`. The caller holds no lock of a state file: it would wait for itself.

    Raises:
        NotSynced: the content is in place, but what follows failed.
        OSError: the system refused; the old content is untouched, no temp is left.
    """
    pid = ops.pid()
    if ops.written.get(path) != pid:
        return None
    head, name = split(path)
    folder = ops.open_folder(head or ".")
    lock, is_ours = _CLOSED, False
    try:
        lock = ops.open(folder, f".{name}.lock", _LOCK)
        # Another record: somebody else was here, or a transaction is to be settled first.
        is_ours = ops.lock(lock) and ops.read(lock, _RECORD_SIZE) == b"%10d\n" % pid
        if not is_ours:
            return None
        return _replace(path, name, folder, Order(content, durability, mode), ops)
    except OSError:
        if is_ours:
            raise
        return None
    finally:
        _leave(lock, folder, ops)


def _leave(lock: int, folder: Folder, ops: Ops) -> None:
    """Unlock and close; nothing was written through either, and the kernel frees a lock with its descriptor."""
    try:
        try:
            if lock != _CLOSED:
                ops.unlock(lock)
        finally:
            if lock != _CLOSED:
                ops.close(lock)
            ops.close_folder(folder)
    except OSError:
        return


def _replace(  # noqa: C901, PLR0912 - one breath is what this is for
    path: str, name: str, folder: Folder, order: Order, ops: Ops
) -> Durability | None:
    content, durability = order.content, order.durability
    old = _plain_file(folder, name, ops)
    if old is None:
        return None
    temp = temp_name(name, len(content), checksum(content), os.urandom(8).hex())
    fd = ops.open(folder, temp, _NEW)
    is_named = False
    try:
        if not ops.lock(fd):
            raise _UnusualError  # noqa: TRY301 - the temp goes the one way all failures go
        if durability is Durability.ATOMIC:
            ops.reserve(fd, len(content))
        written = ops.write(fd, content)
        if written < len(content):
            write_all(fd, content[written:], ops)
        new = ops.fstat(fd)
        if new.st_uid != old.st_uid or new.st_gid != old.st_gid or ops.attributes(fd):
            ops.written[path] = _NEVER
            raise _UnusualError  # noqa: TRY301 - the temp goes the one way all failures go
        wanted = stat.S_IMODE(old.st_mode) if order.mode is None else order.mode
        if stat.S_IMODE(new.st_mode) != wanted:
            ops.chmod(fd, wanted)
        achieved = Durability.ATOMIC
        if durability is Durability.ATOMIC:
            ops.close_copy(fd)
        elif ops.sync_file(fd):  # never repeated, see `draft`
            achieved = Durability.FILE
        ops.replace(folder, temp, name)
        is_named = True
        if durability is Durability.FULL and ops.sync_folder(folder):
            achieved = Durability.FULL
        closing, fd = fd, _CLOSED
        ops.close(closing)
    except BaseException as error:
        _give_up(fd, folder, "" if is_named else temp, ops)
        if isinstance(error, _UnusualError):
            return None
        if is_named and isinstance(error, OSError):
            raise NotSynced from error
        raise
    return achieved


class _UnusualError(Exception):
    """The general way is to be taken."""


def _give_up(fd: int, folder: Folder, temp: str, ops: Ops) -> None:
    with suppress(OSError):
        if fd != _CLOSED:
            ops.close(fd)
    with suppress(OSError):
        if temp:
            ops.unlink(folder, temp)


def _plain_file(folder: Folder, name: str, ops: Ops) -> os.stat_result | None:
    """Return what a file is that has one name, no attributes and that may be read; None for all else."""
    try:
        fd = ops.open(folder, name, _READ)
        try:
            found, attributes = ops.fstat(fd), ops.attributes(fd)
        finally:
            ops.close(fd)
    except OSError:
        return None
    is_plain = attributes == []
    return found if is_plain and stat.S_ISREG(found.st_mode) and found.st_nlink == 1 else None
