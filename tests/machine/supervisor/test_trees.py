"""What is left of services that end: one look serves many, and nothing escapes a kill."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Set
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from holdfast.clock import boot_id
from holdfast.machine.process.identity import identify
from holdfast.machine.process.tree import Roster, Snapshot
from holdfast.machine.supervisor.service import Service
from holdfast.machine.supervisor.trees import Trees, number_of
from holdfast.model.service import Actual, ServiceState, Step

if TYPE_CHECKING:
    from tests.machine.supervisor.conftest import Play, Stage

if sys.platform != "linux":
    pytest.skip("these tests look into /proc", allow_module_level=True)

LEAVES_A_CHILD = """
import os, signal, time
if os.fork() == 0:
    os.setsid()
    print(os.getpid(), flush=True)
    signal.pause()
print("parent", flush=True)
signal.pause()
"""


class CountingRoster(Roster):
    """A roster that counts how often the machine was looked at."""

    count = 0

    def look(self, *how: Any, **more: Any) -> Snapshot:
        self.count += 1
        return super().look(*how, **more)


def idle(stage: "Stage", name: str) -> Service:
    return Service(
        spec=stage.spec(name), state=ServiceState(name=name, instance=f"{name}.1.no-such")
    )


@pytest.mark.parametrize(
    ("name", "number"), [("TERM", 15), ("SIGTERM", 15), ("term", 15), ("15", 15), ("Kill", 9)]
)
def test_a_signal_may_be_written_in_every_usual_way(name: str, number: int) -> None:
    assert number_of(name) == number


@pytest.mark.parametrize("name", ["", "NOPE", "99999", "0", "-1", "SIG", "SIGSIGTERM", "1.5", "²"])
def test_a_signal_nobody_knows_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"signal|Signals"):
        number_of(name)


def test_one_look_serves_everybody_who_asked(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        roster = CountingRoster()
        trees = Trees(stage.loop, roster, boot_id())
        answers: list[tuple[str, int]] = []
        for number in range(50):
            trees.look(
                idle(stage, f"a{number}"),
                lambda service, left: answers.append((service.name, left)),
            )
        await stage.skip(0)
        assert roster.count == 1
        assert answers == [(f"a{number}", 0) for number in range(50)]

    play(scene)


def test_signals_of_one_turn_share_a_look_and_the_next_turn_looks_anew(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        roster = CountingRoster()
        trees = Trees(stage.loop, roster, boot_id())
        for number in range(50):
            trees.signal(idle(stage, f"a{number}"), "TERM")
        assert roster.count == 1
        await stage.skip(0)
        trees.signal(idle(stage, "b"), "TERM")
        assert roster.count == 2

    play(scene)


def test_what_was_started_after_the_look_of_this_turn_gets_its_signal_too(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        assert stage.trees.signal(idle(stage, "before"), "TERM") == 0
        service = stage.start(stage.spec())
        assert stage.trees.signal(service, "URG") == 1

    play(scene)


def test_what_a_dead_service_left_behind_is_found_and_asked_to_end(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        service = await stage.run(stage.python(LEAVES_A_CHILD))
        child = int(min(await stage.hear(lines=2)))
        assert service.state.process is not None
        os.kill(service.state.process.pid, signal.SIGKILL)
        await stage.until(service, lambda state: state.generation == 2 or state.process is None)
        await stage.becomes(service, Actual.BACKOFF, Actual.STARTING)
        assert [event.facts["left"] for event in stage.events("service.left_children")] == [1]
        assert identify(child) is None

    play(scene)


class BreedingRoster(Roster):
    """A roster right after whose first looks another process of the instance is born."""

    def __init__(self, env: dict[str, str], births: int) -> None:
        super().__init__()
        self.born = [born(env)]
        self.env = env
        self.births = births

    def look(self, *how: Any, **more: Any) -> Snapshot:
        snapshot = super().look(*how, **more)
        if len(self.born) <= self.births:
            self.born.append(born(self.env))
        return snapshot


def born(env: dict[str, str]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(["sleep", "7005"], env=env, start_new_session=True)


def test_what_is_born_during_a_kill_is_killed_again(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        service = idle(stage, "a")
        service.state = replace(service.state, actual=Actual.STOPPING, step=Step.KILLED)
        env = {
            "HOLDFAST_INSTANCE": service.state.instance,
            "HOLDFAST_HOME": str(stage.home.root),
        }
        roster = BreedingRoster(env, births=3)
        trees = Trees(stage.loop, roster, boot_id())
        answers: list[int] = []
        empty = stage.loop.create_future()

        def answer(_service: Service, left: int) -> None:
            answers.append(left)
            if left == 0:
                empty.cancel()

        trees.look(service, answer)
        await asyncio.wait([empty])
        trees.forget(service)
        assert [process.wait() for process in roster.born] == [-signal.SIGKILL] * 4
        assert max(answers) >= 1

    play(scene)


def test_the_eldest_living_process_of_an_instance_is_its_witness(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        service = await stage.run(stage.python(LEAVES_A_CHILD))
        await stage.hear(lines=2)
        found = stage.trees.tagged(service.state.instance)
        assert found is not None
        assert service.state.process is not None
        assert found.pid == service.state.process.pid
        assert stage.trees.tagged("nobody.1.a") is None

    play(scene)


def test_a_signal_to_the_main_process_spares_its_children(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        service = await stage.run(stage.python(LEAVES_A_CHILD))
        child = int(min(await stage.hear(lines=2)))
        assert stage.trees.signal_main(service, "URG")
        assert identify(child) is not None
        assert stage.trees.signal(service, "URG") == 2

    play(scene)


def test_there_is_no_main_process_to_signal_where_none_runs(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        assert not stage.trees.signal_main(idle(stage, "a"), "TERM")

    play(scene)


def test_a_service_whose_process_still_lives_is_not_asked_after(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        service = await stage.run(stage.spec())
        answers: list[int] = []
        stage.trees.look(service, lambda _service, left: answers.append(left))
        await stage.skip(0)
        assert answers == []

    play(scene)


def test_a_forgotten_service_gets_no_answer(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        service, answers = idle(stage, "a"), []
        stage.trees.look(service, lambda _service, left: answers.append(left))
        stage.trees.forget(service)
        stage.trees.forget(service)
        await stage.skip(0)
        assert answers == []

    play(scene)


def test_neither_the_supervisor_nor_its_parent_belongs_to_a_service(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        me = identify(os.getpid())
        service = idle(stage, "a")
        service.state = replace(service.state, process=me, step=Step.KILLED)
        assert stage.trees.signal(service, "URG") == 0

    play(scene)


class Unasked(Roster):
    """A roster that must not be needed."""

    def look(self, since_ticks: int = 0, passing_over: Set[int] = frozenset()) -> Snapshot:
        raise AssertionError("the whole machine was looked at")


def bare_trees(stage: "Stage", roster: Roster) -> Trees:
    return Trees(stage.loop, roster, boot_id(), errands=lambda: stage.errands.pids)


async def ended(stage: "Stage") -> "Service":
    """Return a service whose main process is dead, and nothing of it left."""
    service = await stage.run(stage.spec())
    await stage.stop(service)
    assert service.raised == service.state.instance
    return service


def test_where_nothing_can_be_left_nobody_looks_at_the_whole_machine(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        told: list[int] = []
        service = await ended(stage)
        bare_trees(stage, Unasked()).look(service, lambda _service, left: told.append(left))
        assert told == [0]

    play(scene)


def test_a_child_that_may_be_left_over_is_looked_for_properly(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        told: list[int] = []
        service = await ended(stage)
        command = ["sleep", "7203"]
        with subprocess.Popen(command, start_new_session=True) as young:  # noqa: ASYNC220
            trees = bare_trees(stage, Roster())
            trees.look(service, lambda _service, left: told.append(left))
            assert told == []
            await stage.skip(0)
            assert told == [0]
            trees.forget(service)
            young.kill()

    play(scene)


def test_what_another_supervisor_started_is_looked_for_properly(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        told: list[int] = []
        service = await ended(stage)
        service.raised = ""
        trees = bare_trees(stage, Roster())
        trees.look(service, lambda _service, left: told.append(left))
        assert told == []
        await stage.skip(0)
        assert told == [0]
        trees.forget(service)

    play(scene)


def test_an_elder_of_a_main_process_that_was_named_later_is_looked_for_properly(
    play: "Play",
) -> None:
    async def scene(stage: "Stage") -> None:
        told: list[int] = []
        service = await ended(stage)
        first = service.main
        assert first is not None
        command = ["sleep", "7204"]
        with subprocess.Popen(command, start_new_session=True) as elder:  # noqa: ASYNC220
            named_later = replace(first, pid=first.pid + 1, start_ticks=first.start_ticks + 10**6)
            service.main = named_later
            service.state = replace(service.state, last_process=first)
            trees = bare_trees(stage, Roster())
            trees.look(service, lambda _service, left: told.append(left))
            assert told == []
            await stage.skip(0)
            assert told == [0]
            trees.forget(service)
            elder.kill()

    play(scene)
