"""Getting bytes out of a pipe: looking ahead, moving into a file, throwing away."""

import ctypes
import errno
import functools
import os
import sys
from typing import Protocol

from holdfast.machine.output.fifo import Fifo, enlarge


class Tap(Protocol):
    """The end of a pipe from which output is taken."""

    fifo: Fifo

    def peek(self, most: int) -> bytes:
        """Return up to `most` of the next bytes and leave them where they are."""

    def move(self, file: int, most: int) -> int:
        """Move up to `most` bytes to the position of `file`; return how many, 0 when none wait.

        Raises:
            OSError: the file cannot be written; nothing was taken.
        """

    def skip(self, most: int) -> int:
        """Throw away up to `most` bytes; return how many."""

    def held(self) -> int:
        """Return how many bytes were taken out of the pipe and not delivered yet."""


class Scratch:
    """A pipe of our own, shared by all taps, into which `tee` copies what is only to be looked at. Linux only."""

    def __init__(self) -> None:
        self._ends: tuple[int, int] | None = None

    def look(self, fd: int, most: int) -> bytes:
        """Return up to `most` bytes of the pipe `fd` without consuming them."""
        out, into = self._ends or self._open()
        copied = _tee(fd, into, most)
        return os.read(out, copied) if copied else b""

    def close(self) -> None:
        """Close both ends; may be called again."""
        for fd in self._ends or ():
            os.close(fd)
        self._ends = None

    def _open(self) -> tuple[int, int]:
        self._ends = os.pipe()
        enlarge(self._ends[1])
        return self._ends


def _tee(source: int, into: int, most: int) -> int:
    if sys.platform != "linux":
        raise OSError(errno.ENOSYS, "tee(2) exists on Linux only")
    copied = int(_libc().tee(source, into, most, os.SPLICE_F_NONBLOCK))
    if copied >= 0:
        return copied
    number = ctypes.get_errno()
    if number == errno.EAGAIN:
        return 0
    raise OSError(number, os.strerror(number))


@functools.cache
def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.tee.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_size_t, ctypes.c_uint)
    libc.tee.restype = ctypes.c_ssize_t
    return libc


class SpliceTap:
    """Bytes go from pipe to file inside the kernel, so a kill at any instant neither loses nor repeats one. Linux only."""

    def __init__(self, fifo: Fifo, scratch: Scratch) -> None:
        self.fifo = fifo
        self._scratch = scratch

    def peek(self, most: int) -> bytes:
        """Return up to `most` of the next bytes and leave them where they are."""
        return self._scratch.look(self.fifo.fd, most)

    def move(self, file: int, most: int) -> int:
        """Move up to `most` bytes to the position of `file`; return how many, 0 when none wait."""
        if sys.platform != "linux":
            raise OSError(errno.ENOSYS, "splice(2) exists on Linux only")
        try:
            return os.splice(self.fifo.fd, file, most, flags=os.SPLICE_F_NONBLOCK)
        except BlockingIOError:
            return 0
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            return self._copy(file, most)

    def _copy(self, file: int, most: int) -> int:
        # A file system that knows no splice: copy first, consume then; a kill between the two repeats a piece.
        piece = self.peek(most)
        return self.skip(os.write(file, piece)) if piece else 0

    def skip(self, most: int) -> int:
        """Throw away up to `most` bytes; return how many."""
        return len(_read(self.fifo.fd, most))

    def held(self) -> int:
        """Return 0: what is not delivered stays in the pipe."""
        return 0


class CopyTap:
    """Bytes are read and written: for every POSIX system, at the price of what a kill finds in between."""

    def __init__(self, fifo: Fifo) -> None:
        self.fifo = fifo
        self._held = b""

    def peek(self, most: int) -> bytes:
        """Return up to `most` of the next bytes and keep them for the next call."""
        if len(self._held) < most:
            self._held += _read(self.fifo.fd, most - len(self._held))
        return self._held[:most]

    def move(self, file: int, most: int) -> int:
        """Move up to `most` bytes to the position of `file`; return how many, 0 when none wait."""
        piece = self.peek(most)
        return self._drop(os.write(file, piece)) if piece else 0

    def skip(self, most: int) -> int:
        """Throw away up to `most` bytes; return how many."""
        return self._drop(len(self.peek(most)))

    def held(self) -> int:
        """Return how many bytes were looked at and not delivered yet."""
        return len(self._held)

    def _drop(self, count: int) -> int:
        self._held = self._held[count:]
        return count


def tap_for(fifo: Fifo, scratch: Scratch) -> Tap:
    """Return the most exact tap this platform has."""
    if sys.platform == "linux":
        return SpliceTap(fifo, scratch)
    return CopyTap(fifo)


def _read(fd: int, most: int) -> bytes:
    try:
        return os.read(fd, most)
    except BlockingIOError:
        return b""
