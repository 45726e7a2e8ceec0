"""Decide what people are told of an open incident now, and what stands in the way."""

from dataclasses import replace

from holdfast.model.alert import (
    AlertEffect,
    AlertPolicy,
    AlertState,
    Escalation,
    Hush,
    Note,
    Situation,
    Tell,
    Telling,
)
from holdfast.model.check import CheckSpec, Severity
from holdfast.rules import cooldown

IN_COOLDOWN = "cooldown"
FLAPPING = "flapping"
ACKNOWLEDGED = "acknowledged"
GETTING_BETTER = "the newest look is better"
REMINDERS_OFF = "reminders are off"


def told(
    policy: AlertPolicy, spec: CheckSpec, state: AlertState, situation: Situation, now: float
) -> tuple[AlertState, tuple[AlertEffect, ...]]:
    """Return the state and the messages of an open incident; `now` in seconds since the epoch."""
    if not state.is_open:
        return state, ()
    state = _quieted(state, situation.hush, now)
    kind = kind_due(state)
    obstacle = _obstacle(policy, state, situation, kind, now)
    if obstacle:
        state, effects = _held(policy, spec, state, obstacle, now)
    else:
        state, effects = _sent(policy, spec, state, kind, now)
    state, steps = _escalated(spec, state, situation, now)
    return state, (*effects, *steps)


def kind_due(state: AlertState) -> Telling:
    """Return what people would have to hear next of an open incident."""
    if state.told is Severity.OK:
        return Telling.OPEN
    return Telling.RAISE if state.confirmed.rank > state.known.rank else Telling.REMIND


def next_moment(policy: AlertPolicy, state: AlertState) -> float | None:
    """Return when the next message of an open incident is due if nothing changes; None when only a change brings one."""
    if not state.is_open:
        return None
    if kind_due(state) is not Telling.REMIND:
        return cooldown.ends_at(policy, state, state.confirmed)
    return cooldown.reminder_at(policy, state) if policy.remind else None


def is_hushed(hush: Hush, severity: Severity) -> bool:
    """Tell whether nobody is to be told of this severity now."""
    may_pass = hush.passes is not None and severity.rank >= hush.passes.rank
    return bool(hush.why) and not may_pass


def _quieted(state: AlertState, hush: Hush, now: float) -> AlertState:
    """Remember a silence and when it ended."""
    is_quieted = is_hushed(hush, state.confirmed)
    if is_quieted is state.is_quieted:
        return state
    if is_quieted:
        return replace(state, is_quieted=True)
    return replace(state, is_quieted=False, quieted_at=now)


def _obstacle(
    policy: AlertPolicy, state: AlertState, situation: Situation, kind: Telling, now: float
) -> str:
    """Return why this is not told now; empty when nothing stands in the way."""
    if state.is_quieted:
        return situation.hush.why
    if state.is_flapping:
        return FLAPPING
    if _is_seen(state, kind):
        return ACKNOWLEDGED
    if not _bears_out(situation.look.severity, state.confirmed):
        return GETTING_BETTER
    if kind is Telling.REMIND and not policy.remind:
        return REMINDERS_OFF
    due_at = next_moment(policy, state)
    return IN_COOLDOWN if due_at is not None and now < due_at else ""


def _is_seen(state: AlertState, kind: Telling) -> bool:
    """Tell whether somebody knows already; what got worse than they know is news."""
    seen = state.acknowledged
    if seen is None:
        return False
    return kind is Telling.REMIND or state.confirmed.rank <= seen.severity.rank


def _bears_out(found: Severity, confirmed: Severity) -> bool:
    """Tell whether the newest look does not find it better than what is about to be told; not to know is not better."""
    return found is Severity.UNKNOWN or found.rank >= confirmed.rank


