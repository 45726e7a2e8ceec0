"""Incidents, silences and notifications over HTTP."""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any

import msgspec

from holdfast.clock import wall_from_text
from holdfast.errors import UnknownName, UsageError
from holdfast.hub import alerts, outbox, views
from holdfast.hub.access import Scope
from holdfast.hub.alerts import Order
from holdfast.hub.parts import Parts
from holdfast.hub.web.asked import Asked, Call, span, whole
from holdfast.model.alert import Telling
from holdfast.model.message import Travel

MOST_ROWS = 10_000

LONGEST_WAIT_S = 120.0
"""Seconds a call waits at most for the messages it sent."""

ENDED = frozenset({Travel.DELIVERED.value, Travel.DEAD.value, Travel.SUPERSEDED.value})


class AcknowledgeBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who has seen an incident; `sticky` also when it gets worse, `for_s` for so many seconds."""

    by: str = ""
    note: str = ""
    sticky: bool = False
    for_s: float | None = None


class SilenceBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which checks nobody is told of, for `for_s` seconds or `until` a time (RFC 3339), from `starts_at` or from now."""

    pattern: str
    for_s: float | None = None
    until: str | None = None
    starts_at: str | None = None
    by: str = ""
    note: str = ""
    maintenance: bool = False


class TestBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which channel to try, None for all; the answer comes once all arrived or failed, or after `wait_s` seconds."""

    channel: str | None = None
    wait_s: float = 0.0


async def _incidents(parts: Parts, asked: Asked) -> object:
    open_only, limit = asked.flag("open"), asked.number("limit", 1000, MOST_ROWS)
    return await parts.store.read(lambda tx: views.incidents(tx, open_only=open_only, limit=limit))


async def _acknowledge(parts: Parts, asked: Asked) -> object:
    body: AcknowledgeBody = asked.body
    now, check = parts.now(), asked.path["check"]
    order = Order(
        by=body.by or asked.by, note=body.note, sticky=body.sticky, for_s=span("for_s", body.for_s)
    )
    number = await parts.store.write(lambda tx: alerts.acknowledge(tx, check, order, now))
    parts.bells.checks_changed()
    return {"check": check, "number": number, "acknowledged_by": order.by}


async def _unacknowledge(parts: Parts, asked: Asked) -> object:
    now, check = parts.now(), asked.path["check"]
    was = await parts.store.write(lambda tx: alerts.unacknowledge(tx, check, asked.by, now))
    parts.bells.checks_changed()
    return {"check": check, "was_acknowledged": was}


async def _silences(parts: Parts, _asked: Asked) -> object:
    now, windows = parts.now(), parts.settings.maintenance
    return await parts.store.read(lambda tx: alerts.silences(tx, windows, now))


async def _silence(parts: Parts, asked: Asked) -> object:
    body: SilenceBody = asked.body
    now = parts.now()
    order = Order(
        by=body.by or asked.by,
        note=body.note,
        for_s=span("for_s", body.for_s),
        until=_moment("until", body.until),
        starts_at=_moment("starts_at", body.starts_at),
        maintenance=body.maintenance,
    )
    made = await parts.store.write(lambda tx: alerts.silence(tx, body.pattern, order, now))
    parts.bells.checks_changed()
    return alerts.facts_of(made)


async def _unsilence(parts: Parts, asked: Asked) -> object:
    now, number = parts.now(), whole("id", asked.path["id"], 2**62)
    ended = await parts.store.write(lambda tx: alerts.unsilence(tx, number, asked.by, now))
    if not ended:
        raise UnknownName(f"there is no silence {number} in force; see: holdfast alerts list")
    parts.bells.checks_changed()
    return {"id": number, "ended": True}


async def _notifications(parts: Parts, asked: Asked) -> object:
    superseded, limit = asked.flag("all"), asked.number("limit", 100, MOST_ROWS)
    return await parts.store.read(
        lambda tx: views.notifications(tx, limit=limit, superseded=superseded)
    )


async def _test(parts: Parts, asked: Asked) -> object:
    body: TestBody = asked.body
    now, settings = parts.now(), parts.settings
    within = min(span("wait_s", body.wait_s) or 0.0, LONGEST_WAIT_S)
    names = await parts.store.write(lambda tx: outbox.test(tx, settings, body.channel, now))
    parts.bells.outbox.set()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(within):
            await _until_ended(parts, now.wall, names)
    found = await _tests_since(parts, now.wall, names)
    return [found.get(name) or _not_yet(name) for name in names]


async def _until_ended(parts: Parts, at: float, names: Sequence[str]) -> None:
    while True:
        sent = parts.bells.outbox.next()
        found = await _tests_since(parts, at, names)
        if len(found) == len(names) and all(row["state"] in ENDED for row in found.values()):
            return
        await sent.wait()


def _not_yet(name: str) -> dict[str, Any]:
    return {"channel": name, "state": Travel.PENDING.value, "last_error": ""}


async def _tests_since(parts: Parts, at: float, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the newest test message of each channel that was made since a moment."""
    rows = await parts.store.read(lambda tx: views.notifications(tx, limit=1000))
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        is_test = row["kind"] == Telling.TEST.value and row["channel"] in names
        if is_test and _seconds(row["at"]) >= at - 0.01:
            found.setdefault(row["channel"], row)
    return found


