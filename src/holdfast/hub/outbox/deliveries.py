"""One message at a time for each channel: taking it, and writing down what became of it."""

from dataclasses import dataclass

import msgspec

from holdfast.hub import events
from holdfast.hub.outbox import intents
from holdfast.hub.store.interface import Row, Tx
from holdfast.model.alert import Telling
from holdfast.model.hub import HubSettings
from holdfast.model.message import (
    Channel,
    Delivered,
    Delivery,
    Message,
    Outcome,
    Refused,
    Travel,
    TryLater,
)
from holdfast.model.service import Now
from holdfast.rules import routing, sending

KEPT_FOR_S = 90 * 86_400.0
"""How long ended messages can still be read."""

PRUNE_EVERY = 100
"""Messages between two looks for what is too old to keep."""

_decode = msgspec.json.Decoder(Message).decode


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A message that this sender alone may send, and on which channel; `attempt` is the number of this try."""

    number: int
    owner: str
    attempt: int
    channel: Channel
    message: Message
    created_at: float

    @property
    def key(self) -> str:
        """Return the key of the message."""
        return self.message.key


def next_tries(tx: Tx, settings: HubSettings, now: Now) -> dict[str, float]:
    """Return when the oldest message of each channel may be tried; channels without one are left out."""
    names = {channel.name: channel for channel in routing.every_channel(settings)}
    return {
        row["channel"]: _tried_at(row, names[row["channel"]], now)
        for row in tx.all("outbox.heads")
        if row["channel"] in names
    }


def claim(tx: Tx, owner: str, channel: Channel, now: Now) -> Claimed | None:
    """Take the oldest undelivered message of a channel; None when there is none, or its time has not come.

    Only the oldest, so that nothing overtakes. A claim lasts for a lease; one whose holder died is taken over. A channel
    that delivers at most once has it marked as delivered before it is sent.
    """
    row = tx.one("outbox.head", channel=channel.name)
    if row is None or _tried_at(row, channel, now) > now.wall:
        return None
    attempt = row["attempt"] + 1
    is_once = channel.delivery is Delivery.AT_MOST_ONCE
    taken = tx.run(
        "outbox.claim",
        key=row["key"],
        state=(Travel.DELIVERED if is_once else Travel.SENDING).value,
        attempt=attempt,
        owner=owner,
        lease_until=None if is_once else now.wall + sending.lease_for(channel.timeout),
        now=now.wall,
    )
    if not taken:
        return None
    return Claimed(
        number=row["id"],
        owner=owner,
        attempt=attempt,
        channel=channel,
        message=_decode(row["message"]),
        created_at=row["created_at"],
    )


def release(tx: Tx, owners: str, now: Now) -> int:
    """Give back at once what senders whose name begins with `owners` held when they died; return how many."""
    escaped = owners.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_")
    return tx.run("outbox.release", owners=f"{escaped}%", now=now.wall)


def mark(
    tx: Tx, settings: HubSettings, claimed: Claimed, outcome: Outcome, now: Now
) -> Travel | None:
    """Write down what became of a try and return how far the message is; None when it was no longer this sender's.

    A message that will never arrive is reported through another channel, in the same transaction.
    """
    match outcome:
        case Delivered():
            return _mark_delivered(tx, claimed, now)
        case Refused(why=why):
            return _bury(tx, settings, claimed, why, now, broken=why)
        case TryLater():
            if _is_hopeless(claimed, now):
                return _bury(tx, settings, claimed, outcome.why, now)
            return _mark_delayed(tx, claimed, outcome, now)


def bury_unreachable(tx: Tx, settings: HubSettings, now: Now) -> None:
    """Report what waits for channels that are configured no longer."""
    names = {channel.name for channel in routing.every_channel(settings)}
    for head in tx.all("outbox.heads"):
        if head["channel"] in names:
            continue
        for row in tx.all("outbox.undelivered", channel=head["channel"]):
            if row["state"] == Travel.SENDING and row["lease_until"] > now.wall:
                break
            why = f"there is no channel {row['channel']} in the configuration any more"
            tx.run("outbox.bury_unclaimed", key=row["key"], why=why, now=now.wall)
            _report(tx, settings, row["channel"], _decode(row["message"]), why, now)


def _tried_at(row: Row, channel: Channel, now: Now) -> float:
    lease = sending.lease_for(channel.timeout)
    if row["state"] == Travel.SENDING:
        is_free, at = sending.is_come(row["lease_until"], now.wall, lease), row["lease_until"]
    else:
        is_free, at = sending.may_try(row["next_try_at"], now.wall), row["next_try_at"]
    return min(at, now.wall) if is_free else float(at)


def _is_hopeless(claimed: Claimed, now: Now) -> bool:
    """Tell whether a message that may or may not have arrived is not to be tried again."""
    if claimed.channel.delivery is Delivery.AT_MOST_ONCE:
        return True
    return sending.is_given_up(claimed.created_at, claimed.attempt, now.wall)


def _mark_delivered(tx: Tx, claimed: Claimed, now: Now) -> Travel | None:
    if not tx.run("outbox.deliver", **_mine(claimed), now=now.wall):
        return None
    name, before = claimed.channel.name, _failing_since(tx, claimed)
    tx.run("outbox.channel_delivered", name=name, now=now.wall)
    if before is not None:
        events.note(
            tx, "notification.resumed", name, {"failing_s": max(0.0, now.wall - before)}, now=now
        )
    facts = {**_facts(claimed.message), "attempt": claimed.attempt}
    events.note(tx, "notification.delivered", name, facts, now=now)
    if claimed.number % PRUNE_EVERY == 0:
        _prune(tx, now)
    return Travel.DELIVERED


def _mark_delayed(tx: Tx, claimed: Claimed, outcome: TryLater, now: Now) -> Travel | None:
    wait = sending.retry_after(claimed.attempt, now.draw, outcome.after)
    is_mine = tx.run(
        "outbox.retry",
        **_mine(claimed),
        taken_back=int(not outcome.may_have_arrived),
        next_try_at=now.wall + wait,
        why=outcome.why,
        now=now.wall,
    )
    if not is_mine:
        return None
    name, before = claimed.channel.name, _failing_since(tx, claimed)
    tx.run("outbox.channel_failed", name=name, broken="", now=now.wall)
    if before is None:  # told once for each time a channel is away, not for each try
        facts = {**_facts(claimed.message), "why": outcome.why, "retry_s": wait}
        events.note(tx, "notification.delayed", name, facts, now=now)
    return Travel.PENDING


def _bury(
    tx: Tx, settings: HubSettings, claimed: Claimed, why: str, now: Now, broken: str = ""
) -> Travel | None:
    if not tx.run("outbox.bury", **_mine(claimed), why=why, now=now.wall):
        return None
    tx.run("outbox.channel_failed", name=claimed.channel.name, broken=broken, now=now.wall)
    _report(tx, settings, claimed.channel.name, claimed.message, why, now)
    return Travel.DEAD


def _report(
    tx: Tx, settings: HubSettings, channel: str, message: Message, why: str, now: Now
) -> None:
    """Tell the journal, and people through another channel; of a test the person who made it knows."""
    reported_to = None
    if message.kind is not Telling.TEST:
        rows = tx.all("outbox.members", batch=message.key)
        before = {name for row in rows for name in intents.decode(row["facts"]).tried}
        tried = [*sorted(before - {channel}), channel]
        reported_to = intents.report(tx, settings, message, why, tried, now)
    facts = {**_facts(message), "why": why, "reported_to": reported_to}
    events.note(tx, "notification.died", channel, facts, now=now)


def _failing_since(tx: Tx, claimed: Claimed) -> float | None:
    row = tx.one("outbox.channel", name=claimed.channel.name)
    return None if row is None else row["failing_at"]


def _mine(claimed: Claimed) -> dict[str, object]:
    return {"key": claimed.key, "owner": claimed.owner, "attempt": claimed.attempt}


def _facts(message: Message) -> dict[str, object]:
    return {
        "key": message.key,
        "told": message.kind.value,
        "severity": message.severity.value,
        "title": message.title,
    }


def _prune(tx: Tx, now: Now) -> None:
    before = now.wall - KEPT_FOR_S
    tx.run("outbox.prune_intents", before=before)
    tx.run("outbox.prune_dropped", before=before)
    tx.run("outbox.prune_batches", before=before)
