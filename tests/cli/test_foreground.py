"""`up --foreground`: the supervisor lives and dies with the command."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING

import pytest

from holdfast.cli import ending
from holdfast.home import Home
from holdfast.machine.process.identity import identify
from holdfast.machine.process.wait import reap_strangers

if TYPE_CHECKING:
    from tests.cli.conftest import Done

    Run = Callable[..., Done]

if sys.platform != "linux":
    pytest.skip("these tests look into /proc", allow_module_level=True)

DEAF = """
[service.deaf]
command = ["{python}", "-I", "-S", "-c", "import signal; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); signal.pause()"]
stop = {{ timeout = "1h" }}
"""


@pytest.fixture(autouse=True)
def _down(run: "Run") -> Iterator[None]:
    yield
    run("down", "--timeout", "1s")
    reap_strangers(frozenset())


@pytest.fixture
def machine_pids(home: Home) -> Callable[[], dict[str, int | None]]:
    """Tell who runs, by the locks."""
    return lambda: {
        "supervisor": ending.holder(home.supervisor_lock),
        "watchdog": ending.holder(home.watchdog_lock),
    }


@pytest.fixture
def front(run: "Run", tmp_path: Path) -> Iterator[Callable[..., "Front"]]:
    """Start the command in front; it is ended with the test."""
    started: list[Front] = []

    def start(config: str = "", *words: str) -> Front:
        (tmp_path / "holdfast.toml").write_text(config, encoding="utf-8")
        started.append(Front(words))
        return started[-1]

    yield start
    for one in started:
        one.end()


class Front:
    """The command, as it prints."""

    def __init__(self, words: tuple[str, ...]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "holdfast", "up", "--no-hub", "--foreground", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def until(self, text: str) -> str:
        """Read until a line holds these words, and return that line."""
        out: IO[str] | None = self.process.stdout
        assert out is not None
        seen = []
        for line in out:
            if text in line:
                return line
            seen.append(line)
        raise AssertionError(f"{text!r} was never said: {seen}")

    def end(self) -> None:
        """Leave nothing behind, however the test went."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()

    def ended(self) -> int:
        self.process.communicate()
        return self.process.returncode


def supervisor(run: "Run") -> int:
    pid = run("status", "--json").json["supervisor"]["pid"]
    assert isinstance(pid, int)
    return pid


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0), (signal.SIGHUP, 0)]
)
def test_a_signal_ends_the_supervisor_and_then_the_command(
    run: "Run", front: Callable[..., Front], number: int, code: int
) -> None:
    command = front()
    command.until("Ctrl-C stops everything")
    pid = supervisor(run)
    command.process.send_signal(number)
    assert command.ended() == code
    assert identify(pid) is None


def test_a_second_signal_kills_what_does_not_end(
    run: "Run", front: Callable[..., Front], home: "os.PathLike[str]"
) -> None:
    command = front(DEAF.format(python=sys.executable), "--no-wait")
    command.until("Ctrl-C stops everything")
    (row,) = run("status", "--json").json["services"]
    while "deaf" not in run("logs", "deaf").out:
        pass
    command.process.send_signal(signal.SIGINT)
    while run("status", "--json").json["services"][0]["state"] != "stopping":
        pass
    assert identify(row["pid"]) is not None
    command.process.send_signal(signal.SIGINT)
    assert command.ended() == 130
    assert identify(row["pid"]) is None


def test_a_signal_during_the_steps_ends_everything_too(
    run: "Run", front: Callable[..., Front], tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "gate")
    command = front("""
[startup]
steps = [{ name = "Wait", command = ["cat", "gate"], at = "after" }]
""")
    command.until("Verify health")
    pid = supervisor(run)
    command.process.send_signal(signal.SIGTERM)
    (tmp_path / "gate").write_text("go on\n")
    assert command.ended() == 0
    assert identify(pid) is None


def test_an_end_of_the_supervisor_ends_the_command(
    run: "Run", front: Callable[..., Front]
) -> None:
    command = front()
    command.until("Ctrl-C stops everything")
    assert run("down").code == 0
    assert command.ended() == 0


def test_a_supervisor_that_runs_already_is_not_taken_over(
    run: "Run",
    front: Callable[..., Front],
    tmp_path: Path,
    own_pids: Callable[[], dict[str, int]],
) -> None:
    (tmp_path / "holdfast.toml").write_text("", encoding="utf-8")
    assert run("up", "--no-hub").code == 0
    own = own_pids()
    command = front()
    assert str(own["watchdog"]) in command.until("holdfast:")
    assert command.ended() == 4
    assert own_pids() == own


def test_the_command_stays_when_its_watchdog_is_killed_and_replaced(
    run: "Run", front: Callable[..., Front], machine_pids: Callable[[], dict[str, int | None]]
) -> None:
    command = front()
    command.until("Ctrl-C stops everything")
    before = machine_pids()
    assert before["watchdog"] is not None
    os.kill(before["watchdog"], signal.SIGKILL)
    while machine_pids()["watchdog"] in (None, before["watchdog"]):
        pass
    assert machine_pids()["supervisor"] == before["supervisor"]
    assert command.process.poll() is None
    command.process.send_signal(signal.SIGINT)
    assert command.ended() == 130
    assert machine_pids() == {"supervisor": None, "watchdog": None}


def test_the_command_stays_when_its_supervisor_is_killed_and_replaced(
    run: "Run", front: Callable[..., Front], machine_pids: Callable[[], dict[str, int | None]]
) -> None:
    command = front()
    command.until("Ctrl-C stops everything")
    before = machine_pids()
    assert before["supervisor"] is not None
    os.kill(before["supervisor"], signal.SIGKILL)
    command.process.send_signal(signal.SIGTERM)
    assert command.ended() == 0
    assert machine_pids() == {"supervisor": None, "watchdog": None}


def test_an_end_nobody_ordered_is_a_failure(
    front: Callable[..., Front], machine_pids: Callable[[], dict[str, int | None]]
) -> None:
    command = front()
    command.until("Ctrl-C stops everything")
    before = [pid for pid in machine_pids().values() if pid is not None]
    for pid in before:
        os.kill(pid, signal.SIGSTOP)
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    assert command.ended() == 1


def test_a_signal_does_nothing_in_the_midst_of_what_it_interrupts(home: Home) -> None:
    """An import that is cut in two by a handler that imports the same fails: passing on is another thread's."""
    script = """
import os, select, signal, subprocess, sys, threading
from pathlib import Path
from holdfast.cli.foreground import _Front
from holdfast.home import Home

front, passed_on = _Front(Home(Path(sys.argv[1]))), []
said = threading.Event()
front.end = lambda: (passed_on.append(threading.current_thread().name), said.set())
front.listen()
front.stand_before(None)
os.kill(os.getpid(), signal.SIGTERM)
while not front.heard:
    select.select([front._woken], [], [])
front.stand_before(subprocess.Popen(["true"]))
print(passed_on)
said.clear()
os.kill(os.getpid(), signal.SIGINT)
said.wait()
print(passed_on, [int(number) for number in front.heard])
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(home.root)], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [
        "['MainThread']",
        "['MainThread', 'signals'] [15, 2]",
    ], done.stderr
