"""A supervisor made of real parts on a loop whose clock can be set forward, with tiny real programs as services."""

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from holdfast.clock import boot_id
from holdfast.home import Home
from holdfast.journal import Journal, read
from holdfast.machine.keeping import Unkept
from holdfast.machine.output.pipes import Pipes
from holdfast.machine.probes.errand import Errands
from holdfast.machine.process.headroom import Headroom
from holdfast.machine.process.tree import Roster
from holdfast.machine.process.wait import reap_strangers
from holdfast.machine.supervisor.custody import Custody
from holdfast.machine.supervisor.keeper import Keeper
from holdfast.machine.supervisor.launch import Launcher
from holdfast.machine.supervisor.loop import Supervisor
from holdfast.machine.supervisor.mutual import Mutual
from holdfast.machine.supervisor.notes import Notes
from holdfast.machine.supervisor.parts import Parts
from holdfast.machine.supervisor.records import Records
from holdfast.machine.supervisor.service import Service
from holdfast.machine.supervisor.trees import Trees
from holdfast.model.event import Event, StartOrdered, StopOrdered
from holdfast.model.service import Actual, ServiceState
from holdfast.model.spec import ServiceSpec
from holdfast.rules.life import READY_AFTER

SLEEP = ("sleep", "7001")
KILL = 9


class AheadClock:
    """The clocks of this machine, set forward by hand."""

    def __init__(self) -> None:
        self.ahead = 0.0
        self._stood_at: tuple[float, float] | None = None

    def stand(self) -> None:
        """Let time pass only by hand from now on: for what must not be due however slow this machine is."""
        self._stood_at = (time.time(), time.monotonic())

    def wall(self) -> float:
        return (self._stood_at[0] if self._stood_at else time.time()) + self.ahead

    def monotonic(self) -> float:
        return (self._stood_at[1] if self._stood_at else time.monotonic()) + self.ahead


class AheadLoop(asyncio.SelectorEventLoop):
    """A loop whose timers obey such a clock."""

    def __init__(self, clock: AheadClock) -> None:
        self.clock = clock
        super().__init__()

    def time(self) -> float:
        return self.clock.monotonic()


