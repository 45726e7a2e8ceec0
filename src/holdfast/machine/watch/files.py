"""What files look like from outside: enough to tell afterwards which of them changed."""

import os
import stat
import sys
from collections.abc import Iterator, Mapping
from typing import NamedTuple, TypeAlias

from holdfast.machine.watch.ignore import is_ignored

MOST_FILES = 50_000
"""Files of one watched path that are looked at; a tree with more belongs to no service's sources."""


class Mark(NamedTuple):
    """One file at one moment; another mark under the same path means that it changed."""

    inode: int
    size: int
    changed_ns: int

    @property
    def changed_at(self) -> float:
        """Return when content or attributes last changed, in seconds since the epoch."""
        return self.changed_ns / 1e9


Marks: TypeAlias = Mapping[str, Mark]


def marks(root: str) -> Marks:
    """Return the marks of a file, or of all files below a folder that are not ignored; nothing when it is missing.

    Links to folders are not followed: they may lead back.
    """
    found: dict[str, Mark] = {}
    for path in _paths(root):
        mark = mark_of(path)
        if mark is not None:
            found[path] = mark
        if len(found) >= MOST_FILES:
            break
    return found


def mark_of(path: str) -> Mark | None:
    """Return the mark of what a path leads to, None when it leads nowhere."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    # A copy may keep the modification time of its original, and that may lie in the future; nobody can set this one.
    changed_ns = found.st_mtime_ns if sys.platform == "win32" else found.st_ctime_ns
    size = 0 if stat.S_ISDIR(found.st_mode) else found.st_size
    return Mark(inode=found.st_ino, size=size, changed_ns=changed_ns)


def differing(before: Marks, after: Marks) -> list[str]:
    """Return the paths that changed, came or went."""
    return sorted(
        path for path in before.keys() | after.keys() if before.get(path) != after.get(path)
    )


def _paths(root: str) -> Iterator[str]:
    if not os.path.isdir(root):
        yield root
        return
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not is_ignored(name)]
        for name in names:
            if not is_ignored(name):
                yield os.path.join(folder, name)
