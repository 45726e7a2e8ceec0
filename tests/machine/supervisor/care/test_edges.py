"""Restarts and ends travel along the edges between services, each once."""

import os
from typing import TYPE_CHECKING

from holdfast.machine.supervisor.care.edges import EdgeCare
from holdfast.machine.supervisor.records import load
from holdfast.model.event import RestartOrdered, StartOrdered
from holdfast.model.service import Actual, Reason
from holdfast.model.spec import Need, OnRestart, RestartPolicy
from holdfast.rules.life import READY_AFTER

if TYPE_CHECKING:
    from holdfast.machine.supervisor.service import Service
    from holdfast.model.spec import ServiceSpec
    from tests.machine.supervisor.conftest import Play, Stage

KILL = 9
AT_ONCE = RestartPolicy(delay=0.0, min_gap=0.0, limit=None)


def need(name: str, reaction: OnRestart) -> Need:
    return Need(name=name, on_restart=reaction)


def cared(stage: "Stage") -> EdgeCare:
    care = EdgeCare(lambda: stage.supervisor.services, stage.supervisor.tell)
    stage.supervisor.attendants.append(care)
    return care


async def all_run(stage: "Stage", *specs: "ServiceSpec") -> dict[str, "Service"]:
    """Start services in this order, each once what it needs is ready."""
    return {spec.name: await stage.run(spec) for spec in specs}


async def settled(stage: "Stage", services: dict[str, "Service"]) -> list[int]:
    """Wait until all run again, and return their generations."""
    while not all(one.state.actual is Actual.RUNNING for one in services.values()):
        moving = next(one for one in services.values() if one.state.actual is not Actual.RUNNING)
        if moving.state.actual is Actual.STARTING:
            await stage.skip(READY_AFTER)
        else:
            await stage.supervisor.changed(moving)
    return [one.state.generation for one in services.values()]


def restart(stage: "Stage", service: "Service") -> None:
    stage.supervisor.tell(service, RestartOrdered())


def know_again(stage: "Stage") -> None:
    """Take over what an earlier supervisor recorded, in the order of its names."""
    for name in ("api", "z-db"):
        found = load(stage.home, name)
        stage.supervisor.attend(stage.supervisor.add(found.spec, found.state))