class Stage:
    """One home and one supervisor of it; what fails in a callback stands in `faults`."""

    def __init__(self, folder: Path, clock: AheadClock) -> None:
        self.folder = folder
        self.clock = clock
        self.home = Home(folder / "home")
        self.home.make()
        self.runtime = folder / "run"
        self.runtime.mkdir(exist_ok=True)
        self.faults: list[dict[str, Any]] = []
        self.loop = asyncio.get_running_loop()
        self.loop.set_exception_handler(lambda _loop, context: self.faults.append(context))
        self.journal = Journal(self.home.journal, clock)
        self.journal.open()
        self.notes = Notes(self.home, clock, self.journal)
        self.records = Records(self.home, boot_id())
        self.keeper = Keeper(self.loop, self.records, self.notes, self.journal)
        self.headroom = Headroom()
        self.pipes = Pipes(self.loop, clock, self.notes.output_lost, Unkept())
        self.launcher = Launcher(self.home, self.runtime, self.pipes, self.headroom)
        self.trees = Trees(self.loop, Roster(), boot_id())
        self.errands = Errands(self.loop, self.headroom)
        self.supervisor = Supervisor(self.parts())
        self.custody = Custody(self.loop, self.home)
        self.mutual = Mutual(self, self.custody, lambda: 0)

    def parts(self) -> Parts:
        """Return what a supervisor of this stage is made of."""
        return Parts(
            home=self.home,
            clock=self.clock,
            loop=self.loop,
            journal=self.journal,
            records=self.records,
            keeper=self.keeper,
            pipes=self.pipes,
            launcher=self.launcher,
            trees=self.trees,
            notes=self.notes,
            keeping=Unkept(),
            errands=self.errands,
        )

    def spec(
        self, name: str = "api", command: tuple[str, ...] = SLEEP, **more: Any
    ) -> ServiceSpec:
        """Return a service that runs in the folder of the test."""
        return ServiceSpec(name=name, command=command, cwd=str(self.folder), **more)

    def python(self, code: str, name: str = "api", **more: Any) -> ServiceSpec:
        """Return a service that runs a few lines of Python."""
        return self.spec(name, (sys.executable, "-I", "-S", "-c", code), **more)

    def start(self, spec: ServiceSpec) -> Service:
        """Take a service under supervision and start it."""
        service = self.supervisor.add(spec)
        self.supervisor.tell(service, StartOrdered())
        return service

    async def run(self, spec: ServiceSpec) -> Service:
        """Start a service and go on once it is running."""
        service = self.start(spec)
        await self.skip(READY_AFTER)
        assert service.state.actual is Actual.RUNNING, service.state
        return service

    async def stop(self, service: Service) -> None:
        """Stop a service and go on once nothing of it is left."""
        self.supervisor.tell(service, StopOrdered())
        await self.becomes(service, Actual.DOWN)

    async def skip(self, seconds: float) -> None:
        """Set the clock forward and let everything that is due by then happen."""
        self.clock.ahead += seconds
        for _ in range(3):
            await asyncio.sleep(0)

    async def until(self, service: Service, is_so: Callable[[ServiceState], bool]) -> ServiceState:
        """Wait until the state of a service is as described."""
        while not is_so(service.state):
            await self.supervisor.changed(service)
        return service.state

    async def becomes(self, service: Service, *wanted: Actual) -> ServiceState:
        """Wait until a service is in one of these states."""
        return await self.until(service, lambda state: state.actual in wanted)

    def said(self, name: str = "api") -> list[str]:
        """Return the lines a service has printed."""
        self.pipes.drain(name)
        log = self.home.log(name)
        return log.read_text(encoding="utf-8").splitlines() if log.exists() else []

    async def hear(self, name: str = "api", lines: int = 1) -> list[str]:
        """Wait until a service has printed so many lines."""
        while len(told := self.said(name)) < lines:  # noqa: ASYNC110 - a file tells nobody that it grew
            await asyncio.sleep(0.002)
        return told

    def events(self, kind: str = "") -> list[Event]:
        """Return the journal, or the events of one kind."""
        return [event for event in read(self.home.journal) if kind in ("", event.kind)]

    def close(self) -> None:
        """Let go of every descriptor, and write nothing: as a supervisor that was killed."""
        for service in self.supervisor.services.values():
            for attendant in self.supervisor.attendants:
                attendant.forget(service)
            self.supervisor.mains.unwatch(service)
            self.trees.forget(service)
        self.pipes.close_all()
        self.headroom.close()
        self.journal.close()


Scene: TypeAlias = Callable[[Stage], Awaitable[None]]
Play: TypeAlias = Callable[[Scene], None]


@pytest.fixture
def play(tmp_path: Path) -> Iterator[Play]:
    """Play scenes, one after another, on the same home; between two of them the supervisor is as if killed."""
    if sys.platform != "linux":
        pytest.skip("these tests look into /proc")
    clock = AheadClock()

    async def within(scene: Scene) -> None:
        stage = Stage(tmp_path, clock)
        try:
            await scene(stage)
        finally:
            stage.close()
        assert not stage.faults

    def enact(scene: Scene) -> None:
        with asyncio.Runner(loop_factory=lambda: AheadLoop(clock)) as runner:
            runner.run(within(scene))

    yield enact
    while _killed(tmp_path / "home"):
        reap_strangers(frozenset())
    reap_strangers(frozenset())


def _killed(home: Path) -> int:
    needle = b"HOLDFAST_HOME=" + os.fsencode(home) + b"\0"
    count = 0
    for pid in filter(str.isdecimal, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if needle in Path(f"/proc/{pid}/environ").read_bytes():
                os.kill(int(pid), KILL)
                count += 1
    return count
