"""The child of a filter shares nothing with its parent and leaves nothing behind."""

import subprocess
import sys
from pathlib import Path

import pytest

from holdfast.statefile.jsondoc.jq_child import VALUE, Request, opened
from holdfast.statefile.jsondoc.jq_process import TIMER, ask

pytest.importorskip("jq", reason="filters need jq")


def test_an_answer_comes_whole_however_long_it_is() -> None:
    frame, ended_by = ask(Request("[range(200000)]", "null", "{}", 60.0))

    found = opened(frame)
    assert found is not None
    assert found[0] == VALUE
    assert found[1].endswith(",199999]")
    assert ended_by == 0


def test_what_takes_too_long_is_ended_by_the_timer() -> None:
    assert ask(Request("def f: f; f", "null", "{}", 0.2)) == (b"", TIMER)


# Each runs in a process of one thread, which forks for a filter.
FORKED = {
    "reads_nothing_and_prints_nothing": """
from holdfast.statefile.jsondoc.jq import filtered
atexit.register(print, "bye", flush=True)
print("before", end=" ")
filtered("{}", "debug | stderr", within=60)
""",
    "dies_of_a_failed_assertion_alone": """
from holdfast.statefile.jsondoc import jq_process
from holdfast.statefile.jsondoc.jq_child import Request
frame, ended_by = jq_process.ask(Request(".", "null", '{"a": "\\\\ud800"}', 60.0))
assert frame == b"" and ended_by == signal.SIGABRT, (frame, ended_by)
print("before", end=" ")
atexit.register(print, "bye", flush=True)
""",
    "is_reaped_when_its_parent_is_interrupted": """
from holdfast.statefile.jsondoc.jq import filtered
def interrupt(*_):
    raise KeyboardInterrupt
signal.signal(signal.SIGALRM, interrupt)
try:
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    filtered("{}", "def f: f; f", within=600)
except KeyboardInterrupt:
    print("before", end=" ")
try:
    os.waitpid(-1, 0)
except ChildProcessError:
    print("bye")
""",
    "is_reaped_when_its_parent_is_interrupted_at_its_birth": """
from holdfast.statefile.jsondoc import jq_process
from holdfast.statefile.jsondoc.jq import filtered
def interrupt(*_):
    raise KeyboardInterrupt
signal.signal(signal.SIGALRM, interrupt)
real = os.fork
def fork():
    pid = real()
    if pid:
        os.kill(os.getpid(), signal.SIGALRM)
    return pid
jq_process.os.fork = fork
try:
    filtered("{}", "def f: f; f", within=600)
except KeyboardInterrupt:
    print("before", end=" ")
try:
    os.waitpid(-1, os.WNOHANG)
except ChildProcessError:
    print("bye")
""",
    "needs_nobody_to_wait_for_it": """
from holdfast.statefile.jsondoc.jq import filtered
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
assert filtered('{"a": 1}', ".a += 1", within=60) == {"a": 2}
print("before bye")
""",
    "works_without_standard_streams": """
from holdfast.statefile.jsondoc.jq import filtered
out = os.dup(1)
for fd in (0, 1, 2):
    os.close(fd)
assert filtered('{"a": 1}', ".a += 1", within=60) == {"a": 2}
os.write(out, b"before bye\\n")
os._exit(0)
""",
}


@pytest.mark.skipif(sys.platform != "linux", reason="forks on Linux only")
@pytest.mark.parametrize("promise", FORKED)
def test_a_forked_child(promise: str, tmp_path: Path) -> None:
    program = "import atexit, os, signal\n" + FORKED[promise]

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=tmp_path
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "before bye\n", "")


LOCKED = """
import fcntl, os, sys
from holdfast.statefile.jsondoc import jq_process
from holdfast.statefile.jsondoc.jq_child import Request

lock = os.open("lock", os.O_RDWR | os.O_CREAT)
fcntl.flock(lock, fcntl.LOCK_EX)
real = jq_process.os.fork
def fork():
    pid = real()
    if pid:
        print(pid, flush=True)
    return pid
jq_process.os.fork = fork
jq_process.ask(Request("def f: f; f", "null", "{}", 600.0))
"""


if sys.platform == "linux":
    import fcntl
    import os
    import signal

    def test_a_lock_dies_with_the_parent_though_the_child_runs_on(tmp_path: Path) -> None:
        with subprocess.Popen(
            [sys.executable, "-c", LOCKED], stdout=subprocess.PIPE, cwd=tmp_path
        ) as parent:
            assert parent.stdout is not None
            child = int(parent.stdout.readline())
            child_fd = os.pidfd_open(child)
            try:
                # It inherited the pipe this test reads; that it is closed says that all of them are.
                parent.kill()
                assert parent.stdout.read() == b""
                fd = os.open(tmp_path / "lock", os.O_RDWR)
                fcntl.flock(fd, fcntl.LOCK_EX)
                os.close(fd)
                signal.pidfd_send_signal(child_fd, 0)
            finally:
                signal.pidfd_send_signal(child_fd, signal.SIGKILL)
                os.close(child_fd)
