"""The end of what a run printed, cut out of the log of its job."""

import os

from holdfast.model.job import Mark

TAIL_BYTES = 2048
"""Bytes of output that are remembered of a run."""


def mark(log: str) -> Mark:
    """Return the place at which the log ends now."""
    try:
        found = os.stat(log)
    except OSError:
        return Mark(inode=0, size=0)
    return Mark(inode=found.st_ino, size=found.st_size)


def since(log: str, began: Mark) -> str:
    """Return the last of what was written since then, over one rotation."""
    newest, is_whole = _end_of(log, began)
    if not is_whole and len(newest) < TAIL_BYTES:
        older, _ = _end_of(f"{log}.1", began)
        newest = older + newest
    return text_of(newest)


def text_of(output: bytes) -> str:
    """Return the last bytes of some output as text, without the half of a character."""
    cut = output[-TAIL_BYTES:]
    text = cut.decode("utf-8", "replace")
    return text.lstrip("\ufffd") if len(cut) < len(output) else text


def _end_of(path: str, began: Mark) -> tuple[bytes, bool]:
    """Return the end of one file, and whether the run began in it."""
    try:
        with open(path, "rb") as file:
            found = os.fstat(file.fileno())
            is_own = found.st_ino == began.inode and found.st_size >= began.size
            start = began.size if is_own else 0
            file.seek(max(start, found.st_size - TAIL_BYTES - 1))
            return file.read(), is_own
    except OSError:
        return b"", False
