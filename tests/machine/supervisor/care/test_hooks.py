"""Hooks run as real programs; the ends they run for are told by hand."""

import asyncio
import contextlib
import os
import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from holdfast.clock import SystemClock
from holdfast.errors import StartFailed
from holdfast.home import Home
from holdfast.journal import Journal, read
from holdfast.machine.output.pipes import Outlets
from holdfast.machine.probes.errand import Errands
from holdfast.machine.supervisor.care import hooks
from holdfast.machine.supervisor.care.hooks import MOST_WAITING, AfterHooks, run_before_start
from holdfast.machine.supervisor.notes import Notes
from holdfast.machine.supervisor.service import Service
from holdfast.model.event import Event
from holdfast.model.service import Actual, Exit, LastExit, Reason, ServiceState
from holdfast.model.spec import Hooks, ServiceSpec

if sys.platform != "linux":
    pytest.skip("waits by pidfd", allow_module_level=True)

CRASH = Exit(code=3)


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-I", "-S", "-c", code)


TELL = python(
    "import os; e = os.environ; print(e['HOLDFAST_SERVICE'], e['HOLDFAST_REASON'],"
    " e['HOLDFAST_EXIT_CODE'], e['HOLDFAST_EXIT_SIGNAL'], e['HOLDFAST_GENERATION'])"
)


