"""Durations and moments as people write them on a command line."""

import re

from holdfast.clock import wall_from_text
from holdfast.errors import UsageError

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}

_DURATION = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)(ms|s|m|h|d)")


def seconds(text: str) -> float:
    """Return the seconds of "500ms", "90s", "5m", "24h" or "3d".

    Raises:
        UsageError: the text is not a duration.
    """
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise UsageError(
            f'{text!r} is not a duration; write it like "500ms", "90s", "5m", "24h" or "3d"'
        )
    return float(found[1]) * UNITS[found[2]]


def moment(text: str, now: float) -> float:
    """Return the moment meant by a duration ago ("10m") or an RFC 3339 time, in seconds since the epoch.

    Raises:
        UsageError: the text is neither.
    """
    text = text.strip()
    if _DURATION.fullmatch(text):
        return now - seconds(text)
    try:
        return wall_from_text(text)
    except (ValueError, OverflowError) as error:
        raise UsageError(
            f'{text!r} is no moment; write a duration ago like "10m", or a time with its zone like 2026-01-31T08:00:00Z'
        ) from error
