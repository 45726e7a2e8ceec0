"""Durations and sizes as people write them: "90s", "10MB"."""

import re

from holdfast.config.unfit import Unfit

LONGEST = 100 * 365.25 * 86_400
LARGEST = 2**63 - 1

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_BYTES = {
    "B": 1,
    "kB": 10**3,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
    "TiB": 2**40,
}
_AMOUNT = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?) ?([A-Za-z]*)")


def seconds(text: str) -> float:
    """Return the seconds of a duration such as "500ms", "90s", "5m", "24h" or "3d".

    Raises:
        Unfit: no such duration, or one of more than a hundred years.
    """
    number, unit = _split(text, "s", _SECONDS)
    span = round(number * _SECONDS[unit], 6)
    if span > LONGEST:
        raise Unfit("longer than a hundred years")
    return span


def size(text: str) -> int:
    """Return the bytes of a size: "10MB" counts in thousands, "10MiB" in 1024s.

    Raises:
        Unfit: no such size, or more bytes than a file can have.
    """
    number, unit = _split(text, "MB", _BYTES)
    count = round(number * _BYTES[unit])
    if count > LARGEST:
        raise Unfit("more bytes than a file can have")
    return count


def duration_text(span: float) -> str:
    """Return the shortest way to write `span` seconds."""
    for unit in ("d", "h", "m", "s"):
        count = span / _SECONDS[unit]
        if span and count == int(count):
            return f"{int(count)}{unit}"
    if span and span < 1:
        return f"{round(span * 1000, 6):.15g}ms"
    return f"{span:.15g}s"


def size_text(count: int) -> str:
    """Return the shortest way to write `count` bytes."""
    for unit in ("TiB", "TB", "GiB", "GB", "MiB", "MB", "KiB", "kB"):
        if count and count % _BYTES[unit] == 0:
            return f"{count // _BYTES[unit]}{unit}"
    return f"{count}B"


def _split(text: str, usual: str, units: dict[str, float] | dict[str, int]) -> tuple[float, str]:
    found = _AMOUNT.fullmatch(text.strip())
    if found is None:
        raise Unfit
    number, unit = found.groups()
    if not unit:
        raise Unfit("a number needs its unit", hint=f'write "{number}{usual}"')
    if unit not in units:
        raise Unfit(f"unknown unit `{unit}`", hint=f"units are {', '.join(units)}")
    return float(number), unit
