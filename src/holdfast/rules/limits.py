"""Decide when a service has used more than it may: memory over two looks in a row, or its age."""

import zlib

from holdfast.model.spec import Limits

LOOKS_OVER = 2
"""Looks in a row above the limit before it counts: one alone may be a peak that is over already."""

AGE_JITTER = 0.1
"""Share by which an age limit may come early, so that services started together do not end together."""


def looks_over(limits: Limits, resident_bytes: int, before: int) -> int:
    """Return how many looks in a row found more resident memory than allowed, after `before` of them."""
    if limits.memory is None or resident_bytes <= limits.memory:
        return 0
    return before + 1


def is_outgrown(over: int) -> bool:
    """Tell whether so many looks in a row are reason for a planned restart."""
    return over >= LOOKS_OVER


def too_old_at(limits: Limits, started_mono: float, instance: str) -> float | None:
    """Return the monotonic moment at which a process is too old, None without a limit.

    The jitter is drawn from the instance: every supervisor that comes to know the process finds the same moment.
    """
    if limits.max_age is None:
        return None
    draw = zlib.crc32(instance.encode()) / 2**32
    return started_mono + limits.max_age * (1 - AGE_JITTER * draw)
