"""Decide how long after a message about a check the next one may follow, by stamps that outlive every process."""

from dataclasses import replace
from typing import TypeAlias

from holdfast.model.alert import AlertPolicy, AlertState
from holdfast.model.check import Severity

BACKOFF_MAX = 86_400.0
"""Seconds between two reminders that back off, at most, unless the cooldown itself is longer."""

Stamp: TypeAlias = float | None


def length(policy: AlertPolicy, severity: Severity) -> float:
    """Return the seconds between two messages of this severity."""
    if severity is Severity.CRITICAL:
        return policy.critical_cooldown
    return policy.warning_cooldown


def stamp(state: AlertState, severity: Severity) -> Stamp:
    """Return when a message of this severity was last enqueued, None for never."""
    return state.critical_told_at if severity is Severity.CRITICAL else state.warning_told_at


def stamped(state: AlertState, severity: Severity, at: float) -> AlertState:
    """Return the state with a message of this severity enqueued at this moment."""
    if severity is Severity.CRITICAL:
        return replace(state, critical_told_at=at)
    return replace(state, warning_told_at=at)


def ends_at(policy: AlertPolicy, state: AlertState, severity: Severity) -> Stamp:
    """Return when the cooldown of this severity alone is over; None when nothing was ever told."""
    told_at = stamp(state, severity)
    return None if told_at is None else told_at + length(policy, severity)


def reminder_at(policy: AlertPolicy, state: AlertState) -> float:
    """Return when the next reminder of the open incident is due.

    It counts from the last message that people got of it, and from the end of the newest silence: that ends without a word
    when nothing changed meanwhile.
    """
    told_at = _latest(_told_at(state), state.quieted_at, state.opened_at)
    return told_at + _between_reminders(policy, state)


def anchored(state: AlertState, now: float) -> AlertState:
    """Return the state with no stamp after `now`, so that a clock put back is silent for one cooldown at most."""
    stamps = (state.warning_told_at, state.critical_told_at, state.quieted_at, state.opened_at)
    if all(at is None or at <= now for at in stamps):
        return state
    return replace(
        state,
        warning_told_at=_not_after(state.warning_told_at, now),
        critical_told_at=_not_after(state.critical_told_at, now),
        quieted_at=_not_after(state.quieted_at, now),
        opened_at=_not_after(state.opened_at, now),
    )


def _told_at(state: AlertState) -> Stamp:
    """Return when people last heard of it; who was told the worse one needs no word when it gets less."""
    if state.confirmed is Severity.CRITICAL:
        return state.critical_told_at
    return _latest(state.warning_told_at, state.critical_told_at)


def _between_reminders(policy: AlertPolicy, state: AlertState) -> float:
    cooldown = length(policy, state.confirmed)
    if not policy.remind_backoff:
        return cooldown
    return min(cooldown * 2.0 ** min(state.backoff, 32), max(cooldown, BACKOFF_MAX))


def _latest(*stamps: Stamp) -> float:
    return max((at for at in stamps if at is not None), default=0.0)


def _not_after(at: Stamp, now: float) -> Stamp:
    return None if at is None else min(at, now)
