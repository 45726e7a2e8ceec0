"""The named pipes through which a service's output comes; each lives as long as anybody holds it."""

import contextlib
import errno
import os
import stat
import struct
import sys
from typing import ClassVar

from holdfast.errors import HoldfastError, Refused

GROWN_BYTES = 1 << 20
"""Size of a busy pipe: what an unprivileged process may ask for (/proc/sys/fs/pipe-max-size)."""

MOST_GROWN = 16
"""Pipes an unprivileged supervisor enlarges. All pipes of a user share one limit (pipe-user-pages-soft, 64 MiB), and past
it every new one holds 8 KiB; this leaves three quarters to the others."""

_FALLBACK_BYTES = 1 << 16


class Fifo:
    """A named pipe, and the one descriptor that holds it for us.

    The descriptor is open for reading and writing although we only read: so there is always a writer, and a pipe whose
    service has gone neither reports an end of file for ever nor forgets what it holds. It does not block, and shares
    its open file description, where that flag lives, with nobody.
    """

    _grown: ClassVar[int] = 0

    def __init__(self, path: str, fd: int) -> None:
        self.path = path
        self.fd = fd
        self.capacity = _capacity(fd)
        Fifo._grown += self._is_grown()

    def outlet(self) -> int:
        """Open a blocking descriptor for a service to write to, which keeps the pipe alive without us.

        Raises:
            Refused: another file took the place of the pipe.
            OSError: no descriptor could be had.
        """
        if sys.platform == "win32":
            raise _unavailable()
        fd = _open(self.path, os.O_RDWR)
        if not os.path.sameopenfile(fd, self.fd):
            os.close(fd)
            raise _refused(self.path, "is no longer the pipe it was")
        os.set_blocking(fd, True)
        return fd

    def waiting(self) -> int:
        """Return how many bytes stand in the pipe."""
        if sys.platform == "win32":
            raise _unavailable()
        import fcntl
        import termios

        answer = fcntl.ioctl(self.fd, termios.FIONREAD, b"\0\0\0\0")
        (count,) = struct.unpack("i", answer)
        return int(count)

    def grow(self) -> None:
        """Make a pipe that fills up larger, where the kernel allows it and enough is left for others."""
        if self._is_grown() or (Fifo._grown >= MOST_GROWN and not _is_root()):
            return
        enlarge(self.fd)
        self.capacity = _capacity(self.fd)
        Fifo._grown += self._is_grown()

    def close(self) -> None:
        """Let go of the pipe; what it holds stays while somebody else holds it."""
        Fifo._grown -= self._is_grown()
        os.close(self.fd)

    def _is_grown(self) -> bool:
        return self.capacity >= GROWN_BYTES


def open_fifo(path: str, uid: int | None = None) -> Fifo:
    """Create the pipe at `path`, private to `uid` (default: this user), or open the one that stands there.

    What an existing pipe holds survives. One of another owner is replaced when nobody has it open; without `uid` an
    existing one keeps its owner, if that is also the owner of its folder or the folder is ours.

    Raises:
        Refused: something else stands there, or somebody else's pipe is in use.
        OSError: the pipe cannot be made or opened now.
        HoldfastError: on Windows.
    """
    if sys.platform == "win32":
        raise _unavailable()
    owner = _owner_for(path, uid)
    found = _look(path)
    if found is not None and found.st_uid != owner:
        discard_unheld(path)
    is_new = _make(path)
    fd = _open(path, os.O_RDWR)
    try:
        _check(path, fd, os.geteuid() if is_new else owner)
        if is_new:
            os.fchmod(fd, 0o600)
            os.fchown(fd, owner, -1)
        return Fifo(path, fd)
    except BaseException:
        os.close(fd)
        raise


def _check(path: str, fd: int, owner: int) -> None:
    # Through the descriptor: the folder may belong to the service, which can put anything at the path meanwhile.
    actual = os.fstat(fd)
    if not stat.S_ISFIFO(actual.st_mode):
        raise _refused(path, "is not a pipe")
    if actual.st_uid != owner:
        raise _refused(path, f"belongs to user {actual.st_uid}")


def discard_unheld(path: str) -> bool:
    """Remove a pipe that nobody has open, so that nothing can be in it; tell whether the path is free now."""
    found = _look(path)
    if found is None:
        return True
    if not stat.S_ISFIFO(found.st_mode):
        return False
    try:
        os.close(_open(path, os.O_WRONLY))
    except OSError as error:
        # ENXIO: no reader; and whoever holds a pipe of ours can read it.
        if error.errno != errno.ENXIO:
            return False
    else:
        return False
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    return True


def _owner_for(path: str, uid: int | None) -> int:
    if sys.platform == "win32":
        raise _unavailable()
    me = os.geteuid()
    if uid is not None:
        return uid
    found = _look(path)
    if found is not None and os.stat(os.path.dirname(path) or ".").st_uid in {me, found.st_uid}:
        return found.st_uid
    return me


def _look(path: str) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except OSError:
        return None


def _make(path: str) -> bool:
    if sys.platform == "win32":
        raise _unavailable()
    try:
        os.mkfifo(path, 0o600)
    except FileExistsError:
        return False
    return True


def _open(path: str, access: int) -> int:
    if sys.platform == "win32":
        raise _unavailable()
    flags = access | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NOCTTY
    try:
        return os.open(path, flags)
    except OSError as error:
        # A symbolic link, a folder, a socket.
        if error.errno in {errno.ELOOP, errno.EISDIR} or (
            error.errno == errno.ENXIO and access == os.O_RDWR
        ):
            raise _refused(path, "is not a pipe") from error
        raise


def enlarge(fd: int) -> None:
    """Give a pipe 1 MiB where the kernel allows it; else it stays as it is."""
    if sys.platform != "linux":
        return
    import fcntl

    with contextlib.suppress(OSError):
        fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, GROWN_BYTES)


def _is_root() -> bool:
    return sys.platform != "win32" and os.geteuid() == 0


def _capacity(fd: int) -> int:
    if sys.platform != "linux":
        return _FALLBACK_BYTES
    import fcntl

    return int(fcntl.fcntl(fd, fcntl.F_GETPIPE_SZ))


def _refused(path: str, what: str) -> Refused:
    return Refused(
        f"{path} {what}; a pipe of the service's own user was expected: stop what uses it and remove it"
    )


def _unavailable() -> HoldfastError:
    return HoldfastError(
        "output of services cannot be captured on Windows yet; run Holdfast on Linux or macOS"
    )
