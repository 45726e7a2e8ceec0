"""Which probe a check stands for, and the time it may take."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import TypeAlias

from holdfast.clock import Clock
from holdfast.hub.probes import command, file, http, tcp
from holdfast.model.check import CheckKind, CheckSpec, Observation

LOOKS_FOR = 10.0
"""Seconds a probe may take where its check does not say."""

Probe: TypeAlias = Callable[[CheckSpec, float], Awaitable[Observation]]
"""Looks once at a moment (seconds since the epoch); may be cancelled, and leaves nothing behind then."""


async def probe(spec: CheckSpec, clock: Clock) -> Observation:
    """Look once at what a check is about."""
    within = spec.timeout or LOOKS_FOR
    began = clock.monotonic()
    now = clock.wall()
    if not spec.target:
        return Observation(at=now, unverified="it does not say what to look at")
    try:
        async with asyncio.timeout(within):
            found = await _PROBES[spec.kind](spec, now)
    except TimeoutError:
        found = Observation(at=now, failure=f"no answer within {within:g} s")
    except (ValueError, OSError, RuntimeError) as error:
        # A target no system call takes, or no file, process or thread to be had: that says nothing about what is looked at.
        found = Observation(at=now, unverified=f"nobody could look: {error}")
    return _taking(found, clock.monotonic() - began)


def _taking(found: Observation, seconds: float) -> Observation:
    return replace(found, duration_s=round(seconds, 3))


_PROBES: Mapping[CheckKind, Probe] = {
    CheckKind.COMMAND: command.look,
    CheckKind.FILE: file.look,
    CheckKind.HTTP: http.look,
    CheckKind.TCP: tcp.look,
}
