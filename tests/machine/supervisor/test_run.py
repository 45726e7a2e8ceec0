"""A supervisor from its first line to its last, in the process of the test."""

import asyncio
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from holdfast.clock import boot_id
from holdfast.control import ControlClient
from holdfast.home import make_runtime
from holdfast.machine.supervisor.pulse import BEAT_EVERY
from holdfast.machine.supervisor.records import Records, load
from holdfast.machine.supervisor.run import run
from holdfast.model.service import Actual, Desired, Identity, ServiceState
from holdfast.model.spec import Probe, ProbeKind, RestartPolicy, ServiceSpec, StopPolicy
from holdfast.model.wire import to_plain
from holdfast.statefile import Durability

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.machine.supervisor.conftest import Play, Stage

if sys.platform != "linux":
    pytest.skip("these tests look into /proc", allow_module_level=True)

DEAF = (
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "print('deaf', flush=True); signal.pause()"
)
LATE = Probe(kind=ProbeKind.NOTIFY, target=(), timeout=3600.0)
"""Readiness that never comes: the service is starting for as long as a test looks."""
GONE = Identity(pid=os.getpid(), start_ticks=1, boot_id=boot_id())


@pytest.fixture
def short() -> Iterator[Path]:
    """Return a folder with a path short enough for sockets."""
    folder = Path(tempfile.mkdtemp(prefix="hf-", dir="/tmp"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


class Program:
    """A running supervisor, and its control socket."""

    def __init__(self, stage: "Stage", task: "asyncio.Task[None]") -> None:
        self.stage = stage
        self.task = task
        self.is_ending = False

    async def call(self, method: str, **params: Any) -> Any:
        self.is_ending |= method == "shutdown"

        def ask() -> Any:
            with ControlClient(self.stage.home.control_socket, timeout=30) as control:
                return control.call(method, params)

        return await asyncio.to_thread(ask)

    async def row(self, name: str = "api") -> dict[str, Any]:
        rows = (await self.call("status", select=[name]))["services"]
        assert len(rows) == 1
        found: dict[str, Any] = rows[0]
        return found

    async def becomes(self, state: str, name: str = "api") -> dict[str, Any]:
        while (row := await self.row(name))["state"] != state:  # noqa: ASYNC110 - another process would ask like this
            await asyncio.sleep(0.002)
        return row


@asynccontextmanager
async def running(stage: "Stage", short: Path) -> "AsyncIterator[Program]":
    """Run a supervisor; where the scene leaves it running it goes and leaves its services alive."""
    stage.home.runtime_pointer.write_text(str(short), encoding="utf-8")
    make_runtime(short)
    stage.launcher.runtime = short
    ready = asyncio.Event()
    task = asyncio.ensure_future(run(stage.parts(), stage.custody, stage.mutual, ready.set))
    waiting = asyncio.ensure_future(ready.wait())
    await asyncio.wait((task, waiting), return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    program = Program(stage, task)
    try:
        yield program
    finally:
        if not (program.is_ending or task.done()):
            await program.call("shutdown", keep_services=True)
        await task


def save(stage: "Stage", spec: ServiceSpec, state: ServiceState, boot: str = "") -> None:
    Records(stage.home, boot or boot_id()).save(spec, state, Durability.ATOMIC)


def is_there(path: Path) -> bool:
    return path.exists()


def content(path: str) -> str:
    return Path(path).read_text(encoding="utf-8")


def faults(stage: "Stage") -> list[object]:
    return [event.facts["why"] for event in stage.events("supervisor.fault")]


def test_it_answers_once_it_is_ready_and_tidies_up_when_it_goes(play: "Play", short: Path) -> None:
    async def scene(stage: "Stage") -> None:
        async with running(stage, short) as program:
            found = await program.call("ping")
            assert (found["pid"], found["ready"]) == (os.getpid(), True)
            beat = json.loads(stage.home.heartbeat("supervisor").read_text())
            assert (beat["pid"], beat["status"], beat["boot_id"]) == (
                os.getpid(),
                "running",
                boot_id(),
            )
            assert beat["expires_at"] > beat["timestamp"]
            await program.call("shutdown")
        assert not stage.home.heartbeat("supervisor").exists()
        assert not is_there(short)
        kinds = [event.kind for event in stage.events()]
        assert kinds == ["supervisor.started", "supervisor.stopped"]

    play(scene)


def test_it_beats_again_and_again(play: "Play", short: Path) -> None:
    async def scene(stage: "Stage") -> None:
        async with running(stage, short):
            first = json.loads(stage.home.heartbeat("supervisor").read_text())["timestamp"]
            await stage.skip(BEAT_EVERY)
            second = json.loads(stage.home.heartbeat("supervisor").read_text())["timestamp"]
            assert second - first >= BEAT_EVERY

    play(scene)


def test_a_heartbeat_the_disk_refuses_is_told_and_stops_nothing(play: "Play", short: Path) -> None:
    async def scene(stage: "Stage") -> None:
        stage.home.heartbeat("supervisor").mkdir()
        async with running(stage, short) as program:
            assert (await program.call("ping"))["ready"]
            stage.home.heartbeat("supervisor").rmdir()
            await stage.skip(BEAT_EVERY)
        kinds = [event.kind for event in stage.events() if event.kind.startswith("state.")]
        assert kinds == ["state.write_failed", "state.write_recovered"]

    play(scene)


def test_what_lives_is_adopted_by_the_next_supervisor(play: "Play", short: Path) -> None:
    async def first(stage: "Stage") -> None:
        async with running(stage, short) as program:
            await program.call("apply", specs=[to_plain(stage.spec())], start_added=True)
            await stage.skip(1.0)

    async def second(stage: "Stage") -> None:
        before = load(stage.home, "api").state
        async with running(stage, short) as program:
            row = await program.row()
            assert (row["state"], row["adopted"]) == ("running", True)
            assert (row["generation"], row["restarts"]) == (1, 0)
            assert before.process is not None
            assert row["pid"] == before.process.pid
            await program.call("shutdown")
        assert faults(stage) == []

    play(first)
    play(second)


def test_an_open_intent_is_resolved_by_the_process_that_bears_it(
    play: "Play", short: Path
) -> None:
    async def first(stage: "Stage") -> None:
        service = await stage.run(stage.spec())
        intent = replace(service.state, actual=Actual.STARTING, process=None)
        save(stage, service.spec, intent)
        (stage.folder / "pid").write_text(stage.home.pid("api").read_text())
        stage.home.pid("api").unlink()

    async def second(stage: "Stage") -> None:
        async with running(stage, short) as program:
            row = await program.row()
            assert (row["state"], row["adopted"], row["generation"]) == ("running", True, 1)
            assert row["pid"] == int((stage.folder / "pid").read_text())
            await program.call("shutdown")

    play(first)
    play(second)


def test_an_open_intent_without_a_process_is_taken_up_again_and_counted(
    play: "Play", short: Path
) -> None:
    async def scene(stage: "Stage") -> None:
        state = ServiceState(
            name="api", desired=Desired.UP, actual=Actual.STARTING, instance="api.1.none"
        )
        save(stage, stage.spec(ready=LATE), state)
        async with running(stage, short) as program:
            await program.becomes("starting")
            assert (await program.row())["restarts"] == 1
            await program.call("shutdown")

    play(scene)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, ("starting", 5, 0)),
        ({"closing": True}, ("down", 4, 0)),
        ({"desired": Desired.DOWN}, ("down", 4, 0)),
    ],
    ids=["was up", "was being closed", "was stopped"],
)
def test_nothing_of_another_boot_is_believed_but_what_was_on_its_feet_comes_back(
    play: "Play", short: Path, facts: dict[str, Any], expected: tuple[str, int, int]
) -> None:
    async def scene(stage: "Stage") -> None:
        mine = Identity(pid=os.getpid(), start_ticks=1, boot_id="another")
        state = ServiceState(
            name="api", desired=Desired.UP, actual=Actual.RUNNING, process=mine, generation=4
        )
        save(stage, stage.spec(ready=LATE), replace(state, **facts), boot="another")
        async with running(stage, short) as program:
            row = await program.row()
            assert (row["state"], row["generation"], row["restarts"]) == expected
            assert row["pid"] != os.getpid()
            await program.call("shutdown")

    play(scene)


