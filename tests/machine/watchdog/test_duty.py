"""What a watchdog does that was told to end before it had begun."""

import sys
from pathlib import Path

import pytest

from holdfast.clock import SystemClock
from holdfast.home import Home
from holdfast.machine.process.spawn import Spawned
from holdfast.machine.watchdog.charge import Charge
from holdfast.machine.watchdog.duty import Duty
from holdfast.machine.watchdog.signs import Signs

if sys.platform != "linux":
    pytest.skip("a watchdog needs Linux", allow_module_level=True)


def test_one_that_was_told_to_end_before_it_began_starts_nobody(tmp_path: Path) -> None:
    """A supervisor that ends tells the watchdog it has just called to end, which may find its lock free by then."""
    home, clock = Home(tmp_path / "home"), SystemClock()
    home.make()
    started: list[int] = []

    def launch(tell: int) -> Spawned:
        started.append(tell)
        raise OSError("nobody is to be started")

    duty = Duty(home, clock, Charge(home.supervisor_lock, launch), Signs(home, clock), None)
    duty.quit()
    duty.begin()

    assert (started, duty.outcome) == ([], 0)
