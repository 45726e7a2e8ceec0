"""There is always a watchdog: one that dies, leaves or hangs is replaced, and a restart is told of."""

import asyncio
import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from holdfast import statefile
from holdfast.clock import SystemClock, boot_id
from holdfast.errors import HoldfastError
from holdfast.home import Home
from holdfast.journal import Journal, read
from holdfast.machine.supervisor import mutual as module
from holdfast.machine.supervisor.custody import Custody
from holdfast.machine.supervisor.mutual import Mutual
from holdfast.machine.supervisor.notes import Notes
from holdfast.rules import guarding

if sys.platform != "linux":
    pytest.skip("a watchdog needs Linux", allow_module_level=True)

WATCHDOG = """
import os, sys, time
from pathlib import Path
from holdfast import statefile
from holdfast.home import Home
from holdfast.machine import handover
home = Home(Path(sys.argv[1]))
held = statefile.hold(home.watchdog_lock)
listener = handover.listen(home.watchdog_socket)
listener.setblocking(True)
channel = handover.Channel(listener.accept()[0], lambda name: None)
channel.post({"welcome": os.getpid()})
channel.flush()
time.sleep(7006)
"""


@dataclass
class Ground:
    home: Home
    clock: SystemClock
    loop: asyncio.AbstractEventLoop
    notes: Notes


class Scene:
    """A supervisor's half, and the watchdogs it starts."""

    def __init__(self, home: Home) -> None:
        clock = SystemClock()
        journal = Journal(home.journal, clock)
        loop = asyncio.get_running_loop()
        self.home = home
        self.ground = Ground(home, clock, loop, Notes(home, clock, journal))
        self.custody = Custody(loop, home)
        assert not self.custody.connect()
        self.started: list[subprocess.Popen[bytes]] = []
        self.refusals = 0
        self.mutual = Mutual(self.ground, self.custody, self.start)

    def start(self) -> int:
        if self.refusals:
            self.refusals -= 1
            raise HoldfastError("no room")
        command = [sys.executable, "-c", WATCHDOG, str(self.home.root)]
        self.started.append(subprocess.Popen(command))
        return self.started[-1].pid

    async def state(self, name: str, pid: int | None = None) -> None:
        await self.until(
            lambda: (row := self.mutual.state())["state"] == name and pid in (None, row["pid"])
        )

    async def until(self, look: Callable[[], Any]) -> None:
        async with asyncio.timeout(30):
            while not look():  # noqa: ASYNC110 - what it waits for tells nobody
                await asyncio.sleep(0.005)

    async def running(self, nth: int = 0) -> "subprocess.Popen[bytes]":
        await self.until(lambda: len(self.started) > nth)
        await self.state("running", self.started[nth].pid)
        return self.started[nth]

    def events(self) -> list[tuple[str, dict[str, object]]]:
        return [(event.kind, event.facts) for event in read(self.home.journal)]

    def end(self) -> None:
        self.mutual.stop()
        self.custody.close()
        self.ground.notes.journal.close()
        for watchdog in self.started:
            with contextlib.suppress(ProcessLookupError):
                watchdog.kill()
            watchdog.wait()


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path / "home")
    home.make()
    with tempfile.TemporaryDirectory(prefix="hf-", dir="/tmp") as runtime:
        home.runtime_pointer.write_text(f"{runtime}\n")
        yield home


def play(home: Home, act: Callable[[Scene], Awaitable[None]]) -> None:
    async def main() -> None:
        scene = Scene(home)
        try:
            await act(scene)
        finally:
            scene.end()

    asyncio.run(main())


def test_a_watchdog_that_dies_is_replaced_and_that_is_told(home: Home) -> None:
    async def act(scene: Scene) -> None:
        scene.mutual.start()
        first = await scene.running()
        first.kill()
        first.wait()
        second = await scene.running(1)
        kind, facts = scene.events()[-1]
        assert (kind, facts["pid"], facts["why"]) == ("watchdog.restarted", second.pid, "it died")
        assert facts["severity"] == "warning"

    play(home, act)


