"""The children of dead supervisors: each is reaped, and how it ended is remembered for the next one."""

import os
import sys
from collections import deque

from holdfast.machine.process.identity import stat
from holdfast.machine.watchdog.vault import ExitRow

REAP_AFTER = 0.3
"""Seconds from a death to the reaping: on an old kernel a supervisor learns the exit of an adopted service from its zombie."""

REMEMBERED = 10_000
"""Exits remembered; the oldest are forgotten first."""


class Orphans:
    """Hears of deaths, and reaps all of them once the time has come."""

    def __init__(self) -> None:
        self.exits: deque[ExitRow] = deque(maxlen=REMEMBERED)
        self.due_mono: float | None = None

    def hear(self, mono: float) -> None:
        """Take note that some child died, or came to us dead."""
        if self.due_mono is None:
            self.due_mono = mono + REAP_AFTER

    def reap(self, spared: int) -> list[ExitRow]:
        """Reap every dead child but the one `spared`, and return how they ended."""
        self.due_mono = None
        rows: list[ExitRow] = []
        while (pid := _first_dead_child()) is not None and pid != spared:
            found = stat(pid)  # a zombie still tells when it was started
            _, status = os.waitpid(pid, 0)
            if found is not None:
                rows.append((pid, found.start_ticks, status))
        self.exits.extend(rows)
        return rows


def _first_dead_child() -> int | None:
    if sys.platform != "linux":
        return None
    try:
        seen = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    return None if seen is None else seen.si_pid