def _seconds(told: object) -> float:
    return float(told) if isinstance(told, int | float) else wall_from_text(str(told))


def _moment(name: str, text: str | None) -> float | None:
    try:
        return None if text is None else wall_from_text(text)
    except ValueError as error:
        raise UsageError(f"{name}: {error}") from error


CALLS = (
    Call(
        method="GET",
        path="/incidents",
        scope=Scope.READ,
        act=_incidents,
        query={"open": "1: only those that are open", "limit": "how many, 1000 by default"},
        summary="The incidents, newest first.",
        answers="a list of incidents, as `holdfast incidents --json`",
    ),
    Call(
        method="POST",
        path="/incidents/{check}/acknowledge",
        scope=Scope.ADMIN,
        act=_acknowledge,
        body=AcknowledgeBody,
        summary="Say that somebody has seen the open incident of a check: no reminders, no escalation.",
        answers='`{"check", "number", "acknowledged_by"}`',
    ),
    Call(
        method="DELETE",
        path="/incidents/{check}/acknowledge",
        scope=Scope.ADMIN,
        act=_unacknowledge,
        summary="Take an acknowledgement back.",
        answers='`{"check", "was_acknowledged"}`',
    ),
    Call(
        method="GET",
        path="/silences",
        scope=Scope.READ,
        act=_silences,
        summary="The silences and maintenance windows in force or to come.",
        answers='a list of `{"id", "pattern", "starts_at", "ends_at", "by", "note", "maintenance"}`',
    ),
    Call(
        method="POST",
        path="/silences",
        scope=Scope.ADMIN,
        act=_silence,
        body=SilenceBody,
        summary="Tell nobody of the checks that match a pattern.",
        answers="the silence that was made",
        status=201,
    ),
    Call(
        method="DELETE",
        path="/silences/{id}",
        scope=Scope.ADMIN,
        act=_unsilence,
        summary="End a silence now.",
        answers='`{"id", "ended"}`',
    ),
    Call(
        method="GET",
        path="/notifications",
        scope=Scope.READ,
        act=_notifications,
        query={
            "limit": "how many, 100 by default",
            "all": "1: also those that were replaced before they left",
        },
        summary="The messages and how far each has come, newest first.",
        answers="a list of messages, as `holdfast notifications --json`",
    ),
    Call(
        method="POST",
        path="/notifications/test",
        scope=Scope.ADMIN,
        act=_test,
        body=TestBody,
        summary="Send a test message by one channel or by all.",
        answers='a list of `{"channel", "state", "last_error", ...}`',
    ),
)
