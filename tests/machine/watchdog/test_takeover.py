"""One watchdog per home, and how a new one takes the place of another."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.errors import LockHeld
from holdfast.home import Home
from holdfast.machine.watchdog.takeover import relieve, take_lock

if sys.platform != "linux":
    pytest.skip("a watchdog needs Linux", allow_module_level=True)

OTHER = """
import sys, time
from pathlib import Path
from holdfast import statefile
from holdfast.home import Home
from holdfast.machine import handover
home = Home(Path(sys.argv[1]))
held = statefile.hold(home.watchdog_lock)
listener = handover.listen(home.watchdog_socket)
print("held", flush=True)
listener.setblocking(True)
if sys.argv[2] == "obey":
    own, _ = listener.accept()
    assert own.recv(1000) == b'{"leave":true}'
else:
    time.sleep(7005)
"""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path / "home")
    home.make()
    with tempfile.TemporaryDirectory(prefix="hf-", dir="/tmp") as runtime:
        home.runtime_pointer.write_text(f"{runtime}\n")
        yield home


def other(home: Home, mood: str) -> "subprocess.Popen[bytes]":
    started = subprocess.Popen(
        [sys.executable, "-c", OTHER, str(home.root), mood], stdout=subprocess.PIPE
    )
    assert started.stdout is not None
    started.stdout.readline()
    return started


def test_a_free_lock_is_taken(home: Home) -> None:
    with take_lock(home, take_over=False), pytest.raises(LockHeld):
        take_lock(home, take_over=False)


def test_another_is_asked_to_leave_only_on_demand(home: Home) -> None:
    with other(home, "obey") as first:
        with pytest.raises(LockHeld, match=str(first.pid)):
            take_lock(home, take_over=False)
        with take_lock(home, take_over=True):
            assert first.wait() == 0


def test_one_that_does_not_leave_is_not_waited_for_for_ever(home: Home) -> None:
    with other(home, "deaf") as first:
        assert not relieve(home, first.pid, within=0.1)
        first.kill()
        first.wait()
        assert relieve(home, first.pid, within=0.1)
