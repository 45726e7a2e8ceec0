"""The look beside the events: what no event told is found and mended."""

import asyncio
import os
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from holdfast.clock import boot_id
from holdfast.machine.supervisor.rounds import Rounds
from holdfast.machine.supervisor.standing import LOOK_EVERY
from holdfast.model.service import Actual, Desired, Identity, Reason, ServiceState
from holdfast.model.spec import RestartPolicy

if TYPE_CHECKING:
    from holdfast.machine.supervisor.service import Service
    from tests.machine.supervisor.conftest import Play, Stage

if sys.platform != "linux":
    pytest.skip("these tests look into /proc", allow_module_level=True)

AT_ONCE = RestartPolicy(delay=0.0, min_gap=0.0)


def killed(service: "Service") -> None:
    """Kill the process of a service, and return once it is dead and before the loop can hear of it."""
    assert service.state.process is not None
    pid = service.state.process.pid
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


@pytest.mark.parametrize("content", [None, b"", b"1\n", b"words"])
def test_a_pid_file_that_is_missing_or_wrong_is_mended(
    play: "Play", content: bytes | None
) -> None:
    async def scene(stage: "Stage") -> None:
        service = await stage.run(stage.spec("a"))
        pid_file = stage.home.pid("a")
        if content is None:
            pid_file.unlink()
        else:
            pid_file.write_bytes(content)
        rounds = Rounds(stage.supervisor)
        assert rounds.look_at_all() == 1
        assert service.state.process is not None
        assert pid_file.read_text() == f"{service.state.process.pid}\n"
        assert rounds.look_at_all() == 0

    play(scene)


def test_a_death_no_event_told_of_is_noticed_as_a_stale_pid(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        service = await stage.run(stage.spec("a", restart=AT_ONCE))
        stage.supervisor.mains.unwatch(service)
        killed(service)
        assert Rounds(stage.supervisor).look_at_all() == 1
        state = await stage.until(service, lambda now: now.generation == 2)
        assert state.last_exit is not None
        assert state.last_exit.reason is Reason.STALE_PID
        assert [row.reason for row in state.history] == [Reason.STALE_PID]

    play(scene)


def test_a_death_that_is_about_to_be_told_is_left_to_its_event(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        service = await stage.run(stage.spec("a", restart=AT_ONCE))
        killed(service)
        assert Rounds(stage.supervisor).look_at_all() == 0
        state = await stage.until(service, lambda now: now.generation == 2)
        assert state.last_exit is not None
        assert (state.last_exit.reason, state.last_exit.exit.signal) == (Reason.SIGNAL, 9)

    play(scene)


@pytest.mark.parametrize("desired", list(Desired))
def test_an_orphan_that_is_gone_is_forgotten_and_started_where_it_is_wanted(
    play: "Play", desired: Desired
) -> None:
    async def scene(stage: "Stage") -> None:
        gone = Identity(pid=os.getpid(), start_ticks=1, boot_id=boot_id())
        state = ServiceState(name="a", desired=desired, actual=Actual.ORPHAN, process=gone)
        service = stage.supervisor.add(stage.spec("a"), state)
        assert Rounds(stage.supervisor).look_at_all() == 1
        wanted = desired is Desired.UP
        assert service.state.actual is (Actual.STARTING if wanted else Actual.DOWN)

    play(scene)


def test_what_is_well_and_what_has_no_process_is_left_alone(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        await stage.run(stage.spec("a"))
        stage.supervisor.add(stage.spec("idle", autostart=False))
        count = len(stage.events())
        assert Rounds(stage.supervisor).look_at_all() == 0
        assert len(stage.events()) == count

    play(scene)


def test_nothing_is_mended_while_everything_is_being_stopped(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        await stage.run(stage.spec("a"))
        stage.home.pid("a").unlink()
        stage.supervisor.closing = True
        assert Rounds(stage.supervisor).look_at_all() == 0

    play(scene)


def test_the_look_is_taken_again_and_again_and_told_only_when_it_found_something(
    play: "Play",
) -> None:
    async def scene(stage: "Stage") -> None:
        await stage.run(stage.spec("a"))
        Rounds(stage.supervisor).start()
        await stage.skip(LOOK_EVERY)
        assert stage.events("supervisor.looked") == []
        for _ in range(2):
            stage.home.pid("a").unlink()
            await stage.skip(LOOK_EVERY)
        assert [event.facts["mended"] for event in stage.events("supervisor.looked")] == [1, 1]
        await asyncio.sleep(0)

    play(scene)


def test_a_round_goes_by_the_same_verdicts_as_a_single_look(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        dead = await stage.run(stage.spec("dead", restart=AT_ONCE))
        await stage.run(stage.spec("well"))
        stage.supervisor.mains.unwatch(dead)
        killed(dead)
        rounds = Rounds(stage.supervisor)
        once = {one.name: one.verdict for one in rounds.findings() if one.is_fault}
        assert once == {"dead": "stale_pid"}
        rounds.start()
        await stage.skip(LOOK_EVERY)
        (looked,) = stage.events("supervisor.looked")
        assert (looked.facts["faults"], looked.facts["mended"]) == (once, 1)
        await stage.until(dead, lambda now: now.generation == 2)

    play(scene)
