"""Decide when a job runs, what happens when it is due while it runs, and what a run came to."""

from dataclasses import replace
from enum import StrEnum
from typing import assert_never

from holdfast.model.event import Record
from holdfast.model.job import (
    RUNS_KEPT,
    JobRecord,
    JobSpec,
    Overlap,
    Result,
    Run,
    Trigger,
)
from holdfast.model.service import Actual, Exit, Identity, LastExit, Now, Reason, ServiceState

ON_TIME = 60.0
"""Seconds after its due time in which a run counts as on time; later ones were missed."""

MISSED_WITHIN = 10.0
"""Seconds over which runs that were missed are spread, so that a machine that wakes is not run down by all at once."""

CLOCK_BACK = 3 * 3600.0
"""Seconds the clock may go back before what is still to come counts as not yet run (as Debian's cron does)."""

AT_REST = frozenset({Actual.DOWN, Actual.DONE, Actual.FAILED})
"""States of a job's program in which nothing of a run is left."""

TOLD_BY_THE_JOB = frozenset(
    {
        "service.done",
        "service.exited",
        "service.failed",
        "service.ready",
        "service.restarted",
        "service.started",
        "service.stopped",
        "service.stopping",
    }
)
"""Events of a job's program that its own events say better."""


class Meeting(StrEnum):
    """What becomes of an order to run."""

    START = "started"
    SKIP = "skipped"
    QUEUE = "queued"
    REPLACE = "replaces"


def meeting(overlap: Overlap, *, is_running: bool, is_waiting: bool) -> Meeting:
    """Return what an order to run comes to; one run at most waits for the present one."""
    if not is_running:
        return Meeting.START
    if is_waiting:
        return Meeting.SKIP
    match overlap:
        case Overlap.SKIP:
            return Meeting.SKIP
        case Overlap.QUEUE:
            return Meeting.QUEUE
        case Overlap.KILL:
            return Meeting.REPLACE
        case _:
            assert_never(overlap)


def schedule_of(spec: JobSpec) -> str:
    """Return what tells one schedule from another; empty for a job that runs on demand only."""
    if spec.schedule is None or not spec.program.enabled:
        return ""
    return f"{spec.schedule} {spec.timezone or ''}".rstrip()


def rescheduled(record: JobRecord, schedule: str, now: Now) -> JobRecord:
    """Return the record under this schedule; a new one counts from now, so that nothing of it was missed."""
    if record.schedule == schedule:
        return record
    return replace(
        record, schedule=schedule, since_at=now.wall, last_due_at=None, next_due_at=None
    )


def counted_from(record: JobRecord, now: Now) -> float:
    """Return the moment after which a due time is still to be run.

    A clock that was put back a little runs nothing twice; one that was far ahead is not waited for.
    """
    known = max(record.since_at, record.last_due_at or record.since_at)
    return now.wall if known - now.wall > CLOCK_BACK else known


def trigger_for(due_at: float, now: Now) -> Trigger:
    """Tell a run that is on time from one that was missed while the machine slept or nothing ran."""
    return Trigger.SCHEDULE if now.wall - due_at <= ON_TIME else Trigger.MISSED


def wait_before(trigger: Trigger, now: Now) -> float:
    """Return the seconds to wait before a run."""
    return now.draw * MISSED_WITHIN if trigger is Trigger.MISSED else 0.0


def open_run(record: JobRecord) -> Run | None:
    """Return the run that the supervisor began and has not seen the end of."""
    ours = (run for run in reversed(record.runs) if run.trigger is not Trigger.EXTERNAL)
    return next((run for run in ours if run.result is None), None)


def is_over(run: Run, state: ServiceState) -> bool:
    """Tell whether nothing of this run is left."""
    return state.generation >= run.generation and state.process is None and state.actual in AT_REST


def never_began(run: Run, state: ServiceState) -> bool:
    """Tell whether the supervisor died between the row of a run and the intent of its process."""
    return state.generation == run.generation - 1 and state.actual in AT_REST


def ended(run: Run, state: ServiceState, now: Now, tail: str) -> Run:
    """Return the row of a run that is over, told to its end."""
    last = _own_exit(state)
    ended_with = last.exit if last else Exit()
    took = last.mono - state.started_mono if last and state.started_mono is not None else None
    return replace(
        run,
        ended_at=last.at if last else now.wall,
        duration_s=round(took, 3) if took is not None else None,
        result=_result(run, state, last),
        exit_code=ended_with.code,
        signal=ended_with.signal,
        why="" if last else state.failure,
        output_tail=tail,
        began=None,
        ending=None,
    )


def _own_exit(state: ServiceState) -> LastExit | None:
    """Return the end of the newest process, unless it is that of one before."""
    last = state.last_exit
    if last is None or state.started_mono is None or last.mono < state.started_mono:
        return None
    return last


def _result(run: Run, state: ServiceState, last: LastExit | None) -> Result:
    if run.ending is not None:
        return run.ending
    if last is None:
        return Result.FAILED if state.actual is Actual.FAILED else Result.UNKNOWN
    if last.reason is Reason.MANUAL:
        return Result.KILLED
    if last.exit.code is None and last.exit.signal is None:
        return Result.UNKNOWN
    return Result.SUCCESS if last.exit.is_success else Result.FAILED


def with_run(record: JobRecord, run: Run) -> JobRecord:
    """Return the record with this row in place of the one of the same id, or behind the others."""
    if any(known.id == run.id for known in record.runs):
        runs = tuple(run if known.id == run.id else known for known in record.runs)
    else:
        runs = (*record.runs, run)
    return replace(record, runs=kept(runs))


def kept(runs: tuple[Run, ...]) -> tuple[Run, ...]:
    """Return the newest rows; one that is under way is never dropped."""
    surplus = len(runs) - RUNS_KEPT
    if surplus <= 0:
        return runs
    over = [run.id for run in runs if run.result is not None]
    dropped = set(over[:surplus])
    return tuple(run for run in runs if run.id not in dropped)


def merged(disk: JobRecord, own: JobRecord) -> JobRecord:
    """Return what both know: the schedule of `own`, and each run as told furthest, oldest first."""
    runs = {run.id: run for run in disk.runs}
    runs |= {run.id: run for run in own.runs if run.id not in runs or runs[run.id].result is None}
    return replace(own, runs=kept(tuple(sorted(runs.values(), key=lambda run: run.started_at))))


def settled(record: JobRecord, living: frozenset[Identity], now: Now) -> JobRecord:
    """Return the record with the end of external runs told whose runner was killed before it could tell it."""
    return replace(
        record,
        runs=tuple(
            replace(run, result=Result.UNKNOWN, ended_at=now.wall)
            if run.trigger is Trigger.EXTERNAL and run.result is None and run.runner not in living
            else run
            for run in record.runs
        ),
    )


def told(run: Run) -> Record:
    """Return the event that tells of a run that is over."""
    facts: dict[str, object] = {
        "run": run.id,
        "trigger": run.trigger.value,
        "result": run.result.value if run.result else None,
        "duration_s": run.duration_s,
        "exit_code": run.exit_code,
        "signal": run.signal,
    }
    if run.why:
        facts["why"] = run.why
    match run.result:
        case Result.SKIPPED:
            return Record(kind="job.skipped", facts=facts)
        case Result.SUCCESS | Result.KILLED:
            return Record(kind="job.finished", facts=facts)
        case Result.FAILED | Result.TIMEOUT | Result.UNKNOWN | None:
            return Record(kind="job.failed", facts={"severity": "warning", **facts})
        case _:
            assert_never(run.result)
