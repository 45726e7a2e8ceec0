"""`holdfast backup list|run|verify|restore|snapshots`: see what is backed up, do it now, bring it back."""

import argparse
import contextlib
import os
from typing import TYPE_CHECKING, Any

from holdfast import statefile
from holdfast.cli import backup_edit, reach, render
from holdfast.cli.bar import Bar
from holdfast.clock import SystemClock, utc_text, wall_from_text
from holdfast.errors import NotRunning, StateError
from holdfast.home import Home
from holdfast.machine.backup import record
from holdfast.machine.jobs import store
from holdfast.model.backup import BackupRecord, Snapshot
from holdfast.model.project import Project
from holdfast.rules import backups as rules

if TYPE_CHECKING:
    from holdfast.machine.backup.engine import Engine, Progress
    from holdfast.machine.backup.run import Ports

LIST_HEAD = ("NAME", "PATH", "ENGINE", "NEWEST", "SNAPSHOTS", "NEXT", "STATE")
SNAPSHOTS_HEAD = ("ID", "AT", "FILES", "SIZE", "BELIEVED")

COLOURS = {"ok": "green", "warning": "yellow", "critical": "red", "unknown": "yellow"}


def run(options: argparse.Namespace) -> int:
    """Do what the verb says."""
    acts = {
        "add": backup_edit.add,
        "remove": backup_edit.remove,
        "list": _list,
        "run": _run,
        "verify": _verify,
        "restore": _restore,
        "snapshots": _snapshots,
    }
    return acts[options.verb](options)


def _list(options: argparse.Namespace) -> int:
    """Show every project, from the files of the state folder."""
    home = reach.home()
    severities = _severities(home)
    rows = [_row(home, one, severities.get(one.name)) for one in record.projects(home)]
    if options.json:
        render.print_json(rows)
    elif rows:
        print("\n".join(render.table(LIST_HEAD, map(_cells, rows))))
    elif not options.quiet:
        print("there are no backups; register one with: holdfast backup add NAME PATH")
    return 0


def _row(home: Home, project: Project, severity: str | None) -> dict[str, Any]:
    now = SystemClock().wall()
    found, error = _record(home, project.name)
    covered, engine = found.covered_at, found.engine or project.engine
    due = _next_due(home, project.name) if project.enabled else None
    return {
        "name": project.name,
        "path": project.path,
        "enabled": project.enabled,
        "engine": engine.value if engine else None,
        "last_success_at": _text(covered),
        "age_s": None if covered is None else round(max(0.0, now - covered), 3),
        "snapshots": len(found.snapshots),
        "next_due_at": _text(due),
        "running": record.running(home, project.name) is not None,
        "verified_at": _text(found.verified_at),
        "severity": severity,
        "error": error or _fault(found),
    }


def _fault(found: BackupRecord) -> str | None:
    words = (found.missing, found.last_error, found.verify_error, found.suspect, found.unverified)
    return next(filter(None, words), None)


def _record(home: Home, name: str) -> tuple[BackupRecord, str]:
    try:
        return record.read(home, name), ""
    except StateError as error:
        return BackupRecord(name=name), str(error)


def _next_due(home: Home, name: str) -> float | None:
    try:
        return store.read(home, name).next_due_at
    except StateError:
        return None


def _severities(home: Home) -> dict[str, str]:
    """Return how bad the hub found each check when it last wrote them down."""
    try:
        rows = statefile.read_json(home.checks_summary)
    except (StateError, FileNotFoundError):
        return {}
    return {
        str(row.get("name")): str(row.get("severity"))
        for row in (rows if isinstance(rows, list) else ())
        if isinstance(row, dict)
    }


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    now = SystemClock().wall()
    due = row["next_due_at"]
    state = row["error"] or row["severity"] or "-"
    if row["running"]:
        state = "under way"
    elif not row["enabled"]:
        state = "disabled"
    return (
        row["name"],
        row["path"],
        row["engine"] or "-",
        "never" if row["age_s"] is None else f"{render.duration(row['age_s'])} ago",
        str(row["snapshots"]),
        "-" if due is None else f"in {render.duration(wall_from_text(due) - now)}",
        render.paint(state, COLOURS[state]) if state in COLOURS else state,
    )


def _run(options: argparse.Namespace) -> int:
    """Back a project up now: by the supervisor, and where none runs in front; 1 when it failed."""
    home = reach.home()
    project = record.project(home, options.name)
    with contextlib.ExitStack() as stack:
        try:
            control = stack.enter_context(reach.supervisor(patience=None))
        except NotRunning:
            return _run_in_front(home, project, options)
        stack.enter_context(_bar(home, options))
        asked = {"name": options.name, "wait": not options.no_wait}
        answer = control.call("job_run", asked)
    if options.json:
        render.print_json(answer)
    elif not options.quiet:
        _tell_run(options, answer)
    return 0 if options.no_wait or answer["run"]["result"] == "success" else 1


