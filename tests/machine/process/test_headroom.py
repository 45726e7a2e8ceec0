import os
import resource
import sys
from collections.abc import Callable

import pytest

from holdfast.machine.process.headroom import Headroom

if sys.platform != "linux":
    pytest.skip("needs the processes of Linux", allow_module_level=True)

Apart = Callable[[str], dict[str, object]]


def test_children_get_the_limit_this_program_was_started_with(apart: Apart) -> None:
    told = apart("""
import json, os, resource
from holdfast.machine.process.headroom import Headroom
from holdfast.machine.process.launch import Launch
from holdfast.machine.process.spawn import spawn
resource.setrlimit(resource.RLIMIT_NOFILE, (100, 2000))
headroom = Headroom()
headroom.raise_own_limit()
held = [os.dup(0) for _ in range(500)]
before = len(os.listdir("/proc/self/fd"))
limits, warnings = [], []
for nofile in (None, 64, 1500):
    spawned = spawn(Launch(argv=("/bin/sleep", "60"), env={}, nofile=nofile), headroom)
    limits.append(resource.prlimit(spawned.pid, resource.RLIMIT_NOFILE)[0])
    warnings += spawned.warnings
    os.kill(spawned.pid, 9)
    os.waitpid(spawned.pid, 0)
    os.close(spawned.pidfd)
own = resource.getrlimit(resource.RLIMIT_NOFILE)
same = before == len(os.listdir("/proc/self/fd"))
print(json.dumps({"limits": limits, "own": own, "warnings": warnings, "same": same}))
""")

    assert told == {"limits": [100, 64, 1500], "own": [2000, 2000], "warnings": [], "same": True}


def test_a_limit_below_the_reserve_is_not_borne() -> None:
    headroom = Headroom()
    own = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        with headroom.limited_to(3) as limited:
            assert not limited
            assert resource.getrlimit(resource.RLIMIT_NOFILE) == own
    finally:
        headroom.close()


def test_the_own_limit_is_back_after_a_failure() -> None:
    headroom = Headroom()
    own = resource.getrlimit(resource.RLIMIT_NOFILE)
    open_now = len(os.listdir("/proc/self/fd"))

    def fail() -> None:
        with headroom.limited_to(200) as limited:
            assert limited
            assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 200
            raise KeyError

    with pytest.raises(KeyError):
        fail()

    assert resource.getrlimit(resource.RLIMIT_NOFILE) == own
    assert len(os.listdir("/proc/self/fd")) == open_now
    headroom.close()
