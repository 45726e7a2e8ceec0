import os
import select
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import IO

import pytest

from holdfast.machine.process.identity import identify
from holdfast.machine.process.spawn import Spawned
from holdfast.machine.process.wait import (
    Ended,
    PidfdDeath,
    exit_from_status,
    open_death,
    watch_child,
)
from holdfast.model.service import Exit, Identity

if sys.platform != "linux":
    pytest.skip("needs the processes of Linux", allow_module_level=True)

Start = Callable[..., Spawned]
Talk = Callable[..., tuple[Spawned, IO[bytes]]]

# A child that starts one of its own, which ends with 37 when told to; `reap` or not.
PARENT = """
import os, signal, sys
child = os.fork()
if child == 0:
    signal.sigwait({signal.SIGUSR1})
    os._exit(37)
print(child, flush=True)
if sys.argv[1] == "reap":
    os.waitpid(child, 0)
signal.pause()
"""


def grandchild_of(talk: Talk, habit: str) -> Identity:
    # Blocked before the fork, so that the signal cannot come too early.
    code = PARENT.replace(
        "child = os.fork()",
        "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})\nchild = os.fork()",
    )
    _, said = talk(code, habit)
    found = identify(int(said.readline()))
    assert found is not None
    return found


def knows_exits_of_others() -> bool:
    major, minor = (int(number) for number in os.uname().release.split(".")[:2])
    return (major, minor) >= (6, 15)


def test_a_death_is_silent_while_the_process_lives(start: Start) -> None:
    spawned = start("/bin/sleep", "60")
    death = watch_child(spawned.identity, spawned.pidfd)

    assert death.collect() is None
    assert select.select([death], [], [], 0) == ([], [], [])


def test_the_exit_code_of_a_child_is_collected_and_remembered(talk: Talk) -> None:
    spawned, _ = talk("import os; os._exit(3)")
    death = watch_child(spawned.identity, spawned.pidfd)
    select.select([death], [], [])

    assert death.collect() == Exit(code=3)
    assert death.collect() == Exit(code=3)
    with pytest.raises(ChildProcessError):
        os.waitpid(spawned.pid, 0)


def test_the_signal_that_ended_a_child_is_told(start: Start) -> None:
    spawned = start("/bin/sleep", "60")
    death = watch_child(spawned.identity, spawned.pidfd)
    os.kill(spawned.pid, signal.SIGTERM)
    select.select([death], [], [])

    assert death.collect() == Exit(signal=signal.SIGTERM)


@pytest.mark.skipif(not knows_exits_of_others(), reason="PIDFD_INFO_EXIT came with Linux 6.15")
def test_the_exit_code_of_a_strangers_child_is_learned(talk: Talk) -> None:
    stranger = grandchild_of(talk, "reap")
    death = open_death(stranger)
    assert death is not None
    assert death.collect() is None

    os.kill(stranger.pid, signal.SIGUSR1)
    select.select([death], [], [])

    assert death.collect() == Exit(code=37)
    death.close()


def test_the_exit_code_is_learned_even_if_its_parent_never_asks(talk: Talk) -> None:
    stranger = grandchild_of(talk, "neglect")
    death = open_death(stranger)
    assert death is not None

    os.kill(stranger.pid, signal.SIGUSR1)
    select.select([death], [], [])

    assert death.collect() == Exit(code=37)
    death.close()


@pytest.mark.skipif(not knows_exits_of_others(), reason="PIDFD_INFO_EXIT came with Linux 6.15")
def test_an_exit_that_somebody_else_reaped_is_still_learned(talk: Talk) -> None:
    spawned, _ = talk("import os; os._exit(4)")
    os.waitpid(spawned.pid, 0)
    assert spawned.pidfd is not None

    assert PidfdDeath(spawned.identity, spawned.pidfd).collect() == Exit(code=4)


def test_who_may_not_trace_a_zombie_does_not_take_it_for_a_success(
    talk: Talk, as_nobody: Callable[[str], dict[str, object]]
) -> None:
    stranger = grandchild_of(talk, "neglect")

    told = as_nobody(f"""
death = open_death(identify({stranger.pid}))
print(json.dumps({{"living": death.collect() is None}}))
""")
    assert told == {"living": True}
    os.kill(stranger.pid, signal.SIGUSR1)
    mine = open_death(stranger)
    assert mine is not None
    select.select([mine], [], [])

    told = as_nobody(f"""
death = open_death(Identity(pid={stranger.pid}, start_ticks={stranger.start_ticks}, boot_id=boot_id()))
exit_ = death.collect()
print(json.dumps({{"exit": [exit_.code, exit_.signal]}}))
""")

    assert told == {"exit": [None, None]}
    assert mine.collect() == Exit(code=37)
    mine.close()


