"""Change a file inside `holdfast state lock FILE -- ...`, which holds its lock for all it runs."""

import errno
import os
import sys

from holdfast.statefile.lock import sidecar_name
from holdfast.statefile.place import Place
from holdfast.statefile.system.ops import Ops
from holdfast.statefile.system.this import SYSTEM

if sys.platform == "win32":
    from holdfast.statefile.system.windows import WindowsOps as _SystemOps
elif sys.platform == "darwin":
    from holdfast.statefile.system.macos import MacOps as _SystemOps
else:
    _SystemOps = Ops

VARIABLE = "HOLDFAST_STATE_LOCKS"
"""Names to a command the locks that are held for it: `PID:DEVICE:INODE`, parted by spaces."""


class NestedOps(_SystemOps):
    """The system calls of a command for which another process holds some locks."""

    def __init__(self, held: dict[tuple[int, int], int]) -> None:
        super().__init__()
        self._held = held

    def lock(self, fd: int) -> bool:
        """Take a lock; one that a living process holds for this command counts as taken.

        Commands that run side by side under one such lock exclude each other by a lock of the other
        kind on the same file, which does not know of the first.
        """
        if super().lock(fd):
            return True
        found = self.fstat(fd)
        holder = self._held.get((found.st_dev, found.st_ino))
        return holder is not None and self.is_alive(holder) and _lock_among_siblings(fd)


def _lock_among_siblings(fd: int) -> bool:
    if sys.platform == "win32":
        return True
    import fcntl

    try:
        fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN):
            return False
        raise
    return True


def operations() -> Ops:
    """Return the system calls, which know of locks held for this command."""
    said = os.environ.get(VARIABLE)
    return NestedOps(_parsed(said)) if said else SYSTEM


def told_of(place: Place) -> str:
    """Return the variable for a command that runs while this process holds the lock of a place."""
    found = place.ops.lstat(place.folder, sidecar_name(place.stem))
    mine = f"{os.getpid()}:{found.st_dev}:{found.st_ino}"
    return f"{os.environ.get(VARIABLE, '')} {mine}".strip()


def _parsed(said: str) -> dict[tuple[int, int], int]:
    held = {}
    for one in said.split():
        numbers = one.split(":")
        if len(numbers) == 3 and all(number.isdecimal() for number in numbers):
            pid, device, inode = map(int, numbers)
            held[device, inode] = pid
    return held