def _held(
    policy: AlertPolicy, spec: CheckSpec, state: AlertState, obstacle: str, now: float
) -> tuple[AlertState, tuple[AlertEffect, ...]]:
    """Say why nobody is told, once for each reason and message."""
    if state.held_back == obstacle:
        return state, ()
    note = _note("alert.suppressed", policy, spec, state, now)
    return replace(state, held_back=obstacle), (
        replace(note, facts=(*note.facts, ("why", obstacle))),
    )


def _sent(
    policy: AlertPolicy, spec: CheckSpec, state: AlertState, kind: Telling, now: float
) -> tuple[AlertState, tuple[AlertEffect, ...]]:
    note = _note("alert.allowed", policy, spec, state, now)
    note = replace(note, facts=(*note.facts, ("why", kind.value)))
    severity = state.confirmed
    is_reminder = kind is Telling.REMIND
    worst = severity if severity.rank > state.told.rank else state.told
    state = cooldown.stamped(state, severity, now)
    state = replace(
        state,
        told=worst,
        known=severity,
        muted=False,
        held_back="",
        raises=state.raises + (kind is Telling.RAISE),
        reminders=state.reminders + is_reminder,
        backoff=state.backoff + 1 if is_reminder else 0,
    )
    number = {Telling.RAISE: state.raises, Telling.REMIND: state.reminders}.get(kind, 0)
    return state, (note, Tell(kind=kind, severity=severity, number=number))


def _note(kind: str, policy: AlertPolicy, spec: CheckSpec, state: AlertState, now: float) -> Note:
    severity = state.confirmed
    told_at = cooldown.stamp(state, severity)
    return Note(
        kind=kind,
        facts=(
            ("check", spec.name),
            ("severity", severity.value),
            ("elapsed_s", None if told_at is None else round(now - told_at, 3)),
            ("cooldown_s", cooldown.length(policy, severity)),
        ),
    )


def _escalated(
    spec: CheckSpec, state: AlertState, situation: Situation, now: float
) -> tuple[AlertState, tuple[AlertEffect, ...]]:
    """Take the steps that are due: each channel once per incident and severity."""
    if not _may_escalate(state, situation):
        return state, ()
    effects: list[AlertEffect] = []
    for step in situation.escalations:
        if not _is_step_due(step, state, now):
            continue
        kind = Telling.RAISE if _was_taken(step, state, Severity.WARNING) else Telling.OPEN
        number = state.raises if kind is Telling.RAISE else 0
        mark = _mark(step, state.confirmed)
        state = replace(state, escalated=(*state.escalated, mark))
        effects += [
            _escalation_note(spec, state, step, now),
            Tell(kind=kind, severity=state.confirmed, number=number, channels=(step.channel,)),
        ]
    return state, tuple(effects)


def _may_escalate(state: AlertState, situation: Situation) -> bool:
    """Tell whether a further person may be told: others were, and nobody took it on."""
    is_held = state.is_quieted or state.is_flapping or state.acknowledged is not None
    was_told = state.known is state.confirmed
    return was_told and not is_held and _bears_out(situation.look.severity, state.confirmed)


def _is_step_due(step: Escalation, state: AlertState, now: float) -> bool:
    if step.severities and state.confirmed not in step.severities:
        return False
    taken = [Severity.CRITICAL, state.confirmed]
    if state.opened_at is None or any(_was_taken(step, state, severity) for severity in taken):
        return False
    return now - state.opened_at >= step.after


def _was_taken(step: Escalation, state: AlertState, severity: Severity) -> bool:
    return _mark(step, severity) in state.escalated


def _mark(step: Escalation, severity: Severity) -> str:
    return f"{step.channel}:{severity.value}"


def _escalation_note(spec: CheckSpec, state: AlertState, step: Escalation, now: float) -> Note:
    opened_at = now if state.opened_at is None else state.opened_at
    return Note(
        kind="alert.escalated",
        facts=(
            ("check", spec.name),
            ("severity", state.confirmed.value),
            ("channel", step.channel),
            ("open_s", round(now - opened_at, 3)),
        ),
    )
