"""Kinds that say when: cron expressions and time zones."""

import contextlib
import datetime
import difflib
import re
import zoneinfo
from typing import Annotated

from holdfast.config.kinds.base import Kind, parsed
from holdfast.config.unfit import Unfit

PRESETS = ("@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually")

_SOME_DAY = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)
"""Whether an expression ever comes does not depend on the day one asks."""

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_FIELDS: tuple[tuple[str, int, int, dict[str, int]], ...] = (
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day of the month", 1, 31, {}),
    ("month", 1, 12, {name: number for number, name in enumerate(_MONTHS, start=1)}),
    ("day of the week", 0, 7, {name: number for number, name in enumerate(_DAYS)}),
)
_PART = re.compile(r"(\*|[0-9]{1,2}|[A-Z]{3})(?:-([0-9]{1,2}|[A-Z]{3}))?(?:/([0-9]{1,2}))?")
_LAST_DAYS = frozenset({"L", "LW"})
_NTH_WEEKDAY = re.compile(r"([0-7]|[A-Z]{3})#[1-5]|[0-7]L")


def cron(text: str) -> str:
    """Return a cron expression of five fields or a preset, spaces trimmed.

    Raises:
        Unfit: a field is missing, unknown or out of its range.
    """
    words = text.split()
    if len(words) == 1 and words[0].startswith("@"):
        if words[0] not in PRESETS:
            raise Unfit(f"unknown preset {words[0]}", hint=f"presets are {', '.join(PRESETS)}")
        return words[0]
    if len(words) != len(_FIELDS):
        raise Unfit(
            f"a cron expression has 5 fields, found {len(words)}",
            hint="minute hour day-of-month month day-of-week, or a preset such as @hourly",
        )
    for word, (title, least, most, names) in zip(words, _FIELDS, strict=True):
        if not all(_fits(part, title, least, most, names) for part in word.upper().split(",")):
            raise Unfit(f"`{word}` is no {title}", hint=f"{title} goes from {least} to {most}")
    return _that_comes(" ".join(words))


def _that_comes(text: str) -> str:
    from cronsim import CronSim, CronSimError

    comes = None
    with contextlib.suppress(CronSimError):
        comes = next(CronSim(text, _SOME_DAY), None)
    if comes is None:
        raise Unfit(f"`{text}` never comes", hint="none of its months has such a day")
    return text


def _fits(part: str, title: str, least: int, most: int, names: dict[str, int]) -> bool:
    if title == "day of the month" and part in _LAST_DAYS:
        return True
    if title == "day of the week" and _NTH_WEEKDAY.fullmatch(part):
        return part[0].isdigit() or part[:3] in names
    found = _PART.fullmatch(part)
    if found is None or (found[1] == "*" and found[2]) or (found[3] and int(found[3]) == 0):
        return False
    bounds = [_number(word, names) for word in found.groups()[:2] if word not in (None, "*")]
    return all(least <= bound <= most for bound in bounds) and bounds == sorted(bounds)


def _number(word: str, names: dict[str, int]) -> int:
    return int(word) if word.isdigit() else names.get(word, -1)


def _timezone(text: str) -> str:
    try:
        zoneinfo.ZoneInfo(text)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        known = zoneinfo.available_timezones()
        near = difflib.get_close_matches(text, known, n=1)
        hint = f'did you mean "{near[0]}"?' if near else 'zones are named like "Europe/Berlin"'
        raise Unfit("unknown time zone", hint=hint) from error
    return text


CRON = Kind(
    expected='a cron expression such as "0 7 * * *", or a preset such as "@hourly"',
    schema={
        "anyOf": [
            {"enum": list(PRESETS)},
            {"type": "string", "pattern": r"^ *[^ @]+( +[^ ]+){4} *$"},
        ]
    },
    read=parsed(cron),
)
TIMEZONE = Kind(
    expected='a time zone such as "Europe/Berlin"',
    schema={"type": "string", "minLength": 1},
    read=parsed(_timezone),
)

Cron = Annotated[str, CRON]
Timezone = Annotated[str, TIMEZONE]
