"""`holdfast state inspect`: what crashes left in and beside a file or a folder; changes nothing."""

import argparse
import os
from collections.abc import Iterator

from holdfast.cli import render
from holdfast.cli.state.nested import operations
from holdfast.cli.state.printable import printable
from holdfast.cli.state.verbs import missing
from holdfast.errors import StateIOError
from holdfast.statefile.recovery.inspect import Report, Target, inspect
from holdfast.statefile.recovery.judge import State, Status

HEAD = ("NAME", "STATE", "SIZE", "AGE", "WHY")
_FOUND = 1
_COLOURS = {
    State.VALID: "green",
    State.INVALID: "red",
    State.MISSING: "red",
    State.UNREADABLE: "red",
    Status.LIVE: "green",
    Status.COMPLETE: "yellow",
    Status.PARTIAL: "yellow",
    Status.FOREIGN: "yellow",
}

_Row = tuple[str, State | Status | None, str, str, str, str]


def run(options: argparse.Namespace) -> int:
    """Look once; 1 when something is to be mended.

    Raises:
        StateIOError: there is no such file, or it cannot be read.
    """
    report = inspect(options.path, looks=None, ops=operations())
    if options.json:
        render.print_json(report.plain())
    _refuse_nothing(report)
    if not options.json and not (options.quiet and report.is_well):
        print("\n".join(_lines(report, is_full=options.verbose)))
    return 0 if report.is_well else _FOUND


def _refuse_nothing(report: Report) -> None:
    """Tell a file that is not there, or cannot be read, from one that is broken."""
    if os.path.isdir(report.path) or len(report.targets) != 1:
        return
    (target,) = report.targets
    if target.state is State.UNREADABLE:
        raise StateIOError(
            f"{report.path} cannot be judged: {target.why}", path=report.path, errno_name="EIO"
        )
    if target.state is State.MISSING and not (target.temps or target.backups or target.evidence):
        raise missing(report.path)


def _lines(report: Report, *, is_full: bool) -> Iterator[str]:
    shown = [
        target
        for target in report.targets
        if is_full or not target.is_well or len(report.targets) == 1
    ]
    rows = [
        (printable(name), state, word, size, age, printable(why))
        for target in shown
        for name, state, word, size, age, why in _rows(target)
    ]
    if rows:
        yield from _table(rows)
    for one in report.transactions:
        state = "under way" if one.live else "its writer died"
        yield printable(f"transaction {one.id} of {', '.join(one.files) or 'no file'}: {state}")
    yield from map(printable, _summary(report))


def _rows(target: Target) -> Iterator[_Row]:
    yield target.name, target.state, target.state.value, "-", "-", target.why or ""
    for temp in target.temps:
        age = render.duration(temp.age_s)
        size = render.size(temp.bytes)
        yield f"  {temp.name}", temp.status, temp.status.value, size, age, temp.why or ""
    for backup in target.backups:
        state = "backup" if backup.valid else "bad backup"
        yield f"  {backup.name}", None, state, "-", "-", backup.why or ""
    for name in target.evidence:
        yield f"  {name}", None, "evidence", "-", "-", ""


def _table(rows: list[_Row]) -> Iterator[str]:
    head, *lines = render.table(HEAD, [(name, *rest) for name, _, *rest in rows])
    yield head
    for (_, state, word, *_), line in zip(rows, lines, strict=True):
        yield line.replace(word, render.paint(word, _COLOURS[state]), 1) if state else line


def _summary(report: Report) -> Iterator[str]:
    count = len(report.targets)
    bad = sum(not target.is_well for target in report.targets)
    unread = f", {report.unread} not opened" if report.unread else ""
    if not report.is_well:
        yield f"{bad} of {_files(count)} to mend{unread}; see what that would do: holdfast state recover {report.path} --dry-run"
    elif os.path.isdir(report.path):
        yield f"{_files(count)}, all well{unread}"


def _files(count: int) -> str:
    return f"{count} file{'' if count == 1 else 's'}"
