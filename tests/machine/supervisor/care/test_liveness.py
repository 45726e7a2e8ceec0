"""Beats of real processes reach the service they belong to, and silence is judged at its moment."""

import asyncio
import json
import os
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from holdfast.clock import boot_id
from holdfast.home import Home
from holdfast.journal import Journal, read
from holdfast.machine.beats.file import HeartbeatFiles
from holdfast.machine.beats.sockets import NotifySockets
from holdfast.machine.process.identity import identify
from holdfast.machine.supervisor.care.liveness import Heartbeats
from holdfast.machine.supervisor.notes import Notes
from holdfast.machine.supervisor.service import Service
from holdfast.model.event import (
    BecameReady,
    HealthJudged,
    MainChanged,
    RestartOrdered,
    ServiceEvent,
    TimeExtended,
)
from holdfast.model.service import Actual, Health, Reason, ServiceState
from holdfast.model.spec import HeartbeatPolicy, Probe, ProbeKind, ServiceSpec

if sys.platform != "linux":
    pytest.skip("these tests look into /proc", allow_module_level=True)

LEASE = 90.0
POLICY = HeartbeatPolicy(every=30.0, lease=LEASE)
DEADLINE_S = 30.0


class AheadClock:
    """The clocks of this machine, set forward by hand and by nothing else: this machine may be slow."""

    def __init__(self) -> None:
        self.began = (time.time(), time.monotonic())
        self.ahead = 0.0
        self.stepped = 0.0

    def wall(self) -> float:
        return self.began[0] + self.ahead + self.stepped

    def monotonic(self) -> float:
        return self.began[1] + self.ahead


class AheadLoop(asyncio.SelectorEventLoop):
    """A loop whose timers obey such a clock."""

    def __init__(self, clock: AheadClock) -> None:
        self.clock = clock
        super().__init__()

    def time(self) -> float:
        return self.clock.monotonic()


class Keep:
    """Keeps nothing: what one supervisor opened is lost to the next."""

    def __init__(self) -> None:
        self.held: MutableMapping[str, int] = {}

    def hold(self, name: str, fd: int) -> None:
        pass

    def drop(self, name: str) -> None:
        pass


class Scene:
    """One service whose process is this very test, and everything that was told of it."""

    def __init__(self, folder: Path, runtime: Path, clock: AheadClock) -> None:
        self.clock = clock
        self.home = Home(folder / "home")
        self.home.make()
        self.runtime = runtime
        self.journal = Journal(self.home.journal, clock)
        self.journal.open()
        self.told: list[ServiceEvent] = []
        self.sockets = NotifySockets(asyncio.get_running_loop(), runtime, Keep())
        self.beats = Heartbeats(
            clock,
            Notes(self.home, clock, self.journal),
            self._tell,
            self.sockets,
            HeartbeatFiles(self.home, runtime),
        )
        main = identify(os.getpid())
        state = ServiceState(
            name="api", actual=Actual.STARTING, generation=3, instance="6f1c", process=main
        )
        spec = ServiceSpec(name="api", command=("api",), cwd="/", heartbeat=POLICY)
        self.service = Service(spec=spec, state=state)

    def _tell(self, service: Service, event: ServiceEvent) -> None:
        """Do to the state what the supervisor's rules do."""
        self.told.append(event)
        if isinstance(event, BecameReady):
            self.moves(Actual.RUNNING)
        if isinstance(event, HealthJudged):
            self.moves(service.state.actual, health=event.health)

    def starts(self, **spec: Any) -> str:
        """Start the service; return the address of its socket."""
        self.service.spec = replace(self.service.spec, **spec)
        path = self.sockets.open("api", self.service.state.generation)
        self.beats.attend(self.service)
        return path

    def moves(self, actual: Actual, **state: Any) -> None:
        """Change the state of the service."""
        self.service.state = replace(self.service.state, actual=actual, **state)
        self.beats.attend(self.service)

    def runs(self, **spec: Any) -> str:
        """Start the service and have it running."""
        path = self.starts(**spec)
        self.moves(Actual.RUNNING)
        return path

    def says(self, *lines: str) -> None:
        """Send one message from the service itself."""
        path = str(self.runtime / "api" / f"notify-{self.service.state.generation}.sock")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto("\n".join(lines).encode(), path)
        self.sockets.drain("api")

    def writes(self, **content: object) -> None:
        """Write the heartbeat file as the service itself."""
        path = self.home.heartbeat("api")
        path.with_suffix(".new").write_text(
            json.dumps({"timestamp": self.clock.wall(), **content})
        )
        path.with_suffix(".new").rename(path)

    async def skip(self, seconds: float) -> None:
        """Set the clock forward and let everything that is due by then happen."""
        self.clock.ahead += seconds
        for _ in range(4):
            await asyncio.sleep(0)

    async def pass_time(self, seconds: float) -> None:
        """Let time pass as a supervisor sees it that is never late."""
        for _ in range(round(seconds)):
            await self.skip(1.0)

    async def shown(self) -> dict[str, Any]:
        """Return the heartbeat as everybody sees it, once it is written."""
        await self.skip(1.0)
        found: dict[str, Any] = json.loads(self.home.heartbeat("api").read_text())
        return found

    @property
    def health(self) -> list[Health]:
        return [one.health for one in self.told if isinstance(one, HealthJudged)]

    @property
    def restarts(self) -> list[RestartOrdered]:
        return [one for one in self.told if isinstance(one, RestartOrdered)]

    def events(self) -> list[tuple[str, object]]:
        found = [one for one in read(self.home.journal) if one.kind.startswith("heartbeat.")]
        return [(one.kind, one.facts.get("reason")) for one in found]

    def close(self) -> None:
        self.beats.forget(self.service)
        self.journal.close()


