"""Orphans come to their end; the exits of services are left to those who watch them."""

import asyncio
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from holdfast.machine.supervisor.reaper import REAP_AFTER, Reaper
from holdfast.model.service import Actual
from holdfast.model.spec import RestartPolicy, When

if TYPE_CHECKING:
    from tests.machine.supervisor.conftest import Play, Stage

if sys.platform != "linux":
    pytest.skip("these tests look into /proc", allow_module_level=True)


@pytest.fixture
def stranger() -> int:
    """Return a dead child nobody waits for."""
    return dead_stranger()


def dead_stranger() -> int:
    process = subprocess.Popen(["sleep", "0"])
    process.returncode = 0
    await_death(process.pid)
    return process.pid


def await_death(pid: int) -> None:
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


def is_a_zombie(pid: int) -> bool:
    try:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def test_one_reaping_serves_a_crowd_of_deaths(play: "Play", stranger: int) -> None:
    async def scene(stage: "Stage") -> None:
        stage.clock.stand()
        reaper = Reaper(stage.supervisor)
        for _ in range(100):
            reaper.hear()
        await asyncio.sleep(0)
        assert is_a_zombie(stranger)
        await stage.skip(REAP_AFTER)
        assert not is_a_zombie(stranger)

    play(scene)


def test_later_deaths_are_heard_too(play: "Play", stranger: int) -> None:
    async def scene(stage: "Stage") -> None:
        reaper = Reaper(stage.supervisor)
        reaper.hear()
        await stage.skip(REAP_AFTER)
        second = dead_stranger()
        reaper.hear()
        await stage.skip(REAP_AFTER)
        assert not is_a_zombie(second)

    play(scene)


def test_the_exit_of_a_service_is_left_to_who_watches_it(play: "Play", stranger: int) -> None:
    async def scene(stage: "Stage") -> None:
        policy = RestartPolicy(when=When.NEVER)
        service = stage.start(stage.python("raise SystemExit(37)", restart=policy))
        assert service.state.process is not None
        await_death(service.state.process.pid)
        Reaper(stage.supervisor).hear()
        stage.clock.ahead += REAP_AFTER
        state = await stage.becomes(service, Actual.FAILED)
        assert state.last_exit is not None
        assert state.last_exit.exit.code == 37
        await stage.skip(REAP_AFTER)
        assert not is_a_zombie(stranger)

    play(scene)
