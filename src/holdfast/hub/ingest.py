"""Take the journal of a machine in, each event once and in order: the cursor moves in the transaction of what it brought."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any

import msgspec

from holdfast.clock import wall_from_text
from holdfast.hub import check as rows
from holdfast.hub import checks, events, outbox, pings
from holdfast.hub.pings import Ping
from holdfast.hub.store.interface import Tx
from holdfast.model.alert import AlertPolicy
from holdfast.model.check import CheckKind, Observation, Severity, Signal
from holdfast.model.event import Event
from holdfast.model.job import Result, Trigger
from holdfast.model.message import Channel
from holdfast.model.notice import title_of
from holdfast.model.service import Now
from holdfast.model.wire import from_plain

BATCH = 500
"""Events to take in by one transaction."""

TELL_WITHIN = 72 * 3600.0
"""Seconds for which an event is worth a notice; as long as the outbox tries to deliver one."""

TELL_WITHIN_FIRST = 3600.0
"""The same for a journal that was never read before: its past was told, or nobody asked to be told of it."""

_JOB_SIGNALS: Mapping[str, Signal] = {
    "job.started": Signal.START,
    "job.finished": Signal.SUCCESS,
    "job.failed": Signal.FAIL,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingested:
    """How many events were new, and whether the sweep has something to decide at once."""

    count: int
    wake: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Intake:
    """What the acts on single events share."""

    tx: Tx
    machine: str
    policy: AlertPolicy
    channels: Sequence[Channel]
    now: Now
    tell_after: float


def position(tx: Tx, machine: str) -> int:
    """Return the id of the newest event that was taken in from a machine; go on reading after it."""
    return events.cursor(tx, _cursor_of(machine))


def ingest(
    tx: Tx,
    machine: str,
    told: Sequence[Event],
    policy: AlertPolicy,
    channels: Sequence[Channel],
    now: Now,
) -> Ingested:
    """Take in events of a machine, ordered by id; those that were taken in before are passed over."""
    reached = position(tx, machine)
    fresh = [_storable(event) for event in told if event.id > reached]
    if not fresh:
        return Ingested(count=0, wake=False)
    within = TELL_WITHIN if reached else TELL_WITHIN_FIRST
    intake = _Intake(
        tx=tx,
        machine=machine,
        policy=policy,
        channels=channels,
        now=now,
        tell_after=now.wall - within,
    )
    events.store(tx, machine, fresh)
    wakes = [_take(intake, event) for event in fresh]
    events.move_cursor(tx, _cursor_of(machine), fresh[-1].id)
    events.prune(tx)
    return Ingested(count=len(fresh), wake=any(wakes))


def _storable(event: Event) -> Event:
    """Return an event whose words every database takes: JSON can spell halves of characters, as names of files have them."""
    facts = {_whole(name): _whole(value) for name, value in event.facts.items()}
    return replace(event, kind=_whole(event.kind), subject=_whole(event.subject), facts=facts)


def _whole(value: Any) -> Any:
    """Return a value of JSON with no half of a character in it."""
    match value:
        case str():
            return value if value.isascii() else value.encode(errors="replace").decode()
        case list():
            return [_whole(each) for each in value]
        case dict():
            return {_whole(name): _whole(each) for name, each in value.items()}
        case _:
            return value


def _cursor_of(machine: str) -> str:
    return f"machine {machine}"


def _take(intake: _Intake, event: Event) -> bool:
    """Act on one event and tell whether the sweep has something to decide."""
    if events.HUB_EVENT in event.facts:
        if events.came_back(intake.tx, event):
            _tell(intake, event)
        return False
    try:
        wake = _act(intake, event)
        _tell(intake, event)
    except (ValueError, OverflowError, msgspec.MsgspecError) as error:
        # A journal line that cannot be understood must not keep the ones behind it waiting for ever.
        facts = {"event": event.id, "event_kind": event.kind, "why": str(error)}
        events.note(intake.tx, "hub.event_refused", event.subject, facts, intake.now)
        return False
    return wake


def _act(intake: _Intake, event: Event) -> bool:
    match event.kind:
        case "job.started" | "job.finished" | "job.failed":
            return _job(intake, event)
        case "backup.observed":
            return _observation(intake, event)
        case "check.pinged":
            return _ping(intake, event)
        case _:
            return False


def _job(intake: _Intake, event: Event) -> bool:
    """Take what a run came to; what a person or a newer run ended was neither a success nor a failure."""
    facts, run = event.facts, str(event.facts.get("run") or "")
    if facts.get("result") == Result.KILLED.value:
        known = pings.end(intake.tx, event.subject, run, intake.policy, intake.now)
        return known is not None and rows.is_urgent(known)
    said = Ping(
        signal=_JOB_SIGNALS[event.kind],
        at=event.at,
        run=run,
        why=_why(event) if event.kind == "job.failed" else "",
        method="run",
        agent=intake.machine,
        create=facts.get("trigger") == Trigger.EXTERNAL.value,
    )
    return pings.record(intake.tx, event.subject, said, intake.policy, intake.now).wake


def _why(event: Event) -> str:
    facts = event.facts
    if facts.get("why"):
        return str(facts["why"])
    if facts.get("result") == Result.TIMEOUT.value:
        return "its run took longer than it may and was ended"
    if facts.get("signal") is not None:
        return f"its run was ended by signal {facts['signal']}"
    if facts.get("exit_code") is not None:
        return f"its run ended with exit code {facts['exit_code']}"
    return "its run ended, and nobody saw how"


def _observation(intake: _Intake, event: Event) -> bool:
    observation = from_plain(Observation, {"at": event.at, **_as_told(event.facts)})
    known = checks.observe(intake.tx, event.subject, observation, intake.policy, intake.now)
    return known is not None and rows.is_urgent(known)


def _ping(intake: _Intake, event: Event) -> bool:
    facts = _as_told(event.facts)
    said = Ping(
        signal=Signal(str(facts.get("signal") or Signal.SUCCESS.value)),
        at=_number(facts.get("pinged_at"), event.at),
        slug=event.subject,
        run=str(facts.get("rid") or ""),
        exit_code=_exit_code(facts.get("exit_code")),
        body=str(facts.get("body") or "").encode(),
        method="journal",
        agent=intake.machine,
        create=bool(facts.get("create")),
    )
    return pings.ping(intake.tx, said, intake.policy, intake.now).wake


def _as_told(facts: Mapping[str, object]) -> dict[str, object]:
    """Return facts as they were before the journal wrote moments down for people."""
    told = dict(facts)
    for key, value in facts.items():
        if key.endswith("_at") and isinstance(value, str):
            with suppress(ValueError):
                told[key] = wall_from_text(value)
    return told


def _number(value: object, otherwise: float) -> float:
    if isinstance(value, int | float) and isfinite(value):
        return float(value)
    return otherwise


def _exit_code(value: object) -> int | None:
    return value if isinstance(value, int) and 0 <= value <= pings.LARGEST_EXIT else None


def _tell(intake: _Intake, event: Event) -> None:
    """Queue the notice of an event that concerns a person, unless its check tells of it already."""
    title = title_of(event.kind, event.subject)
    if title is None or event.at < intake.tell_after:
        return
    if event.kind == "job.failed" and _has_check(intake.tx, event.subject):
        return
    outbox.enqueue_meta(
        intake.tx,
        intake.channels,
        key=f"{intake.machine}-{event.id}",
        severity=_severity(event.facts.get("severity")),
        title=title,
        why=str(event.facts.get("why") or event.facts.get("reason") or ""),
        at=event.at,
    )


def _has_check(tx: Tx, name: str) -> bool:
    known = rows.by_name(tx, name)
    return known is not None and known.spec.kind in {CheckKind.JOB, CheckKind.BACKUP}


def _severity(told: object) -> Severity:
    return Severity.CRITICAL if told == Severity.CRITICAL.value else Severity.WARNING
