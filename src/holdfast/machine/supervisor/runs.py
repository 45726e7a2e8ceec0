"""The runs of one job: each is its program brought up as a service that is never started again."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol, assert_never

from holdfast.errors import Refused, StateError
from holdfast.home import Home
from holdfast.machine.jobs import store, tail
from holdfast.machine.supervisor.notes import Notes
from holdfast.machine.supervisor.service import Service
from holdfast.model.event import ServiceEvent, StartOrdered, StopOrdered
from holdfast.model.job import JobRecord, JobSpec, Result, Run, Trigger
from holdfast.model.service import Actual, Desired, Now
from holdfast.model.spec import ServiceSpec
from holdfast.rules import jobs
from holdfast.rules.jobs import Meeting


class Floor(Protocol):
    """What a job needs of the supervisor, which runs its program as it runs any service."""

    services: dict[str, Service]
    closing: bool

    def now(self) -> Now:
        """Return the moment of a decision."""

    def add(self, spec: ServiceSpec) -> Service:
        """Take a program under supervision; nothing is started."""

    def remove(self, service: Service) -> None:
        """Forget a program of which nothing is left."""

    def tell(self, service: Service, event: ServiceEvent) -> None:
        """Let an event happen to a service."""

    async def changed(self, service: Service) -> None:
        """Wait until the state of this service changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What all jobs of one supervisor stand on; `drain` moves the output of a program into its log now."""

    floor: Floor
    home: Home
    loop: asyncio.AbstractEventLoop
    notes: Notes
    drain: Callable[[str], None]


class Job:
    """One job, its program as a service, and what is remembered of it."""

    def __init__(self, ground: Ground, spec: JobSpec, service: Service, record: JobRecord) -> None:
        self.ground = ground
        self.spec = spec
        self.service = service
        self.record = record
        self._limit: asyncio.TimerHandle | None = None
        self._waiters: list[asyncio.Future[Run]] = []
        self._next_waiters: list[asyncio.Future[Run]] = []

    @property
    def run(self) -> Run | None:
        """Return the run that is under way."""
        return jobs.open_run(self.record)

    @property
    def is_running(self) -> bool:
        """Tell whether anything of a run is left."""
        return self.run is not None or self.service.state.actual not in jobs.AT_REST

    def order(
        self,
        trigger: Trigger,
        due_at: float | None = None,
        waiter: "asyncio.Future[Run] | None" = None,
    ) -> Meeting:
        """Begin a run, or do what the job wants while it still runs; the waiter gets the row of the run once it is over.

        Nothing begins while the supervisor or the job leaves.
        """
        met = jobs.meeting(
            self.spec.overlap,
            is_running=self.is_running,
            is_waiting=self.record.waiting is not None,
        )
        if self.ground.floor.closing or self.service.leaving:
            met = Meeting.SKIP
        if waiter is not None and met is not Meeting.SKIP:
            (self._waiters if met is Meeting.START else self._next_waiters).append(waiter)
        match met:
            case Meeting.START:
                self._begin(trigger, due_at)
            case Meeting.SKIP:
                self._skip(trigger, due_at)
            case Meeting.QUEUE:
                self.keep(replace(self.record, waiting=Trigger.QUEUED))
            case Meeting.REPLACE:
                self.keep(replace(self.record, waiting=trigger))
                self._stop(Result.KILLED)
            case _:
                assert_never(met)
        return met

    def look(self) -> None:
        """Go by what the program is now: a run that is over is told to its end, one that waits begins."""
        state, run = self.service.state, self.run
        if run is None:
            if state.process is not None and state.actual in (Actual.STARTING, Actual.RUNNING):
                self._own_up()
        elif jobs.is_over(run, state):
            self._end(run)
        else:
            self._limit_run(run)
        if self.record.waiting is not None and not self.is_running:
            self._begin_waiting()

    def take_over(self) -> None:
        """Go on where an earlier supervisor was ended, perhaps between two lines."""
        run = self.run
        if run is not None and jobs.never_began(run, self.service.state):
            rest = tuple(known for known in self.record.runs if known.id != run.id)
            self.record = replace(self.record, runs=rest)
            self._begin(run.trigger, run.due_at, run_id=run.id)
        else:
            self.look()

    def change(self, spec: JobSpec) -> None:
        """Obey another description from the next run on; a timeout counts at once."""
        self.spec = spec
        self.service.spec = spec.program
        self.release()
        self.look()

    def release(self) -> None:
        """Let go of what is held for the job in memory."""
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None

    def dismiss(self) -> None:
        """Tell those who wait for a run that none will come."""
        for waiter in (*self._waiters, *self._next_waiters):
            if not waiter.done():
                waiter.set_exception(
                    Refused(f"{self.spec.name} was taken out of the configuration")
                )
        self._waiters, self._next_waiters = [], []

    def keep(self, record: JobRecord) -> None:
        """Remember this, on disk too; what the disk refuses now goes with the next write."""
        self.record = record
        notes, name = self.ground.notes, f"job {self.spec.name}"
        try:
            self.record = store.save(self.ground.home, record)
        except StateError as error:
            notes.disk_refused(name, str(error))
        else:
            notes.disk_accepted(name)

    def _begin(self, trigger: Trigger, due_at: float | None = None, run_id: str = "") -> None:
        """Write the row, then start; a death in between is seen by the generation the row speaks of."""
        now = self.ground.floor.now()
        run = Run(
            id=run_id or self._new_id(now),
            trigger=trigger,
            started_at=now.wall,
            due_at=due_at,
            generation=self.service.state.generation + 1,
            began=tail.mark(self._log),
        )
        self.keep(jobs.with_run(replace(self.record, waiting=None), run))
        facts: dict[str, object] = {"run": run.id, "trigger": trigger.value, "due_at": due_at}
        self.ground.notes.event("job.started", self.spec.name, facts)
        self.ground.floor.tell(self.service, StartOrdered())

    def _begin_waiting(self) -> None:
        if self.ground.floor.closing or self.service.leaving or self.record.waiting is None:
            return
        self._waiters += self._next_waiters
        self._next_waiters = []
        self._begin(self.record.waiting)

    def _skip(self, trigger: Trigger, due_at: float | None) -> None:
        """Take down that it was due; a person who asked is told instead."""
        if trigger is Trigger.MANUAL:
            return
        now = self.ground.floor.now()
        run = Run(
            id=self._new_id(now),
            trigger=trigger,
            started_at=now.wall,
            due_at=due_at,
            ended_at=now.wall,
            result=Result.SKIPPED,
            why="the run before it was still under way",
        )
        self.keep(jobs.with_run(self.record, run))
        self._tell_of(run)

    def _own_up(self) -> None:
        """Make a row for a process that was started as a service, or whose row was lost."""
        state, now = self.service.state, self.ground.floor.now()
        run = Run(
            id=self._new_id(now),
            trigger=Trigger.MANUAL,
            started_at=now.wall,
            generation=state.generation,
            began=tail.mark(self._log),
        )
        self.keep(jobs.with_run(self.record, run))
        self._limit_run(run)

    def _end(self, run: Run) -> None:
        self.release()
        self.ground.drain(self.spec.name)
        printed = tail.since(self._log, run.began) if run.began else ""
        run = jobs.ended(run, self.service.state, self.ground.floor.now(), printed)
        self.keep(jobs.with_run(self.record, run))
        self._tell_of(run)
        waiters, self._waiters = self._waiters, []  # what follows may begin the next run
        if self.service.state.desired is Desired.UP:  # it is wanted no more, by no `up` either
            self.ground.floor.tell(self.service, StopOrdered())
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(run)

    def _tell_of(self, run: Run) -> None:
        told = jobs.told(run)
        self.ground.notes.event(told.kind, self.spec.name, told.facts)

    def _limit_run(self, run: Run) -> None:
        state = self.service.state
        timeout, started = self.spec.timeout, state.started_mono
        if self._limit is not None or timeout is None or started is None or run.ending is not None:
            return
        if state.process is not None:
            self._limit = self.ground.loop.call_at(started + timeout, self._too_long, run.id)

    def _too_long(self, run_id: str) -> None:
        self._limit = None
        run = self.run
        if run is not None and run.id == run_id and self.service.state.process is not None:
            self._stop(Result.TIMEOUT)

    def _stop(self, ending: Result) -> None:
        """End the present run, and have its row say why even if this supervisor does not live to see it."""
        run = self.run
        if run is not None:
            self.keep(jobs.with_run(self.record, replace(run, ending=ending)))
        self.ground.floor.tell(self.service, StopOrdered())

    def _new_id(self, now: Now) -> str:
        """Return an id that no run of this job bears, rising with time."""
        number = int(now.wall * 1_000_000)
        known = {run.id for run in self.record.runs}
        while f"{number:x}" in known:
            number += 1
        return f"{number:x}"

    @property
    def _log(self) -> str:
        return str(self.ground.home.log(self.spec.name))
