"""What `job list` and `job history` show: one shape, whether a supervisor answers or only its files are left."""

from typing import Any

from holdfast import statefile
from holdfast.clock import boot_id, utc_text
from holdfast.errors import StateError
from holdfast.home import Home
from holdfast.machine.jobs import store
from holdfast.model.job import JobRecord, JobSpec, Run
from holdfast.model.service import Now
from holdfast.model.wire import from_plain


def job_row(spec: JobSpec | None, record: JobRecord, pid: int | None = None) -> dict[str, Any]:
    """Return one job; without a description it is a record of external runs."""
    last = record.runs[-1] if record.runs else None
    return {
        "name": record.name,
        "kind": "external" if spec is None else "job",
        "enabled": spec is None or spec.program.enabled,
        "schedule": spec.schedule if spec else None,
        "timezone": spec.timezone if spec else None,
        "overlap": spec.overlap.value if spec else None,
        "timeout_s": spec.timeout if spec else None,
        "grace_s": spec.grace if spec else None,
        "pid": pid,
        "waiting": record.waiting is not None,
        "last_due_at": _text(record.last_due_at),
        "next_due_at": _text(record.next_due_at),
        "last_run": run_row(last) if last else None,
    }


def run_row(run: Run) -> dict[str, Any]:
    """Return one run; `result` is null while it is under way."""
    return {
        "id": run.id,
        "trigger": run.trigger.value,
        "due_at": _text(run.due_at),
        "started_at": _text(run.started_at),
        "ended_at": _text(run.ended_at),
        "duration_s": run.duration_s,
        "result": run.result.value if run.result else None,
        "exit_code": run.exit_code,
        "signal": run.signal,
        "why": run.why,
        "output_tail": run.output_tail,
    }


def external_rows(home: Home, known: frozenset[str], wall: float) -> list[dict[str, Any]]:
    """Return a row for each record of external runs whose name no job bears; what cannot be read is left out."""
    rows = []
    for name in store.names(home):
        if name in known:
            continue
        try:
            record = store.read(home, name)
        except StateError:
            continue
        if record.runs:
            rows.append(job_row(None, as_it_is(record, wall)))
    return rows


def remembered_jobs(home: Home) -> list[JobSpec]:
    """Return the jobs of the configuration that was last brought into force; none when that cannot be read."""
    try:
        found = statefile.read_json(home.config_pointer)
    except (StateError, FileNotFoundError):
        return []
    plain = found.get("jobs") if isinstance(found, dict) else None
    try:
        return [from_plain(JobSpec, one) for one in plain] if isinstance(plain, list) else []
    except ValueError:
        return []


def as_it_is(record: JobRecord, wall: float) -> JobRecord:
    """Return a record with external runs told to their end whose runner was killed."""
    return store.settled(record, Now(wall=wall, mono=0.0, boot_id=boot_id()))


def _text(at: float | None) -> str | None:
    return None if at is None else utc_text(at)
