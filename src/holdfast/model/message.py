"""What travels to people: channels, single tellings waiting to travel, and the messages that carry them.

Times named `*_at` are seconds since the epoch, spans are seconds.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from holdfast.model.alert import Telling
from holdfast.model.check import Severity


class Delivery(StrEnum):
    """What a channel prefers when it is not known whether a message arrived."""

    AT_LEAST_ONCE = "at-least-once"
    AT_MOST_ONCE = "at-most-once"


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A way to people: one of url, url_file and command; empty filters let everything pass.

    `title` and `body` are templates over the fields of a message, `secret_file` names the key that signs a webhook.
    """

    name: str
    url: str | None = None
    url_file: str | None = None
    command: tuple[str, ...] = ()
    severities: tuple[Severity, ...] = ()
    checks: tuple[str, ...] = ()
    rooms: tuple[str, ...] = ()
    escalate_after: float | None = None
    delivery: Delivery = Delivery.AT_LEAST_ONCE
    title: str = ""
    body: str = ""
    secret_file: str | None = None
    timeout: float = 20.0


class Travel(StrEnum):
    """How far a message has come."""

    PENDING = "pending"
    SENDING = "sending"
    DELIVERED = "delivered"
    DEAD = "dead"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """One thing to tell by one channel; `key` is unique, so that no crash enqueues it twice.

    `check` and `incident` are those it is about; a notice of the machine (kind meta) has none, and brings its own title.
    `backoff` counts the reminders since it last got worse; `tried` names the channels that could not deliver what this one reports.
    """

    key: str
    channel: str
    kind: Telling
    severity: Severity
    at: float
    check: str = ""
    incident: int = 0
    cause: str = ""
    why: str = ""
    limit_s: float | None = None
    age_s: float | None = None
    title: str = ""
    opened_at: float | None = None
    backoff: int = 0
    tried: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What a channel is given: rendered once, never changed, so that every try carries the same bytes under the same key."""

    key: str
    kind: Telling
    severity: Severity
    title: str
    body: str
    checks: tuple[str, ...]
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """The channel took it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The channel will never take it: a wrong address, a refused token."""

    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TryLater:
    """It may be taken later; `after` is the least wait the other side asked for.

    `may_have_arrived`: nobody knows whether it was taken, because the answer is missing.
    """

    why: str
    after: float | None = None
    may_have_arrived: bool = False


Outcome: TypeAlias = Delivered | Refused | TryLater
