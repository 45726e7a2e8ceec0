"""One supervisor at a time: started, found by its lock, and signalled by nothing but its own pidfd."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from holdfast import statefile
from holdfast.errors import StartFailed
from holdfast.machine.process.launch import Launch
from holdfast.machine.process.spawn import Spawned, spawn
from holdfast.machine.watchdog.charge import Charge, Launcher
from holdfast.model.service import Exit

if sys.platform != "linux":
    pytest.skip("a watchdog needs Linux", allow_module_level=True)


def saying(code: str) -> Launcher:
    def launch(tell: int) -> Spawned:
        argv = (sys.executable, "-S", "-c", f"import os, time\ntell = {tell}\n{code}")
        return spawn(Launch(argv=argv, env={}, pass_fds=(tell,)))

    return launch


def ended(charge: Charge) -> Exit:
    os.waitid(os.P_PID, charge.pid, os.WEXITED | os.WNOWAIT)
    how = charge.collect()
    assert how is not None
    return how


def answered(charge: Charge) -> dict[str, object]:
    os.waitid(os.P_PID, charge.pid, os.WEXITED | os.WNOWAIT)
    said: dict[str, object] | None = None
    while said is None:
        said = charge.answer()
    return said


def test_what_it_says_is_heard_once_it_is_said_whole(tmp_path: Path) -> None:
    words = {"error": "x" * 20_000}
    said_whole = json.dumps(words).encode()
    code = f"said = {said_whole!r}\nos.write(tell, said[:9])\ntime.sleep(0.05)\nos.write(tell, said[9:] + b'\\n')"
    charge = Charge(tmp_path / "lock", saying(code))
    charge.start()
    said = None
    while said is None:
        said = charge.answer()
    assert said == words
    assert charge.answer() is None
    assert ended(charge) == Exit(code=0)
    charge.let_go()


@pytest.mark.parametrize("code", ["", "os.write(tell, b'half a li')", "os.write(tell, b'[]\\n')"])
def test_what_makes_no_sense_counts_as_nothing_said(tmp_path: Path, code: str) -> None:
    charge = Charge(tmp_path / "lock", saying(code))
    charge.start()
    assert answered(charge) == {}
    ended(charge)
    charge.let_go()


def test_signals_reach_it_and_none_its_successor(tmp_path: Path) -> None:
    charge = Charge(tmp_path / "lock", saying("time.sleep(7003)"))
    charge.start()
    charge.send("STOP")
    charge.send("ABRT", "CONT")
    assert ended(charge).signal == 6
    charge.send("KILL")
    charge.let_go()
    charge.send("KILL")
    assert (charge.pid, charge.death_fd, charge.told_fd, charge.collect()) == (0, -1, -1, None)


def test_the_holder_of_the_lock_is_found(tmp_path: Path) -> None:
    code = f"from holdfast import statefile\nheld = statefile.hold({str(tmp_path / 'lock')!r})\nprint('held', flush=True)\nimport time\ntime.sleep(7004)"
    charge = Charge(tmp_path / "lock", saying(""))
    assert not charge.find()
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        assert (charge.holder(), charge.find(), charge.pid) == (other.pid, True, other.pid)
        assert charge.collect() is None
        charge.send("KILL")
    assert charge.collect() is not None
    assert statefile.holder(tmp_path / "lock") is None
    charge.let_go()


def test_one_that_cannot_be_executed_leaves_no_descriptor_open(tmp_path: Path) -> None:
    def launch(_tell: int) -> Spawned:
        raise StartFailed("no such program", permanent=True)

    charge = Charge(tmp_path / "lock", launch)
    before = os.listdir("/proc/self/fd")
    with pytest.raises(StartFailed):
        charge.start()
    assert os.listdir("/proc/self/fd") == before
