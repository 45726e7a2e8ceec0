"""`holdfast job list|run|history`: see and start jobs."""

import argparse
from collections.abc import Sequence
from typing import Any

from holdfast.cli import reach, render
from holdfast.cli.history import ended
from holdfast.clock import SystemClock, wall_from_text
from holdfast.errors import NotRunning, StateError, UnknownName, UsageError
from holdfast.home import Home
from holdfast.machine.jobs import store, view
from holdfast.model.job import JobRecord
from holdfast.model.service import Exit

LIST_HEAD = ("NAME", "SCHEDULE", "NEXT", "LAST", "RESULT", "TOOK")
HISTORY_HEAD = ("STARTED", "TRIGGER", "RESULT", "ENDED", "TOOK")

COLOURS = {
    "success": "green",
    "failed": "red",
    "timeout": "red",
    "killed": "yellow",
    "skipped": "grey",
    "unknown": "yellow",
}

NOTHING_RUNS = 3


def run(options: argparse.Namespace) -> int:
    """Do what the verb says."""
    acts = {"list": _list, "run": _run, "history": _history}
    return acts[options.verb](options)


def _list(options: argparse.Namespace) -> int:
    """Show every job; without a supervisor from disk, which exits with 3."""
    code = 0
    try:
        with reach.supervisor() as control:
            rows = control.call("job_list")["jobs"]
    except NotRunning as error:
        rows, code = _from_disk(reach.home()), NOTHING_RUNS
        if not options.quiet:
            render.complain(str(error))
    if options.json:
        render.print_json(rows)
    elif rows:
        print("\n".join(render.table(LIST_HEAD, map(_job_cells, rows))))
    elif not options.quiet:
        print("there are no jobs; describe one as [job.NAME] in holdfast.toml")
    return code


def _run(options: argparse.Namespace) -> int:
    """Run a job now; 1 when the run did not succeed."""
    asked = {"name": options.name, "wait": not options.no_wait}
    with reach.supervisor(patience=None) as control:
        answer = control.call("job_run", asked)
    row = answer["run"]
    if options.json:
        render.print_json(answer)
    elif not options.quiet:
        _tell_run(options, answer)
    return 0 if options.no_wait or row["result"] == "success" else 1


def _tell_run(options: argparse.Namespace, answer: dict[str, Any]) -> None:
    if options.no_wait:
        print(f"{options.name} {answer['result']}")
        return
    row = answer["run"]
    if row["output_tail"]:
        print(row["output_tail"].rstrip("\n"))
    said = f"{options.name} {row['result']}: {_end_of(row)} after {_took(row)}"
    print(render.paint(said, COLOURS[row["result"]]))


def _history(options: argparse.Namespace) -> int:
    """Show the newest runs of a job, newest last, from its record on disk."""
    if options.lines < 0:
        raise UsageError(f"-n {options.lines} was given; expected how many runs, 0 or more")
    rows = _runs_of(reach.home(), options.name)
    shown = rows[len(rows) - min(options.lines, len(rows)) :]
    if options.json:
        render.print_json(shown)
    elif shown:
        print("\n".join(render.table(HISTORY_HEAD, map(_run_cells, shown))))
    elif not options.quiet:
        print(f"{options.name} never ran")
    return 0


def _runs_of(home: Home, name: str) -> Sequence[dict[str, Any]]:
    """Return the runs of a job.

    Raises:
        UnknownName: nothing of that name is remembered.
    """
    names = sorted({*store.names(home), *(spec.name for spec in view.remembered_jobs(home))})
    if name not in names:
        import difflib

        near = difflib.get_close_matches(name, names, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(names[:20]) or 'none'}"
        raise UnknownName(f"there is no job {name!r}; {hint}")
    record = view.as_it_is(store.read(home, name), SystemClock().wall())
    return [view.run_row(one) for one in record.runs]


def _from_disk(home: Home) -> list[dict[str, Any]]:
    """Return the jobs of the last configuration, and external runs, as their files tell them."""
    specs = {spec.name: spec for spec in view.remembered_jobs(home)}
    rows = [view.job_row(spec, _record(home, name)) for name, spec in specs.items()]
    return rows + view.external_rows(home, frozenset(specs), SystemClock().wall())


def _record(home: Home, name: str) -> JobRecord:
    try:
        return store.read(home, name)
    except StateError:
        return JobRecord(name=name)


def _job_cells(row: dict[str, Any]) -> tuple[str, ...]:
    last = row["last_run"]
    schedule = row["schedule"] or ("external" if row["kind"] == "external" else "on demand")
    if not row["enabled"]:
        schedule = "disabled"
    return (
        row["name"],
        " ".join(filter(None, (schedule, row["timezone"]))),
        _in(row["next_due_at"]),
        "-" if last is None else last["started_at"],
        "-" if last is None else last["result"] or "under way",
        "-" if last is None else _took(last),
    )


def _run_cells(row: dict[str, Any]) -> tuple[str, ...]:
    result = row["result"] or "under way"
    return (row["started_at"], row["trigger"], result, _end_of(row), _took(row))


def _end_of(row: dict[str, Any]) -> str:
    if row["why"]:
        return str(row["why"])
    if row["result"] in (None, "skipped"):
        return "-"
    return ended(Exit(code=row["exit_code"], signal=row["signal"]))


def _took(row: dict[str, Any]) -> str:
    took = row["duration_s"]
    if took is None:
        return "-"
    return f"{took:.1f}s" if took < 60 else render.duration(took)


def _in(at: str | None) -> str:
    if at is None:
        return "-"
    return f"in {render.duration(wall_from_text(at) - SystemClock().wall())}"
