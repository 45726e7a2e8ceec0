"""The supervisor's end of the watching program, with the real program at the other."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from holdfast.machine.process.identity import stat
from holdfast.machine.supervisor.care import watch_child
from holdfast.machine.supervisor.care.watch_child import WatchChild

if TYPE_CHECKING:
    from tests.machine.supervisor.conftest import Play, Stage

if sys.platform != "linux":
    pytest.skip("the program was never run elsewhere", allow_module_level=True)


class Ear:
    """Hears a child; `ended` is set once it is gone by itself."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.reports: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue()
        self.ended = asyncio.Event()
        self.child = WatchChild(loop, self.reports.put_nowait, self.ended.set)
        assert self.child.member is not None
        self.pid = self.child.member.pid


def wishes(path: Path, count: int = 1) -> dict[str, Any]:
    plain = {"paths": [str(path)], "debounce": 0.0, "generation": 1, "started_at": time.time()}
    return {f"api-{number}": plain for number in range(count)}


def is_gone(pid: int) -> bool:
    found = stat(pid)
    return found is None or found.is_gone


def test_wishes_go_in_and_reports_come_out(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        ear = Ear(stage.loop)
        folder = stage.folder / "src"
        os.mkdir(folder)
        ear.child.send(wishes(folder))
        assert await ear.reports.get() == {"watching": ["api-0"]}
        (folder / "a").write_text("x")
        assert (await ear.reports.get())["changed"] == [str(folder / "a")]
        ear.child.close()

    play(scene)


def test_a_child_that_dies_is_heard_of_once(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        ear = Ear(stage.loop)
        os.kill(ear.pid, signal.SIGKILL)
        await ear.ended.wait()
        ear.child.send({})
        ear.child.close()

    play(scene)


def test_a_child_that_does_not_read_blocks_nobody_and_hears_all_later(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        ear = Ear(stage.loop)
        os.kill(ear.pid, signal.SIGSTOP)
        for _ in range(20):
            ear.child.send(wishes(stage.folder / "none", count=300))
        ear.child.send(wishes(stage.folder / "none"))
        os.kill(ear.pid, signal.SIGCONT)
        heard: list[int] = []
        while len(heard) < 21:
            report = await ear.reports.get()
            heard += [len(report["watching"])] if "watching" in report else []
        assert heard == [300] * 20 + [1]
        ear.child.close()

    play(scene)


def test_a_child_that_is_closed_is_gone_even_when_it_was_stopped(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        ear = Ear(stage.loop)
        os.kill(ear.pid, signal.SIGSTOP)
        ear.child.close()
        ear.child.close()
        while not is_gone(ear.pid):  # noqa: ASYNC110 - whoever reaps strangers hears of it, not this test
            await asyncio.sleep(0.002)
        assert not ear.ended.is_set()

    play(scene)


def test_a_line_that_is_no_report_is_passed_over(
    play: "Play", monkeypatch: pytest.MonkeyPatch
) -> None:
    said = """print('words'); print('[]'); print('{"watching": []}')"""
    monkeypatch.setattr(watch_child, "COMMAND", (sys.executable, "-I", "-S", "-c", said))

    async def scene(stage: "Stage") -> None:
        ear = Ear(stage.loop)
        assert await ear.reports.get() == {"watching": []}
        await ear.ended.wait()

    play(scene)


def test_a_program_that_cannot_be_started_is_an_error_of_the_system(
    play: "Play", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_child, "COMMAND", ("/no/such/program",))

    async def scene(stage: "Stage") -> None:
        with pytest.raises(FileNotFoundError):
            Ear(stage.loop)

    play(scene)
