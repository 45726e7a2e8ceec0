"""Decide which severity of a check counts: what was found several evaluations in a row, not what one look found."""

from dataclasses import replace
from typing import NamedTuple

from holdfast.model.alert import AlertPolicy, AlertState, Situation
from holdfast.model.check import PROBED, CheckSpec, Look, Severity
from holdfast.model.service import Now

COUNTED_AFTER = 0.5
"""Share of an interval that lies between two evaluations that count, so that a hub that starts again and again counts no
faster."""

LOOKS_TO_RESOLVE, LOOKS_TO_RESOLVE_PROBED = 1, 2
"""A new success is a fact; a probe that succeeds once may be luck."""


class _Counters(NamedTuple):
    """How many evaluations in a row found it at least, or less than, that bad."""

    at_least_warning: int
    at_least_critical: int
    below_warning: int
    below_critical: int
    unknown: int


def counted(policy: AlertPolicy, state: AlertState, look: Look, now: Now) -> AlertState:
    """Return the state with one more evaluation counted.

    The first look of a streak counts whenever it comes, the others half an interval after the one before at the earliest. What
    cannot be verified says neither that it is bad nor that it is better, so it goes on counting only itself.
    """
    by = 1 if is_due(policy, state, now) else 0
    known, found = _counters(state), look.severity
    counters = _with_unknown(known, by) if found is Severity.UNKNOWN else _with(known, found, by)
    if by == 1 or _begins_a_streak(known, counters):
        state = _stamped(state, counters, now.wall, now.mono, now.boot_id)
    elif counters != known:
        state = _stamped(state, counters, state.counted_at, state.counted_mono, state.counted_boot)
    return state


def is_due(policy: AlertPolicy, state: AlertState, now: Now) -> bool:
    """Tell whether an evaluation at this moment counts; a clock that went back does not stop the counting."""
    passed = since_counted(state, now)
    return passed is None or passed < 0 or passed >= COUNTED_AFTER * policy.evaluate_every


def since_counted(state: AlertState, now: Now) -> float | None:
    """Return the seconds since the last evaluation that counted: monotonic within one boot, of the wall clock across."""
    if state.counted_at is None:
        return None
    if state.counted_boot == now.boot_id and state.counted_mono is not None:
        return now.mono - state.counted_mono
    return now.wall - state.counted_at


def confirmed(
    policy: AlertPolicy, spec: CheckSpec, state: AlertState, situation: Situation
) -> Severity:
    """Return the severity that counts after the evaluations counted so far."""
    raised = _raised(confirm_for(policy, spec), state, situation.look)
    if raised.rank > state.confirmed.rank:
        return state.confirmed if _may_not_rise(situation) else raised
    return _lowered(policy, spec, state, situation.look)


def confirm_for(policy: AlertPolicy, spec: CheckSpec) -> int:
    """Return how many evaluations in a row a check needs."""
    return policy.confirm if spec.confirm is None else spec.confirm


def _counters(state: AlertState) -> _Counters:
    return _Counters(
        state.at_least_warning,
        state.at_least_critical,
        state.below_warning,
        state.below_critical,
        state.unknown,
    )


def _stamped(
    state: AlertState, counters: _Counters, at: float | None, mono: float | None, boot: str
) -> AlertState:
    """Return the state with all of it at once: a sweep does this for every check that is not well."""
    return replace(
        state,
        at_least_warning=counters.at_least_warning,
        at_least_critical=counters.at_least_critical,
        below_warning=counters.below_warning,
        below_critical=counters.below_critical,
        unknown=counters.unknown,
        counted_at=at,
        counted_mono=mono,
        counted_boot=boot,
    )


def _with_unknown(known: _Counters, by: int) -> _Counters:
    unknown = _one_more(known.unknown, by)
    return known._replace(unknown=unknown, below_warning=0, below_critical=0)


def _with(known: _Counters, found: Severity, by: int) -> _Counters:
    is_bad = found is not Severity.OK
    is_critical = found is Severity.CRITICAL
    return _Counters(
        at_least_warning=_one_more(known.at_least_warning, by) if is_bad else 0,
        at_least_critical=_one_more(known.at_least_critical, by) if is_critical else 0,
        below_warning=0 if is_bad else _one_more(known.below_warning, by),
        below_critical=0 if is_critical else _one_more(known.below_critical, by),
        unknown=0,
    )


def _one_more(count: int, by: int) -> int:
    return max(count + by, 1)


def _begins_a_streak(before: _Counters, after: _Counters) -> bool:
    return any(old == 0 and new == 1 for old, new in zip(before, after, strict=True))


def _may_not_rise(situation: Situation) -> bool:
    """Hold back what a storm or a sleep may have caused; somebody's word that it failed is no effect of a sleep."""
    return situation.holding or (situation.settling and not situation.look.explicit)


def _raised(confirm: int, state: AlertState, look: Look) -> Severity:
    needed = 1 if look.explicit else confirm
    if state.at_least_critical >= needed:
        return Severity.CRITICAL
    if state.at_least_warning >= needed or state.unknown >= confirm:
        return Severity.WARNING
    return Severity.OK


def _lowered(policy: AlertPolicy, spec: CheckSpec, state: AlertState, look: Look) -> Severity:
    needed = LOOKS_TO_RESOLVE_PROBED if spec.kind in PROBED else LOOKS_TO_RESOLVE
    if state.below_warning >= needed:
        return Severity.OK
    is_less = look.severity is Severity.WARNING and state.confirmed is Severity.CRITICAL
    if is_less and state.below_critical >= confirm_for(policy, spec):
        return Severity.WARNING
    return state.confirmed
