import contextlib
import os
import select
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import IO

import pytest

from holdfast.clock import boot_id
from holdfast.machine.process import identity
from holdfast.machine.process.identity import Verdict, identify, is_same, stat, usage
from holdfast.machine.process.spawn import Spawned
from holdfast.model.service import Exit

if sys.platform != "linux":
    pytest.skip("needs the processes of Linux", allow_module_level=True)

Start = Callable[..., Spawned]
Talk = Callable[..., tuple[Spawned, IO[bytes]]]

# Renames itself, then stays.
NAMED = """
import signal
open("/proc/self/comm", "w").write("a) R 1 (b c")
print("ready", flush=True)
signal.pause()
"""

# The first thread ends, another one stays.
HEADLESS = """
import ctypes, os, threading, signal
def stay():
    while open("/proc/self/stat").read().rpartition(") ")[2][0] != "Z":
        pass
    os.write(1, b"ready\\n")
    signal.sigwait({signal.SIGUSR1})
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
threading.Thread(target=stay).start()
ctypes.CDLL(None).pthread_exit(None)
"""

BUSY = """
import signal, time
while time.process_time() < 0.2:
    pass
print("ready", flush=True)
signal.pause()
"""


def test_a_name_with_spaces_and_parentheses_shifts_nothing(talk: Talk) -> None:
    spawned, said = talk(NAMED)
    said.readline()

    found = stat(spawned.pid)

    assert found is not None
    assert (found.ppid, found.pgid, found.sid) == (os.getpid(), spawned.pid, spawned.pid)
    assert found.state in {"S", "R", "D"}  # D while its code is read from a busy disk


def test_no_process_has_no_stat(start: Start, ended: Callable[[Spawned], Exit]) -> None:
    spawned = start("/bin/true")
    ended(spawned)

    assert stat(spawned.pid) is None
    assert identify(spawned.pid) is None
    assert usage(spawned.pid) is None
    assert is_same(spawned.identity) is Verdict.GONE


def test_identity_is_the_same_with_and_without_a_pidfd(start: Start) -> None:
    spawned = start("/bin/sleep", "60")

    assert identify(spawned.pid) == identify(spawned.pid, spawned.pidfd) == spawned.identity
    assert spawned.identity.boot_id == boot_id()
    assert is_same(spawned.identity) is Verdict.SAME


def test_a_zombie_is_gone(start: Start) -> None:
    spawned = start("/bin/true")
    assert spawned.pidfd is not None
    select.select([spawned.pidfd], [], [])

    found = stat(spawned.pid)

    assert found is not None
    assert found.state == "Z"
    assert found.is_gone
    assert identify(spawned.pid) is None
    assert identify(spawned.pid, spawned.pidfd) is None
    assert usage(spawned.pid) is None
    assert is_same(spawned.identity) is Verdict.GONE


def test_a_process_whose_first_thread_ended_lives(talk: Talk) -> None:
    spawned, said = talk(HEADLESS)
    assert said.readline() == b"ready\n"

    found = stat(spawned.pid)

    assert found is not None
    assert found.state == "Z"
    assert not found.is_gone
    assert is_same(spawned.identity) is Verdict.SAME


def test_another_start_time_means_the_pid_was_reused(start: Start) -> None:
    before = start("/bin/sleep", "60").identity

    assert is_same(replace(before, start_ticks=before.start_ticks - 1)) is Verdict.REUSED


def test_another_inode_means_the_pid_was_reused(start: Start) -> None:
    before = start("/bin/sleep", "60").identity
    assert before.pidfd_inode is not None

    assert is_same(replace(before, pidfd_inode=before.pidfd_inode - 1)) is Verdict.REUSED
    assert is_same(replace(before, pidfd_inode=None)) is Verdict.SAME


def test_an_identity_of_another_boot_is_no_process_of_this_one(start: Start) -> None:
    before = start("/bin/sleep", "60").identity

    assert is_same(replace(before, boot_id="another")) is Verdict.OTHER_BOOT


def test_what_lives_and_cannot_be_read_is_not_called_gone(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = start("/bin/sleep", "60").identity
    monkeypatch.setattr(identity, "stat", lambda _: None)  # as with hidepid=2

    assert is_same(before) is Verdict.UNREADABLE


def test_a_process_of_another_user_is_alive(
    start: Start, as_nobody: Callable[[str], dict[str, object]]
) -> None:
    roots = start("/bin/sleep", "60")

    told = as_nobody(f"""
print(json.dumps({{"verdict": is_same(identify({roots.pid})).name}}))
""")

    assert told == {"verdict": "SAME"}


def test_usage_counts_processor_time_and_memory(talk: Talk) -> None:
    spawned, said = talk(BUSY)
    said.readline()

    used = usage(spawned.pid)

    assert used is not None
    assert used.cpu_s >= 0.1
    assert used.rss_bytes > 1_000_000


def test_looking_leaves_no_descriptor_open(start: Start) -> None:
    before = start("/bin/sleep", "60").identity
    open_now = set(os.listdir("/proc/self/fd"))

    for pid in (before.pid, 2**22 + 1):
        with contextlib.suppress(OSError):
            identify(pid)
        is_same(replace(before, pid=pid))

    assert set(os.listdir("/proc/self/fd")) == open_now