def test_a_dependent_is_restarted_once_the_needed_service_is_ready_again(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        cared(stage)
        services = await all_run(
            stage,
            stage.spec("db", restart=AT_ONCE),
            stage.spec("api", needs=(need("db", OnRestart.RESTART),)),
        )
        db, api = services.values()
        assert db.state.process is not None
        os.kill(db.state.process.pid, KILL)
        await stage.until(db, lambda state: state.generation == 2)
        assert api.state.actual is Actual.RUNNING
        await stage.skip(READY_AFTER)
        await stage.until(api, lambda state: state.generation == 2)
        assert await settled(stage, services) == [2, 2]
        (row,) = api.state.history
        assert (row.reason, row.counted) == (Reason.DEPENDENCY, False)

    play(scene)


def test_a_dependent_with_a_stop_edge_ends_at_once_and_waits(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        cared(stage)
        services = await all_run(
            stage, stage.spec("db"), stage.spec("api", needs=(need("db", OnRestart.STOP),))
        )
        db, api = services.values()
        await stage.stop(db)
        await stage.becomes(api, Actual.WAITING)
        stage.supervisor.tell(db, StartOrdered())
        await stage.skip(READY_AFTER)
        await stage.until(api, lambda state: state.generation == 2)
        assert await settled(stage, services) == [2, 2]

    play(scene)


def test_an_edge_that_ignores_carries_nothing(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        cared(stage)
        services = await all_run(
            stage, stage.spec("db"), stage.spec("api", needs=(need("db", OnRestart.IGNORE),))
        )
        restart(stage, services["db"])
        await stage.until(services["db"], lambda state: state.generation == 2)
        assert await settled(stage, services) == [2, 1]

    play(scene)


def test_a_chain_and_a_diamond_restart_everyone_once(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        cared(stage)
        again = OnRestart.RESTART
        services = await all_run(
            stage,
            stage.spec("a"),
            stage.spec("b", needs=(need("a", again),)),
            stage.spec("c", needs=(need("a", again),)),
            stage.spec("e", needs=(need("c", again),)),
            stage.spec("d", needs=(need("b", again), need("e", again))),
        )
        restart(stage, services["a"])
        await stage.until(services["a"], lambda state: state.generation == 2)
        assert await settled(stage, services) == [2] * 5
        for _ in range(3):
            await stage.skip(READY_AFTER)
        assert await settled(stage, services) == [2] * 5

    play(scene)


def test_a_chain_of_stop_edges_ends_everyone_once(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        cared(stage)
        services = await all_run(
            stage,
            stage.spec("a"),
            stage.spec("b", needs=(need("a", OnRestart.STOP),)),
            stage.spec("c", needs=(need("b", OnRestart.STOP),)),
        )
        restart(stage, services["a"])
        await stage.until(services["c"], lambda state: state.actual is Actual.WAITING)
        await stage.until(services["a"], lambda state: state.generation == 2)
        assert await settled(stage, services) == [2, 2, 2]

    play(scene)


def test_an_edge_added_to_a_living_service_counts_from_then_on(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        cared(stage)
        services = await all_run(stage, stage.spec("db"), stage.spec("api"))
        db, api = services.values()
        restart(stage, db)
        await stage.until(db, lambda state: state.generation == 2)
        await settled(stage, services)
        api.spec = stage.spec("api", needs=(need("db", OnRestart.RESTART),))
        stage.supervisor.attend(api)
        assert api.state.generation == 1
        assert api.state.pending is None
        restart(stage, db)
        await stage.until(db, lambda state: state.generation == 3)
        await settled(stage, services)
        await stage.until(api, lambda state: state.generation == 2)

    play(scene)


def test_a_new_supervisor_is_no_restart_of_what_it_adopts(play: "Play") -> None:
    async def first(stage: "Stage") -> None:
        services = await all_run(stage, stage.spec("z-db"))
        restart(stage, services["z-db"])
        await stage.until(services["z-db"], lambda state: state.generation == 2)
        await settled(stage, services)
        await all_run(stage, stage.spec("api", needs=(need("z-db", OnRestart.STOP),)))
        stage.keeper.finish()

    async def second(stage: "Stage") -> None:
        cared(stage)
        know_again(stage)
        services = stage.supervisor.services
        assert list(services) == ["api", "z-db"]
        assert [one.state.actual for one in services.values()] == [Actual.RUNNING] * 2

    play(first)
    play(second)


def test_a_restart_the_last_supervisor_did_not_carry_on_is_carried_on(play: "Play") -> None:
    async def first(stage: "Stage") -> None:
        services = await all_run(
            stage, stage.spec("z-db"), stage.spec("api", needs=(need("z-db", OnRestart.RESTART),))
        )
        restart(stage, services["z-db"])
        await stage.until(services["z-db"], lambda state: state.generation == 2)
        await settled(stage, services)
        stage.keeper.finish()

    async def second(stage: "Stage") -> None:
        cared(stage)
        know_again(stage)
        pending = stage.supervisor.services["api"].state.pending
        assert pending is not None
        assert pending.reason is Reason.DEPENDENCY

    play(first)
    play(second)


def test_a_service_that_is_forgotten_holds_no_edges(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        care = cared(stage)
        services = await all_run(
            stage, stage.spec("db"), stage.spec("api", needs=(need("db", OnRestart.STOP),))
        )
        care.forget(services["api"])
        await stage.stop(services["db"])
        assert services["api"].state.actual is Actual.RUNNING

    play(scene)
