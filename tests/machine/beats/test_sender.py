"""A beat counts only from the service's own processes, however far they have gone from the main one."""

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from holdfast.machine.beats.sender import is_own, is_trusted
from holdfast.machine.process.identity import identify
from holdfast.model.service import Identity

if sys.platform != "linux":
    pytest.skip("these tests look into /proc", allow_module_level=True)

Start = Callable[..., "subprocess.Popen[str]"]
INSTANCE = "6f1c"

# The daemon is never executed: a process has no environment for a moment while it is.
TREE = """
import os, signal, subprocess, sys
sleep = ["sleep", "7301"]
bare = {"PATH": os.environ["PATH"]}
null = subprocess.DEVNULL
child = subprocess.Popen(sleep, env=bare, stdin=null, stdout=null)
away = subprocess.Popen(sleep, env=bare, stdin=null, stdout=null, start_new_session=True)
told, tell = os.pipe()
middle = os.fork()
if middle == 0:
    os.setsid()
    orphan = os.fork()
    if orphan:
        os.write(tell, str(orphan).encode())
        os._exit(0)
    while True:
        signal.pause()
os.waitpid(middle, 0)
orphan = int(os.read(told, 20))
print(child.pid, away.pid, orphan, flush=True)
sys.stdin.read()
for pid in (child.pid, away.pid, orphan):
    os.kill(pid, 9)
"""


def known(pid: int) -> Identity:
    found = identify(pid)
    assert found is not None
    return found


def line_of(program: "subprocess.Popen[str]") -> str:
    assert program.stdout is not None
    return program.stdout.readline()


def end(program: "subprocess.Popen[str]") -> None:
    program.communicate(timeout=30)


def test_children_sessions_of_their_own_and_daemons_are_the_service_itself(start: Start) -> None:
    env = {"PATH": os.environ["PATH"], "HOLDFAST_INSTANCE": INSTANCE}
    program = start(sys.executable, "-I", "-S", "-c", TREE, env=env)
    pids = [int(word) for word in line_of(program).split()]
    main = known(program.pid)

    assert [is_own(pid, main, INSTANCE) for pid in (main.pid, *pids)] == [True] * 4
    assert [is_own(pid, main, "another") for pid in pids] == [True, True, False]
    end(program)


def test_a_stranger_is_not_trusted_even_of_the_same_user(start: Start) -> None:
    main = known(start("cat").pid)
    stranger = start("cat")

    assert is_own(stranger.pid, main, INSTANCE) is False
    assert is_own(os.getpid(), main, INSTANCE) is False
    assert not is_trusted(stranger.pid, os.getuid(), main, INSTANCE, os.getuid())


def test_one_that_is_gone_is_trusted_by_its_user(start: Start) -> None:
    main = known(start("cat").pid)
    gone = start("true")
    gone.wait()

    assert is_own(gone.pid, main, INSTANCE) is None
    assert is_trusted(gone.pid, 1000, main, INSTANCE, 1000)
    assert not is_trusted(gone.pid, 1001, main, INSTANCE, 1000)


def test_one_that_waits_to_be_reaped_is_trusted_by_its_user(start: Start) -> None:
    main = known(start("cat").pid)
    zombie = start("true", stdout=subprocess.PIPE)
    assert line_of(zombie) == ""
    os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)

    assert is_own(zombie.pid, main, INSTANCE) is None
    assert is_trusted(zombie.pid, 1000, main, INSTANCE, 1000)


def test_where_the_kernel_names_no_sender_the_address_is_proof_enough(start: Start) -> None:
    main = known(start("cat").pid)

    assert is_trusted(None, None, main, INSTANCE, 1000)


def test_a_sender_the_kernel_cannot_number_is_trusted_by_its_user(start: Start) -> None:
    main = known(start("cat").pid)

    assert is_trusted(0, 1000, main, INSTANCE, 1000)
    assert not is_trusted(0, 1001, main, INSTANCE, 1000)