def _tell_run(options: argparse.Namespace, answer: dict[str, Any]) -> None:
    if options.no_wait:
        print(f"{options.name} {answer['result']}")
        return
    row = answer["run"]
    is_success = row["result"] == "success"
    said = (
        row["output_tail"].rstrip("\n") or f"{options.name} {row['result']} {row['why']}".rstrip()
    )
    print(said if is_success else render.paint(said, "red"))


def _run_in_front(home: Home, project: Project, options: argparse.Namespace) -> int:
    from holdfast.machine.backup.run import back_up, ended_by_signals

    home.make()
    with ended_by_signals(), _bar(home, options) as bar:
        code = back_up(home, project, _ports(options, bar))
    if options.json:
        render.print_json({"name": project.name, "result": "failed" if code else "success"})
    return code


def _verify(options: argparse.Namespace) -> int:
    """Read back and compare; 1 when something is damaged."""
    from holdfast.machine.backup.run import ended_by_signals, verify

    home = reach.home()
    project = record.project(home, options.name)
    with ended_by_signals(), _bar(home, options) as bar:
        code = verify(home, project, _ports(options, bar), whole=options.all)
    if options.json:
        found = record.read(home, project.name)
        render.print_json(
            {
                "name": project.name,
                "sound": code == 0,
                "why": found.verify_error,
                "verified_at": _text(found.verified_at),
            }
        )
    return code


def _restore(options: argparse.Namespace) -> int:
    """Bring a snapshot back; 1 when a part of it was lost."""
    from holdfast.machine.backup.engine import BackupFailed, choose
    from holdfast.machine.backup.run import ended_by_signals

    home = reach.home()
    project = record.project(home, options.name)
    engine = choose(project)
    found = _observed(home, project, engine)
    if not found.snapshots:
        raise BackupFailed(
            found.unverified
            or found.missing
            or f"{project.name} has no snapshot that could be restored"
        )
    wanted = rules.pick(found.snapshots, options.snapshot, name=project.name)
    to = os.path.abspath(os.path.expanduser(options.to))
    with ended_by_signals(), _bar(home, options) as bar:
        done = engine.restore(
            wanted.id, to, lambda step: bar.show(_facts(step)), force=options.force
        )
    if options.json:
        render.print_json(
            {
                "name": project.name,
                "snapshot": done.snapshot,
                "to": done.to,
                "files": done.files,
                "bytes": done.bytes,
                "lost": list(done.lost),
            }
        )
    elif not options.quiet:
        print(
            f"{project.name}: {done.files} files ({render.size(done.bytes)}) of snapshot "
            f"{rules.short(done.snapshot)} from {utc_text(wanted.at)} are in {done.to}"
        )
    for lost in done.lost:
        render.complain(f"not restored: {lost}")
    return 1 if done.lost else 0


def _snapshots(options: argparse.Namespace) -> int:
    """Show the snapshots, oldest first; 1 when nobody could look, with those that are remembered."""
    from holdfast.machine.backup.engine import choose

    home = reach.home()
    project = record.project(home, options.name)
    found = _observed(home, project, choose(project))
    if options.json:
        render.print_json([_plain(one) for one in found.snapshots])
    elif found.snapshots:
        print("\n".join(render.table(SNAPSHOTS_HEAD, map(_snapshot_cells, found.snapshots))))
    elif not options.quiet:
        print(
            f"{project.name} has no snapshots; make one with: holdfast backup run {project.name}"
        )
    why = found.unverified or (found.missing if found.snapshots else "")
    if why:
        render.complain(why)
    return 1 if why else 0


def _observed(home: Home, project: Project, engine: "Engine") -> BackupRecord:
    """Return what is there now; nothing is written down."""
    from holdfast.machine.backup import evidence

    known, _ = _record(home, project.name)
    return evidence.observe(project, engine, known, SystemClock().wall())[0]


def _plain(one: Snapshot) -> dict[str, object]:
    return {
        "id": one.id,
        "at": utc_text(one.at),
        "files": one.files,
        "bytes": one.bytes,
        "valid": one.valid,
        "why": one.why,
    }


def _snapshot_cells(one: Snapshot) -> tuple[str, ...]:
    files = "-" if one.files is None else str(one.files)
    believed = "yes" if one.valid else f"no: {one.why}"
    return (rules.short(one.id), utc_text(one.at), files, render.size(one.bytes), believed)


def _bar(home: Home, options: argparse.Namespace) -> Bar:
    is_wanted = not (options.quiet or options.json or getattr(options, "no_wait", False))
    return Bar(home, options.name, is_wanted=is_wanted)


def _ports(options: argparse.Namespace, bar: Bar) -> "Ports":
    from holdfast.machine.backup.run import Ports

    is_told = not (options.quiet or options.json)
    return Ports(clock=SystemClock(), say=bar.say if is_told else lambda _: None)


def _facts(step: "Progress") -> dict[str, object]:
    return {
        "phase": step.phase.value,
        "percent": step.percent,
        "files": step.files,
        "bytes": step.bytes,
        "eta_s": step.eta_s,
    }


def _text(at: float | None) -> str | None:
    return None if at is None else utc_text(at)