Act: TypeAlias = Callable[[Scene], Awaitable[None]]
Play: TypeAlias = Callable[[Act], None]


@pytest.fixture
def play(tmp_path: Path) -> Iterator[Play]:
    runtime = Path(tempfile.mkdtemp(prefix="hf-", dir="/tmp"))
    (runtime / "api").mkdir()
    clock = AheadClock()

    async def within(act: Act) -> None:
        faults: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(
            lambda _loop, context: faults.append(context)
        )
        scene = Scene(tmp_path, runtime, clock)
        try:
            await act(scene)
        finally:
            scene.close()
        assert faults == []

    def enact(act: Act) -> None:
        with asyncio.Runner(loop_factory=lambda: AheadLoop(clock)) as runner:
            runner.run(within(act))

    yield enact
    shutil.rmtree(runtime)


ABORT = RestartOrdered(reason=Reason.LEASE, counted=True, forgive=False, signal="ABRT")


def test_a_silent_service_is_degraded_and_then_restarted(play: Play) -> None:
    async def act(scene: Scene) -> None:
        scene.runs()
        await scene.pass_time(LEASE / 2 + 1)
        assert scene.health == [Health.DEGRADED]
        await scene.pass_time(LEASE / 2)
        assert scene.restarts == []
        await scene.pass_time(6)
        assert scene.restarts == [ABORT]

    play(act)


def test_a_service_that_beats_is_left_alone(play: Play) -> None:
    async def act(scene: Scene) -> None:
        scene.runs()
        for _ in range(10):
            await scene.pass_time(30)
            scene.says("WATCHDOG=1")
        assert scene.told == []

    play(act)


def test_beats_that_came_while_the_supervisor_stood_still_are_heard_before_the_verdict(
    play: Play,
) -> None:
    async def act(scene: Scene) -> None:
        path = scene.runs()
        scene.clock.ahead += LEASE * 5
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"WATCHDOG=1", path)
        await scene.skip(0)
        assert scene.told == []
        assert scene.events() == []

    play(act)


def test_a_supervisor_that_stood_still_blames_nobody(play: Play) -> None:
    async def act(scene: Scene) -> None:
        scene.runs()
        await scene.skip(LEASE * 5)
        assert scene.told == []
        assert scene.events() == [("heartbeat.deferred", None)]

    play(act)


