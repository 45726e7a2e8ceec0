"""Say a span of time in one short word, as a person would."""

MINUTES_FROM, HOURS_FROM, DAYS_FROM = 120.0, 7_200.0, 360_000.0
"""Seconds from which a span is told in the next larger unit; hours go up to 100, so that 72 h stay 72 h."""


def span(seconds: float) -> str:
    """Return a span of seconds as `500ms`, `90s`, `45m`, `26h` or `9d`, rounded down."""
    if 0.0 < seconds < 1.0:
        return f"{int(seconds * 1000)}ms"
    if seconds < MINUTES_FROM:
        return f"{int(seconds)}s"
    if seconds < HOURS_FROM:
        return f"{int(seconds // 60)}m"
    if seconds < DAYS_FROM:
        return f"{int(seconds // 3600)}h"
    return f"{int(seconds // 86_400)}d"
