"""The orders of the control socket, checked and carried out."""

import asyncio
import os
from typing import TYPE_CHECKING, Any

import pytest

import holdfast
from holdfast.errors import UnknownName, UsageError
from holdfast.machine.supervisor.api import Api
from holdfast.machine.supervisor.keeper import SETTLE_AFTER
from holdfast.machine.supervisor.staff import employ
from holdfast.machine.supervisor.view import from_disk
from holdfast.model.job import JobSpec
from holdfast.model.service import Actual, Desired
from holdfast.model.spec import RestartPolicy, ServiceSpec, StopPolicy, When
from holdfast.model.wire import to_plain

if TYPE_CHECKING:
    from tests.machine.supervisor.conftest import Play, Stage

LISTED = [
    "ping",
    "status",
    "start",
    "stop",
    "restart",
    "signal",
    "reload_services",
    "apply",
    "up",
    "clean",
    "look",
    "note",
    "shutdown",
    "job_list",
    "job_run",
    "job_history",
    "record_run",
]
DEAF = (
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "print('deaf', flush=True); signal.pause()"
)


class Desk:
    """The orders of a stage as a caller names them."""

    def __init__(self, stage: "Stage") -> None:
        self.ended = asyncio.Event()
        staff = employ(stage.supervisor, stage.custody, stage.mutual)
        self.rounds = staff.rounds
        self.api = Api(stage.supervisor, staff, self.ended, started_at=1.0)
        self.reports: list[dict[str, Any]] = []

    async def call(self, method: str, **params: Any) -> Any:
        return await self.api.methods[method](params, self.reports.append)


def plain(*specs: ServiceSpec) -> list[object]:
    return [to_plain(spec) for spec in specs]


