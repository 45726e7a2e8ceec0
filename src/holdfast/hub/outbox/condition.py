"""How the outbox and its channels do, for checks, metrics and people."""

from dataclasses import dataclass

from holdfast.hub.store.interface import Tx
from holdfast.model.message import Travel


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelCondition:
    """One channel: why it refused its last message (empty: it did not), since when it takes none, when it last took one."""

    name: str
    broken: str = ""
    failing_at: float | None = None
    delivered_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What waits and what ended; `oldest_at` is when the oldest thing that waits was told, None when nothing does.

    `loose` are intents without a message yet, `pending` messages that are not delivered, under way ones too.
    """

    loose: int
    pending: int
    oldest_at: float | None
    delivered: int
    dead: int
    superseded: int
    channels: tuple[ChannelCondition, ...]


def status(tx: Tx) -> Condition:
    """Return how the outbox does; channels that were never used have no row."""
    loose, waiting = tx.one("outbox.loose_waiting"), tx.one("outbox.waiting")
    assert loose is not None
    assert waiting is not None
    oldest = [row["oldest_at"] for row in (loose, waiting) if row["oldest_at"] is not None]
    ended = {row["state"]: row["messages"] for row in tx.all("outbox.ended")}
    return Condition(
        loose=loose["intents"],
        pending=waiting["messages"],
        oldest_at=min(oldest, default=None),
        delivered=ended.get(Travel.DELIVERED, 0),
        dead=ended.get(Travel.DEAD, 0),
        superseded=ended.get(Travel.SUPERSEDED, 0),
        channels=tuple(ChannelCondition(**row) for row in tx.all("outbox.channels")),
    )
