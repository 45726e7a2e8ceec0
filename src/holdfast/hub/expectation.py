"""When the next success of a check is expected, with the slots of its schedule where it has one."""

from dataclasses import replace

from holdfast import cron
from holdfast.hub.check import Check
from holdfast.model.check import CheckSpec, Evidence
from holdfast.model.service import Now
from holdfast.rules import freshness


def of_new(spec: CheckSpec, now: Now) -> Evidence:
    """Return the evidence of a check that was never seen before now."""
    return of(spec, Evidence(first_seen_at=now.wall))


def of(spec: CheckSpec, evidence: Evidence) -> Evidence:
    """Return the evidence with the next success expected as the description says."""
    if spec.schedule is None:
        return freshness.expected(spec, evidence)
    slots = _slots(spec, freshness.slots_after(evidence))
    if slots is None:
        return replace(evidence, due_at=None, overdue_at=None)
    return freshness.expected(spec, evidence, slots)


def anew(spec: CheckSpec, evidence: Evidence, now: Now) -> Evidence:
    """Return the evidence with the next success counted from now, so that nothing of a new schedule was missed."""
    return of(spec, replace(evidence, counted_from=now.wall))


def after(known: Check, evidence: Evidence) -> Evidence:
    """Return new evidence of a check with its next slots; they stay as long as they are still to come."""
    if known.spec.schedule is None:
        return evidence
    since = freshness.slots_after(evidence)
    old = freshness.slots_after(known.evidence)
    if evidence.due_at is not None and old <= since < evidence.due_at:
        return evidence
    return of(known.spec, evidence)


def is_other(old: CheckSpec, new: CheckSpec) -> bool:
    """Tell whether a description expects the next success at other moments than the one before."""
    return (old.period, old.schedule, old.timezone) != (new.period, new.schedule, new.timezone)


def _slots(spec: CheckSpec, moment: float) -> tuple[float, float] | None:
    """Return the first and the third slot after a moment; the last there is where the schedule ends before."""
    assert spec.schedule is not None
    first = cron.due_after(spec.schedule, spec.timezone, moment)
    if first is None:
        return None
    third = first
    for _ in range(2):
        third = cron.due_after(spec.schedule, spec.timezone, third) or third
    return first, third
