"""A disk made of one file, as a program: serves it through FUSE and writes down every write and every flush.

Call it with the image, the place to mount at and the log. At the place stand `disk`, whose content
is the image, and `marks`, whose writes are noted in the log between those of the disk. While a file
`LOG.broken` exists the next write fails with EIO, and the file is removed. It ends when it is
unmounted, or when its stdin ends.
"""

import errno
import os
import stat
import struct
import sys
import threading
from typing import Any

import mfusepy  # type: ignore[import-untyped]  # it says nothing of its types

assert sys.platform == "linux"

RECORD = struct.Struct("<cQI")
WRITE, FLUSH, MARK = b"w", b"f", b"m"


class LoggedDisk(mfusepy.Operations):  # type: ignore[misc]  # the base is untyped
    """The file system of two files."""

    use_ns = True

    def __init__(self, image: str, log: str) -> None:
        self._image = os.open(image, os.O_RDWR)
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        self._broken = f"{log}.broken"

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        if path == "/":
            return {"st_mode": stat.S_IFDIR | 0o700, "st_nlink": 2}
        size = os.fstat(self._image).st_size if path == "/disk" else 0
        return {"st_mode": stat.S_IFREG | 0o600, "st_nlink": 1, "st_size": size}

    def readdir(self, path: str, fh: int) -> list[str]:
        return [".", "..", "disk", "marks"]

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        return os.pread(self._image, size, offset) if path == "/disk" else b""

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        if path == "/marks":
            self._note(MARK, 0, data)
            return len(data)
        self._break()
        self._note(WRITE, offset, data)
        return os.pwrite(self._image, data, offset)

    def truncate(self, path: str, length: int, fh: int | None = None) -> int:
        return 0

    def fsync(self, path: str, datasync: int, fh: int) -> int:
        if path == "/disk":
            self._note(FLUSH, 0, b"")
        return 0

    def _break(self) -> None:
        if os.path.exists(self._broken):
            os.unlink(self._broken)
            raise mfusepy.FuseOSError(errno.EIO)

    def _note(self, kind: bytes, offset: int, data: bytes) -> None:
        os.write(self._log, RECORD.pack(kind, offset, len(data)) + data)


def end_with_stdin() -> None:
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    _, image, place, log = sys.argv
    threading.Thread(target=end_with_stdin, daemon=True).start()
    mfusepy.FUSE(LoggedDisk(image, log), place, foreground=True, nothreads=True, direct_io=True)
