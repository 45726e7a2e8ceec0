"""Making messages of what waits to be told: rendered once, and never changed again."""

import msgspec

from holdfast.hub.outbox import deliveries, intents
from holdfast.hub.store.interface import Tx
from holdfast.model.hub import HubSettings
from holdfast.model.message import Channel
from holdfast.model.service import Now
from holdfast.rules import batching, routing, wording


def batch(tx: Tx, settings: HubSettings, now: Now) -> float | None:
    """Make messages of all that has waited long enough; return when there will be more to do, None for nothing left.

    The answer is in seconds since the epoch.
    """
    deliveries.bury_unreachable(tx, settings, now)
    waiting = [intents.decode(row["facts"]) for row in tx.all("outbox.loose")]
    groups, next_at = batching.ready(waiting, settings.policy, now.wall)
    channels = {channel.name: channel for channel in routing.every_channel(settings)}
    for group in groups:
        _add(tx, settings, group, channels.get(group.channel), now)
    return next_at


def _add(
    tx: Tx, settings: HubSettings, group: batching.Group, channel: Channel | None, now: Now
) -> None:
    message = wording.message(group, settings.policy, channel, settings.machine, now.wall)
    # The same members may come together again, behind another message; of the first one nobody was given anything.
    tx.run("outbox.forget_superseded", key=message.key)
    tx.run(
        "outbox.add_batch",
        key=message.key,
        channel=group.channel,
        kind=message.kind.value,
        severity=message.severity.value,
        message=msgspec.json.encode(message).decode(),
        now=now.wall,
    )
    rows = [{"key": intent.key, "batch": message.key} for intent in group.intents]
    tx.many("outbox.put_in_batch", rows)
