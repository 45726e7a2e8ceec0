"""When jobs run: by the wall clock, on a loop whose clock can be set forward."""

import asyncio
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from holdfast.errors import UnknownName
from holdfast.machine.jobs import store
from holdfast.machine.supervisor.runs import Ground
from holdfast.machine.supervisor.schedule import Schedule
from holdfast.model.job import JobSpec, Result, Run, Trigger
from holdfast.model.spec import RestartPolicy, When

if TYPE_CHECKING:
    from tests.machine.supervisor.conftest import Play, Stage

if sys.platform != "linux":
    pytest.skip("these tests look into /proc", allow_module_level=True)

DAY = 86_400.0
SLEEP = ("sleep", "7004")


def schedule_of(stage: "Stage") -> Schedule:
    """Return a schedule that looks after the jobs of a stage, and works."""
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


def spec_of(
    stage: "Stage",
    schedule: str | None = "0 3 * * *",
    name: str = "report",
    command: tuple[str, ...] = ("true",),
    **more: Any,
) -> JobSpec:
    program = stage.spec(name, command, autostart=False, restart=RestartPolicy(when=When.NEVER))
    return JobSpec(program=program, schedule=schedule, timezone="UTC", **more)


def at_noon(stage: "Stage", after: float = 0.0) -> None:
    """Set the clock to a noon, UTC, and some seconds after it."""
    wall = stage.clock.wall()
    stage.clock.ahead += DAY - wall % DAY + DAY / 2 + after


def runs(stage: "Stage", name: str = "report") -> list[Run]:
    return list(store.read(stage.home, name).runs)


async def ended(stage: "Stage", schedule: Schedule, name: str = "report") -> Run:
    """Wait until the run under way is over."""
    job = schedule.job(name)
    if job.run is None:
        return job.record.runs[-1]
    waiter: asyncio.Future[Run] = stage.loop.create_future()
    job._waiters.append(waiter)
    return await waiter


