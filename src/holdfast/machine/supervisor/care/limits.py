"""Restarts, as planned, a service whose tree holds too much memory, and one whose process is too old."""

import asyncio
from collections.abc import Callable, Set
from dataclasses import dataclass

from holdfast.machine.process.tree import Roots, Roster, Snapshot, members
from holdfast.machine.supervisor.care.attendant import Tell
from holdfast.machine.supervisor.notes import Notes
from holdfast.machine.supervisor.service import Service
from holdfast.model.event import RestartOrdered
from holdfast.model.service import Actual, Reason
from holdfast.rules import limits

LOOK_EVERY = 10.0
"""Seconds between two looks at the memory of all services that have a limit."""


@dataclass(slots=True, kw_only=True)
class _Aging:
    """The timer of one process, and for which process and limit it was set."""

    of: tuple[int, float]
    timer: asyncio.TimerHandle


@dataclass(slots=True, kw_only=True)
class _Weighed:
    """One service on the scales, and how many looks in a row were too much for its process."""

    service: Service
    generation: int
    over: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitParts:
    """What the care for limits works with; `spared` are processes that belong to no service."""

    loop: asyncio.AbstractEventLoop
    roster: Roster
    notes: Notes
    tell: Tell
    spared: Callable[[], Set[int]] = frozenset


class LimitCare:
    """Looks after the limits of all services: one look at the machine serves every limit on memory."""

    def __init__(self, parts: LimitParts) -> None:
        self.parts = parts
        self._weighed: dict[str, _Weighed] = {}
        self._aging: dict[str, _Aging] = {}
        self._look_timer: asyncio.TimerHandle | None = None

    def attend(self, service: Service) -> None:
        """Weigh the service while it lives, and wait for the end of its age while it runs."""
        limited = service.spec.limits
        if limited.memory is None and limited.max_age is None:
            self._drop(service.name)
            return
        self._weigh_or_not(service)
        self._age_or_not(service)

    def forget(self, service: Service) -> None:
        """Let go of a service."""
        self._drop(service.name)

    def _drop(self, name: str) -> None:
        self._weighed.pop(name, None)
        aging = self._aging.pop(name, None)
        if aging is not None:
            aging.timer.cancel()
        if not self._weighed and self._look_timer is not None:
            self._look_timer.cancel()
            self._look_timer = None

    def _weigh_or_not(self, service: Service) -> None:
        state = service.state
        if service.spec.limits.memory is None or state.actual is not Actual.RUNNING:
            self._weighed.pop(service.name, None)
            return
        known = self._weighed.get(service.name)
        if known is None or known.generation != state.generation:
            self._weighed[service.name] = _Weighed(service=service, generation=state.generation)
        if self._look_timer is None:
            self._look_timer = self.parts.loop.call_later(LOOK_EVERY, self._look)

    def _look(self) -> None:
        self._look_timer = None
        if not self._weighed:
            return
        self._look_timer = self.parts.loop.call_later(LOOK_EVERY, self._look)
        try:
            snapshot = self.parts.roster.look()
        except OSError:  # a shortage of descriptors: what cannot be seen is not judged
            return
        for weighed in list(self._weighed.values()):
            self._judge(weighed, self._resident_bytes(snapshot, weighed.service))

    def _judge(self, weighed: _Weighed, resident: int) -> None:
        service = weighed.service
        weighed.over = limits.looks_over(service.spec.limits, resident, weighed.over)
        if not limits.is_outgrown(weighed.over):
            return
        weighed.over = 0
        facts: dict[str, object] = {
            "severity": "warning",
            "resident_bytes": resident,
            "limit_bytes": service.spec.limits.memory,
        }
        self.parts.notes.record(service, "service.outgrew", facts)
        self.parts.tell(service, RestartOrdered(reason=Reason.MEMORY, forgive=False))

    def _resident_bytes(self, snapshot: Snapshot, service: Service) -> int:
        state = service.state
        roots = Roots(main=state.process, instance=state.instance, spared=self.parts.spared())
        return sum(snapshot.rows[member.pid].rss_bytes for member in members(snapshot, roots))

    def _age_or_not(self, service: Service) -> None:
        state = service.state
        due = None
        if state.actual is Actual.RUNNING and state.started_mono is not None:
            due = limits.too_old_at(service.spec.limits, state.started_mono, state.instance)
        known = self._aging.get(service.name)
        if known is not None:
            if due is not None and known.of == (state.generation, due):
                return
            self._aging.pop(service.name).timer.cancel()
        if due is not None:
            # A moment that is past comes with the next turn of the loop: nothing is told from within.
            timer = self.parts.loop.call_at(due, self._grew_old, service)
            self._aging[service.name] = _Aging(of=(state.generation, due), timer=timer)

    def _grew_old(self, service: Service) -> None:
        self.parts.tell(service, RestartOrdered(reason=Reason.AGE, forgive=False))
