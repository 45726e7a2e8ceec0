"""Decide whether a change of watched files restarts a service now, or whether it goes round in circles."""

from collections.abc import Sequence
from dataclasses import dataclass

from holdfast.model.service import Now, Reason, Restart
from holdfast.rules.restart import mono_of

MOST_RESTARTS = 5
WITHIN_S = 60.0
"""A service restarted more often by its files than 5 times a minute probably writes them itself."""

FIRST_PAUSE_S = 60.0
LONGEST_PAUSE_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """The last pause of a service: how long it was, and when it is over on the monotonic clock."""

    pause_s: float = 0.0
    until_mono: float = float("-inf")

    def is_pausing(self, now: Now) -> bool:
        """Tell whether changes restart nothing at present."""
        return now.mono < self.until_mono


def after_change(history: Sequence[Restart], guard: Guard, now: Now) -> Guard:
    """Return the guard after a change; it is pausing when the change must not restart the service yet.

    The restarts are counted in the history, so that a new supervisor knows them too.
    """
    if guard.is_pausing(now):
        return guard
    recent = [
        row
        for row in history
        if row.reason is Reason.WATCH and now.mono - mono_of(row, now) < WITHIN_S
    ]
    if len(recent) < MOST_RESTARTS:
        return guard
    pause = _next_pause(guard, now)
    return Guard(pause_s=pause, until_mono=now.mono + pause)


def _next_pause(guard: Guard, now: Now) -> float:
    """Double the pause of a service that goes on as before; start over after an hour of peace."""
    if guard.pause_s == 0 or now.mono - guard.until_mono > LONGEST_PAUSE_S:
        return FIRST_PAUSE_S
    return min(2 * guard.pause_s, LONGEST_PAUSE_S)
