"""Decide which channels a telling goes to."""

from collections.abc import Collection, Iterable, Sequence
from fnmatch import fnmatchcase
from urllib.parse import quote

from holdfast.model.alert import Tell
from holdfast.model.check import Severity
from holdfast.model.hub import HubSettings
from holdfast.model.message import Channel

LAST_RESORT = "last-resort"
"""The name of the channel that stands in where there is no other."""


def channels_of(settings: HubSettings) -> tuple[Channel, ...]:
    """Return where tellings go: the channels a person chose, the last resort when there is none."""
    return settings.channels or last_resort_of(settings)


def last_resort_of(settings: HubSettings) -> tuple[Channel, ...]:
    """Return the last resort as a channel; none when the settings name none."""
    if settings.last_resort_command:
        return (Channel(name=LAST_RESORT, command=settings.last_resort_command),)
    if settings.last_resort_file:
        return (Channel(name=LAST_RESORT, url=f"file://{quote(settings.last_resort_file)}"),)
    return ()


def every_channel(settings: HubSettings) -> tuple[Channel, ...]:
    """Return all channels a message may wait for, the last resort among them."""
    return (*settings.channels, *last_resort_of(settings))


def receivers(
    channels: Sequence[Channel], check: str, tell: Tell, told: Iterable[str]
) -> tuple[Channel, ...]:
    """Return the channels that get a telling of a check; `told` are those that were told of its incident.

    When none of those is there any more, as when one was given another name, whoever would hear of it now hears the end.
    """
    those = frozenset(told) if tell.to_told else frozenset()
    if tell.to_told and (not those or those & {channel.name for channel in channels}):
        return tuple(channel for channel in channels if channel.name in those)
    if tell.channels:
        return tuple(channel for channel in channels if channel.name in tell.channels)
    return tuple(
        channel
        for channel in channels
        if channel.escalate_after is None
        and _takes(channel, tell.severity)
        and _concerns(channel, check)
    )


def receivers_of_notice(channels: Sequence[Channel], severity: Severity) -> tuple[Channel, ...]:
    """Return the channels that get a notice of the machine: those that are not there for certain checks or rooms."""
    return tuple(
        channel
        for channel in channels
        if channel.escalate_after is None
        and _takes(channel, severity)
        and not channel.checks
        and not channel.rooms
    )


def substitute(
    settings: HubSettings, tried: Collection[str], broken: Collection[str]
) -> Channel | None:
    """Return the channel that hears of a message which those `tried` could not deliver; None when nobody is left.

    One that is not broken is preferred, and one without filters; the last resort comes last. No channel is asked twice,
    so channels that are all broken do not report each other for ever.
    """
    usable = [channel for channel in settings.channels if channel.name not in tried]
    usable.sort(key=lambda channel: (channel.name in broken, _is_narrow(channel)))
    last = [channel for channel in last_resort_of(settings) if channel.name not in tried]
    candidates = [*usable, *last]
    return candidates[0] if candidates else None


def _is_narrow(channel: Channel) -> bool:
    return bool(channel.severities or channel.checks or channel.rooms or channel.escalate_after)


def _takes(channel: Channel, severity: Severity) -> bool:
    """Tell whether a severity passes; what cannot be verified is told like a warning."""
    as_told = Severity.WARNING if severity is Severity.UNKNOWN else severity
    return not channel.severities or {severity, as_told} & set(channel.severities) != set()


def _concerns(channel: Channel, check: str) -> bool:
    if channel.checks:
        return any(fnmatchcase(check, pattern) for pattern in channel.checks)
    return not channel.rooms
