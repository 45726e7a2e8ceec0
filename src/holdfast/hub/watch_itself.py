"""What the hub knows of itself and its supervisor, for its own checks, and the sign of life it sends outwards."""

import asyncio
import os

from holdfast import statefile
from holdfast.client.beat import beat, status_text
from holdfast.errors import HoldfastError, StateError
from holdfast.hub import meta, views
from holdfast.hub.meta import Signs
from holdfast.hub.parts import Parts
from holdfast.hub.probes.aside import aside
from holdfast.hub.probes.fetch import Answer, fetch

BEAT_EVERY, BEAT_LEASE = 10.0, 120.0
"""Seconds between two beats of the hub, and for how long one is believed: a hub that hangs is started anew."""

LOOK_EVERY = 60.0
"""Seconds between two looks at itself, at most."""

DEAD_MAN_WITHIN = 10.0
"""Seconds the outward sign of life may take."""

LATE_ROUNDS = 3.0
"""Rounds of evaluation without a sweep after which the hub does not claim to be alive."""


async def look_at_itself(parts: Parts) -> float | None:
    """Bring the checks of the hub on itself up to date, and return the seconds until the next time."""
    now, settings = parts.now(), parts.settings
    signs = Signs(beat_age_s=await asyncio.to_thread(beat_age, parts))
    if await parts.store.write(lambda tx: meta.look(tx, settings, signs, now)):
        parts.bells.sweep.set()
        parts.bells.summary.set()
    return min(settings.policy.evaluate_every, LOOK_EVERY)


def beat_age(parts: Parts) -> float | None:
    """Return how old the supervisor's heartbeat is, in seconds; None where it says that it has stopped, or never beat."""
    try:
        found = statefile.read_json(parts.home.heartbeat("supervisor"))
    except (StateError, FileNotFoundError):
        return None
    if not isinstance(found, dict) or found.get("status") == "stopped":
        return None
    at = found.get("timestamp")
    return max(0.0, parts.clock.wall() - at) if isinstance(at, int | float) else None


async def say_alive(parts: Parts) -> float | None:
    """Beat, and say in one line how the checks do; a hub that hangs cannot, and is replaced."""
    summary = await parts.store.read(views.summary)
    bad = [f"{len(names)} {severity}" for severity, names in summary["names"].items() if names]
    checks, stuck = sum(summary["counts"].values()), ", ".join(parts.condition.stuck)
    # Only a service beats: a hub that a person runs by hand has nobody to beat to.
    if os.environ.get("NOTIFY_SOCKET"):
        status, error = ("error", f"cannot {stuck}") if stuck else ("healthy", None)
        beat(status, error, interval=BEAT_EVERY, lease=BEAT_LEASE)
        told = f"{parts.condition.url}: {checks} checks, {', '.join(bad) or 'all ok'}"
        status_text(f"{told}; cannot {stuck}" if stuck else told)
    return BEAT_EVERY


async def tell_the_outside(parts: Parts) -> float | None:
    """Ping the dead man's switch while checks are evaluated and messages leave; its silence is what raises the alarm.

    Raises:
        HoldfastError: it could not be reached, or did not take it.
    """
    settings = parts.settings
    if settings.dead_man_url is None or not is_alive(parts):
        return settings.dead_man_every
    url = settings.dead_man_url
    try:
        async with asyncio.timeout(2 * DEAD_MAN_WITHIN):
            answer = await aside("dead man", lambda: fetch(url, DEAD_MAN_WITHIN))
    except TimeoutError:
        answer = Answer(0, "no answer in time")
    if answer.why or answer.status >= 400:
        told = answer.why or f"it answered with {answer.status}"
        raise HoldfastError(f"the dead man's switch cannot be pinged: {told}")
    return settings.dead_man_every


def is_alive(parts: Parts) -> bool:
    """Tell whether the hub does what it is there for: sweeps come round, and nothing on the way to people fails."""
    swept = parts.condition.swept_mono
    late = max(60.0, LATE_ROUNDS * parts.settings.policy.evaluate_every)
    is_swept = swept is not None and parts.clock.monotonic() - swept <= late
    return is_swept and not parts.condition.stuck
