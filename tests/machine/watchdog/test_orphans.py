"""Orphans are reaped in good time, and how they ended is remembered."""

import subprocess
import sys
from pathlib import Path

import pytest

if sys.platform != "linux":
    pytest.skip("orphans come to a subreaper on Linux", allow_module_level=True)

PROGRAM = """
import os, subprocess, sys
from holdfast.machine.watchdog.orphans import Orphans, REAP_AFTER

orphans = Orphans()
orphans.hear(5.0)
orphans.hear(6.0)
assert orphans.due_mono == 5.0 + REAP_AFTER
children = []
for code in (3, 0, 7):
    pid = os.posix_spawn(sys.executable, [sys.executable, "-S", "-c", f"raise SystemExit({code})"], os.environ)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    children.append(pid)
spared = children[2]
ticks = {pid: int(open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[19]) for pid in children}
rows = orphans.reap(spared)
assert rows == [(pid, ticks[pid], code << 8) for pid, code in zip(children[:2], (3, 0))], rows
assert list(orphans.exits) == rows and orphans.due_mono is None
assert os.waitpid(spared, 0)[1] == 7 << 8
assert orphans.reap(0) == []
orphans.exits.extend((1, 1, 1) for _ in range(20_000))
assert len(orphans.exits) == 10_000
"""


def test_all_but_the_spared_are_reaped_and_remembered(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
