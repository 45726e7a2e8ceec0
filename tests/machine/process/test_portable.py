import os
import select
import signal
import sys
from collections.abc import Callable
from typing import IO

import pytest

from holdfast.machine.process import identity
from holdfast.machine.process.spawn import Spawned
from holdfast.machine.process.tree import Roots, Roster, members

if sys.platform != "linux":
    pytest.skip("needs the processes of Linux", allow_module_level=True)

pytest.importorskip("psutil")

from holdfast.machine.process import portable

Start = Callable[..., Spawned]


def test_psutil_tells_the_same_as_the_kernel(start: Start) -> None:
    spawned = start("/bin/sleep", "60")

    told, known = portable.stat(spawned.pid), identity.stat(spawned.pid)

    assert told is not None
    assert known is not None
    assert (told.pid, told.ppid, told.pgid, told.sid) == (
        known.pid,
        known.ppid,
        known.pgid,
        known.sid,
    )
    assert not told.is_gone
    assert told.rss_bytes > 0
    assert portable.exists(spawned.pid)


def test_a_zombie_is_gone_for_psutil_too(start: Start) -> None:
    spawned = start("/bin/true")
    assert spawned.pidfd is not None
    select.select([spawned.pidfd], [], [])

    told = portable.stat(spawned.pid)

    assert told is not None
    assert told.is_gone


def test_a_process_that_does_not_exist_is_nothing() -> None:
    nobody = 2**22 + 1

    assert portable.stat(nobody) is None
    assert not portable.exists(nobody)
    assert portable.environment(nobody) == {}
    assert not portable.send(nobody, 1, signal.SIGTERM)


def test_a_signal_reaches_only_the_process_of_that_birth(start: Start) -> None:
    spawned = start("/bin/sleep", "60")
    told = portable.stat(spawned.pid)
    assert told is not None
    assert spawned.pidfd is not None

    assert not portable.send(spawned.pid, told.start_ticks - 1, signal.SIGKILL)
    assert select.select([spawned.pidfd], [], [], 0)[0] == []

    assert portable.send(spawned.pid, told.start_ticks, signal.SIGKILL)
    select.select([spawned.pidfd], [], [])


def test_members_are_found_through_psutil(
    talk: Callable[..., tuple[Spawned, IO[bytes]]], tag: str
) -> None:
    _, said = talk("""
import os, signal
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        print(os.getpid(), flush=True)
        signal.pause()
    os._exit(0)
signal.pause()
""")
    daemon = int(said.readline())

    roster = Roster(
        lambda _since, _known: portable.stats(),
        lambda pid: portable.environment(pid).get("HOLDFAST_INSTANCE"),
    )
    tree = members(roster.look(), Roots(main=None, instance=tag))

    assert daemon in {member.pid for member in tree}
    assert os.getpid() not in {member.pid for member in tree}
