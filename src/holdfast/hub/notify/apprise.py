"""A message by any service that Apprise knows, one address at a time, so that each has an outcome of its own."""

import logging
from typing import TYPE_CHECKING

from holdfast.clock import Clock
from holdfast.hub.notify.render import reason
from holdfast.model.alert import Telling
from holdfast.model.check import Severity
from holdfast.model.message import Channel, Delivered, Message, Outcome, Refused, TryLater

if TYPE_CHECKING:
    from apprise import NotifyType


def send(_channel: Channel, url: str, message: Message, _clock: Clock) -> Outcome:
    """Hand a message to Apprise; it says only whether the service took it, so a refusal is tried again."""
    from apprise import Apprise, NotifyFormat

    # What it logs may hold keys, and would land on the error output where nobody set logging up.
    log = logging.getLogger("apprise")
    log.propagate = False
    if not log.handlers:
        log.addHandler(logging.NullHandler())
    service = Apprise()
    if not service.add(url):
        scheme = url.partition("://")[0]
        return Refused(why=f"Apprise knows no such {scheme} address")
    result = service.notify(
        title=message.title,
        body=message.body,
        notify_type=_kind(message),
        body_format=NotifyFormat.TEXT,
    )
    if result:
        return Delivered()
    said = [entry.message for entry in result.logs() if entry.level in ("WARNING", "ERROR")]
    return TryLater(why=reason(said[-1] if said else "the service did not take it", url))


def _kind(message: Message) -> "NotifyType":
    from apprise import NotifyType

    if message.kind is Telling.RESOLVE:
        return NotifyType.SUCCESS
    return {
        Severity.CRITICAL: NotifyType.FAILURE,
        Severity.WARNING: NotifyType.WARNING,
        Severity.UNKNOWN: NotifyType.WARNING,
        Severity.OK: NotifyType.INFO,
    }[message.severity]
