"""Decide whether a check changes its mind too often to be told of each time, as Icinga 2 does.

The newest 20 evaluations are remembered, each 1 when the confirmed severity changed; newer ones weigh more. Evaluations
that were not needed, because nothing could have changed, count as unchanged ones.
"""

from dataclasses import replace

from holdfast.model.alert import AlertEffect, AlertPolicy, AlertState, Note
from holdfast.model.check import CheckSpec
from holdfast.model.service import Now
from holdfast.rules.confirming import since_counted
from holdfast.rules.flapping import (
    CLEAR_BELOW,
    OLDEST_WEIGHT,
    RAISE_ABOVE,
    SLOTS,
    WEIGHT_STEP,
)


def percent(changes: tuple[int, ...]) -> float:
    """Return the weighted share of changes among the newest 20 evaluations, 0 to 99; missing ones count as unchanged."""
    offset = SLOTS - len(changes)
    weighed = (
        bit * (OLDEST_WEIGHT + WEIGHT_STEP * (offset + place)) for place, bit in enumerate(changes)
    )
    return 100 * sum(weighed) / SLOTS


def remembered(policy: AlertPolicy, before: AlertState, after: AlertState, now: Now) -> AlertState:
    """Return the state after an evaluation, with whether it changed what counts remembered."""
    has_changed = before.confirmed is not after.confirmed
    if not has_changed and before.counted_at == after.counted_at:
        return after
    unseen = _evaluations_unseen(policy, before, now)
    changes = _newest((*before.changes, *(0,) * unseen, int(has_changed)))
    return after if changes == after.changes else replace(after, changes=changes)


def judged(spec: CheckSpec, state: AlertState) -> tuple[AlertState, tuple[AlertEffect, ...]]:
    """Return the state with whether it is flapping, and the note when that began or ended."""
    share = percent(state.changes) if state.changes else 0.0
    is_flapping = share > RAISE_ABOVE or (state.is_flapping and share >= CLEAR_BELOW)
    is_flapping = is_flapping and spec.flapping
    if is_flapping is state.is_flapping:
        return state, ()
    note = Note(
        kind="check.flapping" if is_flapping else "check.settled",
        facts=(
            ("check", spec.name),
            ("percent", round(share, 1)),
            ("severity", state.confirmed.value),
        ),
    )
    return replace(state, is_flapping=is_flapping), (note,)


def _newest(changes: tuple[int, ...]) -> tuple[int, ...]:
    """Return the newest 20 from the first change on: those before it are unchanged and missing alike."""
    newest = changes[-SLOTS:]
    return newest[newest.index(1) :] if 1 in newest else ()


def _evaluations_unseen(policy: AlertPolicy, state: AlertState, now: Now) -> int:
    passed = since_counted(state, now)
    if passed is None or passed <= 0 or policy.evaluate_every <= 0:
        return 0
    return min(SLOTS, max(0, int(passed // policy.evaluate_every) - 1))
