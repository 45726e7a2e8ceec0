"""macOS: what it takes to bring bytes past the drive's own cache."""

import errno
import os
import sys

from holdfast.statefile.system.ops import Folder, Ops

if sys.platform != "win32":
    import fcntl

# <sys/fcntl.h>; the fcntl module of CPython lacks the second and PyPy both.
F_FULLFSYNC = 51
F_BARRIERFSYNC = 85

_UNSUPPORTED = frozenset({errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOTTY, errno.EINVAL})


class MacOps(Ops):
    """System calls of macOS.

    fsync stops at the cache of the drive there. A barrier orders writes at a quarter of the price
    of a full flush, so each file gets a barrier and the rename one full flush (4.5 and 18 ms on an
    M1, go-ethereum#28754). SMB and some drives know neither (vim#4016, libuv#2317).
    """

    def attributes(self, fd: int) -> list[str] | None:  # noqa: ARG002 - part of the seam
        """Return None: access lists are no attributes there, so what would be lost is not known."""
        return None

    def sync_file(self, fd: int) -> bool:
        """Order a file before whatever follows; False when only the drive's cache has it."""
        return self._flush(fd, (F_BARRIERFSYNC,)) is not None

    def sync_folder(self, folder: Folder) -> bool:
        """Flush everything to the platter; False when the drive gave no more than an order."""
        return self._flush(folder.fd, (F_FULLFSYNC, F_BARRIERFSYNC)) == F_FULLFSYNC

    def control(self, fd: int, command: int) -> None:
        """Issue one fcntl command."""
        if sys.platform != "win32":
            fcntl.fcntl(fd, command)

    def fsync(self, fd: int) -> None:
        """Hand a file to the drive."""
        os.fsync(fd)

    def _flush(self, fd: int, commands: tuple[int, ...]) -> int | None:
        for command in commands:
            try:
                self.control(fd, command)
            except OSError as error:
                if error.errno not in _UNSUPPORTED:
                    raise
            else:
                return command
        self.fsync(fd)
        return None
