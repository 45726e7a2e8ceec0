"""The one module that reads a clock."""

import functools
import sys
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Where everything else asks for the time."""

    def wall(self) -> float:
        """Return seconds since the epoch: for records and people."""

    def monotonic(self) -> float:
        """Return seconds that never step: for delays, deadlines and limits."""


class SystemClock:
    """The clocks of this machine."""

    def wall(self) -> float:
        """Return seconds since the epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Return seconds on the monotonic clock, which stands still while the machine sleeps."""
        return time.monotonic()

    def boottime(self) -> float | None:
        """Return seconds since the boot, sleep included; None where only the wall clock goes on during sleep."""
        if sys.platform == "linux":
            return time.clock_gettime(time.CLOCK_BOOTTIME)
        return None


def utc_text(wall: float) -> str:
    """Render seconds since the epoch as RFC 3339 in UTC, to the millisecond."""
    return (
        datetime.fromtimestamp(wall, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    )


def wall_from_text(text: str) -> float:
    """Parse an RFC 3339 time into seconds since the epoch.

    Raises:
        ValueError: the text is not a time with a zone.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone; write it like 2026-01-31T08:00:00Z")
    return moment.timestamp()


@functools.cache
def boot_id() -> str:
    """Return what tells this boot of the machine from every other.

    A monotonic reading or a kernel start time means something only together with it.
    """
    if sys.platform == "linux":
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as source:
            return source.read().strip()
    # The moment of boot, in units coarse enough that small clock corrections do not change it.
    return f"boot-{round((time.time() - time.monotonic()) / 60)}"
