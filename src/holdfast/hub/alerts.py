"""What people order about alerts: acknowledge an incident, silence checks, announce maintenance; each order leaves an event."""

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from holdfast import cron
from holdfast.clock import utc_text
from holdfast.errors import Refused, UnknownName, UsageError
from holdfast.hub import events
from holdfast.hub.store.interface import Row, Tx
from holdfast.model.alert import Acknowledgement, AlertState, Silence
from holdfast.model.hub import Maintenance
from holdfast.model.service import Now
from holdfast.rules import alerting

KEPT_S = 90 * 86_400.0
"""Seconds for which a silence that is over stays on file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Who asks and why; for how many seconds, or to which moment, and beginning when (None: now)."""

    by: str
    note: str = ""
    sticky: bool = False
    for_s: float | None = None
    until: float | None = None
    starts_at: float | None = None
    maintenance: bool = False

    def end(self, now: float) -> float | None:
        """Return the moment at which the order is over, None when it says none."""
        if self.until is not None or self.for_s is None:
            return self.until
        return (now if self.starts_at is None else self.starts_at) + self.for_s


def acknowledge(tx: Tx, check: str, order: Order, now: Now) -> int:
    """Write down that a person has seen the open incident of a check and return its number.

    Raises:
        UnknownName: there is no check of that name.
        Refused: the check has no open incident.
        UsageError: the order ends before it begins.
    """
    row, state = _alert_of(tx, check)
    if state.opened_at is None:
        raise Refused(f"{check} has no open incident; there is nothing to acknowledge")
    until = order.end(now.wall)
    if until is not None and until <= now.wall:
        raise UsageError("the acknowledgement would be over at once; say a moment still to come")
    seen = Acknowledgement(
        by=order.by,
        at=now.wall,
        note=order.note,
        severity=state.confirmed,
        sticky=order.sticky,
        until=until,
    )
    _save(tx, row, check, alerting.acknowledge(state, seen), now)
    facts = {"by": order.by, "note": order.note, "sticky": order.sticky, "until": _text(until)}
    events.note(tx, "alert.acknowledged", check, {"incident": state.incident, **facts}, now=now)
    return state.incident


def unacknowledge(tx: Tx, check: str, by: str, now: Now) -> bool:
    """Take an acknowledgement back; False when there is none.

    Raises:
        UnknownName: there is no check of that name.
    """
    row, state = _alert_of(tx, check)
    if state.acknowledged is None:
        return False
    _save(tx, row, check, alerting.unacknowledge(state), now)
    events.note(tx, "alert.unacknowledged", check, {"incident": state.incident, "by": by}, now=now)
    return True


def _alert_of(tx: Tx, check: str) -> tuple[Row, AlertState]:
    row = tx.one("alerts.alert_of", name=check)
    if row is None:
        raise UnknownName(f"there is no check {check!r}; `holdfast checks` lists them")
    return row, msgspec.json.decode(row["alert"], type=AlertState)


def _save(tx: Tx, row: Row, check: str, state: AlertState, now: Now) -> None:
    tx.run(
        "alerts.save_alert",
        id=row["id"],
        alert=msgspec.json.encode(state).decode(),
        look_at=now.wall,
    )
    change_incident(tx, check, state)


def change_incident(tx: Tx, check: str, state: AlertState) -> None:
    """Bring the row of the newest incident in line with what is remembered of it; its severity only grows."""
    tx.run(
        "alerts.change_incident",
        check_name=check,
        number=state.incident,
        severity=state.confirmed,
        acknowledged_by=state.acknowledged.by if state.acknowledged else None,
        muted=state.muted,
    )


def silence(tx: Tx, pattern: str, order: Order, now: Now) -> Silence:
    """Tell nobody of the checks whose names match a pattern until the end of the order, which has one always.

    Raises:
        UsageError: the order has no end, or one before its beginning or in the past, or the pattern is empty.
    """
    starts_at = now.wall if order.starts_at is None else order.starts_at
    ends_at = order.end(now.wall)
    if not pattern:
        raise UsageError('a silence needs a pattern; "*" is every check')
    if ends_at is None:
        raise UsageError("a silence needs an end; say for how long")
    if ends_at <= max(starts_at, now.wall):
        raise UsageError("the silence would be over before it begins; say a moment still to come")
    tx.run("alerts.forget_silences", before=now.wall - KEPT_S)
    row = tx.one(
        "alerts.add_silence",
        pattern=pattern,
        starts_at=starts_at,
        ends_at=ends_at,
        author=order.by,
        note=order.note,
        maintenance=order.maintenance,
    )
    assert row is not None
    made = Silence(
        id=row["id"],
        pattern=pattern,
        starts_at=starts_at,
        ends_at=ends_at,
        by=order.by,
        note=order.note,
        maintenance=order.maintenance,
    )
    facts = facts_of(made)
    facts["silence"] = facts.pop("id")
    events.note(tx, "alert.silenced", pattern, facts, now=now)
    return made


def unsilence(tx: Tx, number: int, by: str, now: Now) -> bool:
    """End a silence now, so that what is bad is looked at and told; False when it is over or was never there."""
    row = tx.one("alerts.silence", id=number)
    if row is None or not tx.run("alerts.end_silence", id=number, now=now.wall):
        return False
    tx.run("alerts.wake_bad", now=now.wall)
    events.note(tx, "alert.unsilenced", row["pattern"], {"silence": number, "by": by}, now=now)
    return True


def silences(tx: Tx, maintenance: tuple[Maintenance, ...], now: Now) -> list[dict[str, object]]:
    """Return the silences in force or to come as `silences --json` shows them; those of the configuration have the id 0."""
    rows = [_silence(row) for row in tx.all("alerts.silences", now=now.wall)]
    return [facts_of(each) for each in (*rows, *_in_season(maintenance, now.wall))]


def facts_of(silence: Silence) -> dict[str, object]:
    """Return a silence as JSON."""
    return {
        "id": silence.id,
        "pattern": silence.pattern,
        "starts_at": utc_text(silence.starts_at),
        "ends_at": utc_text(silence.ends_at),
        "by": silence.by,
        "note": silence.note,
        "maintenance": silence.maintenance,
    }


def in_force(tx: Tx, maintenance: tuple[Maintenance, ...], now: Now) -> tuple[Silence, ...]:
    """Return what silences checks at the moment: orders of people, and windows of the configuration."""
    rows = (_silence(row) for row in tx.all("alerts.silences", now=now.wall))
    ordered = (each for each in rows if each.starts_at <= now.wall)
    return (*ordered, *_in_season(maintenance, now.wall))


def _in_season(maintenance: tuple[Maintenance, ...], now: float) -> Iterator[Silence]:
    for window in maintenance:
        began = cron.latest_due(window.schedule, window.timezone, now - window.duration, now)
        if began is None:
            continue
        for pattern in window.checks:
            yield Silence(
                id=0,
                pattern=pattern,
                starts_at=began,
                ends_at=began + window.duration,
                by="the configuration",
                note=window.name,
                maintenance=True,
            )


def _silence(row: Row) -> Silence:
    return Silence(
        id=row["id"],
        pattern=row["pattern"],
        starts_at=row["starts_at"],
        ends_at=row["ends_at"],
        by=row["author"],
        note=row["note"],
        maintenance=bool(row["maintenance"]),
    )


def _text(moment: float | None) -> str | None:
    return None if moment is None else utc_text(moment)