def test_the_table_holds_every_order_and_no_other(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        assert sorted(Desk(stage).api.methods) == sorted(LISTED)

    play(scene)


def test_ping_says_who_answers_and_whether_it_is_ready(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        desk = Desk(stage)
        expected = {
            "version": holdfast.__version__,
            "pid": os.getpid(),
            "ready": False,
            "watchdog": None,
        }
        assert await desk.call("ping") == expected
        desk.api.state = "running"
        assert (await desk.call("ping"))["ready"]

    play(scene)


def test_status_shows_what_runs_and_what_it_uses(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        desk = Desk(stage)
        service = await stage.run(stage.spec("a", group="web"))
        stage.supervisor.add(stage.spec("b", autostart=False))
        found = await desk.call("status")
        assert [row["name"] for row in found["services"]] == ["a", "b"]
        row = found["services"][0]
        assert service.state.process is not None
        assert (row["pid"], row["group"]) == (service.state.process.pid, "web")
        assert row["rss_bytes"] > 0
        assert row["cpu_percent"] >= 0
        assert found["health"] == {"score": 100.0, "healthy": 1, "total": 1}
        assert found["supervisor"]["since"] == "1970-01-01T00:00:01.000Z"

    play(scene)


def test_status_from_disk_has_the_same_shape(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        desk = Desk(stage)
        await stage.run(stage.spec("a"))
        failed = stage.start(stage.spec("b", ("/no/such/program",)))
        policy = RestartPolicy(delay=3000.0, max_delay=3000.0)
        ended = stage.start(stage.python("raise SystemExit(3)", "c", restart=policy))
        await stage.until(ended, lambda state: state.next_start is not None)
        await stage.skip(SETTLE_AFTER)
        assert failed.state.actual is Actual.FAILED
        live, dead = await desk.call("status"), from_disk(stage.home)
        assert shape(live) == shape(dead)
        told = ("name", "state", "pid", "why", "restarts", "generation", "desired", "wait")
        for alive, read in zip(live["services"], dead["services"], strict=True):
            assert {key: alive[key] for key in told} == {key: read[key] for key in told}

    play(scene)


def shape(value: object) -> object:
    """Return the keys of an object and of all in it."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    return [shape(inner) for inner in value] if isinstance(value, list) else None


@pytest.mark.parametrize("method", ["start", "stop", "restart", "reload_services"])
def test_an_order_that_names_nothing_is_wrong_use(play: "Play", method: str) -> None:
    async def scene(stage: "Stage") -> None:
        stage.supervisor.add(stage.spec("a", autostart=False))
        with pytest.raises(UsageError, match="no service was named"):
            await Desk(stage).call(method)
        with pytest.raises(UnknownName):
            await Desk(stage).call(method, select=["b"])

    play(scene)


@pytest.mark.parametrize("select", ["a", {"a": 1}, [1], [None], 5])
def test_a_selection_that_is_no_list_of_names_is_wrong_use(play: "Play", select: object) -> None:
    async def scene(stage: "Stage") -> None:
        with pytest.raises(UsageError, match="select expects a list of names"):
            await Desk(stage).call("status", select=select)

    play(scene)


def test_orders_carry_a_service_through_its_life(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        desk = Desk(stage)
        service = stage.supervisor.add(stage.spec("a", autostart=False))
        (row,) = (await desk.call("start", all=True, wait=False))["services"]
        assert row["result"] == "starting"
        await stage.skip(1.0)
        (row,) = (await desk.call("restart", select=["a"], wait=False))["services"]
        await stage.until(service, lambda state: state.generation == 2)
        (row,) = (await desk.call("stop", select=["a"]))["services"]
        assert row["result"] == "stopped"
        assert service.state.desired is Desired.DOWN

    play(scene)


@pytest.mark.parametrize("signal", [None, 15, ["HUP"]])
def test_a_signal_has_a_name(play: "Play", signal: object) -> None:
    async def scene(stage: "Stage") -> None:
        stage.supervisor.add(stage.spec("a"))
        with pytest.raises(UsageError, match="the name of a signal"):
            await Desk(stage).call("signal", select=["a"], signal=signal)

    play(scene)


def test_signals_go_out_by_name_or_by_the_configuration(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        desk = Desk(stage)
        await stage.run(stage.spec("a", reload_signal="URG"))
        (row,) = (await desk.call("signal", select=["a"], signal="URG"))["services"]
        assert row["result"] == "signalled"
        (row,) = (await desk.call("reload_services", select=["a"]))["services"]
        assert row["signal"] == "URG"

    play(scene)


@pytest.mark.parametrize(
    "specs", [None, "a", {}, [{}], [5], [{"name": "a"}], [{"name": "a", "command": "x"}]]
)
def test_specs_nobody_can_read_are_wrong_use_and_change_nothing(
    play: "Play", specs: object
) -> None:
    async def scene(stage: "Stage") -> None:
        service = await stage.run(stage.spec("a"))
        before = service.state
        with pytest.raises(UsageError, match="apply"):
            await Desk(stage).call("apply", specs=specs)
        assert service.state is before

    play(scene)


def test_apply_remembers_where_the_configuration_stands(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        desk = Desk(stage)
        await desk.call(
            "apply", specs=[], config="/etc/holdfast.toml", machine="laptop", look_every=7
        )
        assert (await desk.call("status"))["machine"] == "laptop"
        assert "/etc/holdfast.toml" in stage.home.config_pointer.read_text()
        assert stage.home.config_pointer.stat().st_mode & 0o777 == 0o600
        assert desk.rounds.every == 7

    play(scene)


def test_a_dry_run_tells_and_does_nothing(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        desk = Desk(stage)
        found = await desk.call("apply", specs=plain(stage.spec("a")), dry_run=True, config="/x")
        assert found["added"] == ("a",)
        assert stage.supervisor.services == {}
        assert not stage.home.config_pointer.exists()

    play(scene)


def test_a_service_that_comes_back_while_it_is_taken_out_is_added_again(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        desk = Desk(stage)
        spec = stage.spec("a")
        await stage.run(spec)
        taken = asyncio.ensure_future(desk.call("apply", specs=[]))
        await asyncio.sleep(0)
        back = await desk.call("apply", specs=plain(spec), start_added=True)
        assert (await taken)["removed"] == ("a",)
        assert back["added"] == ("a",)
        assert stage.supervisor.services["a"].state.process is not None

    play(scene)


def test_up_starts_what_is_wanted_and_leaves_alone_what_waits_or_is_done(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        desk = Desk(stage)
        policy = RestartPolicy(delay=3000.0, max_delay=3000.0)
        waits = stage.start(stage.python("raise SystemExit(3)", "waits", restart=policy))
        done = stage.start(stage.python("", "done", restart=RestartPolicy(when=When.NEVER)))
        await stage.becomes(waits, Actual.BACKOFF)
        await stage.becomes(done, Actual.DONE)
        stage.supervisor.add(stage.spec("idle", autostart=False))
        stage.supervisor.add(stage.spec("new"))
        rows = (await desk.call("up", wait=False))["services"]
        assert {row["name"]: row["result"] for row in rows} == {
            "waits": "failed",
            "done": "already_running",
            "new": "starting",
        }
        assert waits.state.generation == done.state.generation == 1

    play(scene)


def test_up_by_name_starts_even_what_waits(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        policy = RestartPolicy(delay=3000.0, max_delay=3000.0)
        waits = stage.start(stage.python("raise SystemExit(3)", "waits", restart=policy))
        await stage.becomes(waits, Actual.BACKOFF)
        await Desk(stage).call("up", select=["waits"], wait=False)
        assert waits.state.generation == 2

    play(scene)


def test_clean_removes_stale_pid_files_and_says_whose(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        await stage.run(stage.spec("a"))
        stage.home.pid("b").write_text("4194000\n")
        assert await Desk(stage).call("clean") == {"stale_pids": ["b"]}
        assert stage.home.pid("a").exists()
        assert not stage.home.pid("b").exists()
        assert [event.subject for event in stage.events("pid_file.removed")] == ["b"]

    play(scene)


def test_a_look_judges_and_changes_nothing(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        await stage.run(stage.spec("a"))
        stage.start(stage.spec("b", ("/no/such/program",)))
        count = len(stage.events())
        found = await Desk(stage).call("look")
        assert not found["healthy"]
        verdicts = {one["name"]: one["verdict"] for one in found["findings"]}
        assert verdicts == {"a": "healthy", "b": "failed"}
        assert len(stage.events()) == count

    play(scene)


def test_shutdown_stops_everything_and_then_ends(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        desk = Desk(stage)
        service = await stage.run(stage.spec("a"))
        (row,) = (await desk.call("shutdown"))["services"]
        assert row["result"] == "stopped"
        assert desk.ended.is_set()
        assert (service.state.actual, service.state.desired) == (Actual.DOWN, Desired.UP)

    play(scene)


def test_shutdown_can_leave_the_services_alone(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        desk = Desk(stage)
        service = await stage.run(stage.spec("a"))
        assert await desk.call("shutdown", keep_services=True) == {"services": []}
        assert desk.ended.is_set()
        assert service.state.actual is Actual.RUNNING

    play(scene)


def test_shutdown_kills_what_has_not_ended_in_time(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        desk = Desk(stage)
        await stage.run(stage.python(DEAF, "a", stop=StopPolicy(timeout=3600.0)))
        await stage.run(stage.spec("b"))
        await stage.hear("a")
        order = asyncio.ensure_future(desk.call("shutdown", timeout=30))
        await asyncio.sleep(0.01)
        assert not desk.ended.is_set()
        await stage.skip(30.0)
        rows = (await order)["services"]
        assert [(row["name"], row["result"]) for row in rows] == [
            ("a", "stopped"),
            ("b", "stopped"),
        ]

    play(scene)


def test_the_program_of_a_job_is_no_service_but_can_be_ended_by_its_name(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        desk = Desk(stage)
        await stage.run(stage.spec("api"))
        job = await stage.run(stage.spec("report"))
        job.is_job = True
        status = await desk.call("status")
        assert [row["name"] for row in status["services"]] == ["api"]
        assert status["health"]["total"] == 1
        assert [one["name"] for one in (await desk.call("look"))["findings"]] == ["api"]
        with pytest.raises(UnknownName):
            await desk.call("restart", select=["report"])
        rows = (await desk.call("stop", select=["rep*", "report", "api"]))["services"]
        assert [row["name"] for row in rows] == ["api", "report"]
        assert job.state.actual is Actual.DOWN

    play(scene)


def test_what_becomes_of_jobs_is_told_like_what_becomes_of_services(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        desk = Desk(stage)

        def jobs(*schedules: tuple[str, str]) -> list[object]:
            programs = [(stage.spec(name, autostart=False), when) for name, when in schedules]
            return [to_plain(JobSpec(program=one, schedule=when)) for one, when in programs]

        def told(answer: dict[str, Any]) -> tuple[list[str], ...]:
            return answer["jobs_added"], answer["jobs_removed"], answer["jobs_changed"]

        first = jobs(("a", "@daily"), ("b", "@daily"))
        assert told(await desk.call("apply", specs=[], jobs=first)) == (["a", "b"], [], [])
        second = jobs(("b", "@hourly"), ("c", "@daily"))
        expected = (["c"], ["a"], ["b"])
        assert told(await desk.call("apply", specs=[], jobs=second, dry_run=True)) == expected
        assert told(await desk.call("apply", specs=[], jobs=second)) == expected
        assert [row["name"] for row in (await desk.call("job_list"))["jobs"]] == ["b", "c"]

    play(scene)
