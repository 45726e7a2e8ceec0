"""What the journal of this machine tells the hub, and what the hub has to tell the journal."""

import asyncio
import contextlib
from collections.abc import Sequence

import watchfiles

from holdfast.control import ControlClient
from holdfast.errors import HoldfastError, NotRunning, UsageError
from holdfast.hub import events, ingest
from holdfast.hub.parts import Parts
from holdfast.hub.rounds import say
from holdfast.hub.tail import Tail
from holdfast.rules import routing

SUPERVISOR_WITHIN = 5.0
"""Seconds the supervisor has to write events into the journal."""

AT_ONCE = 100
"""Events handed to the supervisor in one call."""

EVERY = 10.0
"""Seconds after which the journal is read though nobody saw it change."""

FORWARD_PAUSE = 0.5
"""Seconds for which changes of the journal are gathered at most before it is read."""

LOOK_EVERY = 0.25
"""Seconds between two questions whether the journal changed; each costs a wake of the processor."""


class Intake:
    """Reads the journal from where the database says, and hands over the hub's own events."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self._tail: Tail | None = None
        self._handed = 0

    async def act(self) -> float | None:
        """Take in everything new, then hand over what the hub has to tell.

        Raises:
            HoldfastError: the database cannot be used; nothing is lost.
        """
        await self._take_in()
        await self._hand_over()
        return EVERY

    async def watch(self) -> float | None:
        """Ring whenever the journal changes; where the system cannot tell, it is read from time to time all the same."""
        folder = self.parts.home.journal
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        step, debounce = int(LOOK_EVERY * 1000), int(FORWARD_PAUSE * 1000)
        async for _changes in watchfiles.awatch(
            folder, step=step, debounce=debounce, recursive=False, rust_timeout=60_000
        ):
            self.parts.bells.intake.set()
        return None

    async def _take_in(self) -> None:
        parts, machine = self.parts, self.parts.settings.machine
        if self._tail is None:
            after = await parts.store.read(lambda tx: ingest.position(tx, machine))
            self._tail = Tail(parts.home.journal, after)
        while True:
            found, mark = await asyncio.to_thread(self._tail.look)
            if not found:
                return
            now, settings = parts.now(), parts.settings
            channels = routing.channels_of(settings)
            taken = await parts.store.write(
                lambda tx: ingest.ingest(tx, machine, found, settings.policy, channels, now)  # noqa: B023 - it has run before the next turn begins
            )
            self._tail.passed(mark, found[-1].id)
            if any(events.HUB_EVENT not in event.facts for event in found):
                parts.bells.summary.set()
                parts.bells.outbox.set()
            if taken.wake:
                parts.bells.sweep.set()

    async def _hand_over(self) -> None:
        """Give the hub's events to the supervisor, who alone writes the journal; without one they wait here."""
        while True:
            told = await self.parts.store.read(
                lambda tx: events.unforwarded(tx, AT_ONCE, self._handed)
            )
            if not told:
                return
            try:
                await self._hand(told)
            except NotRunning:
                return
            self._handed = max(int(row["facts"][events.HUB_EVENT]) for row in told)

    async def _hand(self, told: Sequence[dict[str, object]]) -> None:
        """Hand events over; one that the supervisor refuses is dropped, so that it holds up neither the others nor the intake.

        Raises:
            NotRunning: nobody takes them now.
        """
        try:
            await asyncio.to_thread(self._call, told)
        except UsageError as error:
            if len(told) == 1:
                kind, subject = told[0]["kind"], told[0]["subject"]
                say(self.parts, "hub.event_refused", kind=kind, subject=subject, why=str(error))
                return
            for row in told:
                await self._hand([row])

    def _call(self, told: Sequence[dict[str, object]]) -> None:
        with ControlClient(self.parts.home.control_socket, timeout=SUPERVISOR_WITHIN) as control:
            control.call("note", {"events": list(told)})


async def hand_over_the_rest(intake: Intake) -> None:
    """Hand over what was noted at the very end, where that is still possible."""
    with contextlib.suppress(HoldfastError, OSError):
        await intake.act()
