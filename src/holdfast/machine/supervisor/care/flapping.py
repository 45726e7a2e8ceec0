"""Tells once that a service dies again and again over a longer time, and once that it has stopped doing so."""

import asyncio
from collections.abc import Callable

from holdfast.machine.supervisor.notes import Notes
from holdfast.machine.supervisor.service import Service
from holdfast.model.service import Now
from holdfast.rules import flapping

LOOK_EVERY = flapping.SLOT_S
"""Seconds between two looks at a service that flaps: only time can end it, and the share moves by slots."""


class FlappingCare:
    """Looks at the history of a service whenever it has grown; what was told is read from the history too.

    A supervisor that comes to know a service goes by what its history says was told already.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, now: Callable[[], Now], notes: Notes
    ) -> None:
        self.loop = loop
        self.now = now
        self.notes = notes
        self._seen: dict[str, float] = {}
        """When the newest row was made that was looked at, by service."""
        self._told: dict[str, asyncio.TimerHandle] = {}
        """The services that flap, and their next looks."""

    def attend(self, service: Service) -> None:
        """Look again if the service was started again since the last look."""
        history = service.state.history
        newest = history[-1].at if history else 0.0
        seen = self._seen.get(service.name)
        if newest == seen:
            return
        self._seen[service.name] = newest
        if seen is None and flapping.was_told(history, self.now()):
            self._look_later(service)
        else:
            self._judge(service)

    def forget(self, service: Service) -> None:
        """Let go of a service."""
        self._seen.pop(service.name, None)
        timer = self._told.pop(service.name, None)
        if timer is not None:
            timer.cancel()

    def _judge(self, service: Service) -> None:
        now = self.now()
        flaps = flapping.is_flapping(service.state.history, now)
        if flaps == (service.name in self._told):
            return
        facts: dict[str, object] = {
            "percent": round(flapping.percent(service.state.history, now), 1)
        }
        if flaps:
            self._look_later(service)
            self.notes.record(service, "service.flapping", {"severity": "warning", **facts})
        else:
            self._told.pop(service.name).cancel()
            self.notes.record(service, "service.steady", facts)

    def _look_later(self, service: Service) -> None:
        self._told[service.name] = self.loop.call_later(LOOK_EVERY, self._look_again, service)

    def _look_again(self, service: Service) -> None:
        self._judge(service)
        if service.name in self._told:
            self._look_later(service)
