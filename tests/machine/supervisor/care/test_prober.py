"""Rounds of looks in virtual time, with looks that find what the test says."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from holdfast.clock import SystemClock, boot_id
from holdfast.home import Home
from holdfast.journal import Journal, read
from holdfast.machine.probes.errand import Errands
from holdfast.machine.supervisor.care.looks import Look, Looks
from holdfast.machine.supervisor.care.prober import MOST_AT_ONCE, Prober
from holdfast.machine.supervisor.notes import Notes
from holdfast.machine.supervisor.service import Service
from holdfast.model.event import BecameReady, HealthJudged, RestartOrdered, ServiceEvent
from holdfast.model.finding import WELL, Finding, Found, failed, unknown
from holdfast.model.service import Actual, Health, Identity, Reason, ServiceState
from holdfast.model.spec import Probe, ProbeKind, ServiceSpec
from holdfast.rules.probing import JUDGE, Purpose, first_live_look

MAIN = Identity(pid=os.getpid(), start_ticks=1, boot_id=boot_id())
READY = Probe(kind=ProbeKind.TCP, target=("h:1",), timeout=90.0, every=0.5)
LIVE = Probe(kind=ProbeKind.TCP, target=("h:1",), timeout=1.0, every=10.0, failures=3)
REFUSED = failed("refused")
RESTART = RestartOrdered(reason=Reason.PROBE, counted=True, forgive=False)


class AheadLoop(asyncio.SelectorEventLoop):
    """A loop whose clock is set forward by hand, and by nothing else: this machine may be slow."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.ahead = 0.0
        super().__init__()

    def time(self) -> float:
        return self.began + self.ahead


class ToldLooks(Looks):
    """Finds what it is told to find; `hold` keeps looks under way until it is set."""

    def __init__(self, home: Home, errands: Errands) -> None:
        super().__init__(home, errands)
        self.findings: dict[str, Finding | Exception] = {}
        self.hold: asyncio.Event | None = None
        self.made: list[tuple[str, Purpose]] = []
        self.under_way: list[str] = []
        self.most = 0

    def at(self, service: Service, probe: Probe, purpose: Purpose) -> Look:
        async def look() -> Finding:
            self.made.append((service.name, purpose))
            self.under_way.append(service.name)
            self.most = max(self.most, len(self.under_way))
            try:
                if self.hold is not None:
                    await self.hold.wait()
            finally:
                self.under_way.remove(service.name)
            finding = self.findings.get(service.name, WELL)
            if isinstance(finding, Exception):
                raise finding
            return finding

        return look


class Scene:
    """A prober, what it tells, and the services it looks at."""

    def __init__(self, folder: Path, loop: AheadLoop) -> None:
        self.loop = loop
        self.faults: list[dict[str, Any]] = []
        loop.set_exception_handler(lambda _loop, context: self.faults.append(context))
        self.home = Home(folder / "home")
        self.home.make()
        self.journal = Journal(self.home.journal, SystemClock())
        self.journal.open()
        self.told: list[tuple[str, ServiceEvent]] = []
        self.looks = ToldLooks(self.home, Errands(loop))
        notes = Notes(self.home, SystemClock(), self.journal)
        self.prober = Prober(loop, self.tell, notes, self.looks)

    def tell(self, service: Service, event: ServiceEvent) -> None:
        self.told.append((service.name, event))
        if isinstance(event, BecameReady):
            self.move(service, Actual.RUNNING)
        if isinstance(event, RestartOrdered):
            self.move(service, Actual.STOPPING)

    def service(
        self, actual: Actual, name: str = "api", process: Identity | None = MAIN, **spec: Any
    ) -> Service:
        return Service(
            spec=ServiceSpec(name=name, command=("x",), cwd="/", **spec),
            state=ServiceState(name=name, actual=actual, generation=1, process=process),
        )

    def move(self, service: Service, actual: Actual, **changes: Any) -> None:
        service.state = replace(service.state, actual=actual, **changes)
        self.prober.attend(service)

    async def skip(self, seconds: float) -> None:
        """Set the clock forward, and let what is due by then happen."""
        self.loop.ahead += seconds
        for _ in range(12):
            await asyncio.sleep(0)

    def events(self) -> list[ServiceEvent]:
        return [event for _, event in self.told]

    def kinds(self) -> list[str]:
        return [event.kind for event in read(self.home.journal)]


def play(folder: Path, scene: Callable[[Scene], Awaitable[None]]) -> None:
    loop = AheadLoop()

    async def within() -> None:
        stage = Scene(folder, loop)
        try:
            await scene(stage)
        finally:
            stage.journal.close()
        assert not stage.faults

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(within())


