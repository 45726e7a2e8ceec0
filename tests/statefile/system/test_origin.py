import os
import subprocess
import sys

import pytest

from holdfast.clock import boot_id
from holdfast.statefile.system.ops import Ops
from holdfast.statefile.system.origin import origin, start_of

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

_ORIGIN = """
from holdfast.statefile.system.origin import origin
print(repr(tuple(origin())))
"""


def test_processes_beside_each_other_are_of_one_origin() -> None:
    told = subprocess.run(
        [sys.executable, "-c", _ORIGIN], capture_output=True, text=True, check=True
    )

    assert told.stdout.strip() == repr(tuple(origin()))
    assert origin().boot_id == boot_id()


@linux_only
def test_a_process_in_another_space_of_pids_is_of_another_origin() -> None:
    told = subprocess.run(
        ["unshare", "--fork", "--pid", "--mount-proc", sys.executable, "-c", _ORIGIN],
        capture_output=True,
        text=True,
        check=False,
    )
    if told.returncode != 0:
        pytest.skip(f"no namespaces here: {told.stderr.strip()}")

    assert told.stdout.strip() != repr(tuple(origin()))
    assert boot_id() in told.stdout


@linux_only
def test_a_start_tells_a_process_from_another() -> None:
    own = start_of(os.getpid())

    assert own == start_of(os.getpid())
    assert own is not None
    assert own != start_of(1)


@linux_only
def test_a_zombie_counts_as_ended() -> None:
    with subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        if sys.platform == "linux":
            os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)

        assert start_of(child.pid) is None


def test_a_pid_without_a_process_has_no_start() -> None:
    assert Ops().start_of(2**31 - 1) is None


def test_where_starts_are_not_told_a_process_is_still_seen() -> None:
    class Hidden(Ops):
        def is_alive(self, pid: int) -> bool:
            return pid == 2**31 - 1

    assert Hidden().start_of(2**31 - 1) == ""
