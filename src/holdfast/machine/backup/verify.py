"""What a restored sample is compared with: what the snapshot says of it, and the project where it is still the same."""

import hashlib
import os
import stat
from collections.abc import Sequence
from typing import NamedTuple

FILES = 5
"""Files of one sample."""

BYTES = 256 << 20
"""Bytes of one sample at most; a single file may be larger than what is left of it."""

_CHUNK = 1 << 20


class Found(NamedTuple):
    """A file a snapshot says it holds: its path from the top, its bytes, when it was last changed."""

    path: str
    size: int
    mtime: float


def sample(files: Sequence[Found], turn: int) -> list[Found]:
    """Return a few files spread over all; another `turn` gives others."""
    # restic lists bytes that are no UTF-8 as this mark, so such a file could not be asked for.
    ordered = sorted(one for one in files if "\ufffd" not in one.path)
    stride = max(1, len(ordered) // FILES)
    chosen: list[Found] = []
    room = BYTES
    for index in range(turn % stride, len(ordered), stride):
        if len(chosen) == FILES:
            break
        if ordered[index].size <= room:
            chosen.append(ordered[index])
            room -= ordered[index].size
    return chosen


def compare(chosen: Sequence[Found], restored: str, project: str) -> str:
    """Return what is wrong with the restored files, the first of it; empty when nothing is."""
    for one in chosen:
        below = one.path.lstrip("/")
        copy, source = os.path.join(restored, below), os.path.join(project, below)
        try:
            size = os.lstat(copy).st_size
        except OSError:
            return f"{below} could not be restored"
        if size != one.size:
            return f"{below} was restored with {size} bytes instead of {one.size}"
        if (
            _is_as_it_was(source, one)
            and digest(copy) != digest(source)
            and _is_as_it_was(source, one)
        ):
            return f"{below} was restored with other bytes than the project has"
    return ""


def _is_as_it_was(source: str, one: Found) -> bool:
    """Tell whether the project still has the file as it was when the snapshot was made."""
    try:
        now = os.lstat(source)
    except OSError:
        return False
    is_same = now.st_size == one.size and abs(now.st_mtime - one.mtime) < 1e-3
    return stat.S_ISREG(now.st_mode) and is_same and os.access(source, os.R_OK)


def digest(path: str) -> str:
    """Return the SHA-256 of a file in hex."""
    found = hashlib.sha256()
    with open(path, "rb") as source:
        while chunk := source.read(_CHUNK):
            found.update(chunk)
    return found.hexdigest()
