"""One run from order to result, with real programs."""

import asyncio
import json
import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from holdfast.errors import Refused
from holdfast.machine.jobs import store
from holdfast.machine.supervisor.runs import Ground, Job
from holdfast.machine.supervisor.schedule import Schedule
from holdfast.model.event import Adopted, StartOrdered, StopOrdered
from holdfast.model.job import JobRecord, JobSpec, Overlap, Result, Run, Trigger
from holdfast.model.service import Actual, Desired
from holdfast.model.spec import RestartPolicy, When
from holdfast.rules.jobs import Meeting

if TYPE_CHECKING:
    from tests.machine.supervisor.conftest import Play, Stage

if sys.platform != "linux":
    pytest.skip("these tests look into /proc", allow_module_level=True)

WAITS = "import time; print('begun', flush=True); time.sleep(7002)"


def schedule_of(stage: "Stage") -> Schedule:
    """Return a schedule that looks after the jobs of a stage."""
    ground = Ground(
        floor=stage.supervisor,
        home=stage.home,
        loop=stage.loop,
        notes=stage.notes,
        drain=stage.pipes.drain,
    )
    schedule = Schedule(ground)
    stage.supervisor.attendants.append(schedule)
    return schedule


def spec_of(stage: "Stage", code: str = "pass", **more: Any) -> JobSpec:
    program = stage.python(code, "report", autostart=False, restart=RestartPolicy(when=When.NEVER))
    return JobSpec(program=program, **more)


def job_of(stage: "Stage", code: str = "pass", **more: Any) -> Job:
    """Return a job that runs a few lines of Python, on demand."""
    schedule = schedule_of(stage)
    schedule.apply([spec_of(stage, code, **more)])
    return schedule.job("report")


def ordered(stage: "Stage", job: Job, trigger: Trigger = Trigger.MANUAL) -> "asyncio.Future[Run]":
    waiter: asyncio.Future[Run] = stage.loop.create_future()
    job.order(trigger, waiter=waiter)
    return waiter


def results(stage: "Stage") -> list[tuple[str, str | None]]:
    """Return trigger and result of every run, as a reader of the file finds them."""
    plain = json.loads(stage.home.job("report").read_bytes())
    return [(run["trigger"], run["result"]) for run in plain["runs"]]


