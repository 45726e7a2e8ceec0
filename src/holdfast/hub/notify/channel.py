"""Sending one message by one channel, whatever its kind; blocks until the outcome is known, and never raises."""

import os
from collections.abc import Callable, Mapping
from typing import TypeAlias

from holdfast.clock import Clock
from holdfast.hub.notify import apprise, command, desktop, file, webhook
from holdfast.hub.notify.render import reason
from holdfast.model.message import Channel, Message, Outcome, Refused, TryLater

Send: TypeAlias = Callable[[Channel, Message], Outcome]
"""What the sender asks of a channel."""

_Way: TypeAlias = Callable[[Channel, str, Message, Clock], Outcome]

_WAYS: Mapping[str, _Way] = {
    "desktop": lambda channel, _url, message, _clock: desktop.send(message, channel.timeout),
    "file": lambda _channel, url, message, _clock: file.send(url, message),
    "webhook+http": webhook.send,
    "webhook+https": webhook.send,
}


def sending_by(clock: Clock) -> Send:
    """Return how messages are sent when this clock says what time it is."""
    return lambda channel, message: send(channel, message, clock)


def send(channel: Channel, message: Message, clock: Clock) -> Outcome:
    """Send one message and return what became of it."""
    if channel.command:
        return command.send(channel.command, message, channel.timeout)
    try:
        url = _address(channel)
    except (OSError, ValueError) as error:
        why = f"its address cannot be read from {channel.url_file}: {_short(error)}"
        return Refused(why=why)
    if not url:
        return Refused(why="it has no address: give it a url, a url_file or a command")
    way = _WAYS.get(url.partition("://")[0].lower(), apprise.send)
    try:
        return way(channel, url, message, clock)
    except Exception as error:  # noqa: BLE001 - one channel that fails in a new way must not stop the others
        why = reason(f"{type(error).__name__}: {error}", url)
        return TryLater(why=why, may_have_arrived=True)


def _address(channel: Channel) -> str:
    if channel.url_file is None:
        return channel.url or ""
    path = os.path.expanduser(channel.url_file)
    with open(path, encoding="utf-8") as source:
        return source.read().strip()


def _short(error: OSError | ValueError) -> str:
    """Return why, without what stands in the file."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return "it is not text"
