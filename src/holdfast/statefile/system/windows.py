"""Windows: no folder descriptors, no folder sync, byte locks, and a rename that readers can hold up."""

import errno
import os
import sys
from typing import Protocol

from holdfast.statefile.system.ops import Folder, Ops

# INVALID_FUNCTION, NOT_SUPPORTED and INVALID_PARAMETER: Windows before 10.1607, FAT, many shares.
_NO_POSIX_RENAME = frozenset({1, 50, 87})
# ACCESS_DENIED, SHARING_VIOLATION and LOCK_VIOLATION: a reader has the target open just now.
_BUSY = frozenset({5, 32, 33})
_RETRY_FOR_S = 2.0
_LONGEST_PAUSE_S = 0.128
_PROBE_FOR_S = 0.1
_DEVICES = frozenset(
    {"con", "prn", "aux", "nul"}
    | {f"com{number}" for number in range(1, 10)}
    | {f"lpt{number}" for number in range(1, 10)}
)


class Kernel(Protocol):
    """The calls of kernel32 that Python has not, or not in this form; each raises OSError with its winerror."""

    def open_shared(self, path: str, flags: int) -> int:
        """Open a file as os.open does, but let others rename and remove it meanwhile."""

    def rename_over(self, source: str, target: str) -> None:
        """Replace a file even while others that let it be renamed have it open."""

    def move_over(self, source: str, target: str) -> None:
        """Replace a file that nobody has open, as every Windows can."""


class WindowsOps(Ops):
    """System calls of Windows: paths where POSIX has folder descriptors."""

    renames_open_files = False

    def __init__(self, kernel: Kernel | None = None) -> None:
        super().__init__()
        self._kernel = kernel or kernel32()

    def open_folder(self, path: str, within: Folder | None = None) -> Folder:
        """Resolve a folder to its real path; NotADirectoryError when it is none."""
        real = os.path.realpath(os.path.join(within.path, path) if within else path)
        if not os.path.isdir(real):
            code = errno.ENOTDIR if os.path.exists(real) else errno.ENOENT
            raise OSError(code, os.strerror(code), real)
        return Folder(real, -1)

    def close_folder(self, folder: Folder) -> None:
        """Do nothing: a folder is only a path here."""

    def key(self, folder: Folder) -> tuple[int | str, ...]:
        """Return the path in the one spelling Windows compares by."""
        return (os.path.normcase(folder.path),)

    def check_name(self, name: str) -> None:
        """Refuse devices (`nul.json` is one) and streams (`state:json` is one)."""
        if ":" in name or name.split(".")[0].rstrip().lower() in _DEVICES or name[-1] in ". ":
            raise OSError(errno.EINVAL, "Windows gives this name another meaning", name)

    def lstat(self, folder: Folder, name: str) -> os.stat_result:
        """Return what stands under a name."""
        return os.lstat(self._at(folder, name))

    def readlink(self, folder: Folder, name: str) -> str:
        """Return where a link points."""
        return os.readlink(self._at(folder, name))

    def mkdir(self, folder: Folder, name: str) -> None:
        """Make a folder."""
        os.mkdir(self._at(folder, name))

    def listdir(self, folder: Folder) -> list[str]:
        """Return the names in a folder."""
        return os.listdir(folder.path)

    def open(self, folder: Folder | None, name: str, flags: int, mode: int = 0o600) -> int:  # noqa: ARG002 - part of the seam
        """Open a file by its full path, so that a rename over it need not wait for this reader.

        What os.open opens nobody can replace. There are no permission bits: the folder's access list
        decides.
        """
        return self._kernel.open_shared(self._at(folder, name) if folder else name, flags)

    def close_copy(self, fd: int) -> None:
        """Do nothing: the file is closed before the rename anyway."""

    def attributes(self, fd: int) -> list[str] | None:  # noqa: ARG002 - part of the seam
        """Return None: the access list of the old file is not carried over, and may have mattered."""
        return None

    def sync_folder(self, folder: Folder) -> bool:  # noqa: ARG002 - part of the seam
        """Return False: Windows has no such call."""
        return False

    def replace(self, folder: Folder, source: str, target: str) -> None:
        """Replace a file; a reader that has it open is waited for, up to 2 s, then EBUSY.

        Error 5 is as common as 32 (turbovec#442); deleting first would leave a moment without a target.
        """
        waited, pause = 0.0, 0.001
        while True:
            try:
                self.move(self._at(folder, source), self._at(folder, target))
            except OSError as error:
                if getattr(error, "winerror", None) not in _BUSY:
                    raise
                if waited >= _RETRY_FOR_S:
                    raise OSError(errno.EBUSY, "another program keeps it open") from error
            else:
                return
            self.pause(pause)
            waited += pause
            pause = min(pause * 2, _LONGEST_PAUSE_S)

    def move(self, source: str, target: str) -> None:
        """Replace once, as POSIX does it where file system and version know how, else the old way."""
        try:
            self._kernel.rename_over(source, target)
        except OSError as error:
            if getattr(error, "winerror", None) not in _NO_POSIX_RENAME:
                raise
            self._kernel.move_over(source, target)

    def rename_new(self, folder: Folder, source: str, target: str) -> None:
        """Rename; Windows itself refuses a name that is taken."""
        os.rename(self._at(folder, source), self._at(folder, target))

    def link(self, folder: Folder, source: str, target: str) -> None:
        """Give a file a second name; FileExistsError when something bears it."""
        os.link(self._at(folder, source), self._at(folder, target))

    def symlink(self, folder: Folder, text: str, name: str) -> None:
        """Make a symbolic link; few users of Windows may."""
        os.symlink(text, self._at(folder, name))

    def unlink(self, folder: Folder, name: str) -> None:
        """Remove a name."""
        os.unlink(self._at(folder, name))

    def is_locked(self, fd: int) -> bool:
        """Tell whether somebody holds the lock for longer than a probe does.

        There are no shared byte locks in msvcrt, so a probe is a short lock: only what stays locked
        is a holder.
        """
        waited = 0.0
        while not self.lock(fd):
            if waited >= _PROBE_FOR_S:
                return True
            self.pause(0.005)
            waited += 0.005
        self.unlock(fd)
        return False

    def is_alive(self, pid: int) -> bool:  # noqa: ARG002 - part of the seam
        """Return True: asking with signal 0 would be a CTRL-C there."""
        return True

    def _at(self, folder: Folder, name: str) -> str:
        return os.path.join(folder.path, name)


def kernel32() -> Kernel:
    """Return the kernel of this machine.

    Raises:
        OSError: this is not Windows.
    """
    if sys.platform == "win32":
        from holdfast.statefile.system.kernel32 import Kernel32

        return Kernel32()
    raise OSError("kernel32 exists on Windows only")
