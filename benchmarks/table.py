"""Draw tables and reckon percentiles."""

import math
from collections.abc import Sequence

EMPTY = "-"


def percentile(samples: Sequence[float], percent: float) -> float:
    """Return the smallest sample that at least so many percent do not exceed (nearest rank)."""
    return sorted(samples)[max(0, math.ceil(len(samples) * percent / 100) - 1)]


def number(value: float | None) -> str:
    """Write a figure with two or three digits that mean something; nothing measured is a dash."""
    if value is None:
        return EMPTY
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def draw(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table: the first column to the left, the others to the right."""
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    rule = [
        "-" * width if column == 0 else "-" * (width - 1) + ":"
        for column, width in enumerate(widths)
    ]
    return "\n".join(
        [f"### {title}", "", *(_line(row, widths) for row in (header, rule, *rows)), ""]
    )


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = [
        cell.ljust(width) if column == 0 else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return f"| {' | '.join((first, *others))} |"