def test_a_zombie_still_has_an_exit_to_tell(talk: Talk) -> None:
    spawned, _ = talk("import os; os._exit(5)")
    assert spawned.pidfd is not None
    select.select([spawned.pidfd], [], [])

    death = open_death(spawned.identity)

    assert death is not None
    assert death.collect() == Exit(code=5)
    death.close()


def test_a_reused_pid_is_never_watched(start: Start) -> None:
    before = start("/bin/sleep", "60").identity
    open_now = set(os.listdir("/proc/self/fd"))

    assert open_death(replace(before, start_ticks=before.start_ticks - 1)) is None
    assert set(os.listdir("/proc/self/fd")) == open_now


def test_a_process_that_is_gone_cannot_be_watched(
    start: Start, ended: Callable[[Spawned], Exit]
) -> None:
    spawned = start("/bin/true")
    ended(spawned)

    assert open_death(spawned.identity) is None


def test_a_number_that_names_a_mere_thread_is_not_watched(talk: Talk) -> None:
    spawned, said = talk("""
import os, signal, threading
def stay():
    print(threading.get_native_id(), flush=True)
    signal.pause()
threading.Thread(target=signal.pause, daemon=True).start()
threading.Thread(target=stay).start()
""")
    thread = int(said.readline())

    assert open_death(replace(spawned.identity, pid=thread, pidfd_inode=None)) is None


def test_closing_twice_closes_once(start: Start) -> None:
    spawned = start("/bin/sleep", "60")
    death = open_death(spawned.identity)
    assert death is not None

    death.close()
    death.close()

    assert death.fileno() == -1


def test_what_ended_unseen_is_readable_at_once() -> None:
    death = Ended(Exit(code=2))

    assert select.select([death], [], [], 0)[0] == [death]
    assert death.collect() == Exit(code=2)
    death.close()
    death.close()


def test_a_child_without_pidfd_is_watched_all_the_same(talk: Talk) -> None:
    living, _ = talk("import signal; signal.pause()")
    dead, _ = talk("import os; os._exit(6)")
    os.waitid(os.P_PID, dead.pid, os.WEXITED | os.WNOWAIT)

    silent, over = watch_child(living.identity, None), watch_child(dead.identity, None)

    assert (silent.collect(), over.collect()) == (None, Exit(code=6))
    silent.close()
    over.close()


def test_a_child_reaped_unseen_has_an_unknown_exit(
    start: Start, ended: Callable[[Spawned], Exit]
) -> None:
    spawned = start("/bin/true")
    ended(spawned)

    death = watch_child(spawned.identity, None)

    assert death.collect() == Exit()
    death.close()


@pytest.mark.parametrize(
    ("status", "exit_"),
    [
        (0, Exit(code=0)),
        (37 << 8, Exit(code=37)),
        (9, Exit(signal=9)),
        (6 | 0x80, Exit(signal=6, core=True)),
    ],
)
def test_a_wait_status_is_translated(status: int, exit_: Exit) -> None:
    assert exit_from_status(status) == exit_


STRANGERS = """
import json, os, select, signal
from holdfast.machine.process.kernel import become_subreaper
from holdfast.machine.process.wait import reap_strangers

def dead(pid):
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)

def ours(code):
    pid = os.fork()
    if pid == 0:
        os._exit(code)
    dead(pid)
    return pid

def stranger(code):
    reader, writer = os.pipe()
    middle = os.fork()
    if middle == 0:
        if os.fork() == 0:
            os.write(writer, str(os.getpid()).encode())
            os._exit(code)
        os._exit(0)
    os.waitpid(middle, 0)
    pid = int(os.read(reader, 20))
    dead(pid)
    return pid

become_subreaper()
"""


@pytest.mark.parametrize("order", ["ours(3), stranger(5)", "stranger(5), ours(3)"])
def test_strangers_are_reaped_and_known_children_left(
    order: str, apart: Callable[[str], dict[str, object]]
) -> None:
    told = apart(f"""{STRANGERS}
first, second = {order}
known, other = (first, second) if "{order}".startswith("ours") else (second, first)
reaped = reap_strangers({{known}})
_, status = os.waitpid(known, 0)
print(json.dumps({{
    "reaped": [[pid == other, exit_.code] for pid, exit_ in reaped],
    "ours": os.waitstatus_to_exitcode(status),
    "again": reap_strangers(set()),
}}))
""")

    assert told == {"reaped": [[True, 5]], "ours": 3, "again": []}


def test_living_children_are_not_waited_for(apart: Callable[[str], dict[str, object]]) -> None:
    told = apart(f"""{STRANGERS}
living = os.fork()
if living == 0:
    signal.pause()
reaped = reap_strangers({{living}}), reap_strangers(set())
os.kill(living, signal.SIGKILL)
_, status = os.waitpid(living, 0)
print(json.dumps({{"reaped": reaped, "signal": os.WTERMSIG(status)}}))
""")

    assert told == {"reaped": [[], []], "signal": signal.SIGKILL}
