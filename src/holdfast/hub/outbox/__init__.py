"""The durable queue of what people are told: intents, the messages they travel in, and how each message fares."""

from holdfast.hub.outbox.batches import batch
from holdfast.hub.outbox.condition import ChannelCondition, Condition, status
from holdfast.hub.outbox.deliveries import Claimed, claim, mark, next_tries, release
from holdfast.hub.outbox.intents import enqueue, enqueue_meta, test

__all__ = [
    "ChannelCondition",
    "Claimed",
    "Condition",
    "batch",
    "claim",
    "enqueue",
    "enqueue_meta",
    "mark",
    "next_tries",
    "release",
    "status",
    "test",
]
