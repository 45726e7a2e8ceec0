"""Orders are answered once they are so, and say what came of each service."""

import asyncio
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from holdfast.errors import StateError, UsageError
from holdfast.machine.supervisor.orders import Orders
from holdfast.machine.supervisor.records import load
from holdfast.model.service import Actual, Desired, Identity, ServiceState
from holdfast.model.spec import Need, RestartPolicy, StopPolicy

if TYPE_CHECKING:
    from tests.machine.supervisor.conftest import Play, Stage

FAILS = ("/no/such/program",)
IGNORES_TERM = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); signal.pause()"
COUNTS_USR1 = """
import os, signal, time
signal.signal(signal.SIGUSR1, lambda *_: os.write(1, b"usr1\\n"))
os.write(1, b"up\\n")
while True:
    time.sleep(0.05)
"""


def results(rows: list[dict[str, Any]]) -> dict[str, str]:
    return {row["name"]: row["result"] for row in rows}


class Desk:
    """Orders of a stage; what was reported on the way stands in `reports`."""

    def __init__(self, stage: "Stage") -> None:
        self.stage = stage
        self.orders = Orders(stage.supervisor)
        self.reports: list[dict[str, Any]] = []

    async def start(self, *names: str, wait: bool = True, forgive: bool = True) -> Any:
        services = [self.stage.supervisor.services[name] for name in names]
        return await self.orders.start(
            services, forgive=forgive, wait=wait, report=self.reports.append
        )

    async def stop(self, *names: str, wait: bool = True, kill: bool = False) -> Any:
        services = [self.stage.supervisor.services[name] for name in names]
        return await self.orders.stop(services, kill=kill, wait=wait, report=self.reports.append)

    async def restart(self, *names: str, wait: bool = True) -> Any:
        services = [self.stage.supervisor.services[name] for name in names]
        return await self.orders.restart(services, wait=wait, report=self.reports.append)


async def soon(order: Any, stage: "Stage") -> Any:
    """Return what an order answers when a second passes while it waits."""
    task = asyncio.ensure_future(order)
    for _ in range(5):
        await asyncio.sleep(0)
    await stage.skip(1.0)
    return await task


