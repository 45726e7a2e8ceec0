"""What the supervisor does when something happens to a service, with real programs and real files."""

import asyncio
import json
import os
import signal
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from holdfast.machine.supervisor.mains import TIDY_AFTER
from holdfast.machine.supervisor.records import Loaded, load
from holdfast.model.event import (
    Adopted,
    Elapsed,
    Exited,
    RestartOrdered,
    StartOrdered,
    StopOrdered,
)
from holdfast.model.service import Actual, Desired, Exit, Reason, ServiceState, Wait
from holdfast.model.spec import Condition, Need, RestartPolicy, StopPolicy, When

if TYPE_CHECKING:
    from tests.machine.supervisor.conftest import Play, Stage

if sys.platform != "linux":
    pytest.skip("these tests look into /proc", allow_module_level=True)

AT_ONCE = RestartPolicy(delay=0.0, min_gap=0.0)
NEVER = RestartPolicy(when=When.NEVER)

TELL_THE_RECORD = """
import json, os
home, name = os.environ["HOLDFAST_HOME"], os.environ["HOLDFAST_SERVICE"]
with open(f"{home}/services/{name}.json") as source:
    found = json.load(source)
print(json.dumps([found[key] for key in ("actual", "generation", "instance")]))
print(json.dumps([os.environ["HOLDFAST_GENERATION"], os.environ["HOLDFAST_INSTANCE"]]))
"""


def refuse_records(stage: "Stage") -> None:
    """Make the disk refuse every record, whoever asks."""
    os.rename(stage.home.services, stage.folder / "aside")
    stage.home.services.write_text("no folder")


def take_records_again(stage: "Stage") -> None:
    stage.home.services.unlink()
    os.rename(stage.folder / "aside", stage.home.services)


