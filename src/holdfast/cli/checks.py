"""`holdfast checks`, `incidents` and `notifications`: what is expected to succeed, what does not, and who was told."""

import argparse
from typing import Any

from holdfast.cli import ask, render
from holdfast.clock import SystemClock, wall_from_text

CHECKS_HEAD = ("CHECK", "KIND", "SEVERITY", "LAST SUCCESS", "NEXT", "WHY")
INCIDENTS_HEAD = ("CHECK", "NO", "SEVERITY", "OPENED", "LASTED", "TOLD", "ACKNOWLEDGED BY")
NOTIFICATIONS_HEAD = ("AT", "CHANNEL", "STATE", "KIND", "TITLE")

COLOURS = {"ok": "green", "warning": "yellow", "unknown": "yellow", "critical": "red"}


def checks(options: argparse.Namespace) -> int:
    """Show every check, however it does."""
    rows = ask.get("/checks")
    if options.names:
        rows = _named(rows, options.names)
    if options.json:
        render.print_json(rows)
    elif rows:
        _print_table(CHECKS_HEAD, [_check(row) for row in rows], [row["severity"] for row in rows])
    elif not options.quiet:
        print(
            "there are no checks; a [backup.NAME] or [job.NAME] makes one by itself, a [check.NAME] is one"
        )
    return 0


def incidents(options: argparse.Namespace) -> int:
    """Show the incidents, newest first."""
    rows = ask.get("/incidents", open=None if options.all else 1)
    if options.json:
        render.print_json(rows)
    elif rows:
        _print_table(
            INCIDENTS_HEAD, [_incident(row) for row in rows], [row["severity"] for row in rows]
        )
    elif not options.quiet:
        print("no incident is open" if not options.all else "there never was an incident")
    return 0


def notifications(options: argparse.Namespace) -> int:
    """Show what was told, by which channel and how far it has come, newest first."""
    rows = ask.get("/notifications", limit=options.lines, all=1 if options.all else None)
    if options.json:
        render.print_json(rows)
    elif rows:
        _print_table(
            NOTIFICATIONS_HEAD,
            [_notification(row) for row in rows],
            [row["severity"] for row in rows],
        )
    elif not options.quiet:
        print("nobody was told anything yet")
    return 0


def _named(rows: list[dict[str, Any]], names: list[str]) -> list[dict[str, Any]]:
    """Return the rows of these names.

    Raises:
        UnknownName: no check bears one of them.
    """
    known = {row["name"] for row in rows}
    missing = [name for name in names if name not in known]
    if missing:
        import difflib

        from holdfast.errors import UnknownName

        near = difflib.get_close_matches(missing[0], known, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise UnknownName(f"there is no check {', '.join(map(repr, missing))}{hint}")
    return [row for row in rows if row["name"] in names]


def _print_table(
    head: tuple[str, ...], rows: list[tuple[str, ...]], severities: list[str]
) -> None:
    lines = render.table(head, rows)
    print(render.paint(lines[0], "grey"))
    for line, severity in zip(lines[1:], severities, strict=True):
        print(line.replace(severity, render.paint(severity, COLOURS.get(severity, "grey")), 1))


def _check(row: dict[str, Any]) -> tuple[str, ...]:
    now = SystemClock().wall()
    said = row["severity"]
    if row["confirmed"] != row["severity"]:
        said += f" (confirmed: {row['confirmed']})"
    age, due = row["age_s"], row["next_due_at"]
    return (
        row["name"],
        row["kind"],
        "paused" if row.get("paused") else said,
        "never" if age is None else f"{render.duration(age)} ago",
        "-" if due is None else _distance(wall_from_text(due) - now),
        row.get("why") or "-",
    )


def _distance(seconds: float) -> str:
    if seconds >= 0:
        return f"in {render.duration(seconds)}"
    return f"{render.duration(-seconds)} ago"


def _incident(row: dict[str, Any]) -> tuple[str, ...]:
    opened = wall_from_text(row["opened_at"])
    closed = wall_from_text(row["closed_at"]) if row["closed_at"] else None
    lasted = render.duration((closed or SystemClock().wall()) - opened)
    return (
        row["check"],
        str(row["number"]),
        row["severity"],
        row["opened_at"],
        lasted if closed else f"{lasted}, open",
        "no" if row["muted"] else "yes",
        row["acknowledged_by"] or "-",
    )


def _notification(row: dict[str, Any]) -> tuple[str, ...]:
    state = row["state"]
    if row.get("last_error") and state != "delivered":
        state += f" ({row['last_error']})"
    return (row["at"], row["channel"], state, row["kind"], row["title"])
