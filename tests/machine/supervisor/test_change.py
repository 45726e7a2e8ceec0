"""A new configuration touches only what differs."""

import asyncio
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from holdfast.errors import StateError
from holdfast.machine.supervisor.change import apply, planned
from holdfast.machine.supervisor.keeper import SETTLE_AFTER
from holdfast.machine.supervisor.records import load
from holdfast.model.event import StartOrdered
from holdfast.model.service import Actual, Desired, ServiceState, Wait
from holdfast.model.spec import LogPolicy, Need, RestartPolicy, ServiceSpec, StopPolicy

if TYPE_CHECKING:
    from tests.machine.supervisor.conftest import Play, Stage


async def apply_all(
    stage: "Stage", *specs: ServiceSpec, start_added: bool = True
) -> dict[str, Any]:
    new = {spec.name: spec for spec in specs}
    return await apply(stage.supervisor, new, start_added=start_added)


def test_what_is_new_is_added_and_started_when_asked(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        done = await apply_all(
            stage,
            stage.spec("a"),
            stage.spec("b", autostart=False),
            stage.spec("c", enabled=False),
        )
        assert done["added"] == ("a", "b", "c")
        services = stage.supervisor.services
        assert services["a"].state.process is not None
        assert services["b"].state.process is services["c"].state.process is None

    play(scene)


def test_what_is_new_is_only_added_when_up_starts_it_itself(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        await apply_all(stage, stage.spec("a"), start_added=False)
        service = stage.supervisor.services["a"]
        assert (service.state.process, service.state.desired) == (None, Desired.UP)

    play(scene)


def test_a_service_that_never_ran_is_known_to_the_next_supervisor_too(play: "Play") -> None:
    async def first(stage: "Stage") -> None:
        await apply_all(stage, stage.spec("a", autostart=False))
        await stage.skip(SETTLE_AFTER)

    async def second(stage: "Stage") -> None:
        assert load(stage.home, "a").state.desired is Desired.DOWN

    play(first)
    play(second)


def test_what_did_not_change_is_not_touched(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        service = await stage.run(stage.spec("a"))
        before, count = service.state, len(stage.events())
        done = await apply_all(stage, stage.spec("a"))
        assert done["unchanged"] == ("a",)
        assert service.state is before
        assert len(stage.events()) == count

    play(scene)


def test_a_change_of_the_program_restarts_it_as_planned(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        service = await stage.run(stage.spec("a"))
        done = await apply_all(stage, stage.spec("a", ("sleep", "7004")))
        assert done["restarted"] == ("a",)
        await stage.until(service, lambda state: state.generation == 2)
        assert not any(row.counted for row in service.state.history)
        assert load(stage.home, "a").spec.command == ("sleep", "7004")

    play(scene)


def test_any_other_change_is_live_at_once_and_on_disk(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        service = await stage.run(stage.spec("a"))
        before = service.state.process
        spec = stage.spec("a", stop=StopPolicy(timeout=1.0), log=LogPolicy(max_size=5000))
        done = await apply_all(stage, spec)
        assert done["changed"] == ("a",)
        assert service.state.process == before
        assert load(stage.home, "a").spec == spec

    play(scene)


def test_a_change_the_disk_refuses_is_told_and_written_later(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        await stage.run(stage.spec("a"))
        await stage.skip(SETTLE_AFTER)
        os.rename(stage.home.services, stage.folder / "aside")
        stage.home.services.write_text("no folder")
        spec = stage.spec("a", stop=StopPolicy(timeout=1.0))
        with pytest.raises(StateError):
            await apply_all(stage, spec)
        stage.home.services.unlink()
        os.rename(stage.folder / "aside", stage.home.services)
        await stage.skip(SETTLE_AFTER)
        assert load(stage.home, "a").spec == spec

    play(scene)


def test_what_is_switched_off_is_stopped_and_what_is_switched_on_started(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        service = await stage.run(stage.spec("a"))
        await apply_all(stage, stage.spec("a", enabled=False))
        await stage.becomes(service, Actual.DOWN)
        await apply_all(stage, stage.spec("a"))
        assert service.state.process is not None

    play(scene)


def test_what_a_person_stopped_stays_stopped_when_its_configuration_changes(
    play: "Play",
) -> None:
    async def scene(stage: "Stage") -> None:
        service = await stage.run(stage.spec("a"))
        await stage.stop(service)
        await apply_all(stage, stage.spec("a", ("sleep", "7004")))
        assert service.state.actual is Actual.DOWN

    play(scene)


def test_a_failed_service_is_tried_again_once_its_program_changed(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        service = stage.start(stage.spec("a", ("/no/such/program",)))
        assert service.state.actual is Actual.FAILED
        await apply_all(stage, stage.spec("a"))
        assert service.state.process is not None

    play(scene)


def test_a_waiting_service_obeys_its_new_rules_at_once(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        policy = RestartPolicy(delay=3000.0, max_delay=3000.0, min_gap=0.0)
        spec = stage.python("raise SystemExit(3)", "a", restart=policy)
        service = stage.start(spec)
        await stage.becomes(service, Actual.BACKOFF)
        await apply_all(stage, replace(spec, restart=replace(policy, delay=40.0)))
        start = service.state.next_start
        assert start is not None
        assert start.wait is Wait.DELAY
        assert start.mono - stage.clock.monotonic() < 41

    play(scene)


def test_what_is_taken_out_is_stopped_and_forgotten(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        service = await stage.run(stage.spec("a"))
        done = await apply_all(stage)
        assert done["removed"] == ("a",)
        assert service.removed
        assert service.state.process is None
        assert not stage.home.service("a").exists()
        assert stage.events("service.removed")

    play(scene)


def test_what_cannot_be_stopped_stays_known_and_holds_up_nobody(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        stage.supervisor.add(stage.spec("a"), ServiceState(name="a", actual=Actual.ORPHAN))
        done = await apply_all(stage, stage.spec("b"))
        assert (done["removed"], done["added"]) == ((), ("b",))
        assert stage.supervisor.services["a"].state.desired is Desired.DOWN

    play(scene)


def test_services_stand_in_the_order_of_the_file(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        await apply_all(stage, stage.spec("a"), stage.spec("c"), start_added=False)
        await apply_all(stage, *(stage.spec(name) for name in "cba"), start_added=False)
        assert list(stage.supervisor.services) == ["c", "b", "a"]

    play(scene)


def test_a_need_that_is_dropped_lets_the_waiting_service_start(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        spec = stage.spec("a", needs=(Need(name="b"),))
        service = stage.start(spec)
        assert service.state.actual is Actual.WAITING
        await apply_all(stage, replace(spec, needs=()))
        assert service.state.process is not None

    play(scene)


def test_a_plan_does_nothing(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        await stage.run(stage.spec("a"))
        plan = planned(stage.supervisor, {"b": stage.spec("b")})
        assert (plan.added, plan.removed) == (("b",), ("a",))
        assert list(stage.supervisor.services) == ["a"]

    play(scene)


def test_what_happened_to_whom_is_one_event(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        service = stage.supervisor.add(stage.spec("old"))
        stage.supervisor.tell(service, StartOrdered())
        await apply_all(stage, stage.spec("new"), start_added=False)
        (event,) = stage.events("config.applied")
        assert (event.facts["added"], event.facts["removed"]) == (["new"], ["old"])
        await asyncio.sleep(0)

    play(scene)