def test_a_starting_service_is_looked_at_once_it_runs_and_ready_at_the_first_success(
    tmp_path: Path,
) -> None:
    async def scene(on: Scene) -> None:
        service = on.service(Actual.STARTING, process=None, ready=READY)
        on.prober.attend(service)
        await on.skip(1)
        assert on.looks.made == []
        on.looks.findings["api"] = REFUSED
        on.move(service, Actual.STARTING, process=MAIN)
        await on.skip(0)
        assert len(on.looks.made) == 1
        assert on.prober.finding("api") == REFUSED
        await on.skip(0.06)
        assert len(on.looks.made) == 2
        on.looks.findings["api"] = WELL
        await on.skip(0.5)
        assert on.events()[-1] == BecameReady()
        assert all(isinstance(event, HealthJudged) for event in on.events()[:-1])
        await on.skip(60)
        assert len(on.looks.made) == 3

    play(tmp_path, scene)


def test_a_living_service_is_first_looked_at_at_its_own_moment(tmp_path: Path) -> None:
    async def scene(on: Scene) -> None:
        service = on.service(Actual.RUNNING, live=LIVE)
        on.prober.attend(service)
        await on.skip(first_live_look(LIVE, "api") - 0.5)
        assert on.looks.made == []
        await on.skip(0.6)
        assert on.looks.made == [("api", Purpose.LIVE)]
        for looks in range(2, 6):
            await on.skip(10)
            assert len(on.looks.made) == looks
        assert on.told == []

    play(tmp_path, scene)


def test_failures_in_a_row_degrade_then_restart_and_a_success_between_heals(
    tmp_path: Path,
) -> None:
    async def scene(on: Scene) -> None:
        service = on.service(Actual.RUNNING, live=LIVE)
        on.prober.attend(service)
        on.looks.findings["api"] = REFUSED
        await on.skip(16)
        await on.skip(10)
        on.looks.findings["api"] = WELL
        await on.skip(10)
        assert on.events()[2:] == [HealthJudged(health=Health.OK, by=JUDGE)]
        on.looks.findings["api"] = REFUSED
        for _ in range(3):
            await on.skip(10)
        assert on.events()[-1] == RESTART
        assert on.events().count(RESTART) == 1
        assert on.prober.finding("api") is None

    play(tmp_path, scene)


def test_what_an_older_generation_was_found_to_be_is_dropped(tmp_path: Path) -> None:
    async def scene(on: Scene) -> None:
        on.looks.hold = asyncio.Event()
        service = on.service(Actual.STARTING, ready=READY)
        on.prober.attend(service)
        await on.skip(0)
        assert on.looks.under_way == ["api"]
        on.move(service, Actual.STOPPING)
        on.looks.hold.set()
        await on.skip(0)
        assert on.looks.under_way == []
        assert on.told == []
        on.looks.hold = None
        on.move(service, Actual.STARTING, generation=2)
        await on.skip(0)
        assert on.events() == [BecameReady()]

    play(tmp_path, scene)


def test_a_finding_that_comes_in_the_turn_of_an_end_is_dropped_too(tmp_path: Path) -> None:
    async def scene(on: Scene) -> None:
        on.looks.hold = asyncio.Event()
        service = on.service(Actual.STARTING, ready=READY)
        on.prober.attend(service)
        await on.skip(0)
        on.looks.hold.set()
        while on.looks.under_way:  # noqa: ASYNC110 - turn by turn: the look is over, and not yet judged
            await asyncio.sleep(0)
        service.state = replace(service.state, actual=Actual.STOPPING)
        on.prober.attend(service)
        await on.skip(60)
        assert on.told == []
        assert len(on.looks.made) == 1

    play(tmp_path, scene)


def test_a_look_without_an_answer_fails_at_its_limit(tmp_path: Path) -> None:
    async def scene(on: Scene) -> None:
        on.looks.hold = asyncio.Event()
        service = on.service(Actual.RUNNING, live=LIVE)
        on.prober.attend(service)
        await on.skip(16)
        assert on.looks.under_way == ["api"]
        await on.skip(1.2)
        assert on.looks.under_way == []
        assert on.prober.finding("api") == failed("no answer within 1 s")

    play(tmp_path, scene)


def test_a_look_does_not_count_where_the_supervisor_itself_was_stopped(tmp_path: Path) -> None:
    async def scene(on: Scene) -> None:
        on.looks.hold = asyncio.Event()
        service = on.service(Actual.RUNNING, live=LIVE)
        on.prober.attend(service)
        for _ in range(5):
            await on.skip(16)
            assert on.looks.under_way == ["api"]
            await on.skip(5)
        assert on.told == []
        assert on.kinds() == ["probe.unverified"]
        finding = on.prober.finding("api")
        assert finding is not None
        assert finding.found is Found.UNKNOWN

    play(tmp_path, scene)


def test_a_doubt_is_told_once_until_it_is_over(tmp_path: Path) -> None:
    async def scene(on: Scene) -> None:
        service = on.service(Actual.RUNNING, live=LIVE)
        on.prober.attend(service)
        findings = [unknown("a"), unknown("b"), WELL, unknown("c")]
        await on.skip(6)
        for finding in findings:
            on.looks.findings["api"] = finding
            await on.skip(10)
        assert on.kinds() == ["probe.unverified", "probe.unverified"]
        assert on.told == []

    play(tmp_path, scene)