def test_a_start_waits_until_each_service_is_ready(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        desk = Desk(stage)
        for name in ("a", "b"):
            stage.supervisor.add(stage.spec(name))
        rows = await soon(desk.start("a", "b"), stage)
        assert results(rows) == {"a": "started", "b": "started"}
        assert all(row["state"] == "running" and row["pid"] for row in rows)
        assert {row["name"] for row in desk.reports} == {"a", "b"}

    play(scene)


def test_a_start_that_does_not_wait_says_that_it_is_under_way(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        desk = Desk(stage)
        stage.supervisor.add(stage.spec("a"))
        assert results(await desk.start("a", wait=False)) == {"a": "starting"}
        assert desk.reports == []

    play(scene)


def test_what_runs_already_is_left_alone_and_said_so(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        service = await stage.run(stage.spec("a"))
        before = service.state
        assert results(await Desk(stage).start("a")) == {"a": "already_running"}
        assert service.state.process == before.process

    play(scene)


def test_a_start_that_fails_says_why(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        stage.supervisor.add(stage.spec("a", FAILS))
        (row,) = await Desk(stage).start("a")
        assert (row["result"], row["state"]) == ("failed", "failed")
        assert FAILS[0] in row["why"]

    play(scene)


def test_a_start_that_ends_soon_and_must_wait_long_counts_as_failed(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        stage.clock.stand()  # else a program that is slow to end counts as started first
        policy = RestartPolicy(delay=60.0, max_delay=60.0)
        stage.supervisor.add(stage.python("raise SystemExit(3)", "a", restart=policy))
        (row,) = await Desk(stage).start("a")
        assert (row["result"], row["state"]) == ("failed", "backoff")
        assert row["why"] == "it ended with exit code 3"

    play(scene)


@pytest.mark.parametrize(
    "needs",
    [
        {"web": ("db",), "db": ()},
        {"web": ("mid",), "mid": ("db",), "db": ()},
        {"web": ("nobody",), "db": ()},
        {"web": ("mid",), "mid": ("web",), "db": ()},
    ],
    ids=["one", "chain", "unknown", "circle"],
)
def test_a_start_whose_needs_cannot_be_met_is_answered_and_does_not_hang(
    play: "Play", needs: dict[str, tuple[str, ...]]
) -> None:
    async def scene(stage: "Stage") -> None:
        for name, needed in needs.items():
            command = FAILS if name == "db" else ("sleep", "7001")
            stage.supervisor.add(
                stage.spec(name, command, needs=tuple(Need(name=one) for one in needed))
            )
        rows = {row["name"]: row for row in await Desk(stage).start(*needs)}
        assert (rows["web"]["result"], rows["web"]["state"]) == ("waiting", "waiting")
        assert rows["web"]["why"] == "what it needs is not there yet"
        assert rows["db"]["result"] == "failed"

    play(scene)


def test_a_start_waits_for_what_it_needs_as_long_as_that_is_on_its_way(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        stage.supervisor.add(stage.spec("web", needs=(Need(name="db"),)))
        stage.supervisor.add(stage.spec("db"))
        order = asyncio.ensure_future(Desk(stage).start("web", "db"))
        for _ in range(2):
            await asyncio.sleep(0.01)
            await stage.skip(1.0)
        assert results(await order) == {"web": "started", "db": "started"}

    play(scene)


def test_an_order_to_start_is_durable_before_it_is_answered(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        service = stage.supervisor.add(stage.spec("a", autostart=False))
        await Desk(stage).start("a", wait=False)
        assert load(stage.home, service.name).state.desired is Desired.UP

    play(scene)


def test_an_order_whose_wish_the_disk_refuses_is_refused(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        service = await stage.run(stage.spec("a"))
        os.rename(stage.home.services, stage.folder / "aside")
        stage.home.services.write_text("no folder")
        with pytest.raises(StateError):
            await Desk(stage).stop("a")
        stage.home.services.unlink()
        os.rename(stage.folder / "aside", stage.home.services)
        await stage.skip(2.0)
        await stage.becomes(service, Actual.DOWN)

    play(scene)


def test_a_restart_replaces_the_process_and_is_no_crash(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        service = await stage.run(stage.spec("a"))
        before = service.state
        order = asyncio.ensure_future(Desk(stage).restart("a"))
        await stage.until(service, lambda state: state.generation == 2)
        await stage.skip(1.0)
        assert results(await order) == {"a": "restarted"}
        assert service.state.process != before.process
        assert not any(row.counted for row in service.state.history)

    play(scene)


def test_a_restart_of_what_is_down_starts_it(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        stage.supervisor.add(stage.spec("a", autostart=False))
        assert results(await soon(Desk(stage).restart("a"), stage)) == {"a": "restarted"}

    play(scene)


def test_a_stop_waits_until_nothing_is_left_and_is_remembered(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        service = await stage.run(stage.spec("a"))
        stage.supervisor.add(stage.spec("idle", autostart=False))
        rows = await Desk(stage).stop("a", "idle")
        assert results(rows) == {"a": "stopped", "idle": "not_running"}
        assert service.state.desired is Desired.DOWN
        assert load(stage.home, service.name).state.desired is Desired.DOWN

    play(scene)


def test_a_stop_that_does_not_wait_says_that_it_is_under_way(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        service = await stage.run(stage.spec("a"))
        assert results(await Desk(stage).stop("a", wait=False)) == {"a": "stopping"}
        await stage.becomes(service, Actual.DOWN)

    play(scene)


def test_a_stop_that_kills_does_not_ask(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        await stage.run(stage.python(IGNORES_TERM, "a", stop=StopPolicy(timeout=3600.0)))
        await stage.hear("a")
        assert results(await Desk(stage).stop("a", kill=True)) == {"a": "stopped"}

    play(scene)


def test_what_is_needed_is_stopped_after_what_needs_it(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        await stage.run(stage.spec("db"))
        await stage.run(stage.spec("web", needs=(Need(name="db"),)))
        await Desk(stage).stop("db", "web")
        stopped = [event.subject for event in stage.events("service.stopped")]
        assert stopped == ["web", "db"]

    play(scene)


def test_closing_keeps_the_wishes_of_people(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        service = await stage.run(stage.spec("a"))
        stage.supervisor.add(stage.spec("idle", autostart=False))
        desk = Desk(stage)
        rows = await desk.orders.close(kill=False, report=desk.reports.append)
        assert results(rows) == {"a": "stopped"}
        assert service.state.desired is Desired.UP

    play(scene)


def test_what_survives_a_kill_is_reported_and_not_waited_for(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        state = ServiceState(name="a", actual=Actual.ORPHAN, failure="it cannot be proved")
        stage.supervisor.add(stage.spec("a"), state)
        (row,) = await Desk(stage).stop("a")
        assert (row["result"], row["why"]) == ("stuck", "it cannot be proved")

    play(scene)


def test_an_order_for_a_service_that_is_removed_meanwhile_is_answered(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        service = stage.supervisor.add(stage.spec("a", needs=(Need(name="b"),)))
        stage.supervisor.add(stage.spec("b", needs=(Need(name="c"),)))
        stage.supervisor.add(stage.spec("c"))
        order = asyncio.ensure_future(Desk(stage).start("c", "a"))
        await asyncio.sleep(0.01)
        await stage.stop(service)
        stage.supervisor.remove(service)
        await stage.skip(1.0)
        rows = await order
        assert [row["name"] for row in rows] == ["c", "a"]

    play(scene)


def test_a_signal_reaches_the_main_process_and_says_whom(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        await stage.run(stage.python(COUNTS_USR1, "a"))
        stage.supervisor.add(stage.spec("idle", autostart=False))
        await stage.hear("a")
        services = list(stage.supervisor.services.values())
        rows = Orders(stage.supervisor).signal(services, "USR1")
        assert results(rows) == {"a": "signalled", "idle": "not_running"}
        (event,) = stage.events("service.signalled")
        assert (event.subject, event.facts["signal"]) == ("a", "USR1")
        assert await stage.hear("a", lines=2) == ["up", "usr1"]

    play(scene)


def test_a_reload_sends_each_service_its_own_signal(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        service = await stage.run(stage.spec("a", reload_signal="INT"))
        (row,) = Orders(stage.supervisor).signal([service], None)
        assert row["signal"] == "INT"
        state = await stage.until(service, lambda now: now.last_exit is not None)
        assert state.last_exit is not None
        assert state.last_exit.exit.signal == signal.SIGINT

    play(scene)


def test_a_signal_nobody_knows_is_wrong_use_and_reaches_nobody(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        service = await stage.run(stage.spec("a"))
        with pytest.raises(UsageError, match="there is no signal 'NOPE'"):
            Orders(stage.supervisor).signal([service], "NOPE")
        assert stage.events("service.signalled") == []

    play(scene)


def test_the_process_of_an_orphan_is_named_but_never_signalled_by_a_stop(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        mine = Identity(pid=os.getpid(), start_ticks=1, boot_id="another")
        state = ServiceState(name="a", actual=Actual.ORPHAN, process=mine, failure="who knows")
        stage.supervisor.add(stage.spec("a"), state)
        (row,) = await Desk(stage).stop("a", kill=True)
        assert (row["pid"], row["result"]) == (os.getpid(), "stuck")

    play(scene)
