"""Decide whether a service that ended is started again, when, and which rule sets the moment."""

from dataclasses import replace

from holdfast.model.service import HISTORY_KEPT, Exit, Now, Restart, ServiceState, Start, Wait
from holdfast.model.spec import RestartPolicy, When

HEALTHY_FOR = 600.0
"""Seconds of readiness after which the growing delay starts over (Kubernetes resets its back-off after 10 minutes)."""

JITTER = 0.25
"""Share by which a grown delay varies, so that services that fell together do not rise together (as nomad does)."""

WINDOW_SLACK = 0.001
"""Seconds past the end of a window, so that rounding never lets a restart fall inside it."""

COUNTED = frozenset({Wait.DELAY, Wait.MIN_GAP, Wait.LIMIT})
"""The waits of automatic restarts, which the limit counts once they happen."""

LARGEST_COUNT = HISTORY_KEPT - 1
"""The largest limit that holds: what is counted must be remembered, beside the newest row, whatever that is."""

_LARGEST_EXPONENT = 40


def is_wanted(policy: RestartPolicy, ended: Exit) -> bool:
    """Tell whether the policy starts a service again after this exit."""
    if ended.code is not None and ended.code in policy.no_restart_codes:
        return False
    if policy.when is When.ALWAYS:
        return True
    return policy.when is When.ON_FAILURE and not ended.is_success


def level_after(policy: RestartPolicy, state: ServiceState, now: Now) -> int:
    """Return the back-off level an exit at `now` starts from: zero after ten healthy minutes, or as the policy says."""
    if state.ready_mono is None:
        return state.level
    ready_for = now.mono - state.ready_mono
    if ready_for >= HEALTHY_FOR:
        return 0
    if policy.steady_times is None:
        return state.level
    return _level_earned(policy, state.level, ready_for / policy.steady_times)


def _level_earned(policy: RestartPolicy, level: int, longest: float) -> int:
    """Return the level at which what was ready for a while waits no longer than `longest`.

    It starts over when its last delay was short beside that. When even the first delay is too long, it died right
    after it got ready, and its delay goes on growing.
    """
    if level == 0 or longest < delay_for(policy, 0, 0.5):
        return level
    if delay_for(policy, level - 1, 0.5) <= longest:
        return 0
    return max(each for each in range(level) if delay_for(policy, each, 0.5) <= longest)


def delay_for(policy: RestartPolicy, level: int, draw: float) -> float:
    """Return the seconds to wait at this level: the first exactly as written, later ones doubled and jittered."""
    if level == 0:
        return min(policy.delay, policy.max_delay)
    grown = min(policy.delay * 2.0 ** min(level, _LARGEST_EXPONENT), policy.max_delay)
    return min(grown * (1 - JITTER + 2 * JITTER * draw), policy.max_delay)


def next_start(policy: RestartPolicy, state: ServiceState, now: Now) -> Start:
    """Return the earliest moment the delay, the gap and the window allow, and the last of them to allow it."""
    earliest, wait = now.mono + delay_for(policy, state.level, now.draw), Wait.DELAY
    counted = sorted(mono_of(row, now) for row in state.history if row.counted)
    if counted and counted[-1] + policy.min_gap > earliest:
        earliest, wait = counted[-1] + policy.min_gap, Wait.MIN_GAP
    if policy.limit is not None:
        most = min(policy.limit.count, LARGEST_COUNT)
        inside = [mono for mono in counted if earliest - mono < policy.limit.within]
        if len(inside) >= most:
            earliest, wait = inside[-most] + policy.limit.within + WINDOW_SLACK, Wait.LIMIT
    return Start(at=now.wall + earliest - now.mono, mono=earliest, wait=wait)


def mono_of(row: Restart, now: Now) -> float:
    """Return when a row was made on the present monotonic clock; a row of an earlier boot is dated by its age."""
    if row.boot_id == now.boot_id:
        return row.mono
    return now.mono - max(0.0, now.wall - row.at)


def forgiven(history: tuple[Restart, ...]) -> tuple[Restart, ...]:
    """Return the history with nothing left for the limit to count."""
    return tuple(replace(row, counted=False) if row.counted else row for row in history)
