"""Work that comes round: done when its time has come or somebody rings, and again later and later while it fails."""

import asyncio
import contextlib
import sys
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from holdfast.clock import utc_text
from holdfast.errors import HoldfastError
from holdfast.hub import events
from holdfast.hub.parts import Parts

LONGEST_REST = 30.0
"""Seconds after which work comes round though nobody rang: a machine that slept, or a clock that was set, rings nowhere."""

BACKOFF = (1.0, 30.0)
"""Seconds before the second try of what failed once, doubled each time, and the most."""


MENDED_AFTER = 5.0
"""Seconds after which work that has no end counts as going well again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One thing that is done again and again.

    `act` returns the seconds until it is due again, None for when it is rung for. `every` is the longest rest. What is
    `endless` returns only by failing.
    """

    name: str
    act: Callable[[], Awaitable[float | None]]
    bell: asyncio.Event = field(default_factory=asyncio.Event)
    every: float = LONGEST_REST
    endless: bool = False


async def go_round(parts: Parts, work: Round) -> None:
    """Do this work until cancelled; a failure is told once and tried again, and harms no other work."""
    streak = _Streak(parts, work.name)
    while True:
        work.bell.clear()
        try:
            rest = await (_endless(work, streak) if work.endless else work.act())
        except Exception as error:  # noqa: BLE001 - the top of a loop: told, and tried again
            await streak.broken(error)
            await asyncio.sleep(backoff(streak.failures))
            continue
        await streak.mended()
        await _rest(work, rest)


async def _endless(work: Round, streak: "_Streak") -> float | None:
    task = asyncio.ensure_future(work.act())
    try:
        done, _ = await asyncio.wait({task}, timeout=MENDED_AFTER)
        if not done:
            await streak.mended()
        return await task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def backoff(failures: int) -> float:
    """Return the seconds to wait after so many failures in a row."""
    least, most = BACKOFF
    return min(least * 2.0 ** min(failures - 1, 10), most)


def say(parts: Parts, event: str, **facts: object) -> None:
    """Write one line into the hub's own log; where that cannot be written, the hub goes on without."""
    told = " ".join(f"{name}={value!r}" for name, value in facts.items())
    with contextlib.suppress(OSError):
        sys.stderr.write(f"{utc_text(parts.clock.wall())} {event} {told}\n")
        sys.stderr.flush()


async def _rest(work: Round, rest: float | None) -> None:
    longest = work.every if rest is None else min(max(rest, 0.0), work.every)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(longest):
            await work.bell.wait()


class _Streak:
    """The failures of one round in a row: the first and the end of them are told, all are counted."""

    def __init__(self, parts: Parts, name: str) -> None:
        self.parts = parts
        self.name = name
        self.failures = 0

    async def broken(self, error: Exception) -> None:
        self.failures += 1
        condition, why = self.parts.condition, str(error) or type(error).__name__
        condition.faults[self.name] = why
        condition.failures[self.name] = condition.failures.get(self.name, 0) + 1
        say(self.parts, "hub.faltered", round=self.name, failures=self.failures, why=why)
        if not isinstance(error, HoldfastError):
            with contextlib.suppress(OSError):
                traceback.print_exception(error, file=sys.stderr)
        if self.failures == 1:
            await note(self.parts, "hub.faltered", {"round": self.name, "why": why})

    async def mended(self) -> None:
        if not self.failures:
            return
        self.failures = 0
        self.parts.condition.faults.pop(self.name, None)
        say(self.parts, "hub.recovered", round=self.name)
        await note(self.parts, "hub.recovered", {"round": self.name})


async def note(parts: Parts, kind: str, facts: dict[str, object]) -> None:
    """Write an event of the hub about itself; where the database is the very thing that fails, its log has to do."""
    now = parts.now()
    with contextlib.suppress(HoldfastError):
        await parts.store.write(lambda tx: events.note(tx, kind, "hub", facts, now))
        parts.bells.intake.set()
