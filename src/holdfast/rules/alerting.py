"""Decide what one evaluation of a check changes: what counts, which incident is open, and what people are told of it.

An evaluation counts (`confirming`), turns into an incident that opens, rises, lowers or closes (here), is weighed against
flapping (`wavering`), and is told or held back (`telling`, `cooldown`). Everything is decided in the one transaction that
saves it.
"""

from dataclasses import replace

from holdfast.model.alert import (
    Acknowledgement,
    AlertEffect,
    AlertPolicy,
    AlertState,
    IncidentClosed,
    IncidentOpened,
    Note,
    Situation,
    Tell,
    Telling,
)
from holdfast.model.check import CheckSpec, Look, Severity
from holdfast.model.service import Now
from holdfast.rules import confirming, cooldown, telling, wavering


def step(
    policy: AlertPolicy, spec: CheckSpec, state: AlertState, situation: Situation, now: Now
) -> tuple[AlertState, tuple[AlertEffect, ...]]:
    """Return what is remembered after one evaluation and what follows from it, in order.

    The state comes back itself when nothing is to be saved. The tables with their reasons stand in docs/explain/alerting.md.
    """
    if is_calm(state) and situation.look.severity is Severity.OK:
        return state, ()
    before = _acknowledged_until(cooldown.anchored(state, now.wall), now.wall)
    state = confirming.counted(policy, before, situation.look, now)
    severity = confirming.confirmed(policy, spec, state, situation)
    state, turned = _turned(spec, state, severity, situation, now.wall)
    state = wavering.remembered(policy, before, state, now)
    state, judged = wavering.judged(spec, state)
    state, told = telling.told(policy, spec, state, situation, now.wall)
    return state, (*turned, *judged, *told)


def is_calm(state: AlertState) -> bool:
    """Tell whether nothing is open, counted or flapping, so that only a new finding matters."""
    is_counting = state.at_least_warning > 0 or state.unknown > 0
    return state.confirmed is Severity.OK and not is_counting and not state.is_flapping


def next_evaluation(
    policy: AlertPolicy,
    spec: CheckSpec,  # noqa: ARG001 - decisions about a check are all called with its description
    state: AlertState,
    look: Look,
    now: float,
) -> float | None:
    """Return when the next evaluation can matter, in seconds since the epoch; None for not before new evidence.

    A calm check waits for its next limit; every other one is evaluated each `evaluate_every`, and at the moment a
    message becomes due.
    """
    if is_calm(state) and look.severity is Severity.OK:
        return look.next_at
    moments = [now + policy.evaluate_every, look.next_at, telling.next_moment(policy, state)]
    if state.acknowledged is not None:
        moments.append(state.acknowledged.until)
    return min(moment for moment in moments if moment is not None and moment > now)


def acknowledge(state: AlertState, seen: Acknowledgement) -> AlertState:
    """Return the state after a person took on the open incident as bad as it is; unchanged when none is open."""
    if not state.is_open:
        return state
    return replace(state, acknowledged=replace(seen, severity=state.confirmed))


def unacknowledge(state: AlertState) -> AlertState:
    """Return the state after a person gave the incident back: reminders and escalation go on."""
    return replace(state, acknowledged=None)


def closed(
    spec: CheckSpec, state: AlertState, now: float
) -> tuple[AlertState, tuple[AlertEffect, ...]]:
    """Return the state after the incident ended, by a success or because the check is no more; who was told hears of it."""
    if not state.is_open:
        return state, ()
    effects: list[AlertEffect] = [
        IncidentClosed(number=state.incident),
        _note("incident.closed", spec, state, state.confirmed, now),
    ]
    if state.told is not Severity.OK:
        effects.append(Tell(kind=Telling.RESOLVE, severity=state.told, to_told=True))
    calm = replace(
        state,
        confirmed=Severity.OK,
        confirmed_at=now,
        opened_at=None,
        told=Severity.OK,
        known=Severity.OK,
        muted=False,
        raises=0,
        reminders=0,
        backoff=0,
        escalated=(),
        acknowledged=None,
        is_quieted=False,
        quieted_at=None,
        held_back="",
    )
    return calm, tuple(effects)


def _turned(
    spec: CheckSpec, state: AlertState, severity: Severity, situation: Situation, now: float
) -> tuple[AlertState, tuple[AlertEffect, ...]]:
    """Open, raise, lower or close the incident."""
    if severity is state.confirmed:
        return state, ()
    if severity is Severity.OK:
        return closed(spec, state, now)
    if not state.is_open:
        return _opened(spec, state, severity, situation.look, now)
    if severity.rank > state.confirmed.rank:
        return _raised(spec, state, severity, situation.look, now)
    note = _note("incident.lowered", spec, state, severity, now)
    lowered = replace(state, confirmed=severity, confirmed_at=now, known=_less(state, severity))
    return lowered, (note,)


def _opened(
    spec: CheckSpec, state: AlertState, severity: Severity, look: Look, now: float
) -> tuple[AlertState, tuple[AlertEffect, ...]]:
    state = replace(
        state,
        confirmed=severity,
        confirmed_at=now,
        incident=state.incident + 1,
        opened_at=now,
        muted=True,
    )
    note = _note("incident.opened", spec, state, severity, now)
    opened = IncidentOpened(number=state.incident, severity=severity)
    return state, (opened, replace(note, facts=(*note.facts, ("why", look.why))))


def _raised(
    spec: CheckSpec, state: AlertState, severity: Severity, look: Look, now: float
) -> tuple[AlertState, tuple[AlertEffect, ...]]:
    note = _note("incident.raised", spec, state, severity, now)
    seen = state.acknowledged
    is_news = seen is not None and not seen.sticky and severity.rank > seen.severity.rank
    raised = replace(
        state,
        confirmed=severity,
        confirmed_at=now,
        acknowledged=None if is_news else seen,
    )
    return raised, (replace(note, facts=(*note.facts, ("why", look.why))),)


def _less(state: AlertState, severity: Severity) -> Severity:
    """Return what people take it for after it got less without a word."""
    return severity if state.known.rank > severity.rank else state.known


def _acknowledged_until(state: AlertState, now: float) -> AlertState:
    seen = state.acknowledged
    if seen is None or seen.until is None or now < seen.until:
        return state
    return replace(state, acknowledged=None)


def _note(kind: str, spec: CheckSpec, state: AlertState, severity: Severity, now: float) -> Note:
    opened_at = now if state.opened_at is None else state.opened_at
    return Note(
        kind=kind,
        facts=(
            ("check", spec.name),
            ("incident", state.incident),
            ("severity", severity.value),
            ("open_s", round(max(0.0, now - opened_at), 3)),
        ),
    )
