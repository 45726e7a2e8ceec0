"""Look at the checks that are due, decide whether somebody is told, and save both in one transaction."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, TypeVar

import msgspec

from holdfast.hub import alerts, check, events, outbox
from holdfast.hub.check import Check
from holdfast.hub.situation import Surroundings, surroundings
from holdfast.hub.store.interface import Row, Tx
from holdfast.model.alert import (
    AlertEffect,
    AlertPolicy,
    AlertState,
    IncidentClosed,
    IncidentOpened,
    Note,
    Tell,
)
from holdfast.model.check import Evidence, Look, Severity
from holdfast.model.hub import HubSettings
from holdfast.model.service import Now
from holdfast.rules import alerting, freshness, routing, ticking
from holdfast.rules.storm import is_storm
from holdfast.rules.ticking import Jump, Tick

MOST = 20_000
"""Checks of one sweep; what is due beyond them comes in the next one, at once."""

BREATH_S = 0.01
"""Least seconds between two looks at one check."""

UNREADABLE_S = 3600.0
"""Seconds after which a row that could not be read is tried again; meanwhile it is in nobody's way."""

UNREADABLE = (msgspec.MsgspecError, ValueError)
"""What reading a row raises that somebody else has written, or that was damaged."""

NEVER_BAD = "{}"
"""How the alerting of a check stands on file that was never bad."""

_MEMORY = "sweep"

T = TypeVar("T")