def test_what_died_meanwhile_is_told_and_started_again(play: "Play", short: Path) -> None:
    async def scene(stage: "Stage") -> None:
        state = ServiceState(
            name="api", desired=Desired.UP, actual=Actual.RUNNING, process=GONE, generation=1
        )
        spec = stage.spec(restart=RestartPolicy(delay=0.0, min_gap=0.0))
        save(stage, spec, state)
        async with running(stage, short) as program:
            while (row := await program.row())["generation"] != 2:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.002)
            assert row["last_exit"]["reason"] == "unknown"
            await program.call("shutdown")

    play(scene)


def test_a_broken_record_is_set_aside_and_its_limit_counts_as_used_up(
    play: "Play", short: Path
) -> None:
    async def scene(stage: "Stage") -> None:
        stage.home.service("api").write_text("{")
        save(stage, stage.spec("db"), ServiceState(name="db"))
        async with running(stage, short) as program:
            names = [row["name"] for row in (await program.call("status"))["services"]]
            assert names == ["db"]
            (event,) = stage.events("state.corrupt")
            assert content(str(event.facts["evidence"])) == "{"
            policy = RestartPolicy(delay=0.0, min_gap=0.0)
            spec = stage.python("raise SystemExit(1)", restart=policy)
            await program.call("apply", specs=[to_plain(spec)], start_added=True)
            await program.becomes("held")
            await program.call("shutdown")
        assert len(load(stage.home, "api").state.history) == 3

    play(scene)


