"""What is to be told: one row for each thing and channel, written with the change of state that it tells of."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import NamedTuple

import msgspec

from holdfast.errors import UnknownName
from holdfast.hub import events
from holdfast.hub.check import Check
from holdfast.hub.store.interface import Tx
from holdfast.model.alert import Tell, Telling
from holdfast.model.check import CheckKind, Look, Severity
from holdfast.model.hub import HubSettings
from holdfast.model.message import Channel, Intent, Message, Travel
from holdfast.model.service import Now
from holdfast.rules import routing

PROBLEM = frozenset({Telling.OPEN, Telling.RAISE, Telling.REMIND})
"""What tells that something is wrong."""

_decode = msgspec.json.Decoder(Intent).decode


class _Known(NamedTuple):
    """An intent of an incident, how far it has come, and in how many tries it may have arrived."""

    intent: Intent
    batch: str | None
    state: Travel | None
    given: int

    @property
    def is_held(self) -> bool:
        """Tell whether nobody can have been given it by now."""
        return self.batch is None or (self.state is Travel.PENDING and not self.given)


def enqueue(
    tx: Tx, channels: Sequence[Channel], check: Check, tell: Tell, look: Look, now: Now
) -> tuple[str, ...]:
    """Queue one telling of a check for every channel it goes to, and return their names.

    `channels` is `routing.channels_of(settings)`, `check` the check after the decision, `look` what it was decided on.
    What has become pointless while it waited is taken back: everything about an incident once it is over, and a
    reminder once there is a newer one.
    """
    known = _of_incident(tx, check)
    told = [each.intent for each in known if each.intent.kind in PROBLEM]
    receivers = routing.receivers(channels, check.name, tell, (intent.channel for intent in told))
    for channel in receivers:
        mine = [each for each in known if each.intent.channel == channel.name]
        _take_back(tx, mine, tell.kind, now)
        earlier = [each.intent for each in mine or known]
        _add(tx, _intent(channel, check, tell, look, earlier, now))
    return tuple(channel.name for channel in receivers)


def enqueue_meta(  # noqa: PLR0913 - the parts of one notice, each by its name
    tx: Tx,
    channels: Sequence[Channel],
    *,
    key: str,
    severity: Severity,
    title: str,
    why: str = "",
    at: float,
) -> tuple[str, ...]:
    """Queue a notice of the machine for every channel that takes it, and return their names.

    The same `key` is told once, however often it is queued.
    """
    receivers = routing.receivers_of_notice(channels, severity)
    for channel in receivers:
        _add(
            tx,
            Intent(
                key=key_of("meta", key, channel.name),
                channel=channel.name,
                kind=Telling.META,
                severity=severity,
                at=at,
                why=why,
                title=title,
            ),
        )
    return tuple(channel.name for channel in receivers)


def test(tx: Tx, settings: HubSettings, channel: str | None, now: Now) -> tuple[str, ...]:
    """Queue a message that tries one channel, or all of them, and return their names.

    Raises:
        UnknownName: there is no such channel, or none at all.
    """
    channels = routing.every_channel(settings)
    tried = [each for each in channels if channel in (None, each.name)]
    if not tried:
        names = ", ".join(each.name for each in channels) or "none; write a section [notify.NAME]"
        raise UnknownName(f"there is no channel {channel or 'to try'}; configured: {names}")
    for each in tried:
        _add(
            tx,
            Intent(
                key=key_of("test", repr(now.wall), repr(now.draw), each.name),
                channel=each.name,
                kind=Telling.TEST,
                severity=Severity.OK,
                at=now.wall,
            ),
        )
    return tuple(each.name for each in tried)


def report(
    tx: Tx, settings: HubSettings, message: Message, why: str, tried: Sequence[str], now: Now
) -> str | None:
    """Queue the notice that those `tried` could not deliver a message, and return for which channel; None when none is left."""
    broken = [row["name"] for row in tx.all("outbox.channels") if row["broken"]]
    channel = routing.substitute(settings, tried, broken)
    if channel is None:
        return None
    _add(
        tx,
        Intent(
            key=key_of("report", message.key, channel.name),
            channel=channel.name,
            kind=Telling.META,
            severity=max(Severity.WARNING, message.severity, key=lambda each: each.rank),
            at=now.wall,
            title=f"{', '.join(tried)} could not deliver: {message.title}",
            why=f"{why}\n{message.body}",
            tried=tuple(tried),
        ),
    )
    return channel.name


def key_of(*parts: object) -> str:
    """Return the SHA-256 in hex of some words, which cannot run into each other."""
    return sha256("|".join(map(str, parts)).encode()).hexdigest()


def decode(facts: str) -> Intent:
    """Return the intent that a row describes."""
    return _decode(facts)


def _of_incident(tx: Tx, check: Check) -> list[_Known]:
    rows = tx.all("outbox.of_incident", check_name=check.name, incident=check.alert.incident)
    return [
        _Known(
            decode(row["facts"]),
            row["batch"],
            row["state"] and Travel(row["state"]),
            row["given"] or 0,
        )
        for row in rows
    ]


def _take_back(tx: Tx, known: Sequence[_Known], kind: Telling, now: Now) -> None:
    """Drop what a resolve or a newer reminder makes pointless, unless it is under way or may have arrived.

    Others in the same message travel anew, in one of their own: a message that was rendered is never changed. One that may
    have arrived comes again under its key, so that whoever got it already can tell.
    """
    pointless = {Telling.RESOLVE: PROBLEM, Telling.REMIND: {Telling.REMIND}}.get(kind, frozenset())
    dropped = [each for each in known if each.is_held and each.intent.kind in pointless]
    tx.many("outbox.drop", [{"key": each.intent.key} for each in dropped])
    for batch in sorted({each.batch for each in dropped if each.batch is not None}):
        supersede(tx, batch, now)


def supersede(tx: Tx, batch: str, now: Now) -> None:
    """Take a message back that nobody was given yet; its other intents wait for a new one.

    So do those of the messages behind it that tell of the same checks, or the older word would come after the newer.
    """
    if not tx.run("outbox.supersede", key=batch, now=now.wall):
        return
    left = {decode(row["facts"]).check for row in tx.all("outbox.members", batch=batch)}
    tx.run("outbox.loosen", batch=batch)
    row = tx.one("outbox.by_key", key=batch)
    assert row is not None
    events.note(tx, "notification.superseded", row["channel"], {"key": batch}, now=now)
    for behind in tx.all("outbox.undelivered", channel=row["channel"]):
        checks = msgspec.json.decode(behind["message"], type=Message).checks
        if behind["id"] > row["id"] and not left.isdisjoint(checks):
            supersede(tx, behind["key"], now)


def _intent(
    channel: Channel, check: Check, tell: Tell, look: Look, earlier: Collection[Intent], now: Now
) -> Intent:
    """Return what this channel is to be told; a resolve speaks of what was wrong, not of the look that found it well."""
    about = Intent(
        key=key_of(
            check.name, check.alert.incident, tell.kind, tell.severity, tell.number, channel.name
        ),
        channel=channel.name,
        kind=tell.kind,
        severity=tell.severity,
        at=now.wall,
        check=check.name,
        incident=check.alert.incident,
        cause=look.cause,
        why=look.why,
        limit_s=look.limit_s,
        # The age of a machine's evidence is how long it has been silent, which the reason tells.
        age_s=None if check.spec.kind is CheckKind.MACHINE else look.age_s,
        opened_at=check.alert.opened_at,
        backoff=check.alert.backoff,
    )
    if tell.kind is not Telling.RESOLVE:
        return about
    problem = [intent for intent in earlier if intent.kind in PROBLEM][-1:]
    return replace(
        about,
        cause=problem[0].cause if problem else "",
        opened_at=(problem[0].opened_at or problem[0].at) if problem else about.opened_at,
    )


def _add(tx: Tx, intent: Intent) -> None:
    tx.run(
        "outbox.add_intent",
        key=intent.key,
        channel=intent.channel,
        check_name=intent.check,
        incident=intent.incident,
        kind=intent.kind.value,
        severity=intent.severity.value,
        at=intent.at,
        facts=msgspec.json.encode(intent).decode(),
    )