_evidence = msgspec.json.Decoder(Evidence).decode
_alert = msgspec.json.Decoder(AlertState).decode


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What a sweep left: how many checks it looked at, and of how many the confirmed severity changed.

    `counts` are all checks by confirmed severity and `names` those that are not ok; both empty when nothing was due.
    `next_at` is when the next sweep is due, in seconds since the epoch.
    """

    looked: int
    changed: int
    next_at: float
    counts: Mapping[Severity, int] = field(default_factory=dict)
    names: Mapping[Severity, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Memory:
    """What one sweep leaves to the next: its clocks, how long to wait for things to settle, and the newest storm."""

    tick: Tick | None = None
    settling_left: float = 0.0
    storm_at: float | None = None
    all_ok: bool = False


class _Decided(NamedTuple):
    check: Check
    look: Look
    after: AlertState
    effects: tuple[AlertEffect, ...]

    @property
    def is_raised(self) -> bool:
        return self.after.confirmed.rank > self.check.alert.confirmed.rank

    @property
    def is_changed(self) -> bool:
        return self.after.confirmed is not self.check.alert.confirmed


def sweep(tx: Tx, settings: HubSettings, now: Now, tick: Tick) -> Swept:
    """Look at every check that is due and return what that left; call it again at `next_at`, or sooner.

    It comes round at least once in `evaluate_every`, so that the clocks of two ticks tell what lay between them.
    """
    memory = _after_jump(tx, settings, now, tick)
    found = _looked(tx, settings, now)
    if not found.looked:
        _remember(tx, memory)
        return Swept(looked=0, changed=0, next_at=_next_at(tx, settings, now))
    around = surroundings(tx, settings, found.busy, now, settling=memory.settling_left > 0)
    decided, memory = _decided(tx, settings, found.busy, around, memory)
    _save(tx, settings, decided, now)
    names = _names(tx)
    swept = Swept(
        looked=found.looked,
        changed=sum(each.is_changed for each in decided),
        next_at=_next_at(tx, settings, now),
        counts=_counts(tx, names),
        names=names,
    )
    if swept.changed:
        _tell_of_counts(tx, swept, now)
    is_all_ok = not names and all(look.severity is Severity.OK for _, look in found.busy)
    if is_all_ok and not memory.all_ok:
        events.note(tx, "checks.all_ok", "hub", {"checks": swept.counts[Severity.OK]}, now=now)
    _remember(tx, replace(memory, all_ok=is_all_ok or (memory.all_ok and not names)))
    return swept


def _after_jump(tx: Tx, settings: HubSettings, now: Now, tick: Tick) -> _Memory:
    """Put right what sleep, a stepped clock or an absence of the hub has done to what is due."""
    row = tx.one("meta.value", key=_MEMORY)
    memory = _Memory() if row is None else msgspec.json.decode(row["value"], type=_Memory)
    jump = ticking.jump(memory.tick, tick)
    if jump.is_back:
        # Moments on file may lie years ahead now, and nothing would be looked at until then.
        tx.run("checks.look_again", now=now.wall)
        events.note(tx, "hub.clock_stepped_back", "hub", {"by_s": -jump.stepped_s}, now=now)
    if jump.deaf_s:
        _forgive(tx, jump, now)
    every = settings.policy.evaluate_every
    left = ticking.settling_left(memory.settling_left, memory.tick, tick, every)
    if left > memory.settling_left:
        _tell_of_settling(tx, jump, left, now)
    return replace(memory, tick=tick, settling_left=left)


def _forgive(tx: Tx, jump: Jump, now: Now) -> None:
    """Give pings that nobody could hear their time once more, each with an event."""
    rows = tx.all(
        "alerts.deaf_due",
        heard=now.wall - jump.deaf_s,
        until=now.wall + jump.deaf_s / ticking.MISSED_SHARE,
    )
    for row in rows:
        each = _readable(tx, row, now, check.from_row)
        if each is None:
            continue
        extra = ticking.forgiven(each.spec, each.evidence, jump.deaf_s, now.wall)
        if extra:
            evidence = replace(each.evidence, extra_grace=extra)
            check.save(tx, replace(each, evidence=evidence, look_at=now.wall))
            facts = {"extra_s": extra, "deaf_s": jump.deaf_s}
            events.note(tx, "check.grace_extended", each.name, facts, now=now)


def _tell_of_settling(tx: Tx, jump: Jump, left: float, now: Now) -> None:
    facts = {
        "for_s": left,
        "slept_s": jump.slept_s,
        "stepped_s": jump.stepped_s,
        "rebooted": jump.rebooted,
    }
    events.note(tx, "checks.settling_began", "hub", facts, now=now)


def _remember(tx: Tx, memory: _Memory) -> None:
    tx.run("meta.put", key=_MEMORY, value=msgspec.json.encode(memory).decode())


class _Found(NamedTuple):
    """How many checks were looked at, and those of them about which there is something to decide."""

    looked: int
    busy: list[tuple[Check, Look]]


def _looked(tx: Tx, settings: HubSettings, now: Now) -> _Found:
    """Look at what is due: first at what was well, by numbers alone, then in full at what is left."""
    well = _still_well(tx, settings, now)
    tx.many("alerts.put_off", well)
    resting: list[dict[str, object]] = []
    busy: list[tuple[Check, Look]] = []
    for row in tx.all("checks.due", now=now.wall, limit=MOST):
        each = _readable(tx, row, now, check.from_row)
        if each is None:
            continue
        look = freshness.look(each.spec, settings.policy, each.evidence, now.wall)
        if look.severity is Severity.OK and alerting.is_calm(each.alert):
            resting.append({"id": each.id, "look_at": _not_now(look.next_at, now)})
        else:
            busy.append((each, look))
    tx.many("alerts.rest", resting)
    return _Found(len(well) + len(resting) + len(busy), busy)


def _still_well(tx: Tx, settings: HubSettings, now: Now) -> list[dict[str, object]]:
    """Return when to look again at what was well and is: most that are due are, and need nothing but that."""
    found: list[dict[str, object]] = []
    for row in tx.all("sweep.well_due", now=now.wall, limit=MOST):
        try:
            until = _well_until(row, settings.policy, now.wall)
        except UNREADABLE as error:
            _put_off(tx, row, now, error)
            continue
        if until is not None:
            look_at = _not_now(freshness.after(until), now)
            found.append({"id": row["id"], "look_at": look_at})
    return found


def _well_until(row: Row, policy: AlertPolicy, now: float) -> float | None:
    """Return the last moment at which a check stays well; None when there may be something to decide."""
    alert = row["alert"]
    if alert != NEVER_BAD and not alerting.is_calm(_alert(alert)):
        return None
    evidence = _evidence(row["evidence"])
    return freshness.well_until(check.spec_of(row["spec"]), policy, evidence, now)


def _readable(tx: Tx, row: Row, now: Now, read: Callable[[Row], T]) -> T | None:
    """Read a row; one that cannot be read is put off and told of, so that it is in nobody's way."""
    try:
        return read(row)
    except UNREADABLE as error:
        _put_off(tx, row, now, error)
        return None


def _put_off(tx: Tx, row: Row, now: Now, error: Exception) -> None:
    tx.run("alerts.put_off", id=row["id"], look_at=now.wall + UNREADABLE_S)
    events.note(tx, "check.unreadable", row["name"], {"why": str(error)}, now=now)


