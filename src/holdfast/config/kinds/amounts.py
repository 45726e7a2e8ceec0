"""Kinds that measure: durations, sizes, limits, hours of the day."""

import re
from typing import Annotated, Any

from holdfast.config.kinds.base import Kind, text
from holdfast.config.origin import Origin
from holdfast.config.unfit import Unfit
from holdfast.config.units import duration_text, seconds, size, size_text
from holdfast.model.spec import RestartLimit
from holdfast.rules.restart import LARGEST_COUNT

_DURATION_PATTERN = r"^[0-9]+(\.[0-9]+)? ?(ms|s|m|h|d)$"
_SIZE_PATTERN = r"^[0-9]+(\.[0-9]+)? ?([kKMGT]?B|[KMGT]iB)$"
_HOURS = re.compile(r"([01]?[0-9]|2[0-3])-([01]?[0-9]|2[0-3])")
_LIMIT = re.compile(r"([0-9]{1,9}) ?/ ?(.+)")


def _unit_text(plain: object, origin: Origin, usual: str) -> str:
    if isinstance(plain, int | float) and not isinstance(plain, bool):
        raise Unfit("a bare number says no unit", hint=f'write "{plain}{usual}"')
    return text(plain, origin)


def _read_duration_or_zero(plain: object, origin: Origin) -> float:
    return seconds(_unit_text(plain, origin, "s"))


def _read_duration(plain: object, origin: Origin) -> float:
    span = _read_duration_or_zero(plain, origin)
    if span == 0:
        raise Unfit("must be longer than nothing")
    return span


def _read_duration_or_never(plain: object, origin: Origin) -> float | None:
    return None if plain == "never" else _read_duration(plain, origin)


def _read_size(plain: object, origin: Origin) -> int:
    count = size(_unit_text(plain, origin, "MB"))
    if count == 0:
        raise Unfit("must be more than nothing")
    return count


def _read_limit(plain: object, origin: Origin) -> RestartLimit | None:
    words = text(plain, origin).strip()
    if words == "none":
        return None
    found = _LIMIT.fullmatch(words)
    if found is None:
        raise Unfit
    within = seconds(found[2])
    count = int(found[1])
    if count == 0:
        raise Unfit("no restart would ever be allowed", hint='write when = "never" instead')
    if count > LARGEST_COUNT:
        raise Unfit(
            f"no more than {LARGEST_COUNT} restarts are remembered",
            hint='write a shorter window, or "none"',
        )
    if within == 0:
        raise Unfit("a window must be longer than nothing", hint='write "none" for no limit')
    return RestartLimit(count=count, within=within)


def _show_limit(limit: Any) -> object:
    return f"{limit.count}/{duration_text(limit.within)}"


def _read_hours(plain: object, origin: Origin) -> tuple[int, int] | None:
    words = text(plain, origin).strip()
    if not words:
        return None
    found = _HOURS.fullmatch(words)
    if found is None:
        raise Unfit
    start, end = int(found[1]), int(found[2])
    if start == end:
        raise Unfit("begins and ends in the same hour", hint='write "" for no quiet hours')
    return start, end


def _show_hours(hours: Any) -> object:
    return f"{hours[0]:02}-{hours[1]:02}"


def _read_umask(plain: object, origin: Origin) -> int:
    if type(plain) is int and 0 <= plain <= 7777:
        raise Unfit("a bare number is not octal", hint=f'write "{plain:03}"')
    digits = text(plain, origin)
    if not re.fullmatch(r"0?[0-7]{1,3}", digits):
        raise Unfit
    return int(digits, 8)


def _show_umask(umask: Any) -> object:
    return f"{umask:03o}"


DURATION = Kind(
    expected='a duration such as "90s" or "5m"',
    schema={"type": "string", "pattern": _DURATION_PATTERN},
    read=_read_duration,
    show=duration_text,
)
DURATION_OR_ZERO = Kind(
    expected='a duration such as "90s" or "5m", or "0s"',
    schema={"type": "string", "pattern": _DURATION_PATTERN},
    read=_read_duration_or_zero,
    show=duration_text,
)
DURATION_OR_NEVER = Kind(
    expected='a duration such as "60s", or "never"',
    schema={
        "anyOf": [{"type": "string", "pattern": _DURATION_PATTERN}, {"enum": ["never"]}],
    },
    read=_read_duration_or_never,
    show=duration_text,
    none="never",
)
SIZE = Kind(
    expected='a size such as "10MB" or "64KiB"',
    schema={"type": "string", "pattern": _SIZE_PATTERN},
    read=_read_size,
    show=size_text,
)
LIMIT = Kind(
    expected='a number of restarts in a window such as "3/1h", or "none"',
    schema={"type": "string", "pattern": r"^(none|[0-9]+ ?/ ?[0-9]+(\.[0-9]+)? ?(ms|s|m|h|d))$"},
    read=_read_limit,
    show=_show_limit,
    none="none",
)
HOURS = Kind(
    expected='two hours of the day such as "22-07", or ""',
    schema={"type": "string", "pattern": r"^(([01]?[0-9]|2[0-3])-([01]?[0-9]|2[0-3]))?$"},
    read=_read_hours,
    show=_show_hours,
    none="",
)
UMASK = Kind(
    expected='an octal string such as "027"',
    schema={"type": "string", "pattern": r"^0?[0-7]{1,3}$"},
    read=_read_umask,
    show=_show_umask,
)

Duration = Annotated[float, DURATION]
DurationOrZero = Annotated[float, DURATION_OR_ZERO]
DurationOrNever = Annotated[float | None, DURATION_OR_NEVER]
Size = Annotated[int, SIZE]