def test_a_job_runs_when_it_is_due_and_not_before(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        at_noon(stage)
        schedule = schedule_of(stage)
        schedule.apply([spec_of(stage, "30 12 * * *")])
        schedule.start()
        noon = stage.clock.wall() // 60 * 60
        assert schedule.job("report").record.next_due_at == noon + 1800
        await stage.skip(1700)
        assert runs(stage) == []
        await stage.skip(110)
        run = await ended(stage, schedule)
        assert (run.trigger, run.due_at, run.result) == (
            Trigger.SCHEDULE,
            noon + 1800,
            Result.SUCCESS,
        )
        assert schedule.job("report").record.next_due_at == noon + 1800 + DAY
        schedule.close()

    play(scene)


def test_it_runs_again_and_again(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        at_noon(stage, 30)
        schedule = schedule_of(stage)
        schedule.apply([spec_of(stage, "* * * * *")])
        schedule.start()
        for count in (1, 2, 3):
            await stage.skip(60)
            assert (await ended(stage, schedule)).result is Result.SUCCESS
            assert len(runs(stage)) == count
        schedule.close()

    play(scene)


def test_a_job_never_seen_before_has_missed_nothing(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        at_noon(stage)
        schedule = schedule_of(stage)
        schedule.apply([spec_of(stage)])
        schedule.start()
        await stage.skip(11)
        assert runs(stage) == []
        schedule.close()

    play(scene)


def test_what_was_missed_while_nothing_ran_is_run_once_and_soon(play: "Play") -> None:
    async def before(stage: "Stage") -> None:
        at_noon(stage)
        schedule = schedule_of(stage)
        schedule.apply([spec_of(stage)])
        schedule.start()
        schedule.close()
        stage.clock.ahead += 3 * DAY

    async def after(stage: "Stage") -> None:
        schedule = schedule_of(stage)
        schedule.apply([spec_of(stage)])
        assert runs(stage) == []
        schedule.start()
        await stage.skip(10)
        run = await ended(stage, schedule)
        assert run.trigger is Trigger.MISSED
        assert run.due_at is not None
        assert stage.clock.wall() - run.due_at == pytest.approx(9 * 3600, abs=60)
        (event,) = stage.events("job.missed")
        assert event.subject == "report"
        await stage.skip(100)
        assert len(runs(stage)) == 1
        schedule.close()

    play(before)
    play(after)


def test_a_supervisor_that_was_away_for_a_moment_runs_what_was_due_as_on_time(
    play: "Play",
) -> None:
    async def before(stage: "Stage") -> None:
        at_noon(stage, 50)
        schedule = schedule_of(stage)
        schedule.apply([spec_of(stage, "1 12 * * *")])
        schedule.start()
        schedule.close()
        stage.clock.ahead += 20

    async def after(stage: "Stage") -> None:
        schedule = schedule_of(stage)
        schedule.apply([spec_of(stage, "1 12 * * *")])
        schedule.start()
        assert (await ended(stage, schedule)).trigger is Trigger.SCHEDULE
        schedule.close()

    play(before)
    play(after)


def test_a_machine_that_slept_runs_what_it_missed_within_a_minute_of_waking(
    play: "Play",
) -> None:
    async def scene(stage: "Stage") -> None:
        at_noon(stage)
        schedule = schedule_of(stage)
        schedule.apply([spec_of(stage)])
        schedule.start()
        asleep = 20 * 3600.0
        wall = stage.clock.wall
        vars(stage.clock)["wall"] = lambda: wall() + asleep  # only the wall clock goes on
        await stage.skip(60)
        await stage.skip(10)
        assert (await ended(stage, schedule)).trigger is Trigger.MISSED
        schedule.close()

    play(scene)


def test_a_clock_that_is_set_forward_and_back_runs_nothing_twice(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        at_noon(stage, 50)
        schedule = schedule_of(stage)
        schedule.apply([spec_of(stage, "1 12 * * *")])
        schedule.start()
        await stage.skip(15)
        await ended(stage, schedule)
        wall = stage.clock.wall
        vars(stage.clock)["wall"] = lambda: wall() - 3600
        for _ in range(70):
            await stage.skip(60)
        assert len(runs(stage)) == 1
        schedule.close()

    play(scene)


def test_a_clock_that_was_years_ahead_is_not_waited_for(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        at_noon(stage, 50)
        wall = stage.clock.wall
        vars(stage.clock)["wall"] = lambda: wall() + 1000 * DAY
        schedule = schedule_of(stage)
        schedule.apply([spec_of(stage, "1 12 * * *")])
        schedule.start()
        vars(stage.clock)["wall"] = wall
        await stage.skip(60)
        await stage.skip(60)
        due = schedule.job("report").record.next_due_at
        assert due is not None
        assert 0 < due - stage.clock.wall() <= DAY
        schedule.close()

    play(scene)


def test_another_schedule_counts_from_now(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        at_noon(stage)
        schedule = schedule_of(stage)
        schedule.apply([spec_of(stage, "0 13 * * *")])
        schedule.start()
        schedule.apply([spec_of(stage, "0 11 * * *")])
        await stage.skip(11)
        assert runs(stage) == []
        due = schedule.job("report").record.next_due_at
        assert due is not None
        assert due - stage.clock.wall() == pytest.approx(23 * 3600, abs=60)
        schedule.close()

    play(scene)


@pytest.mark.parametrize("expression", [None, "0 0 31 2 *"])
def test_a_job_on_demand_and_one_that_never_comes_wait_for_nothing(
    play: "Play", expression: str | None
) -> None:
    async def scene(stage: "Stage") -> None:
        schedule = schedule_of(stage)
        schedule.apply([spec_of(stage, expression)])
        schedule.start()
        await stage.skip(2 * DAY)
        assert runs(stage) == []
        assert schedule.job("report").record.next_due_at is None
        schedule.close()

    play(scene)


def test_a_disabled_job_is_not_due_and_has_missed_nothing_when_it_comes_back(
    play: "Play",
) -> None:
    async def scene(stage: "Stage") -> None:
        at_noon(stage)
        schedule, spec = schedule_of(stage), spec_of(stage)
        off = replace(spec, program=replace(spec.program, enabled=False))
        schedule.apply([off])
        schedule.start()
        await stage.skip(2 * DAY)
        schedule.apply([spec])
        await stage.skip(11)
        assert runs(stage) == []
        schedule.close()

    play(scene)


def test_its_program_is_no_part_of_what_is_kept_up(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        schedule = schedule_of(stage)
        schedule.apply([spec_of(stage)])
        assert stage.supervisor.services["report"].is_job
        assert stage.supervisor.kept_up() == {}

    play(scene)


def test_a_reload_leaves_a_run_alone_and_the_next_one_is_of_the_new_program(
    play: "Play",
) -> None:
    async def scene(stage: "Stage") -> None:
        schedule = schedule_of(stage)
        schedule.apply([spec_of(stage, command=SLEEP)])
        job = schedule.job("report")
        job.order(Trigger.MANUAL)
        process = job.service.state.process
        schedule.apply([spec_of(stage, command=("false",))])
        assert job.service.state.process == process
        await stage.stop(job.service)
        job.order(Trigger.MANUAL)
        assert (await ended(stage, schedule)).result is Result.FAILED

    play(scene)


def test_a_job_that_is_taken_out_is_ended_and_what_it_did_is_kept(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        schedule = schedule_of(stage)
        stays, goes = spec_of(stage, name="stays"), spec_of(stage, command=SLEEP)
        schedule.apply([stays, goes])
        schedule.start()
        schedule.job("report").order(Trigger.MANUAL)
        await schedule.leave([stays])
        schedule.apply([stays])
        assert set(schedule.jobs) == set(stage.supervisor.services) == {"stays"}
        assert [run.result for run in runs(stage)] == [Result.KILLED]
        record = store.read(stage.home, "report")
        assert (record.schedule, record.next_due_at) == ("", None)
        with pytest.raises(UnknownName, match="jobs: stays"):
            schedule.job("report")
        schedule.close()

    play(scene)


def test_a_record_that_cannot_be_read_is_set_aside_and_told_of(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        stage.home.job("report").write_text("{")
        schedule = schedule_of(stage)
        schedule.apply([spec_of(stage)])
        (event,) = stage.events("state.corrupt")
        assert event.facts["severity"] == "critical"
        assert len(list(stage.home.jobs.glob("report.json.corrupt-*"))) == 1
        assert store.read(stage.home, "report").next_due_at is not None

    play(scene)


def test_nothing_is_begun_while_the_supervisor_ends(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        at_noon(stage, 50)
        schedule = schedule_of(stage)
        schedule.apply([spec_of(stage, "1 12 * * *")])
        schedule.start()
        stage.supervisor.closing = True
        await stage.skip(3600)
        assert runs(stage) == []

    play(scene)


def test_external_runs_on_disk_stand_beside_ours(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        schedule = schedule_of(stage)
        schedule.apply([spec_of(stage)])
        row = Run(id="x", trigger=Trigger.EXTERNAL, started_at=5.0, result=Result.SUCCESS)
        store.add_run(stage.home, "report", row, stage.supervisor.now())
        schedule.job("report").order(Trigger.MANUAL)
        await ended(stage, schedule)
        assert [run.trigger for run in runs(stage)] == [Trigger.EXTERNAL, Trigger.MANUAL]

    play(scene)
