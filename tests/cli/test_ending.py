"""Waiting for processes that were told to end."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from holdfast import statefile
from holdfast.cli import ending
from holdfast.cli.ending import Programs
from holdfast.home import Home

if sys.platform != "linux":
    pytest.skip("these tests signal processes as Linux does", allow_module_level=True)


@pytest.fixture
def sleeper() -> Iterator["subprocess.Popen[bytes]"]:
    started = subprocess.Popen(["sleep", "8003"])
    yield started
    started.kill()
    started.wait()


def test_who_ended_is_not_left(sleeper: "subprocess.Popen[bytes]") -> None:
    with Programs([sleeper.pid]) as programs:
        sleeper.kill()
        assert programs.left() == []


def test_who_lives_on_is_left(
    sleeper: "subprocess.Popen[bytes]", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ending, "END_WITHIN", 0.0)
    with Programs([sleeper.pid]) as programs:
        assert programs.left() == [sleeper.pid]


def test_who_is_gone_already_is_waited_for_by_nobody() -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    with Programs([gone.pid]) as programs:
        assert programs.left() == []
        programs.await_one(0, within=None)


def test_a_signal_to_the_waiting_one_wakes_it(sleeper: "subprocess.Popen[bytes]") -> None:
    woken, wake = os.pipe()
    os.set_blocking(woken, False)
    os.write(wake, b"\x0f")
    with Programs([sleeper.pid]) as programs:
        programs.await_one(woken, within=None)
    with pytest.raises(BlockingIOError):
        os.read(woken, 1)
    os.close(woken)
    os.close(wake)


def test_asking_is_the_term_signal_and_hits_nobody_who_is_gone(
    sleeper: "subprocess.Popen[bytes]",
) -> None:
    ending.ask(sleeper.pid)
    assert sleeper.wait() == -signal.SIGTERM
    ending.ask(sleeper.pid)


def test_the_locks_say_who_runs(home: Home) -> None:
    assert ending.of_home(home) == []
    with statefile.hold(home.watchdog_lock):
        assert ending.of_home(home) == [os.getpid()]
        assert ending.holder(home.supervisor_lock) is None


def test_a_lock_nobody_can_read_says_nothing(home: Home) -> None:
    home.supervisor_lock.mkdir()
    assert ending.holder(home.supervisor_lock) is None