def test_one_that_cannot_be_started_is_tried_again(home: Home) -> None:
    async def act(scene: Scene) -> None:
        scene.refusals = 2
        scene.mutual.start()
        await scene.running()
        kinds = [kind for kind, _ in scene.events()]
        assert kinds == ["watchdog.failed", "watchdog.failed", "watchdog.restarted"]

    play(home, act)


def test_after_one_that_left_another_is_awaited_first(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GRACE_AFTER_LEAVING", 60.0)  # the other may be slow to come

    async def act(scene: Scene) -> None:
        scene.mutual.start()
        first = await scene.running()
        first.kill()
        first.wait()
        scene.custody.on_lost = lambda _left: None
        await scene.until(lambda: scene.custody.watchdog_pid is None)
        scene.start()
        scene.mutual._lost(True)
        other = await scene.running(1)
        assert len(scene.started) == 2
        kind, facts = scene.events()[-1]
        assert (kind, facts) == ("watchdog.replaced", {"pid": other.pid, "why": "it left"})

    play(home, act)


def test_none_is_started_while_the_supervisor_ends(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GRACE", 0.0)

    async def act(scene: Scene) -> None:
        scene.mutual.start()
        first = await scene.running()
        scene.mutual.stop()
        assert scene.mutual.state()["state"] == "stopping"
        first.kill()
        first.wait()
        await scene.state("gone")
        await asyncio.sleep(0.1)
        assert len(scene.started) == 1

    play(home, act)


def test_the_fate_of_the_supervisor_before_is_told_once(home: Home) -> None:
    async def act(scene: Scene) -> None:
        scene.custody.fate = {"died": "signal 9", "reason": "killed", "at": 1.5, "count": 3}
        scene.mutual.start()
        kind, facts = scene.events()[0]
        assert kind == "supervisor.restarted"
        assert (facts["severity"], facts["died"], facts["count"]) == ("critical", "signal 9", 3)
        assert facts["died_at"] == "1970-01-01T00:00:01.500Z"

    play(home, act)


def stale_beat(home: Home, pid: int) -> None:
    beat = {
        "timestamp": time.time(),
        "pid": pid,
        "interval": 60.0,
        "mono": time.monotonic() - 1000,
        "boot_id": boot_id(),
    }
    statefile.write_json(home.heartbeat("watchdog"), beat)


def test_a_hung_one_is_killed_after_three_looks_and_replaced(home: Home) -> None:
    async def act(scene: Scene) -> None:
        scene.mutual.start()
        first = await scene.running()
        stale_beat(home, first.pid)
        scene.mutual._look()  # the first look at a process is where its time begins
        scene.mutual._judged = guarding.found(scene.mutual._judged, first.pid, _long_ago(scene))
        scene.mutual._look()
        scene.mutual._look()
        scene.mutual._look()
        assert first.poll() is None  # its word by message is fresh
        scene.custody.heard_at -= 1000
        for _ in range(3):
            assert first.poll() is None
            scene.mutual._look()
        assert first.wait() == -9
        await scene.running(1)
        assert "watchdog.hung" in [kind for kind, _ in scene.events()]

    play(home, act)


def _long_ago(scene: Scene) -> Any:
    from holdfast.model.service import Now

    mono = scene.ground.clock.monotonic() - 1000
    return Now(wall=scene.ground.clock.wall() - 1000, mono=mono, boot_id=boot_id())


def test_no_second_one_is_started_while_one_holds_the_lock(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GRACE", 0.0)

    async def act(scene: Scene) -> None:
        with statefile.hold(home.watchdog_lock):
            scene.mutual.start()
            await asyncio.sleep(0.2)
        assert scene.started == []
        assert scene.mutual.state()["pid"] is None

    play(home, act)


def test_one_that_has_not_answered_when_the_supervisor_ends_is_told_to_end(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GRACE", 0.0)

    async def act(scene: Scene) -> None:
        scene.started.append(subprocess.Popen(["sleep", "7205"]))  # noqa: ASYNC220
        scene.mutual.start_watchdog = lambda: scene.started[0].pid
        scene.mutual.start()
        await scene.state("starting")
        scene.mutual.stop()
        await scene.until(lambda: scene.started[0].poll() is not None)
        assert scene.started[0].returncode == -15

    play(home, act)
