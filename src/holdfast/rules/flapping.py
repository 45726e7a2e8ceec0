"""Decide whether a service dies again and again over a longer time, as Icinga 2 does, from its history alone.

The last 20 minutes are 20 slots on a fixed grid, each 1 when the service ended unplanned in it; newer ones weigh
more. The grid makes the share fall between two ends, so it can only rise when a row is added.
"""

from collections.abc import Iterable, Sequence

from holdfast.model.service import Now, Reason, Restart
from holdfast.rules.restart import mono_of

SLOTS = 20
SLOT_S = 60.0
"""Icinga 2 remembers 20 states; a slot is the time after which a service counts as stable."""

OLDEST_WEIGHT, WEIGHT_STEP = 0.8, 0.02
RAISE_ABOVE, CLEAR_BELOW = 30.0, 25.0
"""Percent; Icinga 2's defaults for `flapping_threshold_high` and `flapping_threshold_low`."""

TOLD_FOR_S = 2 * SLOTS * SLOT_S
"""Seconds after its last restart in which an earlier supervisor may have told of a service, and no end of it."""

PLANNED = frozenset({Reason.MANUAL, Reason.MEMORY, Reason.AGE, Reason.WATCH, Reason.DEPENDENCY})
"""Ends that were wanted."""


def percent(history: Iterable[Restart], now: Now) -> float:
    """Return the weighted share of the last 20 slots in which the service ended unplanned, 0 to 99."""
    return _share(_slots(history, now), _slot(now.mono))


def is_flapping(history: Sequence[Restart], now: Now) -> bool:
    """Tell whether the share rose above 30 % and has not fallen below 25 % since."""
    slots, present = _slots(history, now), _slot(now.mono)
    share = _share(slots, present)
    if share > RAISE_ABOVE or share < CLEAR_BELOW:
        return share > RAISE_ABOVE
    return _was_raised(slots, present)


def was_told(history: Sequence[Restart], now: Now) -> bool:
    """Tell whether an earlier supervisor told that the service is flapping, and perhaps not that it ended."""
    slots = _slots(history, now)
    if not slots or _slot(now.mono) - slots[-1] > TOLD_FOR_S / SLOT_S:
        return False
    return _was_raised(slots, slots[-1])


def _was_raised(slots: Sequence[int], present: int) -> bool:
    """Go through the ends in order and through what followed from each."""
    raised = False
    for count, slot in enumerate(slots, start=1):
        raised = raised and _share(slots[: count - 1], slot) >= CLEAR_BELOW
        raised = raised or _share(slots[:count], slot) > RAISE_ABOVE
    return raised and _share(slots, present) >= CLEAR_BELOW


def _slots(history: Iterable[Restart], now: Now) -> list[int]:
    found = {_slot(mono_of(row, now)) for row in history if _is_unplanned(row)}
    return sorted(found)


def _is_unplanned(row: Restart) -> bool:
    """Tell whether a row stands for a death; a start that failed, or was never told to its end, is none."""
    return row.reason not in PLANNED and row.success is not False


def _slot(mono: float) -> int:
    return int(mono // SLOT_S)


def _share(slots: Iterable[int], present: int) -> float:
    ages = (present - slot for slot in slots)
    weights = (OLDEST_WEIGHT + WEIGHT_STEP * (SLOTS - 1 - age) for age in ages if 0 <= age < SLOTS)
    return 100 * sum(weights) / SLOTS
