"""Holdfast's own processes on their way out: what was told to end is gone when the command returns."""

import os
import select
import signal
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from holdfast.clock import SystemClock
from holdfast.errors import LockHeld, StateError
from holdfast.home import Home

if TYPE_CHECKING:
    from pathlib import Path

    from holdfast.machine.process.wait import Death

END_WITHIN = 10.0
"""Seconds supervisor and watchdog may take to end once everything is stopped."""


class Programs:
    """Processes watched from before they are told to end, so that no later one of their numbers is meant."""

    def __init__(self, pids: Iterable[int]) -> None:
        self._deaths = {pid: death for pid in pids if (death := _open(pid)) is not None}

    def left(self) -> list[int]:
        """Wait for all of them, for a while; return those that live on."""
        clock = SystemClock()
        until = clock.monotonic() + END_WITHIN
        return [
            pid
            for pid, death in self._deaths.items()
            if not _is_over(death, max(0.0, until - clock.monotonic()))
        ]

    def await_one(self, woken: int, *, within: float | None) -> None:
        """Wait until one of them ends, the descriptor is readable (it is emptied), or so many seconds are over."""
        if sys.platform == "win32" or not self._deaths:
            return
        select.select(
            [death.fileno() for death in self._deaths.values()] + [woken], [], [], within
        )
        with suppress(BlockingIOError):
            os.read(woken, 4096)

    def __enter__(self) -> "Programs":
        return self

    def __exit__(self, *exception: object) -> None:
        for death in self._deaths.values():
            death.close()


def of_home(home: Home) -> list[int]:
    """Return the pids of the supervisor and the watchdog of a home, those that run."""
    found = (holder(lock) for lock in (home.supervisor_lock, home.watchdog_lock))
    return [pid for pid in found if pid is not None]


def holder(lock: "Path") -> int | None:
    """Return who holds the lock of a program; None when nobody does, or nobody can tell who."""
    from holdfast import statefile

    try:
        return statefile.holder(lock)
    except (LockHeld, StateError):
        return None


def ask(pid: int) -> None:
    """Ask a process to end, and none that has its number by then."""
    from holdfast.machine.process.identity import identify
    from holdfast.machine.process.tree import Member, signal_member

    identity = identify(pid)
    if identity is not None:
        member = Member(pid=identity.pid, start_ticks=identity.start_ticks)
        signal_member(member, signal.SIGTERM)


def _open(pid: int) -> "Death | None":
    from holdfast.machine.process.identity import identify
    from holdfast.machine.process.wait import open_death

    identity = identify(pid)
    return None if identity is None else open_death(identity)


def _is_over(death: "Death", within: float) -> bool:
    if sys.platform == "win32":
        return True  # its handles cannot be waited for by select, and no supervisor runs there yet
    return bool(select.select([death.fileno()], [], [], within)[0])