class Scene:
    """Hook care over services whose ends the test tells; what hooks print goes to one file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = SystemClock()
        self.home = Home(folder / "home")
        self.home.make()
        self.journal = Journal(self.home.journal, self.clock)
        self.journal.open()
        self.errands = Errands(asyncio.get_running_loop())
        self.output = folder / "output"
        self.care = self.new_care()

    def new_care(self) -> AfterHooks:
        notes = Notes(self.home, self.clock, self.journal)
        return AfterHooks(self.home, self.clock, self.errands, notes, self.outlets)

    def outlets(self, _spec: ServiceSpec, _uid: int | None) -> Outlets:
        fd = os.open(self.output, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        return Outlets(fd, fd)

    def service(self, **wanted: tuple[str, ...]) -> Service:
        spec = ServiceSpec(name="api", command=("x",), cwd=str(self.folder), hooks=Hooks(**wanted))
        state = ServiceState(
            name="api",
            actual=Actual.RUNNING,
            generation=1,
            started_mono=self.clock.monotonic(),
        )
        service = Service(spec=spec, state=state)
        self.care.attend(service)
        return service

    def end(
        self,
        service: Service,
        actual: Actual = Actual.BACKOFF,
        exit_: Exit = CRASH,
        reason: Reason = Reason.EXIT,
    ) -> None:
        last = LastExit(
            exit=exit_, reason=reason, at=self.clock.wall(), mono=self.clock.monotonic()
        )
        self.move(service, Actual.STOPPING, last_exit=last)
        self.move(service, actual)

    def again(self, service: Service) -> None:
        self.move(
            service,
            Actual.STARTING,
            generation=service.state.generation + 1,
            started_mono=self.clock.monotonic(),
        )
        self.move(service, Actual.RUNNING)

    def move(self, service: Service, actual: Actual, **changes: Any) -> None:
        service.state = replace(service.state, actual=actual, **changes)
        self.care.attend(service)

    async def done(self) -> list[str]:
        """Wait for all hooks, and return what they printed."""
        await self.care.finish(60)
        return self.output.read_text().splitlines() if self.output.exists() else []

    def failures(self) -> list[Event]:
        return [event for event in read(self.home.journal) if event.kind == "hook.failed"]


def play(folder: Path, scene: Callable[[Scene], Awaitable[None]]) -> None:
    async def within() -> None:
        on = Scene(folder)
        try:
            await scene(on)
            while on.errands.pids:  # noqa: ASYNC110 - the loop reaps them in its own time
                await asyncio.sleep(0.002)
        finally:
            on.errands.close()
            on.journal.close()

    asyncio.run(within())


@pytest.fixture(autouse=True)
def no_descriptor_is_left() -> Iterator[None]:
    before = len(os.listdir("/proc/self/fd"))
    yield
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_failure_runs_both_hooks_in_order_and_tells_them_how_it_ended(tmp_path: Path) -> None:
    async def scene(on: Scene) -> None:
        service = on.service(after_stop=TELL, on_failure=python("print('failure')"))
        on.end(service)
        assert await on.done() == ["api exit 3  1", "failure"]
        assert on.failures() == []

    play(tmp_path, scene)


def test_a_stop_that_was_asked_for_is_no_failure(tmp_path: Path) -> None:
    async def scene(on: Scene) -> None:
        service = on.service(after_stop=TELL, on_failure=python("print('failure')"))
        on.end(service, Actual.DOWN, Exit(signal=15), Reason.MANUAL)
        assert await on.done() == ["api manual  15 1"]

    play(tmp_path, scene)


def test_nothing_runs_while_something_of_the_service_may_be_left(tmp_path: Path) -> None:
    async def scene(on: Scene) -> None:
        service = on.service(after_stop=TELL)
        on.end(service, Actual.STUCK)
        assert await on.done() == []
        on.move(service, Actual.BACKOFF)
        assert len(await on.done()) == 1

    play(tmp_path, scene)


def test_one_end_is_one_run_however_often_it_is_looked_at(tmp_path: Path) -> None:
    async def scene(on: Scene) -> None:
        service = on.service(after_stop=TELL)
        on.end(service)
        on.care.attend(service)
        on.again(service)
        on.care.attend(service)
        assert await on.done() == ["api exit 3  1"]
        on.end(service, Actual.DOWN, Exit(code=0), Reason.MANUAL)
        assert (await on.done())[1:] == ["api manual 0  2"]

    play(tmp_path, scene)


def test_a_start_that_came_to_nothing_is_a_failure(tmp_path: Path) -> None:
    async def scene(on: Scene) -> None:
        service = on.service(after_stop=python("print('no')"), on_failure=TELL)
        on.move(service, Actual.FAILED, generation=2, started_mono=on.clock.monotonic())
        assert await on.done() == ["api start   2"]

    play(tmp_path, scene)


def test_an_end_an_earlier_supervisor_saw_is_not_told_again(tmp_path: Path) -> None:
    async def scene(on: Scene) -> None:
        service = on.service(after_stop=TELL)
        on.end(service)
        await on.done()
        on.care = on.new_care()
        on.care.attend(service)
        on.again(service)
        assert len(await on.done()) == 1

    play(tmp_path, scene)


def test_an_end_that_a_new_supervisor_found_is_its_own(tmp_path: Path) -> None:
    async def scene(on: Scene) -> None:
        service = on.service(after_stop=TELL)
        on.care = on.new_care()
        on.end(service)
        assert len(await on.done()) == 1

    play(tmp_path, scene)


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (("false",), "it exited with 1"),
        (python("import os; os.kill(os.getpid(), 9)"), "it was ended by signal 9"),
        (("/nonexistent",), "/nonexistent"),
    ],
)
def test_a_hook_that_fails_is_told_of(tmp_path: Path, command: tuple[str, ...], why: str) -> None:
    async def scene(on: Scene) -> None:
        on.end(on.service(after_stop=command))
        await on.done()
        (event,) = on.failures()
        assert (event.subject, event.facts["hook"]) == ("api", "after_stop")
        assert why in str(event.facts["why"])

    play(tmp_path, scene)


def test_a_hook_that_takes_too_long_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hooks, "HOOK_WITHIN", 0.05)

    async def scene(on: Scene) -> None:
        on.end(on.service(after_stop=("sleep", "7003")))
        await on.done()
        (event,) = on.failures()
        assert "was killed" in str(event.facts["why"])

    play(tmp_path, scene)


def test_hooks_of_one_service_run_one_after_another_and_do_not_pile_up(tmp_path: Path) -> None:
    async def scene(on: Scene) -> None:
        gate = on.folder / "gate"
        os.mkfifo(gate)
        service = on.service(after_stop=python(f"print(open({str(gate)!r}).read())"))
        ends = MOST_WAITING + 3
        for _ in range(ends):
            on.end(service)
            on.again(service)
            await asyncio.sleep(0)
        assert len(on.failures()) == ends - MOST_WAITING - 1
        assert len(on.errands.pids) == 1
        late = asyncio.ensure_future(on.care.finish(0.05))
        await late
        while on.errands.pids:  # noqa: ASYNC110 - the loop reaps it in its own time
            await asyncio.sleep(0.002)

    play(tmp_path, scene)


def test_a_removed_service_has_no_pipes_to_print_into(tmp_path: Path) -> None:
    async def scene(on: Scene) -> None:
        service = on.service(after_stop=python("open('ran', 'w'); print('x')"))
        on.end(service, Actual.DOWN, Exit(code=0), Reason.MANUAL)
        service.removed = True
        on.care.forget(service)
        assert await on.done() == []
        assert os.listdir(on.folder).count("ran") == 1

    play(tmp_path, scene)


def test_an_environment_that_cannot_be_made_is_told_of(tmp_path: Path) -> None:
    async def scene(on: Scene) -> None:
        service = on.service(after_stop=TELL)
        service.spec = replace(service.spec, env_file="/nonexistent")
        on.end(service)
        await on.done()
        assert "/nonexistent" in str(on.failures()[0].facts["why"])

    play(tmp_path, scene)


def before(folder: Path, *command: str, **more: Any) -> str | None:
    spec = ServiceSpec(
        name="api", command=("x",), cwd=str(folder), hooks=Hooks(before_start=command)
    )
    env = {"PATH": os.defpath, "HOLDFAST_INSTANCE": "api.1.x", "HOLDFAST_HOME": str(folder)}
    return asyncio.run(run_before_start(spec, env, **more))


def test_a_start_goes_on_when_its_hook_went_well_or_there_is_none(tmp_path: Path) -> None:
    assert before(tmp_path) is None
    assert (
        before(tmp_path, *python("import os; assert 'HOLDFAST_INSTANCE' not in os.environ"))
        is None
    )


def test_a_start_cannot_go_on_when_its_hook_failed(tmp_path: Path) -> None:
    assert before(tmp_path, "false") == "before_start: it exited with 1"
    assert "/nonexistent" in str(before(tmp_path, "/nonexistent"))


def test_what_a_hook_before_a_start_prints_stands_in_the_log_of_the_service(
    tmp_path: Path,
) -> None:
    def outlets(_spec: ServiceSpec, _uid: int | None) -> Outlets:
        fd = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT)
        return Outlets(fd, fd)

    def refuse(_spec: ServiceSpec, _uid: int | None) -> Outlets:
        raise StartFailed("its output cannot be captured", permanent=False)

    assert before(tmp_path, *python("print('migrated')"), outlets=outlets) is None
    assert (tmp_path / "log").read_text() == "migrated\n"
    assert "cannot be captured" in str(before(tmp_path, "true", outlets=refuse))


def test_a_hook_before_a_start_is_killed_when_the_start_is_called_off(tmp_path: Path) -> None:
    async def scene() -> None:
        errands = Errands(asyncio.get_running_loop())
        spec = ServiceSpec(
            name="api",
            command=("x",),
            cwd=str(tmp_path),
            hooks=Hooks(before_start=("sleep", "7004")),
        )
        env = {"PATH": os.defpath}
        running = asyncio.ensure_future(run_before_start(spec, env, errands=errands))
        await asyncio.sleep(0)
        assert len(errands.pids) == 1
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        while errands.pids:  # noqa: ASYNC110 - the loop reaps it in its own time
            await asyncio.sleep(0.002)

    asyncio.run(scene())