def test_the_intent_is_on_disk_before_the_program_runs(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        service = stage.start(stage.python(TELL_THE_RECORD, restart=NEVER))
        await stage.becomes(service, Actual.DONE)
        record, own = [json.loads(line) for line in stage.said()]
        assert record == ["starting", 1, service.state.instance]
        assert own == ["1", service.state.instance]

    play(scene)


def test_a_refused_disk_write_means_no_spawn_and_a_retry_that_does_not_count(
    play: "Play",
) -> None:
    async def scene(stage: "Stage") -> None:
        refuse_records(stage)
        service = stage.start(stage.spec())
        assert service.state.process is None
        assert service.state.actual is Actual.BACKOFF
        assert service.state.next_start is not None
        assert service.state.next_start.wait is Wait.SHORTAGE
        assert "intent" in service.state.failure
        assert [event.kind for event in stage.events("service.started")] == []
        take_records_again(stage)
        await stage.skip(service.state.next_start.mono - stage.clock.monotonic())
        assert service.state.process is not None
        assert not any(row.counted for row in service.state.history)

    play(scene)


def test_a_program_that_cannot_be_executed_fails_at_once_with_the_reason(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        service = stage.start(stage.spec(command=("/no/such/program",)))
        assert service.state.actual is Actual.FAILED
        assert "/no/such/program" in service.state.failure
        (event,) = stage.events("service.failed")
        assert event.facts["severity"] == "critical"

    play(scene)


def test_a_death_is_seen_and_the_program_started_again(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        service = await stage.run(stage.spec(restart=AT_ONCE))
        first = service.state.process
        assert first is not None
        os.kill(first.pid, signal.SIGKILL)
        state = await stage.until(service, lambda now: now.process not in (None, first))
        assert state.generation == 2
        assert state.last_exit is not None
        assert (state.last_exit.exit.signal, state.last_exit.reason) == (9, Reason.SIGNAL)
        assert [row.reason for row in state.history] == [Reason.SIGNAL]
        kinds = [event.kind for event in stage.events()]
        assert kinds.index("service.exited") < kinds.index("service.restarted")
        (event,) = stage.events("service.restarted")
        assert (event.facts["reason"], event.facts["signal"]) == ("signal", 9)

    play(scene)


def test_the_last_words_of_a_program_are_in_its_log_before_its_death_is_told(
    play: "Play",
) -> None:
    async def scene(stage: "Stage") -> None:
        code = "import sys; sys.stdout.write('last words without an end')"
        service = stage.start(stage.python(code, restart=NEVER))
        await stage.until(service, lambda state: state.last_exit is not None)
        assert "last words" in stage.home.log("api").read_text()

    play(scene)


def test_a_late_exit_of_an_old_process_changes_nothing(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        service = await stage.run(stage.spec())
        old = service.state.process
        assert old is not None
        stage.supervisor.tell(service, RestartOrdered())
        await stage.until(service, lambda state: state.generation == 2)
        before = service.state
        late = Exited(identity=old, exit=Exit(code=1), reason=Reason.EXIT)
        stage.supervisor.tell(service, late)
        assert service.state == before

    play(scene)


def test_pid_files_follow_the_processes(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        service = await stage.run(stage.spec())
        assert service.state.process is not None
        assert stage.home.pid("api").read_text() == f"{service.state.process.pid}\n"
        await stage.stop(service)
        await stage.skip(TIDY_AFTER)
        assert not stage.home.pid("api").exists()

    play(scene)


def test_the_pid_file_of_the_next_process_is_left_alone_by_the_end_of_the_last(
    play: "Play",
) -> None:
    async def scene(stage: "Stage") -> None:
        service = await stage.run(stage.spec(restart=AT_ONCE))
        assert service.state.process is not None
        os.kill(service.state.process.pid, signal.SIGKILL)
        await stage.until(service, lambda state: state.generation == 2)
        await stage.skip(TIDY_AFTER)
        assert service.state.process is not None
        assert stage.home.pid("api").read_text() == f"{service.state.process.pid}\n"

    play(scene)


def test_letting_go_right_after_a_death_leaves_no_pid_file(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        await stage.stop(await stage.run(stage.spec()))
        stage.supervisor.let_go()
        assert not stage.home.pid("api").exists()

    play(scene)


def test_pid_files_that_cannot_be_written_are_no_fault(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        stage.home.pids.rmdir()
        stage.home.pids.write_text("no folder")
        service = await stage.run(stage.spec())
        await stage.stop(service)

    play(scene)


def test_a_stop_reaches_children_that_ignore_their_parent(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        code = (
            "import os, signal, sys\n"
            "if os.fork() == 0:\n"
            "    os.setsid(); signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
            "    print(os.getpid(), flush=True)\n"
            "signal.pause()\n"
        )
        service = await stage.run(stage.python(code, stop=StopPolicy(timeout=5.0)))
        (told,) = await stage.hear()
        child = int(told)
        stage.supervisor.tell(service, StopOrdered())
        await stage.until(service, lambda state: state.process is None)
        os.kill(child, 0)
        await stage.skip(5.0)
        await stage.becomes(service, Actual.DOWN)
        assert "service.killed" in [event.kind for event in stage.events()]

    play(scene)


def test_a_start_during_a_stop_waits_for_the_end_and_gives_one_copy(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        service = await stage.run(stage.spec())
        first = service.state.process
        stage.supervisor.tell(service, StopOrdered())
        stage.supervisor.tell(service, StartOrdered())
        assert service.state.process == first
        state = await stage.until(service, lambda now: now.generation == 2)
        assert state.desired is Desired.UP
        assert state.process not in (None, first)

    play(scene)


def test_a_service_starts_when_what_it_needs_is_ready(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        stage.clock.stand()
        web = stage.start(stage.spec("web", needs=(Need(name="db"),)))
        stage.start(stage.spec("db"))
        before = web.state.actual
        await stage.skip(1.0)
        assert (before, web.state.actual) == (Actual.WAITING, Actual.STARTING)

    play(scene)


def test_a_need_that_is_met_already_costs_no_wait(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        stage.start(stage.spec("db"))
        need = Need(name="db", condition=Condition.STARTED)
        assert stage.start(stage.spec("web", needs=(need,))).state.process is not None

    play(scene)


def test_all_who_wait_for_a_change_are_woken_once_each(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        service = stage.supervisor.add(stage.spec())
        waits = [asyncio.ensure_future(stage.supervisor.changed(service)) for _ in range(3)]
        await asyncio.sleep(0)
        waits[0].cancel()
        stage.supervisor.tell(service, StartOrdered())
        await asyncio.gather(*waits[1:])
        assert service.waiters == []

    play(scene)


def test_an_event_that_changes_nothing_wakes_and_writes_nobody(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        service = stage.supervisor.add(stage.spec())
        stage.keeper.end_turn()
        before, written = service.state, stage.home.service("api").stat().st_ino
        stage.supervisor.tell(service, Elapsed())
        assert service.state is before
        assert stage.home.service("api").stat().st_ino == written

    play(scene)


def test_an_adopted_service_goes_on_and_its_exit_is_learned(play: "Play") -> None:
    async def first(stage: "Stage") -> None:
        await stage.run(stage.spec())

    async def second(stage: "Stage") -> None:
        (found,) = stage.records.load_all()
        assert isinstance(found, Loaded)
        assert found.state.process is not None
        service = stage.supervisor.add(found.spec, found.state)
        assert stage.supervisor.adopt(service, Adopted(identity=found.state.process))
        assert (service.state.actual, service.state.adopted) == (Actual.RUNNING, True)
        os.kill(found.state.process.pid, signal.SIGTERM)
        state = await stage.until(service, lambda now: now.last_exit is not None)
        assert state.last_exit is not None
        assert state.last_exit.exit.signal == 15

    play(first)
    play(second)


def test_a_service_whose_output_cannot_be_captured_again_is_adopted_all_the_same(
    play: "Play",
) -> None:
    async def first(stage: "Stage") -> None:
        await stage.run(stage.spec())

    async def second(stage: "Stage") -> None:
        (found,) = stage.records.load_all()
        assert isinstance(found, Loaded)
        assert found.state.process is not None
        for pipe in (stage.runtime / "api").iterdir():
            pipe.unlink()
            pipe.write_text("somebody else's")
        service = stage.supervisor.add(found.spec, found.state)
        assert stage.supervisor.adopt(service, Adopted(identity=found.state.process))
        assert service.state.actual is Actual.RUNNING
        (event,) = stage.events("log.losing_output")
        assert "captured" in str(event.facts["why"])

    play(first)
    play(second)


def test_a_process_that_died_before_it_could_be_adopted_is_refused(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        service = await stage.run(stage.spec(restart=NEVER))
        dead = service.state.process
        assert dead is not None
        await stage.stop(service)
        assert not stage.supervisor.adopt(service, Adopted(identity=dead))

    play(scene)


def test_a_stop_that_was_half_done_is_finished_from_its_record(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        spec = stage.spec()
        state = ServiceState(
            name="api", actual=Actual.STOPPING, instance="api.1.x", desired=Desired.DOWN
        )
        service = stage.supervisor.add(spec, state)
        stage.supervisor.rearm(service)
        await stage.becomes(service, Actual.DOWN)

    play(scene)


def test_the_timer_of_a_waiting_service_is_set_again_from_its_record(play: "Play") -> None:
    async def first(stage: "Stage") -> None:
        policy = RestartPolicy(delay=50.0, max_delay=50.0, min_gap=0.0)
        service = stage.start(stage.python("raise SystemExit(3)", restart=policy))
        await stage.becomes(service, Actual.BACKOFF)

    async def second(stage: "Stage") -> None:
        (found,) = stage.records.load_all()
        assert isinstance(found, Loaded)
        service = stage.supervisor.add(found.spec, found.state)
        stage.supervisor.rearm(service)
        await stage.skip(30.0)
        assert service.state.actual is Actual.BACKOFF
        await stage.skip(20.1)
        assert service.state.generation == 2

    play(first)
    play(second)


def test_letting_go_writes_every_record_and_touches_no_process(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        services = [await stage.run(stage.spec(f"a{number}")) for number in range(3)]
        stage.supervisor.let_go()
        for service in services:
            assert load(stage.home, service.name).state == service.state
            assert service.state.process is not None
            os.kill(service.state.process.pid, 0)

    play(scene)


def test_a_removed_service_leaves_no_record_and_wakes_who_waits(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        service = await stage.run(stage.spec())
        await stage.stop(service)
        waiting = asyncio.ensure_future(stage.supervisor.changed(service))
        await asyncio.sleep(0)
        stage.supervisor.remove(service)
        await waiting
        assert service.removed
        assert stage.supervisor.services == {}
        assert not stage.home.service("api").exists()

    play(scene)


def test_a_service_whose_record_was_broken_begins_with_its_limit_used_up(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        stage.supervisor.broken.add("api")
        service = stage.supervisor.add(stage.spec())
        assert sum(row.counted for row in service.state.history) == 3
        assert stage.supervisor.broken == set()
        assert [event.subject for event in stage.events("service.history_lost")] == ["api"]
        assert stage.supervisor.add(replace(stage.spec(), name="other")).state.history == ()

    play(scene)


@pytest.mark.parametrize("said", [{"enabled": False}, {"autostart": False}], ids=str)
def test_a_new_service_is_wanted_unless_its_configuration_says_otherwise(
    play: "Play", said: dict[str, Any]
) -> None:
    async def scene(stage: "Stage") -> None:
        wanted = stage.supervisor.add(stage.spec("a"))
        unwanted = stage.supervisor.add(stage.spec("b", **said))
        assert (wanted.state.desired, unwanted.state.desired) == (Desired.UP, Desired.DOWN)

    play(scene)


def test_a_limit_that_could_not_be_set_is_told_and_stops_nothing(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        from holdfast.model.spec import Limits

        service = stage.start(stage.spec(limits=Limits(oom_score=5000)))
        assert service.state.process is not None
        (event,) = stage.events("service.limit_not_set")
        assert "oom_score" in str(event.facts["why"])

    play(scene)
