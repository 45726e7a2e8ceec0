"""How things look on a terminal: tables, colours, durations, sizes."""

import json
import os
import sys
from collections.abc import Iterable, Sequence
from typing import TextIO

COLOURS = {"green": "32", "yellow": "33", "red": "31", "grey": "90", "bold": "1"}

STATE_COLOURS = {
    "running": "green",
    "done": "green",
    "starting": "yellow",
    "waiting": "yellow",
    "stopping": "yellow",
    "backoff": "yellow",
    "held": "red",
    "failed": "red",
    "stuck": "red",
    "orphan": "red",
    "down": "grey",
}


def is_coloured(stream: TextIO) -> bool:
    """Tell whether colours are wanted: only on a terminal, and never with NO_COLOR."""
    return stream.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


def paint(text: str, colour: str, stream: TextIO | None = None) -> str:
    """Return the text in a colour where colours are wanted."""
    if not is_coloured(stream or sys.stdout):
        return text
    return f"\x1b[{COLOURS[colour]}m{text}\x1b[0m"


def paint_state(state: str, width: int = 0) -> str:
    """Return a service state, padded and coloured."""
    return paint(state.ljust(width), STATE_COLOURS.get(state, "grey"))


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return aligned lines; a column of numbers stands to the right, the last column is never padded."""
    body = [list(row) for row in rows]
    widths = [max(len(row[index]) for row in [list(head), *body]) for index in range(len(head))]
    right = [
        bool(body) and all(_is_number(row[index]) for row in body) for index in range(len(head))
    ]
    lines = [
        [_pad(cell, widths[at], right=right[at]) for at, cell in enumerate(row)]
        for row in [list(head), *body]
    ]
    return ["  ".join(line).rstrip() for line in lines]


def duration(seconds: float) -> str:
    """Return a span as people say it: 42s, 3m 05s, 2h 10m, 5d 3h."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02d}s"
    if whole < 86400:
        return f"{whole // 3600}h {whole % 3600 // 60:02d}m"
    return f"{whole // 86400}d {whole % 86400 // 3600}h"


def size(count: float | None) -> str:
    """Return bytes in decimal units: 14 MB."""
    if count is None:
        return "-"
    for unit in ("B", "kB", "MB", "GB"):
        if round(count) < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def print_json(value: object) -> None:
    """Print one JSON document."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def complain(text: str) -> None:
    """Print to stderr what went wrong."""
    print(f"holdfast: {text}", file=sys.stderr)


def _is_number(cell: str) -> bool:
    return cell == "-" or cell.rstrip("%").replace(".", "", 1).isdigit()


def _pad(cell: str, width: int, *, right: bool) -> str:
    return cell.rjust(width) if right else cell.ljust(width)
