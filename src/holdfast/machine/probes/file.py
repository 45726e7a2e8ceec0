"""Is a file there?"""

import os
from dataclasses import dataclass

from holdfast.machine.probes.connect import words
from holdfast.model.finding import WELL, Finding, failed

_SLACK_S = 0.02
"""Seconds by which the kernel may date a file before the clock that dated the start: it looks only at every tick."""


@dataclass(frozen=True, slots=True)
class Trace:
    """What tells one state of a file from another."""

    inode: int
    modified_ns: int
    changed_ns: int


async def look(path: str) -> Finding:
    """Tell whether anything stands at the path."""
    try:
        os.stat(path)
    except OSError as error:
        return failed(words(error))
    return WELL


class NewFile:
    """A file that counts only if it was made or changed since the start of the service.

    A file that differs from what stood there at the start is new whatever the clock says; one that stood there when
    we first looked is judged by its times, for a quick program may have been faster.
    """

    def __init__(self, path: str, started_at: float) -> None:
        self.path = path
        self._started_ns = int((started_at - _SLACK_S) * 1_000_000_000)
        self._before = _trace(path)

    async def look(self) -> Finding:
        """Tell whether the file is there and new."""
        try:
            found = _trace_of(os.stat(self.path))
        except OSError as error:
            return failed(words(error))
        newest = max(found.modified_ns, found.changed_ns)
        if found != self._before or newest >= self._started_ns:
            return WELL
        return failed("the file is older than the start of the service")


def _trace(path: str) -> Trace | None:
    try:
        return _trace_of(os.stat(path))
    except OSError:
        return None


def _trace_of(found: os.stat_result) -> Trace:
    return Trace(found.st_ino, found.st_mtime_ns, found.st_ctime_ns)
