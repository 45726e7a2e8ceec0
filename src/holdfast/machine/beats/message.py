"""What one notify datagram says, in the words of sd_notify(3) and a few of our own."""

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

LONGEST_TEXT = 1000
"""Characters kept of a line for people."""

LONGEST_SPAN = 366 * 86_400.0
"""Seconds a program may ask for at most; what is longer is a mistake, as systemd's USEC_INFINITY is here."""

SHORTEST_SPAN = 0.1
"""Seconds a lease may last at least: shorter ones would tell of the scheduler of the machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One datagram; None and False where it says nothing. Spans are seconds."""

    is_ready: bool = False
    is_reloading: bool = False
    is_stopping: bool = False
    is_beat: bool = False
    is_trigger: bool = False
    is_barrier: bool = False
    text: str | None = None
    main_pid: int | None = None
    extend_by: float | None = None
    status: str | None = None
    error: str | None = None
    progress: float | None = None
    interval: float | None = None
    lease: float | None = None
    extra: Mapping[str, object] = field(default_factory=dict)


def parse(payload: bytes) -> Message:
    """Read a datagram; unknown lines and values that make no sense are passed over, the last of a kind counts."""
    lines = payload.decode("utf-8", "replace").split("\n")
    told = dict(line.split("=", 1) for line in lines if "=" in line)
    errno = _whole(told.get("ERRNO"))
    return Message(
        is_ready=told.get("READY") == "1",
        is_reloading=told.get("RELOADING") == "1",
        is_stopping=told.get("STOPPING") == "1",
        is_beat=told.get("WATCHDOG") == "1",
        is_trigger=told.get("WATCHDOG") == "trigger",
        is_barrier=told.get("BARRIER") == "1",
        text=_text(told.get("STATUS")),
        main_pid=_whole(told.get("MAINPID")) or None,
        extend_by=_microseconds(told.get("EXTEND_TIMEOUT_USEC")),
        status=_text(told.get("X_HOLDFAST_STATUS")),
        error=_text(told.get("X_HOLDFAST_ERROR")) or (_error_text(errno) if errno else None),
        progress=_number(told.get("X_HOLDFAST_PROGRESS")),
        interval=_span(told.get("X_HOLDFAST_INTERVAL")),
        lease=_span(told.get("X_HOLDFAST_LEASE")) or _microseconds(told.get("WATCHDOG_USEC")),
        extra=_object(told.get("X_HOLDFAST_EXTRA")),
    )


def _error_text(errno: int) -> str:
    # Past what fits into a C int there is no text, only an exception.
    return f"{os.strerror(errno)} (errno {errno})" if errno < 1 << 16 else f"errno {errno}"


def _text(value: str | None) -> str | None:
    if value is None:
        return None
    return "".join(char if char.isprintable() else " " for char in value[:LONGEST_TEXT]).strip()


def _whole(value: str | None) -> int | None:
    if value is None or len(value) > 20 or not (value.isascii() and value.isdecimal()):
        return None
    return int(value)


def _number(value: str | None) -> float | None:
    try:
        found = math.nan if value is None else float(value)
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def _span(value: str | None) -> float | None:
    return span(_number(value))


def _microseconds(value: str | None) -> float | None:
    whole = _whole(value)
    return None if whole is None else span(whole / 1_000_000)


def span(seconds: float | None) -> float | None:
    """Return a length of time a program asked for, None when it makes no sense."""
    if seconds is None or not SHORTEST_SPAN <= seconds <= LONGEST_SPAN:
        return None
    return seconds


def _object(value: str | None) -> Mapping[str, object]:
    if value is None:
        return {}
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
