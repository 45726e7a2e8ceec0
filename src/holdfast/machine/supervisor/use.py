"""What a service costs now: a rate needs two looks, so the last one is remembered."""

from dataclasses import dataclass

from holdfast.machine.process.identity import usage
from holdfast.model.service import Identity

SHORTEST_SPAN = 0.5
"""Seconds between two looks below which a rate says more about the clock than about the service."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One look at a process: processor seconds so far, and the rate since the look before."""

    process: Identity
    mono: float
    cpu_s: float
    cpu_percent: float | None
    rss_bytes: int


def measure(
    before: Sample | None, process: Identity, *, started_mono: float, mono: float
) -> Sample | None:
    """Look at a process; the first rate is the mean since its start. None when it is gone."""
    found = usage(process.pid)
    if found is None:
        return None
    if before is not None and before.process == process:
        if mono - before.mono < SHORTEST_SPAN:
            return before
        since, spent = before.mono, found.cpu_s - before.cpu_s
    else:
        since, spent = started_mono, found.cpu_s
    span = mono - since
    percent = round(100 * spent / span, 1) if span > 0 else None
    return Sample(
        process=process,
        mono=mono,
        cpu_s=found.cpu_s,
        cpu_percent=percent,
        rss_bytes=found.rss_bytes,
    )
