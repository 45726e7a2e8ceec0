"""When the jobs of one supervisor run: by the wall clock, whatever it does, and once for all that was missed."""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from holdfast import cron, statefile
from holdfast.errors import Corrupt, StateError, UnknownName
from holdfast.machine.jobs import store
from holdfast.machine.supervisor.runs import Ground, Job
from holdfast.machine.supervisor.service import Service
from holdfast.model.event import StopOrdered
from holdfast.model.job import JobRecord, JobSpec, Trigger
from holdfast.model.service import Actual, Now
from holdfast.rules import jobs

LOOK_EVERY = 60.0
"""Seconds after which the wall clock is looked at again: it may have been set, or the machine may have slept."""

STEP = 1.0
"""Seconds by which the wall clock must leave the monotonic one to count as set."""

TOLD_KEPT = 1000
"""External runs whose end is remembered as told, so that none is told twice."""

BEYOND_REACH = frozenset({Actual.STUCK, Actual.ORPHAN})


class Schedule:
    """Every configured job; one timer waits for the next that is due.

    It is an attendant: the supervisor shows it every service that changes, and it looks after those that are jobs.
    """

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.jobs: dict[str, Job] = {}
        self.told: deque[tuple[str, str]] = deque(maxlen=TOLD_KEPT)
        self._timer: asyncio.TimerHandle | None = None
        self._late: dict[str, asyncio.TimerHandle] = {}
        self._ahead = 0.0
        self._is_started = False

    def start(self) -> None:
        """Begin to run what is due, and what was missed while nothing ran."""
        self._is_started = True
        self._look()

    def job(self, name: str) -> Job:
        """Return a job by its name.

        Raises:
            UnknownName: no job of that name is configured.
        """
        if name not in self.jobs:
            listed = ", ".join(sorted(self.jobs)) or "none is configured"
            raise UnknownName(f"there is no job {name!r}; jobs: {listed}")
        return self.jobs[name]

    def planned(self, specs: Sequence[JobSpec]) -> dict[str, list[str]]:
        """Return the names of the jobs that these would add, remove and change."""
        new = {spec.name: spec for spec in specs}
        old = {name: job.spec for name, job in self.jobs.items()}
        return {
            "jobs_added": [name for name in new if name not in old],
            "jobs_removed": [name for name in old if name not in new],
            "jobs_changed": [name for name in new if name in old and new[name] != old[name]],
        }

    async def leave(self, specs: Sequence[JobSpec]) -> None:
        """Forget the jobs that are no longer among these, their runs ended first; what they did stays on disk."""
        names = {spec.name for spec in specs}
        gone = [job for name, job in self.jobs.items() if name not in names]
        await asyncio.gather(*(self._drop(job) for job in gone))

    def apply(self, specs: Sequence[JobSpec]) -> None:
        """Obey these jobs from now on; a run under way goes on as it was begun."""
        for spec in specs:
            job = self.jobs.get(spec.name)
            if job is None:
                self._take(spec)
            else:
                job.change(spec)
            self._reschedule(self.jobs[spec.name])
        if self._is_started:
            self._look_again()

    def attend(self, service: Service) -> None:
        """Look at the program of a job that has changed."""
        job = self.jobs.get(service.name)
        if job is not None:
            job.look()

    def forget(self, service: Service) -> None:
        """Let go of a job whose program is removed, or left running."""
        job = self.jobs.get(service.name)
        if job is not None:
            job.release()

    def close(self) -> None:
        """Begin nothing any more."""
        self._is_started = False
        for timer in (self._timer, *self._late.values()):
            if timer is not None:
                timer.cancel()
        self._timer = None
        self._late.clear()
        for job in self.jobs.values():
            job.release()

    def _take(self, spec: JobSpec) -> None:
        floor = self.ground.floor
        service = floor.services.get(spec.name) or floor.add(spec.program)
        service.is_job = True
        service.spec = spec.program
        job = Job(self.ground, spec, service, self._remembered(spec.name))
        self.jobs[spec.name] = job
        job.take_over()

    def _remembered(self, name: str) -> JobRecord:
        """Return the record of a job; one that cannot be read is set aside and told of."""
        try:
            return store.read(self.ground.home, name)
        except Corrupt as error:
            evidence = statefile.quarantine(self.ground.home.job(name))
            facts: dict[str, object] = {
                "severity": "critical",
                "why": str(error),
                "evidence": str(evidence),
            }
            self.ground.notes.event("state.corrupt", name, facts)
        except StateError as error:
            self.ground.notes.disk_refused(f"job {name}", str(error))
        return JobRecord(name=name)

    def _reschedule(self, job: Job) -> None:
        now = self.ground.floor.now()
        record = jobs.rescheduled(job.record, jobs.schedule_of(job.spec), now)
        if record is not job.record:
            self._cancel_late(job.spec.name)
            job.keep(replace(record, next_due_at=self._next(job, record, now)))

    def _next(self, job: Job, record: JobRecord, now: Now) -> float | None:
        if not record.schedule or job.spec.schedule is None:
            return None
        after = jobs.counted_from(record, now)
        return cron.due_after(job.spec.schedule, job.spec.timezone, after)

    async def _drop(self, job: Job) -> None:
        """End a job and forget it, unless something of it cannot be ended."""
        floor, service = self.ground.floor, job.service
        self._cancel_late(job.spec.name)
        job.keep(
            replace(jobs.rescheduled(job.record, "", floor.now()), waiting=None, next_due_at=None)
        )
        service.leaving = True
        floor.tell(service, StopOrdered())
        while service.state.actual not in jobs.AT_REST | BEYOND_REACH:
            await floor.changed(service)
        service.leaving = False
        if service.state.actual in jobs.AT_REST:
            floor.remove(service)
            job.dismiss()
            self.jobs.pop(job.spec.name, None)

    def _look(self) -> None:
        """Run what is due, then wait for the next."""
        self._timer = None
        if self.ground.floor.closing:
            return
        now = self.ground.floor.now()
        is_set = self._is_set(now)
        for job, due_at in self._scheduled():
            if is_set or due_at <= now.wall:
                self._meet(job, now)
        self._wait(now)

    def _scheduled(self) -> list[tuple[Job, float]]:
        """Return the jobs that will be due, and when; not those whose missed run is about to begin."""
        return [
            (job, job.record.next_due_at)
            for name, job in self.jobs.items()
            if job.record.next_due_at is not None and name not in self._late
        ]

    def _is_set(self, now: Now) -> bool:
        """Tell whether the wall clock was set, or the machine slept, since the last look."""
        ahead, self._ahead = self._ahead, now.wall - now.mono
        return abs(ahead - self._ahead) > STEP

    def _meet(self, job: Job, now: Now) -> None:
        """Run a job that is due; all that was missed is one run, a little later."""
        spec, after = job.spec, jobs.counted_from(job.record, now)
        if spec.schedule is None:
            return
        due_at = cron.latest_due(spec.schedule, spec.timezone, after, now.wall)
        if due_at is None:
            job.record = replace(job.record, next_due_at=self._next(job, job.record, now))
            return
        trigger = jobs.trigger_for(due_at, now)
        if trigger is Trigger.SCHEDULE:
            self._run(job, trigger, due_at)
            return
        wait = jobs.wait_before(trigger, now)
        self._late[spec.name] = self.ground.loop.call_later(wait, self._run_late, job, due_at)

    def _run_late(self, job: Job, due_at: float) -> None:
        self._late.pop(job.spec.name, None)
        if self.ground.floor.closing:
            return
        late_by = self.ground.floor.now().wall - due_at
        facts: dict[str, object] = {"due_at": due_at, "late_by_s": round(late_by, 1)}
        self.ground.notes.event("job.missed", job.spec.name, facts)
        self._run(job, Trigger.MISSED, due_at)
        self._look_again()

    def _run(self, job: Job, trigger: Trigger, due_at: float) -> None:
        now = self.ground.floor.now()
        record = replace(job.record, last_due_at=due_at)
        job.record = replace(record, next_due_at=self._next(job, record, now))
        job.order(trigger, due_at)

    def _cancel_late(self, name: str) -> None:
        timer = self._late.pop(name, None)
        if timer is not None:
            timer.cancel()

    def _look_again(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._look()

    def _wait(self, now: Now) -> None:
        soonest = min((at for _, at in self._scheduled()), default=now.wall + LOOK_EVERY)
        wait = min(max(soonest - now.wall, 0.0), LOOK_EVERY)
        self._timer = self.ground.loop.call_later(wait, self._look)
