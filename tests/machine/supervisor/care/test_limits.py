"""Services that outgrow their limits are restarted, as planned."""

import sys
from collections.abc import Iterable, Set
from typing import TYPE_CHECKING

import pytest

from holdfast.machine.process.identity import ProcStat
from holdfast.machine.process.tree import Roster
from holdfast.machine.supervisor.care.limits import LOOK_EVERY, LimitCare, LimitParts
from holdfast.machine.supervisor.records import load
from holdfast.model.service import Reason
from holdfast.model.spec import Limits

if TYPE_CHECKING:
    from holdfast.machine.supervisor.service import Service
    from tests.machine.supervisor.conftest import Play, Stage

if sys.platform != "linux":
    pytest.skip("these tests look into /proc", allow_module_level=True)

FAT = """
import os, sys, time
if {child} and os.fork():
    time.sleep(7002)
held = b"x" * 60_000_000
print("fat", flush=True)
time.sleep(7002)
"""
LITTLE = 40_000_000


class Blind:
    """A machine that cannot be looked at, and how often somebody tried."""

    def __init__(self) -> None:
        self.tries = 0

    def read(self, _since: int, _known: Set[int]) -> Iterable[ProcStat]:
        self.tries += 1
        raise OSError("no descriptor is free")


def cared(stage: "Stage", roster: Roster | None = None) -> LimitCare:
    care = LimitCare(
        LimitParts(
            loop=stage.loop,
            roster=roster or stage.trees.roster,
            notes=stage.notes,
            tell=stage.supervisor.tell,
        )
    )
    stage.supervisor.attendants.append(care)
    return care


def reasons(service: "Service") -> list[tuple[Reason, bool]]:
    return [(row.reason, row.counted) for row in service.state.history]


@pytest.mark.parametrize("child", [False, True])
def test_a_tree_over_its_memory_in_two_looks_is_restarted(play: "Play", child: bool) -> None:
    async def scene(stage: "Stage") -> None:
        cared(stage)
        spec = stage.python(FAT.format(child=child), limits=Limits(memory=LITTLE))
        service = await stage.run(spec)
        await stage.hear()
        await stage.skip(LOOK_EVERY)
        assert service.state.generation == 1
        assert not service.state.pending
        await stage.skip(LOOK_EVERY)
        await stage.until(service, lambda state: state.generation == 2)
        assert reasons(service) == [(Reason.MEMORY, False)]
        (event,) = stage.events("service.outgrew")
        assert event.facts["limit_bytes"] == LITTLE
        assert int(str(event.facts["resident_bytes"])) > LITTLE

    play(scene)


def test_who_stays_within_its_limits_is_left_alone(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        cared(stage)
        service = await stage.run(stage.spec(limits=Limits(memory=LITTLE, max_age=86_400.0)))
        for _ in range(5):
            await stage.skip(LOOK_EVERY)
        assert (service.state.generation, service.state.pending) == (1, None)

    play(scene)


def test_what_cannot_be_seen_is_not_judged(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        blind = Blind()
        cared(stage, Roster(rows=blind.read))
        service = await stage.run(stage.spec(limits=Limits(memory=1)))
        for _ in range(3):
            await stage.skip(LOOK_EVERY)
        assert (service.state.generation, blind.tries) == (1, 3)

    play(scene)


def test_no_look_is_taken_once_nobody_has_a_limit_on_memory(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        blind = Blind()
        care = cared(stage, Roster(rows=blind.read))
        service = await stage.run(stage.spec(limits=Limits(memory=1)))
        care.forget(service)
        for _ in range(3):
            await stage.skip(LOOK_EVERY)
        assert blind.tries == 0

    play(scene)


def test_an_old_process_is_restarted_and_the_next_one_lives_as_long(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        cared(stage)
        service = await stage.run(stage.spec(limits=Limits(max_age=1000.0)))
        await stage.skip(890.0)
        assert service.state.generation == 1
        await stage.skip(110.0)
        await stage.until(service, lambda state: state.generation == 2)
        await stage.skip(1.0)
        assert reasons(service) == [(Reason.AGE, False)]
        await stage.skip(800.0)
        assert service.state.generation == 2

    play(scene)


def test_a_new_supervisor_knows_how_old_a_process_is(play: "Play") -> None:
    async def first(stage: "Stage") -> None:
        await stage.run(stage.spec(limits=Limits(max_age=1000.0)))
        stage.keeper.finish()

    async def second(stage: "Stage") -> None:
        cared(stage)
        found = load(stage.home, "api")
        service = stage.supervisor.add(found.spec, found.state)
        stage.supervisor.attend(service)
        await stage.skip(400.0)
        assert service.state.pending is None
        await stage.skip(600.0)
        assert service.state.pending is not None
        assert service.state.pending.reason is Reason.AGE

    play(first)
    play(second)


def test_a_limit_that_is_lifted_ends_nobody(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        cared(stage)
        service = await stage.run(stage.spec(limits=Limits(max_age=1000.0, memory=1)))
        service.spec = stage.spec()
        stage.supervisor.attend(service)
        await stage.skip(2000.0)
        assert service.state.generation == 1

    play(scene)