def test_without_a_policy_beats_are_shown_and_silence_is_nothing(play: Play) -> None:
    async def act(scene: Scene) -> None:
        scene.runs(heartbeat=None)
        assert scene.beats.row(scene.service) is None
        scene.says("WATCHDOG=1", "STATUS=serving", "X_HOLDFAST_PROGRESS=4")
        row = scene.beats.row(scene.service)
        assert row is not None
        assert (row["status"], row["text"], row["progress"]) == ("healthy", "serving", 4.0)
        assert row["expires_at"] is None
        await scene.skip(LEASE * 9)
        assert scene.told == []

    play(act)


def test_readiness_is_believed_only_where_it_is_asked_for(play: Play) -> None:
    async def act(scene: Scene) -> None:
        scene.starts()
        scene.says("READY=1")
        assert scene.told == []
        scene.service.spec = replace(
            scene.service.spec, ready=Probe(kind=ProbeKind.NOTIFY, target=(), timeout=90.0)
        )
        scene.says("READY=1", "WATCHDOG=1")
        assert scene.told == [BecameReady()]

    play(act)


def test_more_time_is_passed_on_before_it_runs_and_lengthens_the_lease_after(play: Play) -> None:
    async def act(scene: Scene) -> None:
        scene.starts()
        scene.says("EXTEND_TIMEOUT_USEC=60000000")
        (told,) = scene.told
        assert isinstance(told, TimeExtended)
        assert 0 <= scene.clock.monotonic() + 60 - told.until_mono < DEADLINE_S

        scene.moves(Actual.RUNNING)
        scene.says("EXTEND_TIMEOUT_USEC=600000000")
        await scene.pass_time(590)
        assert scene.told == [told]

    play(act)


def test_a_trigger_restarts_at_once(play: Play) -> None:
    async def act(scene: Scene) -> None:
        scene.runs()
        scene.says("WATCHDOG=trigger")
        assert scene.restarts == [ABORT]

    play(act)


def test_three_errors_make_it_bad_and_a_good_beat_heals(play: Play) -> None:
    async def act(scene: Scene) -> None:
        scene.runs()
        for _ in range(4):
            scene.says("WATCHDOG=1", "X_HOLDFAST_STATUS=error", "X_HOLDFAST_ERROR=no route")
        scene.says("WATCHDOG=1")
        assert scene.health == [Health.BAD, Health.OK]

    play(act)


def test_a_beat_is_shown_in_the_home_at_most_once_a_second(play: Play) -> None:
    async def act(scene: Scene) -> None:
        scene.runs()
        scene.says("WATCHDOG=1", 'X_HOLDFAST_EXTRA={"project": "notes"}', "X_HOLDFAST_PROGRESS=1")
        first = await scene.shown()
        assert (first["generation"], first["pid"], first["boot_id"]) == (3, os.getpid(), boot_id())
        assert first["expires_at"] == pytest.approx(first["timestamp"] + LEASE)
        for progress in range(2, 9):
            scene.says("WATCHDOG=1", f"X_HOLDFAST_PROGRESS={progress}")
        last = await scene.shown()
        assert (last["progress"], last["project"]) == (8, "notes")

    play(act)


def test_a_heartbeat_file_keeps_a_service_alive_across_steps_of_the_clock(play: Play) -> None:
    async def act(scene: Scene) -> None:
        scene.runs()
        for step in (0.0, -5000.0, 90_000.0, 0.0):
            scene.clock.stepped = step
            scene.writes(generation=3)
            await scene.pass_time(31)
        assert scene.told == []
        assert scene.events() == []

    play(act)


def test_a_file_of_another_generation_boot_or_of_the_future_is_refused_once(play: Play) -> None:
    async def act(scene: Scene) -> None:
        scene.runs()
        for said in ({"generation": 2}, {"boot_id": "x"}, {"timestamp": 9e9}, {"pid": 1}) * 2:
            scene.writes(**said)
            await scene.pass_time(31)
        reasons = [reason for kind, reason in scene.events() if kind == "heartbeat.refused"]
        assert reasons == ["generation", "boot", "future", "sender"]

    play(act)


def test_what_an_earlier_process_left_in_the_file_says_nothing(play: Play) -> None:
    async def act(scene: Scene) -> None:
        scene.writes(generation=2, status="error")
        scene.runs()
        assert scene.beats.row(scene.service) is None
        assert scene.events() == []

    play(act)


