from typing import Any

from holdfast.model.alert import Tell, Telling
from holdfast.model.check import Severity
from holdfast.model.hub import HubSettings
from holdfast.model.message import Channel
from holdfast.rules import routing

ALL = Channel(name="all")
LOUD = Channel(name="loud", severities=(Severity.CRITICAL,))
MINE = Channel(name="mine", checks=("backup-*",))
TEAM = Channel(name="team", rooms=("main",))
BOSS = Channel(name="boss", escalate_after=3600.0)
CHANNELS = (ALL, LOUD, MINE, TEAM, BOSS)


def tell(severity: Severity = Severity.WARNING, **more: Any) -> Tell:
    return Tell(kind=Telling.OPEN, severity=severity, **more)


def names(channels: tuple[Channel, ...]) -> list[str]:
    return [channel.name for channel in channels]


def test_a_telling_goes_where_severity_and_name_pass() -> None:
    cases = [
        ("backup-a", tell(), [], ["all", "mine"]),
        ("backup-a", tell(Severity.CRITICAL), [], ["all", "loud", "mine"]),
        ("job", tell(), [], ["all"]),
        ("job", tell(channels=("boss",)), [], ["boss"]),
        ("job", tell(to_told=True), ["boss", "gone"], ["boss"]),
        ("job", tell(to_told=True), [], []),
        ("job", tell(to_told=True), ["gone"], ["all"]),
    ]
    for check, telling, told, wanted in cases:
        assert names(routing.receivers(CHANNELS, check, telling, told)) == wanted


def test_what_cannot_be_verified_passes_where_warnings_pass() -> None:
    channel = Channel(name="soft", severities=(Severity.WARNING,))

    assert routing.receivers([channel], "a", tell(Severity.UNKNOWN), ()) == (channel,)


def test_a_notice_of_the_machine_is_not_for_those_who_want_certain_checks() -> None:
    assert names(routing.receivers_of_notice(CHANNELS, Severity.WARNING)) == ["all"]
    assert names(routing.receivers_of_notice(CHANNELS, Severity.CRITICAL)) == ["all", "loud"]


def test_without_a_channel_the_last_resort_is_the_channel() -> None:
    by_file = HubSettings(last_resort_file="/tmp/told")
    by_command = HubSettings(last_resort_command=("logger",))

    odd = HubSettings(last_resort_file="/tmp/100% #1?")
    assert [each.url for each in routing.channels_of(by_file)] == ["file:///tmp/told"]
    assert [each.url for each in routing.channels_of(odd)] == ["file:///tmp/100%25%20%231%3F"]
    assert [each.command for each in routing.channels_of(by_command)] == [("logger",)]
    assert routing.channels_of(HubSettings()) == ()
    assert routing.channels_of(HubSettings(channels=(ALL,), last_resort_file="/x")) == (ALL,)


def test_a_failure_is_reported_where_it_can_still_be_heard() -> None:
    settings = HubSettings(channels=(LOUD, ALL, BOSS), last_resort_file="/tmp/told")
    cases: list[tuple[list[str], list[str], str | None]] = [
        (["loud"], [], "all"),
        (["all"], [], "loud"),
        (["all"], ["loud"], "boss"),
        (["all", "loud", "boss"], [], "last-resort"),
        (["all", "loud", "boss", "last-resort"], [], None),
    ]
    for tried, broken, wanted in cases:
        found = routing.substitute(settings, tried, broken)
        assert (found and found.name) == wanted