def test_a_term_stops_everything_in_order(play: "Play", short: Path) -> None:
    async def scene(stage: "Stage") -> None:
        async with running(stage, short) as program:
            await program.call("apply", specs=[to_plain(stage.spec())], start_added=True)
            os.kill(os.getpid(), signal.SIGTERM)
            await program.task
        assert load(stage.home, "api").state.actual is Actual.DOWN
        assert load(stage.home, "api").state.desired is Desired.UP
        kinds = [event.kind for event in stage.events()]
        assert kinds[-1] == "supervisor.stopped"
        assert kinds.index("supervisor.signalled") < kinds.index("service.stopped")
        assert faults(stage) == []

    play(scene)


def test_a_second_signal_kills_what_is_slow(play: "Play", short: Path) -> None:
    async def scene(stage: "Stage") -> None:
        async with running(stage, short) as program:
            spec = stage.python(DEAF, stop=StopPolicy(timeout=3600.0))
            await program.call("apply", specs=[to_plain(spec)], start_added=True)
            await stage.hear()
            os.kill(os.getpid(), signal.SIGINT)
            await program.becomes("stopping")
            os.kill(os.getpid(), signal.SIGINT)
            await program.task
        assert [event.facts["kill"] for event in stage.events("supervisor.signalled")] == [
            False,
            True,
        ]
        assert stage.events("service.killed")

    play(scene)


def test_a_hangup_ends_nothing(play: "Play", short: Path) -> None:
    async def scene(stage: "Stage") -> None:
        async with running(stage, short) as program:
            os.kill(os.getpid(), signal.SIGHUP)
            assert (await program.call("ping"))["ready"]

    play(scene)


def test_a_fault_of_its_own_is_recorded_with_its_trace_and_ends_nothing(
    play: "Play", short: Path
) -> None:
    async def scene(stage: "Stage") -> None:
        def fail() -> None:
            raise ZeroDivisionError("by design")

        async with running(stage, short) as program:
            stage.loop.call_soon(fail)
            assert (await program.call("ping"))["ready"]
        (event,) = stage.events("supervisor.fault")
        assert event.facts["severity"] == "critical"
        assert "ZeroDivisionError: by design" in str(event.facts["trace"])
        assert "by design" in stage.home.log("supervisor").read_text()

    play(scene)


def test_services_that_are_kept_live_on_with_their_pipes(play: "Play", short: Path) -> None:
    async def scene(stage: "Stage") -> None:
        async with running(stage, short) as program:
            await program.call("apply", specs=[to_plain(stage.spec())], start_added=True)
            await stage.skip(1.0)
            pid = (await program.row())["pid"]
            await program.call("shutdown", keep_services=True)
        os.kill(pid, 0)
        assert is_there(short / "api" / "api.out")
        assert not is_there(short / "control.sock")
        assert load(stage.home, "api").state.actual is Actual.RUNNING

    play(scene)


def test_a_journal_the_disk_refuses_at_the_end_spoils_no_end(
    play: "Play", short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(stage: "Stage") -> None:
        def refuse() -> None:
            raise OSError("no space")

        monkeypatch.setattr(stage.journal, "sync", refuse)
        async with running(stage, short) as program:
            await program.call("shutdown")
        assert not is_there(short)

    play(scene)
