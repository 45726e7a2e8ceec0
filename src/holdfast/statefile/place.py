"""Where a state file really stands: an open folder, and a name in it."""

import errno
import os
import stat
from types import TracebackType
from typing import NamedTuple

from holdfast.statefile.system.ops import Folder, Ops

StrPath = str | os.PathLike[str]

# As many as the kernels of Linux and macOS follow, within one.
_MOST_LINKS = 40
# 255 bytes are the longest name; a temp adds length, checksum, chance and four dots to the stem.
_LONGEST_STEM = 180
_SURELY_SHORT = _LONGEST_STEM // 4  # no character takes more bytes
_NO_FILES = frozenset({"", ".", ".."})


class Place(NamedTuple):
    """One file of one open folder; leave it as a context manager and the folder is closed.

    `path` is what the caller said, `key` tells the folder from every other. The names of the sidecar and of temps are made from `stem`.
    """

    path: str
    folder: Folder
    key: tuple[int | str, ...]
    name: str
    stem: str
    ops: Ops

    def __enter__(self) -> "Place":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the folder."""
        try:
            self.ops.close_folder(self.folder)
        except OSError:
            return  # nothing was written through it


def open_place(path: StrPath, *, follow: bool, ops: Ops) -> Place:
    """Open the folder in which a file stands, after following links to it.

    The file need not exist, also not behind a link. With `follow` off a link is a name like others.

    Raises:
        OSError: ELOOP for links in a circle, EISDIR for a folder, EINVAL for a FIFO or a device.
    """
    text = os.fspath(path)
    head, name = split(text)
    folder = ops.open_folder(head or ".")
    for _ in range(_MOST_LINKS):
        try:
            target = _look(folder, name, ops)
            if target is None or not follow:
                stem = name if len(name) <= _SURELY_SHORT else _stem(name)
                return Place(text, folder, ops.key(folder), name, stem, ops)
            head, name = split(target)
            nearer = ops.open_folder(head or ".", folder)
        except BaseException:
            _close(folder, ops)
            raise
        _close(folder, ops)
        folder = nearer
    _close(folder, ops)
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))


def is_folder(path: StrPath, ops: Ops) -> bool:
    """Tell whether a path leads to a folder.

    Raises:
        OSError: it cannot be told.
    """
    try:
        folder = ops.open_folder(os.fspath(path))
    except (FileNotFoundError, NotADirectoryError):
        return False
    _close(folder, ops)
    return True


def split(path: str) -> tuple[str, str]:
    """Return the folder of a path, as it is written, and the name in it."""
    if os.altsep:
        return os.path.split(path)
    name = path[path.rfind("/") + 1 :]  # a third of the price of os.path.split
    return path[: len(path) - len(name)], name


def _close(folder: Folder, ops: Ops) -> None:
    try:
        ops.close_folder(folder)
    except OSError:
        return  # nothing was written through it


def _stem(name: str) -> str:
    encoded = os.fsencode(name)
    if len(encoded) <= _LONGEST_STEM:
        return name
    import hashlib

    return hashlib.sha256(encoded).hexdigest()


def _look(folder: Folder, name: str, ops: Ops) -> str | None:
    """Return where a link points; None for a regular file and for none at all."""
    if name in _NO_FILES:
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    ops.check_name(name)
    try:
        kind = stat.S_IFMT(ops.lstat(folder, name).st_mode)
    except FileNotFoundError:
        return None
    if kind == stat.S_IFREG:
        return None
    if kind == stat.S_IFLNK:
        return ops.readlink(folder, name)
    if kind == stat.S_IFDIR:
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    raise OSError(errno.EINVAL, "it is a pipe, a socket or a device, not a file")
