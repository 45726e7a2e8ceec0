"""A service that dies every few minutes is told of once, and its recovery too."""

from dataclasses import replace
from typing import TYPE_CHECKING

from holdfast.machine.supervisor.care.flapping import LOOK_EVERY, FlappingCare
from holdfast.model.service import Exit, Reason, Restart, ServiceState
from holdfast.rules.flapping import SLOT_S

if TYPE_CHECKING:
    from holdfast.machine.supervisor.service import Service
    from tests.machine.supervisor.conftest import Play, Stage


def cared(stage: "Stage") -> FlappingCare:
    return FlappingCare(stage.loop, stage.supervisor.now, stage.notes)


def died(stage: "Stage", service: "Service") -> None:
    """Give a service one more unplanned restart, a slot after the last."""
    now = stage.supervisor.now()
    row = Restart(
        at=now.wall,
        mono=now.mono,
        boot_id=now.boot_id,
        reason=Reason.EXIT,
        exit=Exit(code=1),
        success=True,
    )
    service.state = replace(service.state, history=(*service.state.history, row))


async def flap(stage: "Stage", care: FlappingCare, service: "Service", times: int = 6) -> None:
    for _ in range(times):
        died(stage, service)
        care.attend(service)
        await stage.skip(SLOT_S)


def test_it_is_told_once_and_its_end_once(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        care = cared(stage)
        service = stage.supervisor.add(stage.spec())
        care.attend(service)
        await flap(stage, care, service, 5)
        assert stage.events("service.flapping") == []
        await flap(stage, care, service, 5)
        (event,) = stage.events("service.flapping")
        assert event.facts["severity"] == "warning"
        assert float(str(event.facts["percent"])) > 30
        assert stage.events("service.steady") == []
        for _ in range(30):
            await stage.skip(LOOK_EVERY)
        assert len(stage.events("service.flapping")) == len(stage.events("service.steady")) == 1
        await flap(stage, care, service, 8)
        assert len(stage.events("service.flapping")) == 2

    play(scene)


def test_a_new_supervisor_does_not_tell_it_again_but_tells_its_end(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        service = stage.supervisor.add(stage.spec())
        first, second = cared(stage), cared(stage)
        first.attend(service)
        await flap(stage, first, service)
        first.forget(service)
        second.attend(service)
        await flap(stage, second, service, 2)
        assert len(stage.events("service.flapping")) == 1
        for _ in range(30):
            await stage.skip(LOOK_EVERY)
        assert len(stage.events("service.steady")) == 1

    play(scene)


def test_who_is_steady_or_forgotten_is_looked_at_no_more(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        care = cared(stage)
        service = stage.supervisor.add(stage.spec(), ServiceState(name="api"))
        care.attend(service)
        await flap(stage, care, service)
        care.forget(service)
        care.forget(service)
        for _ in range(30):
            await stage.skip(LOOK_EVERY)
        assert stage.events("service.steady") == []

    play(scene)
