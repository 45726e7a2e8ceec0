"""The one seam between state files and the operating system: a method per system call."""

import errno
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from holdfast.statefile.system import flock

if TYPE_CHECKING:
    from holdfast.statefile.system.origin import Origin

# A FIFO in place of a file would block an open for ever; a forged link would lead elsewhere.
if sys.platform == "win32":
    _FOLDER = 0
    NO_WAIT = os.O_BINARY
    SAFELY = NO_WAIT
else:
    _FOLDER = os.O_RDONLY | os.O_DIRECTORY
    NO_WAIT = os.O_NONBLOCK
    SAFELY = NO_WAIT | os.O_NOFOLLOW

_NO_FOLDER_SYNC = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EBADF})
_NO_ATTRIBUTES = frozenset({errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})


# Records in here are tuples: a dataclass costs each command about a millisecond of its start.
class Folder(NamedTuple):
    """An open folder: names stay bound to it even when its path is moved or the caller changes folder."""

    path: str
    fd: int


class Ops:
    """The system calls of Linux and other POSIX systems; subclasses speak macOS and Windows.

    Tests subclass it to fail or die at a chosen call. Every method raises OSError as the call does.
    One instance stands for one process: `swept` maps a folder to the stems it still holds temps of,
    `written` a path to the pid of the process that wrote it.
    """

    renames_open_files = True

    def __init__(self) -> None:
        self.swept: dict[tuple[int | str, ...], set[str]] = {}
        self.written: dict[str, int] = {}

    def open_folder(self, path: str, within: Folder | None = None) -> Folder:
        """Open a folder, relative to another one where given."""
        return Folder(path, os.open(path, _FOLDER, dir_fd=within.fd if within else None))

    def close_folder(self, folder: Folder) -> None:
        """Close a folder."""
        os.close(folder.fd)

    def key(self, folder: Folder) -> tuple[int | str, ...]:
        """Return what is equal for two folders only if they are the same one."""
        stat = os.fstat(folder.fd)
        return (stat.st_dev, stat.st_ino)

    def check_name(self, name: str) -> None:
        """Raise OSError when a file of this name would not be what it seems to be."""

    def lstat(self, folder: Folder, name: str) -> os.stat_result:
        """Return what stands under a name, not following a link."""
        return os.stat(name, dir_fd=folder.fd, follow_symlinks=False)

    def readlink(self, folder: Folder, name: str) -> str:
        """Return where a link points."""
        return os.readlink(name, dir_fd=folder.fd)

    def mkdir(self, folder: Folder, name: str) -> None:
        """Make a folder, with the rights the umask leaves."""
        os.mkdir(name, dir_fd=folder.fd)

    def listdir(self, folder: Folder) -> list[str]:
        """Return the names in a folder."""
        return os.listdir(folder.fd)

    def open(self, folder: Folder | None, name: str, flags: int, mode: int = 0o600) -> int:
        """Open a file in a folder, or by its path when there is none; a child never inherits it."""
        return os.open(name, flags, mode, dir_fd=folder.fd if folder else None)

    def close(self, fd: int) -> None:
        """Close a descriptor."""
        os.close(fd)

    def close_copy(self, fd: int) -> None:
        """Close a copy of a descriptor: network file systems report a full disk only at a close."""
        os.close(os.dup(fd))

    def fstat(self, fd: int) -> os.stat_result:
        """Return what a descriptor stands for."""
        return os.fstat(fd)

    def read(self, fd: int, size: int) -> bytes:
        """Read up to `size` bytes."""
        return os.read(fd, size)

    def write(self, fd: int, content: bytes | memoryview) -> int:
        """Write some of the bytes and return how many."""
        return os.write(fd, content)

    def reserve(self, fd: int, size: int) -> None:
        """Have the blocks of a file ready before it is written; where that cannot be done, nothing happens.

        Ext4 writes a file out when it is renamed over another, unless its blocks were allocated before: 2 to 20 times
        the cost of the whole write (fs/ext4/namei.c, ext4_alloc_da_blocks). Only for what need not survive a power cut.
        """
        if sys.platform == "linux" and size > 0:
            with suppress(OSError):
                os.posix_fallocate(fd, 0, size)

    def seek(self, fd: int, offset: int) -> None:
        """Move to an offset from the start."""
        os.lseek(fd, offset, os.SEEK_SET)

    def truncate(self, fd: int, size: int) -> None:
        """Cut a file to a size."""
        os.ftruncate(fd, size)

    def chown(self, fd: int, uid: int, gid: int) -> None:
        """Give a file to a user and a group; -1 leaves one as it is."""
        if sys.platform != "win32":
            os.fchown(fd, uid, gid)

    def chmod(self, fd: int, mode: int) -> None:
        """Set the permission bits of a file."""
        if sys.platform != "win32":
            os.fchmod(fd, mode)

    def attributes(self, fd: int) -> list[str] | None:
        """Return the names of a file's extended attributes; None when they cannot be known."""
        if sys.platform != "linux":
            return None
        try:
            return os.listxattr(fd)
        except OSError as error:
            if error.errno in _NO_ATTRIBUTES:
                return []
            raise

    def attribute(self, fd: int, name: str) -> bytes:
        """Return one extended attribute."""
        if sys.platform == "linux":
            return os.getxattr(fd, name)
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))

    def set_attribute(self, fd: int, name: str, value: bytes) -> None:
        """Set one extended attribute."""
        if sys.platform == "linux":
            os.setxattr(fd, name, value)

    def remove_attribute(self, fd: int, name: str) -> None:
        """Remove one extended attribute."""
        if sys.platform == "linux":
            os.removexattr(fd, name)

    def start_writing(self, fd: int) -> None:
        """Have the disk begin with what was written, while this process does something else; a hint.

        Linux starts writing the dirty pages of a file back when told that they are not needed.
        """
        if sys.platform == "linux":
            with suppress(OSError):
                os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)

    def sync_file(self, fd: int) -> bool:
        """Bring a file to the disk; False when the system can promise no order for what follows."""
        os.fsync(fd)
        return True

    def sync_folder(self, folder: Folder) -> bool:
        """Bring the names in a folder to the disk; False where its file system knows no such thing."""
        try:
            os.fsync(folder.fd)
        except OSError as error:
            if error.errno in _NO_FOLDER_SYNC:
                return False
            raise
        return True

    def replace(self, folder: Folder, source: str, target: str) -> None:
        """Give `source` the name `target`, replacing what bore it, in one step."""
        os.replace(source, target, src_dir_fd=folder.fd, dst_dir_fd=folder.fd)

    def rename_new(self, folder: Folder, source: str, target: str) -> None:
        """Give `source` the name `target`; FileExistsError when something bears it.

        Between link and unlink the file has both names. A failed unlink undoes nothing: the target
        stands, and the left name is swept like any other orphan.
        """
        self.link(folder, source, target)
        try:
            self.unlink(folder, source)
        except OSError:
            return

    def link(self, folder: Folder, source: str, target: str) -> None:
        """Give a file a second name; FileExistsError when something bears it."""
        # Without the two descriptors CPython follows links and fails on a bare name.
        os.link(
            source,
            target,
            src_dir_fd=folder.fd,
            dst_dir_fd=folder.fd,
            follow_symlinks=False,
        )

    def unlink(self, folder: Folder, name: str) -> None:
        """Remove a name."""
        os.unlink(name, dir_fd=folder.fd)

    def lock(self, fd: int) -> bool:
        """Take the exclusive lock of an open file; False when somebody else has it."""
        return flock.lock(fd)

    def unlock(self, fd: int) -> None:
        """Give the lock back, also in copies of the descriptor that a fork made."""
        flock.unlock(fd)

    def is_locked(self, fd: int) -> bool:
        """Tell whether somebody else holds the exclusive lock of a file.

        A shared lock is the probe: two probes do not see each other, and who wants the exclusive
        lock tells a probe from a holder by probing too.
        """
        if not flock.lock_shared(fd):
            return True
        flock.unlock(fd)
        return False

    def is_alive(self, pid: int) -> bool:
        """Tell whether a process of this pid exists, as far as can be seen from here."""
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True

    def pid(self) -> int:
        """Return the pid of this process."""
        return os.getpid()

    def uid(self) -> int:
        """Return the user whose files this process may judge dead; 0 may judge all."""
        if sys.platform == "win32":
            return 0
        return os.geteuid()

    def pause(self, seconds: float) -> None:
        """Wait before asking again."""
        time.sleep(seconds)

    def symlink(self, folder: Folder, text: str, name: str) -> None:
        """Make a symbolic link that holds a text; FileExistsError when something bears its name."""
        os.symlink(text, name, dir_fd=folder.fd)

    def origin(self) -> "Origin":
        """Return from where the processes this one can see are seen."""
        from holdfast.statefile.system.origin import origin  # only where files have no locks

        return origin()

    def start_of(self, pid: int) -> str | None:
        """Return what tells a process from later ones of its pid, "" where that is not told; None without one."""
        from holdfast.statefile.system.origin import start_of  # only where files have no locks

        try:
            return start_of(pid)
        except OSError:
            return "" if self.is_alive(pid) else None

    def process_age(self, pid: int) -> float | None:
        """Return for how many seconds a process has lived; None where that is not told."""
        if sys.platform != "linux":
            return None
        started = self.start_of(pid)
        if not started:
            return None
        ticks_per_second = os.sysconf("SC_CLK_TCK")
        return time.clock_gettime(time.CLOCK_BOOTTIME) - int(started) / ticks_per_second


# The plainest calls need no frame of Python around them: together they are a tenth of a small write.
_PLAIN: dict[str, Callable[..., object]] = {
    "close": os.close,
    "fstat": os.fstat,
    "lock": flock.lock,
    "pid": os.getpid,
    "read": os.read,
    "unlock": flock.unlock,
    "write": os.write,
}
for _name, _call in _PLAIN.items():
    setattr(Ops, _name, staticmethod(_call))