def test_a_fault_in_a_look_is_reported_and_the_next_look_comes(tmp_path: Path) -> None:
    async def scene(on: Scene) -> None:
        service = on.service(Actual.STARTING, ready=READY)
        on.looks.findings["api"] = ZeroDivisionError("oops")
        on.prober.attend(service)
        await on.skip(0)
        assert len(on.faults) == 1
        on.faults.clear()
        on.looks.findings["api"] = WELL
        await on.skip(0.5)
        assert on.events()[-1] == BecameReady()
        assert all(isinstance(event, HealthJudged) for event in on.events()[:-1])

    play(tmp_path, scene)


def test_no_more_than_so_many_looks_are_under_way_and_waiting_costs_no_time(
    tmp_path: Path,
) -> None:
    async def scene(on: Scene) -> None:
        on.looks.hold = asyncio.Event()
        services = [
            on.service(Actual.STARTING, f"s{number}", ready=READY) for number in range(120)
        ]
        for service in services:
            on.prober.attend(service)
        await on.skip(0)
        assert len(on.looks.under_way) == MOST_AT_ONCE
        await on.skip(5)
        assert len(on.looks.under_way) == MOST_AT_ONCE
        for service in services[:MOST_AT_ONCE]:
            on.move(service, Actual.STOPPING)
        await on.skip(0)
        on.looks.hold.set()
        await on.skip(0)
        assert len(on.told) == 120 - MOST_AT_ONCE
        assert on.looks.most == MOST_AT_ONCE

    play(tmp_path, scene)


def test_a_service_is_never_looked_at_twice_at_once(tmp_path: Path) -> None:
    async def scene(on: Scene) -> None:
        on.looks.hold = asyncio.Event()
        slow = replace(LIVE, timeout=60.0)
        service = on.service(Actual.RUNNING, live=slow)
        on.prober.attend(service)
        await on.skip(16)
        for _ in range(4):
            await on.skip(10)
            on.prober.attend(service)
        assert on.looks.under_way == ["api"]
        on.looks.hold.set()
        await on.skip(0)
        assert len(on.looks.made) == 1

    play(tmp_path, scene)


def test_a_changed_probe_starts_over_and_takes_back_what_the_old_one_said(tmp_path: Path) -> None:
    async def scene(on: Scene) -> None:
        service = on.service(Actual.RUNNING, live=LIVE)
        on.prober.attend(service)
        on.looks.findings["api"] = REFUSED
        await on.skip(16)
        assert len(on.told) == 1
        service.spec = replace(service.spec, live=replace(LIVE, target=("h:2",)))
        on.prober.attend(service)
        assert on.events()[1:] == [HealthJudged(health=Health.OK, by=JUDGE)]
        await on.skip(16)
        assert isinstance(on.events()[-1], HealthJudged)
        service.spec = replace(service.spec, live=None)
        on.prober.attend(service)
        assert on.events()[-1] == HealthJudged(health=Health.OK, by=JUDGE)
        await on.skip(60)
        assert len(on.looks.made) == 2

    play(tmp_path, scene)


def test_a_forgotten_service_is_not_looked_at_and_nothing_is_said_of_it(tmp_path: Path) -> None:
    async def scene(on: Scene) -> None:
        on.looks.hold = asyncio.Event()
        service = on.service(Actual.STARTING, ready=READY)
        on.prober.attend(service)
        await on.skip(0)
        on.prober.forget(service)
        on.prober.forget(service)
        await on.skip(0)
        assert on.looks.under_way == []
        await on.skip(60)
        assert on.told == []

    play(tmp_path, scene)


def test_a_supervisor_that_leaves_leaves_no_look_behind(tmp_path: Path) -> None:
    async def scene(on: Scene) -> None:
        await on.prober.finish()
        on.looks.hold = asyncio.Event()
        for number in range(MOST_AT_ONCE + 5):
            on.prober.attend(on.service(Actual.STARTING, f"s{number}", ready=READY))
        await on.skip(0)
        await on.prober.finish()
        assert on.looks.under_way == []
        await on.skip(60)
        assert len(on.looks.made) == MOST_AT_ONCE
        assert on.told == []

    play(tmp_path, scene)


@pytest.mark.parametrize(
    "actual",
    [actual for actual in Actual if actual not in (Actual.STARTING, Actual.RUNNING)],
)
def test_only_what_starts_or_runs_is_looked_at(tmp_path: Path, actual: Actual) -> None:
    async def scene(on: Scene) -> None:
        on.prober.attend(on.service(actual, ready=READY, live=LIVE))
        await on.skip(60)
        assert on.looks.made == []

    play(tmp_path, scene)


def test_a_service_that_says_itself_that_it_is_ready_is_not_looked_at(tmp_path: Path) -> None:
    async def scene(on: Scene) -> None:
        itself = Probe(kind=ProbeKind.NOTIFY, target=(), timeout=90.0)
        on.prober.attend(on.service(Actual.STARTING, ready=itself))
        on.prober.attend(on.service(Actual.RUNNING, "other"))
        await on.skip(60)
        assert on.looks.made == []

    play(tmp_path, scene)
