"""The orders about jobs that the control socket understands."""

import asyncio
from collections.abc import Mapping
from typing import Any

from holdfast.errors import Refused, UnknownName, UsageError
from holdfast.home import NAME
from holdfast.machine.jobs import store, view
from holdfast.machine.supervisor.runs import Job
from holdfast.machine.supervisor.schedule import Schedule
from holdfast.machine.supervisor.serve_control import Method, Report
from holdfast.model.job import RUNS_KEPT, Run, Trigger
from holdfast.model.wire import from_plain
from holdfast.rules import jobs
from holdfast.rules.jobs import Meeting

Params = dict[str, Any]


def methods(schedule: Schedule) -> Mapping[str, Method]:
    """Return the part of the table of orders that is about jobs."""
    api = JobsApi(schedule)
    return {
        "job_list": api.job_list,
        "job_run": api.job_run,
        "job_history": api.job_history,
        "record_run": api.record_run,
    }


class JobsApi:
    """One method per order."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule

    async def job_list(self, _params: Params, _report: Report) -> dict[str, Any]:
        """Return every job, and what external runs left a record of."""
        ground = self.schedule.ground
        rows = [_row(job) for job in self.schedule.jobs.values()]
        known = frozenset(self.schedule.jobs) | frozenset(ground.floor.services)
        return {"jobs": rows + view.external_rows(ground.home, known, ground.floor.now().wall)}

    async def job_run(self, params: Params, _report: Report) -> dict[str, Any]:
        """Run a job now; with `wait` answer once that run is over."""
        job = self.schedule.job(_name(params))
        self._refuse(job)
        waiter: asyncio.Future[Run] = self.schedule.ground.loop.create_future()
        met = job.order(_trigger(params), waiter=waiter)
        if met is Meeting.SKIP:
            raise Refused(
                f"{job.spec.name} runs already, and its overlap is {job.spec.overlap.value!r}; "
                f"wait for the end of that run, see: holdfast job history {job.spec.name}"
            )
        if not params.get("wait", True):
            waiter.cancel()
            row = view.run_row(job.record.runs[-1]) if met is Meeting.START else None
            return {"name": job.spec.name, "result": met.value, "run": row}
        return {"name": job.spec.name, "result": met.value, "run": view.run_row(await waiter)}

    async def job_history(self, params: Params, _report: Report) -> dict[str, Any]:
        """Return the newest runs, newest last."""
        name, ground = _name(params), self.schedule.ground
        if name not in self.schedule.jobs and name not in store.names(ground.home):
            raise UnknownName(f"no run of {name!r} is remembered")
        lines = params.get("lines", RUNS_KEPT)
        if isinstance(lines, bool) or not isinstance(lines, int) or lines < 0:
            raise UsageError(f"lines expects how many runs, not {lines!r}")
        record = view.as_it_is(store.read(ground.home, name), ground.floor.now().wall)
        return {
            "name": name,
            "runs": [view.run_row(run) for run in record.runs][-lines:] if lines else [],
        }

    async def record_run(self, params: Params, _report: Report) -> dict[str, Any]:
        """Tell of an external run that is over; whoever ran it has written it down, and it is told once."""
        name = _name(params)
        try:
            run = from_plain(Run, params.get("run"))
        except ValueError as error:
            raise UsageError(f"record_run got a run it cannot read: {error}") from error
        if run.result is None or run.trigger is not Trigger.EXTERNAL:
            raise UsageError("record_run expects an external run that is over")
        is_new = (name, run.id) not in self.schedule.told
        if is_new:
            self.schedule.told.append((name, run.id))
            told = jobs.told(run)
            self.schedule.ground.notes.event(told.kind, name, told.facts)
        return {"name": name, "told": is_new}

    def _refuse(self, job: Job) -> None:
        if self.schedule.ground.floor.closing:
            raise Refused("Holdfast is ending and starts nothing any more")
        if not job.spec.program.enabled:
            raise Refused(
                f"{job.spec.name} is disabled; set enabled = true, then: holdfast reload"
            )


def _row(job: Job) -> dict[str, Any]:
    process = job.service.state.process
    return view.job_row(job.spec, job.record, process.pid if process else None)


def _trigger(params: Params) -> Trigger:
    found = params.get("trigger", Trigger.MANUAL.value)
    if found not in (Trigger.MANUAL.value, Trigger.CHANGE.value):
        raise UsageError(f"trigger expects manual or change, not {found!r}")
    return Trigger(found)


def _name(params: Params) -> str:
    name = params.get("name")
    if not isinstance(name, str) or NAME.fullmatch(name) is None:
        raise UsageError(f"name expects the name of a job, not {name!r}")
    return name