def _decided(
    tx: Tx,
    settings: HubSettings,
    busy: Sequence[tuple[Check, Look]],
    around: Surroundings,
    memory: _Memory,
) -> tuple[list[_Decided], _Memory]:
    """Decide about each check; when far too many get worse at once, hold them back for one round."""
    decided = [_decide(settings, each, look, around) for each, look in busy]
    raised = sum(each.is_raised for each in decided)
    if not raised or not is_storm(raised, _total(tx)):
        return decided, memory
    now, every = around.now, settings.policy.evaluate_every
    began_at = _storm_began_at(memory.storm_at, now.wall, every)
    if began_at is None:
        return decided, memory
    if began_at != memory.storm_at:
        facts = {"raising": raised, "total": _total(tx), "for_s": every}
        events.note(tx, "alert.storm_held", "hub", facts, now=now)
    held = [
        _decide(settings, each.check, each.look, around, holding=True) if each.is_raised else each
        for each in decided
    ]
    return held, replace(memory, storm_at=began_at)


def _decide(
    settings: HubSettings, each: Check, look: Look, around: Surroundings, *, holding: bool = False
) -> _Decided:
    situation = around.situation(each, look, holding=holding)
    after, effects = alerting.step(settings.policy, each.spec, each.alert, situation, around.now)
    return _Decided(each, look, after, effects)


def _storm_began_at(newest: float | None, now: float, every: float) -> float | None:
    """Return since when a storm is held back, None once it was for a round."""
    since = -1.0 if newest is None else now - newest
    if 0 <= since < every / 2:
        return newest
    return None if 0 <= since < 2 * every else now


def _save(tx: Tx, settings: HubSettings, decided: Sequence[_Decided], now: Now) -> None:
    channels = routing.channels_of(settings)
    notes: list[tuple[str, Note]] = []
    rows: list[dict[str, object]] = []
    for each in decided:
        known, after, look = each.check, each.after, each.look
        next_at = alerting.next_evaluation(settings.policy, known.spec, after, look, now.wall)
        rows.append(check.alert_row(known.id, after, look.severity, _not_now(next_at, now)))
        _save_incident(tx, each, now)
        for effect in each.effects:
            if isinstance(effect, Note):
                notes.append((known.name, effect))
            elif isinstance(effect, Tell):
                outbox.enqueue(tx, channels, replace(known, alert=after), effect, look, now)
    tx.many("checks.save_alert", rows)
    events.note_all(tx, notes, now)


def _save_incident(tx: Tx, each: _Decided, now: Now) -> None:
    name, before, after = each.check.name, each.check.alert, each.after
    for effect in each.effects:
        if isinstance(effect, IncidentOpened):
            tx.run(
                "alerts.open_incident",
                check_name=name,
                number=effect.number,
                severity=effect.severity.value,
                opened_at=now.wall if after.opened_at is None else after.opened_at,
                muted=after.muted,
            )
    if after.is_open and _shows_otherwise(before, after):
        alerts.change_incident(tx, name, after)
    for effect in each.effects:
        if isinstance(effect, IncidentClosed):
            tx.run(
                "alerts.close_incident", check_name=name, number=effect.number, closed_at=now.wall
            )


def _shows_otherwise(before: AlertState, after: AlertState) -> bool:
    return (before.confirmed, before.muted, before.acknowledged) != (
        after.confirmed,
        after.muted,
        after.acknowledged,
    )


def _not_now(at: float | None, now: Now) -> float | None:
    return None if at is None else max(at, now.wall + BREATH_S)


def _next_at(tx: Tx, settings: HubSettings, now: Now) -> float:
    soonest = check.next_look(tx)
    round_at = now.wall + settings.policy.evaluate_every
    return round_at if soonest is None else max(now.wall, min(soonest, round_at))


def _total(tx: Tx) -> int:
    row = tx.one("alerts.total")
    return 0 if row is None else int(row["checks"])


def _names(tx: Tx) -> dict[Severity, tuple[str, ...]]:
    """Return the checks that are not ok, the worst first."""
    names: dict[Severity, list[str]] = {}
    for row in tx.all("alerts.bad"):
        names.setdefault(Severity(row["confirmed"]), []).append(row["name"])
    worst_first = sorted(names, key=lambda severity: severity.rank, reverse=True)
    return {severity: tuple(names[severity]) for severity in worst_first}


def _counts(tx: Tx, names: Mapping[Severity, tuple[str, ...]]) -> dict[Severity, int]:
    bad = {severity: len(those) for severity, those in names.items()}
    return {**bad, Severity.OK: _total(tx) - sum(bad.values())}


def _tell_of_counts(tx: Tx, swept: Swept, now: Now) -> None:
    facts = {
        "counts": {severity.value: count for severity, count in swept.counts.items()},
        "names": {severity.value: list(those) for severity, those in swept.names.items()},
    }
    events.note(tx, "checks.counted", "hub", facts, now=now)
