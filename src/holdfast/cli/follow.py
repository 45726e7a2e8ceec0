"""Waiting until something in a folder changes: told by the kernel on Linux, by looking again elsewhere."""

import os
import select
import struct
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeAlias

from holdfast.errors import HoldfastError

LOOK_EVERY_S = 0.25
"""Pause between two looks where no kernel tells of changes."""

Wanted: TypeAlias = Callable[[str], bool]
"""Tells by its name whether a file in the folder matters."""

# sys/inotify.h
_IN_MODIFY = 0x002
_IN_MOVED_TO = 0x080
_IN_CREATE = 0x100
_IN_Q_OVERFLOW = 0x4000
_IN_IGNORED = 0x8000
_EVENT = struct.Struct("iIII")
_EVENTS_AT_ONCE = 65_536

_STDOUT = 1


class Changes(Protocol):
    """What tells that a followed file may have more to read."""

    def wait(self) -> None:
        """Return after a change that came since the last call, or soon after it; also without one."""

    def close(self) -> None:
        """Stop being told; may be called again."""


class Pause:
    """Looks again a moment later."""

    def __init__(self, every: float = LOOK_EVERY_S) -> None:
        self.every = every

    def wait(self) -> None:
        """Return after the pause."""
        time.sleep(self.every)

    def close(self) -> None:
        """Hold nothing."""


class Inotify:
    """Is told by the kernel of every write, by splice(2) too, and of every new name; Linux only."""

    def __init__(self, folder: str, is_wanted: Wanted) -> None:
        """Begin to be told.

        Raises:
            OSError: there is no such folder, or no descriptor or watch is left for this user.
        """
        self._is_wanted = is_wanted
        self._descriptor = _inotify(folder)
        self._poll = _poll(self._descriptor)

    def wait(self) -> None:
        """Return after the next change of a wanted file.

        Raises:
            BrokenPipeError: whoever reads what this program prints is gone, so there is nobody to wait for.
            HoldfastError: the folder was removed.
        """
        while True:
            ready = dict(self._poll())
            if _STDOUT in ready:
                raise BrokenPipeError("the reader of standard output is gone")
            if self._descriptor in ready and self._has_wanted():
                return

    def close(self) -> None:
        """Close the descriptor."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _has_wanted(self) -> bool:
        told = list(_events(os.read(self._descriptor, _EVENTS_AT_ONCE)))
        if any(mask & _IN_IGNORED for mask, _ in told):
            raise HoldfastError("the folder of the followed files was removed; start again")
        return any(mask & _IN_Q_OVERFLOW or self._is_wanted(name) for mask, name in told)


@contextmanager
def changes(folder: str, is_wanted: Wanted) -> Iterator[Changes]:
    """Yield what waits for changes in a folder; looks again and again where the kernel cannot tell."""
    told = _best(folder, is_wanted)
    try:
        yield told
    finally:
        told.close()


def _best(folder: str, is_wanted: Wanted) -> Changes:
    if sys.platform != "linux":
        return Pause()
    try:
        return Inotify(folder, is_wanted)
    except OSError:  # no such folder yet, or fs.inotify.max_user_instances is used up
        return Pause()


def _inotify(folder: str) -> int:
    if sys.platform != "linux":
        raise OSError("inotify(7) exists on Linux only")
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = int(libc.inotify_init1(os.O_CLOEXEC))
    if descriptor < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"inotify_init1: {os.strerror(number)}")
    mask = _IN_MODIFY | _IN_MOVED_TO | _IN_CREATE
    if libc.inotify_add_watch(descriptor, os.fsencode(folder), mask) < 0:
        number = ctypes.get_errno()
        os.close(descriptor)
        raise OSError(number, f"inotify_add_watch: {os.strerror(number)}", folder)
    return descriptor


def _poll(descriptor: int) -> Callable[[], list[tuple[int, int]]]:
    if sys.platform == "win32":
        raise OSError("poll(2) does not exist on Windows")
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    # Without an event asked for, only the end of a pipe or terminal is reported.
    poll.register(_STDOUT, 0)
    return poll.poll


def _events(buffer: bytes) -> Iterator[tuple[int, str]]:
    at = 0
    while at < len(buffer):
        _, mask, _, length = _EVENT.unpack_from(buffer, at)
        at += _EVENT.size
        yield mask, os.fsdecode(buffer[at : at + length].rstrip(b"\0"))
        at += length
