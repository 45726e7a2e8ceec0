"""The FIFO through which started children say that they are alive."""

import os
import select
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import LINUX_ONLY

READ_SIZE = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One child that reached its ``main``; ``at_ns`` is its CLOCK_MONOTONIC."""

    name: str
    pid: int
    at_ns: int


class Reports:
    """Reads the reports of the children of one peer."""

    def __init__(self, path: Path) -> None:
        self.fd = _open_fifo(path)
        self._rest = b""

    def read(self, within: float = 0.0) -> list[Report]:
        """Return what has come, waiting up to ``within`` seconds for the first."""
        if not select.select([self.fd], [], [], within)[0]:
            return []
        *lines, self._rest = (self._rest + os.read(self.fd, READ_SIZE)).split(b"\n")
        return [_parse(line) for line in lines]

    def wait_for(self, count: int, within: float) -> dict[str, Report]:
        """Return the first reports of ``count`` different children, or those that came in time."""
        first: dict[str, Report] = {}
        deadline = time.monotonic() + within
        while len(first) < count and (left := deadline - time.monotonic()) > 0:
            for report in self.read(left):
                first.setdefault(report.name, report)
        return first

    def wait_for_ends(self, count: int, within: float) -> set[str]:
        """Return who has said that it ended its work, once so many have or the time is over."""
        ended: set[str] = set()
        deadline = time.monotonic() + within
        while len(ended) < count and (left := deadline - time.monotonic()) > 0:
            ended |= {each.name for each in self.read(left) if each.name.endswith("/end")}
        return ended

    def close(self) -> None:
        """Close the FIFO."""
        os.close(self.fd)


def _open_fifo(path: Path) -> int:
    if sys.platform != "linux":
        raise OSError(LINUX_ONLY)
    os.mkfifo(path, 0o600)
    # Open for writing too: a child's open never blocks, and there is no end of file between two children.
    return os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)


def _parse(line: bytes) -> Report:
    name, pid, at_ns = line.split()
    return Report(name=name.decode(), pid=int(pid), at_ns=int(at_ns))