def test_a_run_that_goes_well_is_remembered_with_what_it_printed(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        job = job_of(stage, "print('17 rows')")
        run = await ordered(stage, job)
        assert (run.result, run.exit_code, run.signal) == (Result.SUCCESS, 0, None)
        assert run.output_tail == "17 rows\n"
        assert run.duration_s is not None
        assert store.read(stage.home, "report").runs == (run,)
        assert (job.service.state.actual, job.service.state.desired) == (
            Actual.DOWN,
            Desired.DOWN,
        )
        assert [event.kind for event in stage.events() if event.kind.startswith("job.")] == [
            "job.started",
            "job.finished",
        ]

    play(scene)


def test_each_run_tells_only_what_it_printed_itself(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        code = "import os; print('run', os.environ['HOLDFAST_GENERATION'])"
        job = job_of(stage, code)
        tails = [(await ordered(stage, job)).output_tail for _ in range(3)]
        assert tails == ["run 1\n", "run 2\n", "run 3\n"]

    play(scene)


@pytest.mark.parametrize(
    ("code", "expected"),
    [("raise SystemExit(3)", (3, None)), ("import os; os.kill(os.getpid(), 9)", (None, 9))],
)
def test_a_run_that_fails_says_how_and_is_not_started_again(
    play: "Play", code: str, expected: tuple[int | None, int | None]
) -> None:
    async def scene(stage: "Stage") -> None:
        run = await ordered(stage, job_of(stage, code))
        assert run.result is Result.FAILED
        assert (run.exit_code, run.signal) == expected
        (event,) = stage.events("job.failed")
        assert event.facts["severity"] == "warning"
        assert stage.supervisor.services["report"].state.actual is Actual.DOWN

    play(scene)


def test_a_program_that_is_not_there_fails_the_run_and_says_why(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        schedule = schedule_of(stage)
        program = stage.spec("report", ("no-such-program",), autostart=False)
        schedule.apply([JobSpec(program=program)])
        run = await ordered(stage, schedule.job("report"))
        assert (run.result, run.exit_code) == (Result.FAILED, None)
        assert "no-such-program" in run.why

    play(scene)


def test_the_row_of_a_run_is_on_disk_before_its_process(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        told = f"open({str(stage.home.job('report'))!r}).read()"
        run = await ordered(stage, job_of(stage, f"print({told})"))
        (row,) = json.loads(run.output_tail)["runs"]
        assert (row["id"], row["result"]) == (run.id, None)

    play(scene)


def test_a_run_that_takes_too_long_is_ended_with_its_whole_tree(play: "Play") -> None:
    code = (
        f"import subprocess; subprocess.Popen(['sleep', '7003'], start_new_session=True); {WAITS}"
    )

    async def scene(stage: "Stage") -> None:
        job = job_of(stage, code, timeout=3600.0)
        waiter = ordered(stage, job)
        await stage.hear("report")
        await stage.skip(3500.0)
        assert job.run is not None
        await stage.skip(100.1)
        run = await waiter
        assert run.result is Result.TIMEOUT
        (event,) = stage.events("job.failed")
        assert event.facts["result"] == "timeout"

    play(scene)


def test_skip_leaves_the_run_alone_and_takes_down_the_one_that_was_not_begun(
    play: "Play",
) -> None:
    async def scene(stage: "Stage") -> None:
        job = job_of(stage, WAITS)
        waiter = ordered(stage, job)
        assert job.order(Trigger.SCHEDULE, 5.0) is Meeting.SKIP
        assert results(stage) == [("manual", None), ("schedule", "skipped")]
        assert len(stage.events("job.skipped")) == 1
        stage.supervisor.tell(job.service, StopOrdered())
        assert (await waiter).result is Result.KILLED

    play(scene)


def test_a_person_who_orders_what_runs_already_leaves_no_row(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        job = job_of(stage, WAITS)
        job.order(Trigger.MANUAL)
        assert job.order(Trigger.MANUAL) is Meeting.SKIP
        assert results(stage) == [("manual", None)]
        await stage.stop(job.service)

    play(scene)


def test_queue_begins_one_run_when_the_present_one_is_over(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        job = job_of(stage, "input() if False else None", overlap=Overlap.QUEUE)
        first = ordered(stage, job)
        second = ordered(stage, job, Trigger.SCHEDULE)
        assert job.order(Trigger.SCHEDULE, 6.0) is Meeting.SKIP
        one, two = await first, await second
        assert (one.result, two.result) == (Result.SUCCESS, Result.SUCCESS)
        assert (one.trigger, two.trigger) == (Trigger.MANUAL, Trigger.QUEUED)
        assert one.generation + 1 == two.generation
        assert sorted(results(stage)) == [
            ("manual", "success"),
            ("queued", "success"),
            ("schedule", "skipped"),
        ]

    play(scene)


def test_kill_ends_the_present_run_and_begins_the_next(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        job = job_of(stage, WAITS, overlap=Overlap.KILL)
        first = ordered(stage, job)
        await stage.hear("report")
        second = ordered(stage, job, Trigger.SCHEDULE)
        assert (await first).result is Result.KILLED
        assert results(stage) == [("manual", "killed"), ("schedule", None)]
        await stage.hear("report", 2)
        await stage.stop(job.service)
        assert (await second).result is Result.KILLED

    play(scene)


def test_nothing_begins_while_the_supervisor_ends(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        job = job_of(stage, WAITS, overlap=Overlap.QUEUE)
        first = ordered(stage, job)
        job.order(Trigger.SCHEDULE)
        stage.supervisor.closing = True
        stage.supervisor.tell(job.service, StopOrdered(closing=True))
        assert (await first).result is Result.KILLED
        assert job.run is None
        assert job.record.waiting is Trigger.QUEUED

    play(scene)


def test_a_program_that_was_started_as_a_service_gets_a_row_too(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        job = job_of(stage)
        stage.supervisor.tell(job.service, StartOrdered())
        await stage.until(job.service, lambda state: state.desired is Desired.DOWN)
        assert results(stage) == [("manual", "success")]

    play(scene)


def test_a_run_outlives_its_supervisor_and_is_told_to_its_end_by_the_next(play: "Play") -> None:
    code = (
        "import os, time; print('one', flush=True)\n"
        "while not os.path.exists('go-on'): time.sleep(0.01)\n"
        "print('two')"
    )

    async def killed(stage: "Stage") -> None:
        job_of(stage, code).order(Trigger.MANUAL)
        await stage.hear("report")

    async def following(stage: "Stage") -> None:
        (found,) = stage.records.load_all()
        assert not hasattr(found, "evidence")
        service = stage.supervisor.add(found.spec, found.state)
        assert found.state.process is not None
        assert stage.supervisor.adopt(service, Adopted(identity=found.state.process))
        job = job_of(stage, code)
        waiter: asyncio.Future[Run] = stage.loop.create_future()
        job._waiters.append(waiter)
        (stage.folder / "go-on").touch()
        run = await waiter
        assert run.output_tail == "one\ntwo\n"
        assert run.result in (Result.SUCCESS, Result.UNKNOWN)
        assert len(results(stage)) == 1

    play(killed)
    play(following)


def test_a_timeout_goes_on_under_the_next_supervisor(play: "Play") -> None:
    async def killed(stage: "Stage") -> None:
        job_of(stage, WAITS, timeout=100.0).order(Trigger.MANUAL)
        await stage.hear("report")
        await stage.skip(60.0)

    async def following(stage: "Stage") -> None:
        (found,) = stage.records.load_all()
        assert not hasattr(found, "evidence")
        service = stage.supervisor.add(found.spec, found.state)
        assert found.state.process is not None
        assert stage.supervisor.adopt(service, Adopted(identity=found.state.process))
        job = job_of(stage, WAITS, timeout=100.0)
        assert job.run is not None
        await stage.skip(41.0)
        await stage.becomes(service, Actual.DOWN)
        assert results(stage) == [("manual", "timeout")]

    play(killed)
    play(following)


def test_a_death_between_the_row_and_the_process_begins_the_run_once(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        row = Run(id="1", trigger=Trigger.SCHEDULE, started_at=5.0, due_at=5.0, generation=1)
        store.save(stage.home, JobRecord(name="report", runs=(row,)))
        job = job_of(stage)
        await stage.until(job.service, lambda state: state.desired is Desired.DOWN)
        assert results(stage) == [("schedule", "success")]
        assert job.record.runs[0].due_at == 5.0

    play(scene)


def test_a_run_of_which_nothing_is_left_ended_nobody_knows_how(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        row = Run(id="1", trigger=Trigger.SCHEDULE, started_at=5.0, generation=1)
        store.save(stage.home, JobRecord(name="report", runs=(row,)))
        spec = spec_of(stage)
        service = stage.supervisor.add(spec.program)
        service.state = replace(service.state, generation=1, started_mono=1.0)
        schedule = schedule_of(stage)
        schedule.apply([spec])
        assert results(stage) == [("schedule", "unknown")]
        assert schedule.job("report").run is None

    play(scene)


def test_a_disk_that_refuses_costs_no_run_and_is_told_once(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        job = job_of(stage)
        stage.home.jobs.rename(stage.home.root / "away")
        stage.home.jobs.touch()
        run = await ordered(stage, job)
        assert run.result is Result.SUCCESS
        (event,) = stage.events("state.write_failed")
        assert event.subject == "job report"
        os.unlink(stage.home.jobs)
        stage.home.jobs.mkdir()
        await ordered(stage, job)
        assert results(stage) == [("manual", "success"), ("manual", "success")]
        assert len(stage.events("state.write_recovered")) == 1

    play(scene)


def test_those_who_wait_for_a_run_of_a_job_that_goes_are_told(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        job = job_of(stage, WAITS, overlap=Overlap.QUEUE)
        both = [ordered(stage, job), ordered(stage, job)]
        job.dismiss()
        for waiter in both:
            with pytest.raises(Refused, match="report was taken out"):
                await waiter
        job.keep(replace(job.record, waiting=None))
        await stage.stop(job.service)

    play(scene)
