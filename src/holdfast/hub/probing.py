"""The probes that are due: made beside each other, and each written down as soon as it is over."""

import asyncio
from collections.abc import Awaitable, Callable

from holdfast.clock import Clock
from holdfast.hub import check, checks
from holdfast.hub.check import Check
from holdfast.hub.parts import Parts
from holdfast.hub.store.interface import Tx
from holdfast.model.check import CheckSpec, Observation

MOST_AT_ONCE = 20
"""Probes under way at the same time; the others wait."""

Probe = Callable[[CheckSpec, Clock], Awaitable[Observation]]


class Probing:
    """The probes under way; a check is probed by one of them at a time."""

    def __init__(self, parts: Parts, probe: Probe) -> None:
        self.parts = parts
        self.probe = probe
        self._busy: dict[int, asyncio.Task[None]] = {}

    async def act(self) -> float | None:
        """Begin what is due and return the seconds until the next is, None for when one is over.

        Raises:
            HoldfastError: a probe could not be written down; it is due again, and the others go on.
        """
        failed = self._collect()
        free = MOST_AT_ONCE - len(self._busy)
        due, next_at = await self._due()
        begun = [each for each in due if each.id not in self._busy][:free]
        for each in begun:
            task = asyncio.get_running_loop().create_task(self._look(each))
            self._busy[each.id] = task
            task.add_done_callback(lambda _task: self.parts.bells.probes.set())
        if failed:
            raise failed[0]
        # What is due and under way, or waits for a free place, is come back to when a probe ends.
        if next_at is None or due:
            return None
        return max(0.0, next_at - self.parts.clock.wall())

    async def finish(self) -> None:
        """Break off what is under way: it is due again when the hub comes back."""
        tasks = list(self._busy.values())
        self._busy.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _collect(self) -> list[BaseException]:
        """Forget the probes that are over and return what went wrong."""
        over = {id_: task for id_, task in self._busy.items() if task.done()}
        for id_ in over:
            del self._busy[id_]
        errors = (task.exception() for task in over.values() if not task.cancelled())
        return [error for error in errors if error is not None]

    async def _due(self) -> tuple[list[Check], float | None]:
        now, limit = self.parts.now(), MOST_AT_ONCE + len(self._busy)

        def look(tx: Tx) -> tuple[list[Check], float | None]:
            return check.probes_due(tx, now, limit), check.next_probe(tx)

        return await self.parts.store.read(look)

    async def _look(self, probed: Check) -> None:
        parts = self.parts
        found = await self.probe(probed.spec, parts.clock)
        now, policy = parts.now(), parts.settings.policy
        after = await parts.store.write(
            lambda tx: checks.observe(tx, probed.name, found, policy, now)
        )
        if after is None:
            return
        if check.is_urgent(after):
            parts.bells.sweep.set()
        if after.severity is not probed.severity:
            parts.bells.summary.set()
