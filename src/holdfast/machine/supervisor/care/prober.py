"""Looks at services from outside, as their probes say, and tells them what was found."""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from holdfast.machine.supervisor.care.attendant import Tell
from holdfast.machine.supervisor.care.looks import Look, Looks
from holdfast.machine.supervisor.notes import Notes
from holdfast.machine.supervisor.service import Service
from holdfast.model.event import HealthJudged
from holdfast.model.finding import Finding, Found, failed, unknown
from holdfast.model.service import Actual, Health
from holdfast.model.spec import Probe, ProbeKind
from holdfast.rules import probing
from holdfast.rules.probing import Purpose, Tally

MOST_AT_ONCE = 50
"""Looks under way at the same time; the others wait, and their time does not run meanwhile."""


class Order(NamedTuple):
    """What is looked at and why; a round of looks ends as soon as its service asks for another."""

    purpose: Purpose
    generation: int
    probe: Probe


@dataclass(slots=True, kw_only=True, eq=False)
class Round:
    """The looks of one probe at one generation of a service, one at a time."""

    service: Service
    order: Order
    look: Look
    due: float
    looks: int = 0
    tally: Tally = field(default_factory=Tally)
    finding: Finding | None = None
    is_over: bool = False
    timer: asyncio.TimerHandle | None = None
    task: asyncio.Task[Finding] | None = None


class Prober:
    """The rounds of all services; one timer each while it waits, one task each while it looks."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, tell: Tell, notes: Notes, looks: Looks
    ) -> None:
        self.loop = loop
        self.tell = tell
        self.notes = notes
        self.looks = looks
        self._rounds: dict[str, Round] = {}
        self._queue: deque[Round] = deque()
        self._busy: set[asyncio.Task[Finding]] = set()

    def attend(self, service: Service) -> None:
        """Begin, go on with or end the looks at a service."""
        wanted = _wanted(service)
        present = self._rounds.get(service.name)
        if present is not None and present.order != wanted:
            self._end(present)
            self._acquit(present)
        if wanted is not None and service.name not in self._rounds:
            self._begin(service, wanted)

    def forget(self, service: Service) -> None:
        """Look no more."""
        present = self._rounds.get(service.name)
        if present is not None:
            self._end(present)

    def finding(self, name: str) -> Finding | None:
        """Return what the last look at a service found, None where none is looked at or none was made yet."""
        present = self._rounds.get(name)
        return present.finding if present is not None else None

    async def finish(self) -> None:
        """Look at nothing any more, and return once no look is under way."""
        for present in list(self._rounds.values()):
            self._end(present)
        if self._busy:
            await asyncio.wait(self._busy)

    def _begin(self, service: Service, order: Order) -> None:
        wait = 0.0
        if order.purpose is Purpose.LIVE:
            wait = probing.first_live_look(order.probe, service.name)
        look = self.looks.at(service, order.probe, order.purpose)
        begun = Round(service=service, order=order, look=look, due=self.loop.time() + wait)
        self._rounds[service.name] = begun
        begun.timer = self.loop.call_at(begun.due, self._fall_due, begun)

    def _end(self, ended: Round) -> None:
        ended.is_over = True
        if ended.timer is not None:
            ended.timer.cancel()
        if ended.task is not None:
            ended.task.cancel()
        if self._rounds.get(ended.service.name) is ended:
            del self._rounds[ended.service.name]

    def _acquit(self, ended: Round) -> None:
        """Take back a bad word about a process that runs on and is not looked at that way any more."""
        state = ended.service.state
        runs_on = state.actual is Actual.RUNNING and state.generation == ended.order.generation
        if ended.tally.failed and runs_on:
            self.tell(ended.service, HealthJudged(health=Health.OK, by=probing.JUDGE))

    def _fall_due(self, due: Round) -> None:
        due.timer = None
        self._queue.append(due)
        self._look()

    def _look(self) -> None:
        while self._queue and len(self._busy) < MOST_AT_ONCE:
            due = self._queue.popleft()
            if due.is_over:
                continue
            due.task = self.loop.create_task(self._finding_of(due))
            self._busy.add(due.task)
            due.task.add_done_callback(partial(self._looked, due))

    async def _finding_of(self, due: Round) -> Finding:
        within = probing.look_within(due.order.probe, due.order.purpose)
        started = self.loop.time()
        try:
            async with asyncio.timeout(within):
                finding = await due.look()
        except TimeoutError:
            finding = failed(f"no answer within {within:g} s")
        return probing.weighed(finding, self.loop.time() - started, within)

    def _looked(self, looked: Round, task: "asyncio.Task[Finding]") -> None:
        self._busy.discard(task)
        looked.task = None
        finding = self._outcome(task)
        if not looked.is_over:
            self._judge(looked, finding)
        if not looked.is_over:
            looked.due = self._next_due(looked)
            looked.timer = self.loop.call_at(looked.due, self._fall_due, looked)
        self._look()

    def _outcome(self, task: "asyncio.Task[Finding]") -> Finding:
        if task.cancelled():
            return unknown("the look was broken off")
        error = task.exception()
        if error is None:
            return task.result()
        told = {"message": "a probe failed in itself", "exception": error}
        self.loop.call_exception_handler(told)
        return unknown(f"the probe failed in itself: {error}")

    def _judge(self, looked: Round, finding: Finding) -> None:
        self._note_doubt(looked, finding)
        looked.finding = finding
        looked.looks += 1
        if looked.order.purpose is Purpose.READY:
            self.tell(looked.service, probing.ready_looked(finding))
            return
        looked.tally, events = probing.live_looked(looked.order.probe, looked.tally, finding)
        for event in events:
            if not looked.is_over:
                self.tell(looked.service, event)

    def _note_doubt(self, looked: Round, finding: Finding) -> None:
        """Say once that a probe cannot look, not at every try."""
        was_in_doubt = looked.finding is not None and looked.finding.found is Found.UNKNOWN
        if finding.found is Found.UNKNOWN and not was_in_doubt:
            facts: dict[str, object] = {
                "probe": probing.told(looked.order.probe),
                "why": finding.why,
            }
            self.notes.record(looked.service, "probe.unverified", facts)

    def _next_due(self, looked: Round) -> float:
        probe, now = looked.order.probe, self.loop.time()
        if looked.order.purpose is Purpose.READY:
            return now + probing.ready_gap(probe, looked.looks)
        return probing.next_live_look(probe, looked.due, now)


def _wanted(service: Service) -> Order | None:
    """Return what a service wants to be looked at for, as it is now."""
    state, spec = service.state, service.spec
    if state.actual is Actual.STARTING:
        purpose, probe = Purpose.READY, spec.ready
    elif state.actual is Actual.RUNNING:
        purpose, probe = Purpose.LIVE, spec.live
    else:
        return None
    if probe is None or probe.kind is ProbeKind.NOTIFY or state.process is None:
        return None
    return Order(purpose, state.generation, probe)
