"""Main processes: what runs before them, and which of several is the one that counts."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from holdfast.machine.process.identity import identify
from holdfast.model.event import MainChanged, RestartOrdered, StartOrdered, StopOrdered
from holdfast.model.service import Actual, Reason
from holdfast.model.spec import Hooks, RestartPolicy

if TYPE_CHECKING:
    from tests.machine.supervisor.conftest import Play, Stage

AT_ONCE = RestartPolicy(delay=0.0, min_gap=0.0, limit=None)

HANDS_OVER = """
import os, signal, sys, time
other = os.fork()
if other == 0:
    signal.pause()
sys.stdin = None
signal.signal(signal.SIGUSR1, lambda *_: os._exit(0))
print(os.getpid(), other, flush=True)
while True:
    time.sleep(0.05)
"""


def before(*code: str) -> Hooks:
    return Hooks(before_start=(sys.executable, "-I", "-S", "-c", *code))


def test_what_runs_before_a_start_has_ended_when_the_program_begins(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        first = before("open('made', 'w').write('first')")
        spec = stage.python(
            "import signal; print(open('made').read(), flush=True); signal.pause()", hooks=first
        )
        service = stage.start(spec)
        assert service.state.actual is Actual.STARTING
        assert service.state.process is None
        assert await stage.hear() == ["first"]
        await stage.stop(service)

    play(scene)


def test_a_preparation_that_fails_is_a_failed_start_and_says_why(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        service = stage.start(stage.spec(hooks=before("raise SystemExit(3)")))
        state = await stage.becomes(service, Actual.BACKOFF)
        assert "before_start" in state.failure
        assert "3" in state.failure
        assert state.process is None

    play(scene)


def test_a_stop_kills_what_runs_before_the_start(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        code = "import os, time; open('pid', 'w').write(f'{os.getpid()}\\n'); time.sleep(7201)"
        service = stage.start(stage.spec(hooks=before(code)))
        pid = await pid_in(stage, "pid")
        await stage.stop(service)
        while stage.errands.pids:
            await stage.skip(0)
        assert identify(pid) is None

    play(scene)


def test_a_start_that_follows_such_a_stop_prepares_anew(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        code = (
            "import os, time\n"
            "known = os.path.exists('known')\n"
            "open('known', 'w').close()\n"
            "known or time.sleep(7202)"
        )
        service = stage.start(stage.spec(hooks=before(code)))
        while not (stage.folder / "known").exists():
            await stage.skip(0)
        stage.supervisor.tell(service, StopOrdered())
        stage.supervisor.tell(service, StartOrdered())
        await stage.until(service, lambda state: state.process is not None)
        assert service.state.generation == 2
        await stage.stop(service)

    play(scene)


def test_another_main_process_is_the_one_whose_death_counts(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        service = await stage.run(stage.python(HANDS_OVER, restart=AT_ONCE))
        first, other = (int(word) for word in (await stage.hear())[0].split())
        identity = identify(other)
        assert identity is not None
        stage.supervisor.tell(service, MainChanged(identity=identity))
        assert int(stage.home.pid("api").read_text()) == other
        os.kill(first, 10)
        while identify(first) is not None:
            await stage.skip(0)
        assert (service.state.actual, service.state.process) == (Actual.RUNNING, identity)
        os.kill(other, 9)
        state = await stage.until(service, lambda state: state.generation == 2)
        assert state.last_exit is not None
        assert (state.last_exit.exit.signal, state.last_exit.reason) == (9, Reason.SIGNAL)
        await stage.stop(service)

    play(scene)


def test_a_main_process_that_is_gone_when_it_is_named_has_ended(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        service = await stage.run(stage.spec())
        running = service.state.process
        assert running is not None
        stage.supervisor.tell(service, RestartOrdered())
        await stage.until(service, lambda state: state.generation == 2)
        stage.supervisor.tell(service, MainChanged(identity=running))
        await stage.until(service, lambda state: state.process != running)
        assert service.state.last_exit is not None
        await stage.stop(service)

    play(scene)


async def pid_in(stage: "Stage", name: str) -> int:
    path = stage.folder / name
    while not _is_whole(path):
        await stage.skip(0)
    return int(path.read_text())


def _is_whole(path: Path) -> bool:
    return path.exists() and path.read_text().endswith("\n")