def test_a_stranger_is_refused_and_told_of_once(play: Play) -> None:
    async def act(scene: Scene) -> None:
        scene.runs()
        main = await asyncio.create_subprocess_exec("sleep", "7302")
        scene.service.state = replace(scene.service.state, process=identify(main.pid))
        scene.says("WATCHDOG=1")
        scene.says("WATCHDOG=1")
        main.kill()
        await main.wait()
        assert scene.events() == [("heartbeat.refused", "sender")]
        assert scene.beats.row(scene.service) is None

    play(act)


def test_another_main_process_must_be_one_of_the_service(play: Play) -> None:
    async def act(scene: Scene) -> None:
        scene.runs()
        child = await asyncio.create_subprocess_exec("sleep", "7302")
        scene.says(f"MAINPID={child.pid}", "MAINPID=bad")
        scene.says("MAINPID=1")
        scene.says(f"MAINPID={child.pid}")
        found = identify(child.pid)
        child.kill()
        await child.wait()
        assert found is not None
        assert scene.told == [MainChanged(identity=found)]
        assert scene.events() == [("heartbeat.refused", "main")]

    play(act)


def test_an_adopted_service_without_its_socket_is_degraded_until_it_beats(play: Play) -> None:
    async def act(scene: Scene) -> None:
        scene.moves(Actual.RUNNING, adopted=True, health=Health.OK)
        assert scene.health == [Health.DEGRADED]
        assert scene.events() == [("heartbeat.suspended", None)]
        await scene.pass_time(LEASE * 3)
        assert scene.restarts == []
        scene.says("WATCHDOG=1")
        assert scene.health == [Health.DEGRADED, Health.OK]

    play(act)


def test_a_new_process_starts_with_nothing_of_the_old_one(play: Play) -> None:
    async def act(scene: Scene) -> None:
        scene.runs()
        scene.says("WATCHDOG=1", "X_HOLDFAST_STATUS=error", "X_HOLDFAST_LEASE=5")
        await scene.pass_time(2)
        scene.moves(Actual.BACKOFF, process=None)
        assert os.listdir(scene.runtime / "api") == []
        assert scene.beats.row(scene.service) is None
        await scene.pass_time(LEASE * 3)

        scene.moves(Actual.STARTING, process=identify(os.getpid()), generation=4)
        scene.moves(Actual.RUNNING)
        scene.told.clear()
        await scene.pass_time(30)
        assert scene.told == []

    play(act)


def test_nothing_is_judged_while_it_stops(play: Play) -> None:
    async def act(scene: Scene) -> None:
        scene.runs()
        scene.moves(Actual.STOPPING)
        scene.says("STOPPING=1", "STATUS=saving", "WATCHDOG=1")
        await scene.pass_time(LEASE * 3)
        assert scene.told == []
        row = scene.beats.row(scene.service)
        assert row is not None
        assert row["text"] == "saving"

    play(act)


def test_a_changed_policy_counts_from_now(play: Play) -> None:
    async def act(scene: Scene) -> None:
        scene.runs()
        await scene.pass_time(40)
        scene.service.spec = replace(
            scene.service.spec, heartbeat=HeartbeatPolicy(every=5.0, lease=20.0)
        )
        scene.beats.attend(scene.service)
        await scene.pass_time(9)
        assert scene.told == []
        await scene.pass_time(2)
        assert scene.health == [Health.DEGRADED]

    play(act)


def test_a_full_disk_is_told_once_and_costs_no_beat(play: Play) -> None:
    async def act(scene: Scene) -> None:
        scene.runs()
        shutil.rmtree(scene.home.heartbeats)
        scene.home.heartbeats.write_text("in the way")
        for _ in range(3):
            scene.says("WATCHDOG=1")
            await scene.pass_time(2)
        assert scene.beats.row(scene.service) is not None
        failed = [one for one in read(scene.home.journal) if one.kind == "state.write_failed"]
        assert len(failed) == 1

    play(act)


def test_a_supervisor_that_leaves_leaves_the_socket_of_a_living_service(play: Play) -> None:
    async def act(scene: Scene) -> None:
        path = scene.runs()
        scene.beats.forget(scene.service)
        assert os.listdir(scene.runtime / "api") == [os.path.basename(path)]

    play(act)
