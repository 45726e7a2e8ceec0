"""The record of one job on disk, which the supervisor and external runs change side by side."""

import os

from holdfast import statefile
from holdfast.errors import Corrupt
from holdfast.home import NAME, Home
from holdfast.machine.process.identity import Verdict, is_same
from holdfast.model.job import JobRecord, Run, Trigger
from holdfast.model.service import Now
from holdfast.model.wire import from_plain, to_plain
from holdfast.rules import jobs
from holdfast.statefile import Durability

WAIT_FOR = 0.5
"""Seconds the supervisor waits for somebody who writes the same record."""


def read(home: Home, name: str) -> JobRecord:
    """Return what is remembered of a job; nothing when it never ran.

    Raises:
        Corrupt: the record is not what it should be.
        StateIOError: it cannot be read.
    """
    path = str(home.job(name))
    try:
        record = from_plain(JobRecord, statefile.read_json(path))
    except FileNotFoundError:
        return JobRecord(name=name)
    except ValueError as error:
        raise Corrupt(f"{path} is not the record of a job: {error}", path=path) from error
    if record.name != name:
        raise Corrupt(f"{path} speaks of {record.name!r}", path=path)
    return record


def save(home: Home, record: JobRecord, wait_for: float = WAIT_FOR) -> JobRecord:
    """Write what is known of a job, together with the external runs on disk; return both.

    Raises:
        Corrupt: what stands on disk cannot be read; it is left as it is.
        LockTimeout: another process held the record too long.
        StateError: the disk refused it.
    """
    path = home.job(record.name)
    with statefile.locked(path, wait_for):
        record = jobs.merged(read(home, record.name), record)
        _write(home, record)
    return record


def add_run(home: Home, name: str, run: Run, now: Now) -> None:
    """Write the row of an external run into the record of its name, and leave all else of it alone.

    Raises:
        StateError: as `save`.
    """
    with statefile.locked(home.job(name)):
        record = settled(read(home, name), now, but=run.id)
        _write(home, jobs.with_run(record, run))


def settled(record: JobRecord, now: Now, but: str = "") -> JobRecord:
    """Return the record with the end of external runs told whose runner lives no more."""
    runners = {
        run.runner
        for run in record.runs
        if run.trigger is Trigger.EXTERNAL and run.result is None and run.runner is not None
    }
    living = frozenset(
        runner for runner in runners if is_same(runner) in (Verdict.SAME, Verdict.UNREADABLE)
    )
    own = next((run for run in record.runs if run.id == but), None)
    found = jobs.settled(record, living, now)
    return jobs.with_run(found, own) if own else found


def names(home: Home) -> list[str]:
    """Return the names of all jobs and external runs that anything is remembered of."""
    try:
        found = os.listdir(home.jobs)
    except OSError:
        return []
    stems = (name.removesuffix(".json") for name in found if name.endswith(".json"))
    return sorted(stem for stem in stems if NAME.fullmatch(stem))


def _write(home: Home, record: JobRecord) -> None:
    statefile.write_json(
        home.job(record.name), to_plain(record), durability=Durability.FILE, mode=0o600
    )
