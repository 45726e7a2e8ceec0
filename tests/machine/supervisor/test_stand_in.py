"""Who tells a person: exactly one of hub and supervisor, and never nobody."""

import asyncio
from collections.abc import Mapping
from typing import cast

import pytest

from holdfast.machine.supervisor.notices import Notices
from holdfast.machine.supervisor.service import Service
from holdfast.machine.supervisor.stand_in import AWAY_AFTER, HUB, STEADY_AFTER, StandIn
from holdfast.model.service import Actual, Desired, ServiceState
from holdfast.model.spec import ServiceSpec


class Timer:
    """One call that was asked for."""

    def __init__(self, at: float, act: object) -> None:
        self.at, self.act, self.is_cancelled = at, act, False

    def when(self) -> float:
        return self.at

    def cancel(self) -> None:
        self.is_cancelled = True


class Loop:
    """Time that passes when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.timers: list[Timer] = []

    def time(self) -> float:
        return self.now

    def call_later(self, after: float, act: object) -> Timer:
        timer = Timer(self.now + after, act)
        self.timers.append(timer)
        return timer

    def pass_(self, seconds: float) -> None:
        self.now += seconds
        for timer in [one for one in self.timers if one.at <= self.now and not one.is_cancelled]:
            self.timers.remove(timer)
            timer.act()  # type: ignore[operator]  # a method of what is tested


class Told:
    """What the last resort was given."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def hear(self, kind: str, subject: str, facts: Mapping[str, object]) -> None:
        self.heard.append(f"{kind} {subject}")


@pytest.fixture
def loop() -> Loop:
    return Loop()


@pytest.fixture
def told() -> Told:
    return Told()


def standing_in(loop: Loop, told: Told, *, has_hub: bool) -> StandIn:
    known = cast("asyncio.AbstractEventLoop", loop), cast("Notices", told)
    return StandIn(*known, has_hub=has_hub)


@pytest.fixture
def stand_in(loop: Loop, told: Told) -> StandIn:
    return standing_in(loop, told, has_hub=False)


def hub(actual: Actual, desired: Desired = Desired.UP) -> Service:
    spec = ServiceSpec(name=HUB, command=("hub",), cwd="/", builtin=True)
    return Service(spec=spec, state=ServiceState(name=HUB, desired=desired, actual=actual))


def test_without_a_hub_everything_is_told_at_once(stand_in: StandIn, told: Told) -> None:
    stand_in.hear("service.held", "api", {})

    assert told.heard == ["service.held api"]


def test_a_hub_that_is_ready_tells_it_itself(stand_in: StandIn, told: Told, loop: Loop) -> None:
    stand_in.attend(hub(Actual.RUNNING))
    stand_in.hear("service.held", "api", {})
    loop.pass_(10 * AWAY_AFTER)

    assert told.heard == []


def test_what_happens_while_the_hub_is_away_for_long_is_told_by_the_supervisor(
    stand_in: StandIn, told: Told, loop: Loop
) -> None:
    stand_in.attend(hub(Actual.RUNNING))
    stand_in.attend(hub(Actual.BACKOFF))
    stand_in.hear("service.held", "api", {})
    loop.pass_(AWAY_AFTER - 1)
    stand_in.attend(hub(Actual.STARTING))
    assert told.heard == []

    loop.pass_(1)
    assert told.heard == ["service.held api"]
    stand_in.hear("service.stuck", "db", {})
    assert told.heard == ["service.held api", "service.stuck db"]


def test_a_hub_that_comes_back_in_time_and_stays_leaves_nothing_to_say(
    stand_in: StandIn, told: Told, loop: Loop
) -> None:
    stand_in.attend(hub(Actual.STARTING))
    stand_in.hear("service.held", "api", {})
    stand_in.attend(hub(Actual.RUNNING))
    loop.pass_(STEADY_AFTER)
    loop.pass_(2 * AWAY_AFTER)
    assert told.heard == []

    stand_in.attend(hub(Actual.BACKOFF))
    loop.pass_(AWAY_AFTER / 2)
    stand_in.hear("service.held", "db", {})
    assert told.heard == [], "each absence has its own minute"


def test_a_hub_that_dies_again_and_again_does_not_keep_the_supervisor_silent(
    stand_in: StandIn, told: Told, loop: Loop
) -> None:
    stand_in.attend(hub(Actual.BACKOFF))
    stand_in.hear("service.held", "api", {})
    for _ in range(30):
        stand_in.attend(hub(Actual.RUNNING))
        loop.pass_(STEADY_AFTER / 5)
        stand_in.attend(hub(Actual.BACKOFF))
    assert told.heard == ["service.held api"]
    stand_in.hear("service.stuck", "db", {})
    assert told.heard == ["service.held api", "service.stuck db"]

    stand_in.attend(hub(Actual.RUNNING))
    loop.pass_(STEADY_AFTER)
    stand_in.hear("service.held", "web", {})
    assert told.heard == ["service.held api", "service.stuck db"], "now the hub tells it"


def test_what_is_found_before_the_hub_is_known_again_is_left_to_it(loop: Loop, told: Told) -> None:
    stand_in = standing_in(loop, told, has_hub=True)
    stand_in.hear("service.held", "api", {})
    stand_in.attend(hub(Actual.RUNNING))
    loop.pass_(STEADY_AFTER)
    assert told.heard == []

    alone = standing_in(loop, told, has_hub=True)
    alone.hear("service.held", "api", {})
    loop.pass_(AWAY_AFTER)
    assert told.heard == ["service.held api"]


def test_a_hub_nobody_wants_any_more_hands_over_at_once(stand_in: StandIn, told: Told) -> None:
    stand_in.attend(hub(Actual.BACKOFF))
    stand_in.hear("service.held", "api", {})
    stand_in.attend(hub(Actual.DOWN, Desired.DOWN))
    assert told.heard == ["service.held api"]

    stand_in.attend(hub(Actual.BACKOFF))
    stand_in.hear("service.held", "db", {})
    stand_in.forget(hub(Actual.DOWN))
    assert told.heard == ["service.held api", "service.held db"]
