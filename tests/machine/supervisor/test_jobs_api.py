"""The orders about jobs, as callers give them."""

import asyncio
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from holdfast.errors import Refused, UnknownName, UsageError
from holdfast.machine.jobs import store
from holdfast.machine.supervisor.jobs_api import methods
from holdfast.machine.supervisor.runs import Ground
from holdfast.machine.supervisor.schedule import Schedule
from holdfast.model.job import JobSpec, Overlap, Result, Run, Trigger
from holdfast.model.spec import RestartPolicy, When
from holdfast.model.wire import to_plain

if TYPE_CHECKING:
    from tests.machine.supervisor.conftest import Play, Stage

if sys.platform != "linux":
    pytest.skip("these tests look into /proc", allow_module_level=True)

SLEEP = ("sleep", "7005")
EXTERNAL = Run(id="x", trigger=Trigger.EXTERNAL, started_at=5.0, result=Result.FAILED, exit_code=3)


class Caller:
    """Somebody who calls a supervisor with one job."""

    def __init__(self, stage: "Stage", command: tuple[str, ...] = ("true",), **more: Any) -> None:
        self.stage = stage
        ground = Ground(
            floor=stage.supervisor,
            home=stage.home,
            loop=stage.loop,
            notes=stage.notes,
            drain=stage.pipes.drain,
        )
        self.schedule = Schedule(ground)
        stage.supervisor.attendants.append(self.schedule)
        program = stage.spec(
            "report", command, autostart=False, restart=RestartPolicy(when=When.NEVER)
        )
        self.spec = JobSpec(program=program, **more)
        self.schedule.apply([self.spec])

    async def call(self, method: str, **params: Any) -> Any:
        return await methods(self.schedule)[method](params, lambda _row: None)


def test_a_run_is_ordered_and_answered_once_it_is_over(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        answer = await Caller(stage, ("false",)).call("job_run", name="report")
        assert (answer["name"], answer["result"]) == ("report", "started")
        assert (answer["run"]["result"], answer["run"]["exit_code"]) == ("failed", 1)

    play(scene)


def test_without_waiting_the_answer_tells_of_the_run_under_way(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        caller = Caller(stage, SLEEP, overlap=Overlap.QUEUE)
        first = await caller.call("job_run", name="report", wait=False)
        assert (first["result"], first["run"]["result"]) == ("started", None)
        second = await caller.call("job_run", name="report", wait=False)
        assert (second["result"], second["run"]) == ("queued", None)
        job = caller.schedule.job("report")
        job.keep(replace(job.record, waiting=None))
        await stage.stop(job.service)

    play(scene)


def test_what_cannot_be_run_is_refused(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        caller = Caller(stage, SLEEP)
        with pytest.raises(UnknownName, match="no job 'export'; jobs: report"):
            await caller.call("job_run", name="export")
        for name in (None, 7, "../report"):
            with pytest.raises(UsageError):
                await caller.call("job_run", name=name)
        await caller.call("job_run", name="report", wait=False)
        with pytest.raises(Refused, match="runs already"):
            await caller.call("job_run", name="report")
        await stage.stop(caller.schedule.job("report").service)
        off = replace(caller.spec.program, enabled=False)
        caller.schedule.apply([replace(caller.spec, program=off)])
        with pytest.raises(Refused, match="disabled"):
            await caller.call("job_run", name="report")
        stage.supervisor.closing = True
        with pytest.raises(Refused, match="ending"):
            await caller.call("job_run", name="report")

    play(scene)


def test_the_list_shows_jobs_and_what_others_ran(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        caller = Caller(stage, SLEEP, schedule="@daily")
        store.add_run(stage.home, "export", EXTERNAL, stage.supervisor.now())
        await caller.call("job_run", name="report", wait=False)
        ours, others = (await caller.call("job_list"))["jobs"]
        service = caller.schedule.job("report").service
        assert service.state.process is not None
        assert (ours["name"], ours["schedule"], ours["pid"]) == (
            "report",
            "@daily",
            service.state.process.pid,
        )
        assert ours["last_run"]["result"] is None
        assert (others["name"], others["kind"], others["last_run"]["exit_code"]) == (
            "export",
            "external",
            3,
        )
        await stage.stop(service)

    play(scene)


def test_the_history_is_cut_to_the_newest_and_known_for_external_runs_too(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        caller = Caller(stage)
        for _ in range(3):
            await caller.call("job_run", name="report")
        runs = (await caller.call("job_history", name="report"))["runs"]
        assert [run["result"] for run in runs] == ["success"] * 3
        assert (await caller.call("job_history", name="report", lines=2))["runs"] == runs[1:]
        assert (await caller.call("job_history", name="report", lines=0))["runs"] == []
        with pytest.raises(UsageError):
            await caller.call("job_history", name="report", lines=-1)
        with pytest.raises(UnknownName):
            await caller.call("job_history", name="export")
        store.add_run(stage.home, "export", EXTERNAL, stage.supervisor.now())
        assert len((await caller.call("job_history", name="export"))["runs"]) == 1

    play(scene)


def test_an_external_run_is_told_once_and_written_down_by_who_ran_it(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        caller = Caller(stage)
        plain = to_plain(EXTERNAL)
        assert (await caller.call("record_run", name="export", run=plain))["told"] is True
        assert (await caller.call("record_run", name="export", run=plain))["told"] is False
        (event,) = stage.events("job.failed")
        assert (event.subject, event.facts["exit_code"]) == ("export", 3)
        assert "export" not in store.names(stage.home)

    play(scene)


@pytest.mark.parametrize(
    "run",
    [
        None,
        {},
        to_plain(replace(EXTERNAL, result=None)),
        to_plain(replace(EXTERNAL, trigger=Trigger.MANUAL)),
    ],
)
def test_what_is_no_external_run_that_is_over_is_refused(play: "Play", run: object) -> None:
    async def scene(stage: "Stage") -> None:
        with pytest.raises(UsageError):
            await Caller(stage).call("record_run", name="export", run=run)
        await asyncio.sleep(0)

    play(scene)
