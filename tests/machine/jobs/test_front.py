"""A program in front finds the streams and the signals it would have found without us."""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

if sys.platform == "win32":
    pytest.skip("these tests use POSIX signals and pseudo terminals", allow_module_level=True)

import pty

DEADLINE_S = 30.0

RUNNER = """
import sys
from pathlib import Path
from holdfast.machine.jobs.front import run_in_front
def ended(code, output):
    Path(sys.argv[1]).write_bytes(str(code).encode() + b" " + output)
code = run_in_front(sys.argv[2:], ended)
sys.exit(code if code >= 0 else 128 - code)
"""

Front = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def told(tmp_path: Path) -> Path:
    """Return the file in which the code and the end of the output are told."""
    return tmp_path / "told"


@pytest.fixture
def front(told: Path) -> Iterator[Front]:
    """Run a Python program in front of a runner; it is ended with the test."""
    started: list[subprocess.Popen[bytes]] = []

    def run(code: str, **options: Any) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-c", RUNNER, str(told), sys.executable, "-c", code]
        started.append(subprocess.Popen(command, **{"start_new_session": True, **options}))
        return started[-1]

    yield run
    for one in started:
        if one.poll() is None:
            os.killpg(one.pid, signal.SIGKILL)
        one.wait()
        for stream in (one.stdin, one.stdout, one.stderr):
            if stream is not None:
                stream.close()


def piped(front: Front, code: str, **options: Any) -> "subprocess.Popen[bytes]":
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return front(code, **{**streams, **options})


def test_streams_are_passed_through_and_the_end_of_both_is_told(front: Front, told: Path) -> None:
    code = "import sys; print(sys.stdin.read()); sys.stderr.write('no'); sys.exit(3)"
    out, err = (runner := piped(front, code)).communicate(b"yes", timeout=DEADLINE_S)
    assert (runner.returncode, out, err) == (3, b"yes\n", b"no")
    assert told.read_bytes() in (b"3 yes\nno", b"3 noyes\n")


def test_two_streams_into_one_pipe_keep_their_order(front: Front, told: Path) -> None:
    code = "import os\nfor n in range(500): os.write(1 + n % 2, b'%d ' % n)"
    expected = b"".join(b"%d " % number for number in range(500))
    runner = piped(front, code, stderr=subprocess.STDOUT)
    assert runner.communicate(timeout=DEADLINE_S)[0] == expected
    assert told.read_bytes()[2:][-2048:] == expected[-2048:]


def test_much_output_arrives_whole(front: Front) -> None:
    runner = piped(front, "import os\nfor _ in range(300): os.write(1, b'x' * 10_000)")
    assert len(runner.communicate(timeout=DEADLINE_S)[0]) == 3_000_000


def test_output_into_files_goes_there_directly_and_its_end_is_read_back(
    front: Front, told: Path, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    log.write_text("old\n")
    with log.open("a") as target:
        code = f"import os; print(os.readlink('/proc/self/fd/1') == {str(log)!r})"
        runner = front(code, stdin=subprocess.DEVNULL, stdout=target, stderr=target)
        assert runner.wait(DEADLINE_S) == 0
    assert log.read_text() == "old\nTrue\n"
    assert told.read_bytes() == b"0 True\n"


def test_a_program_on_a_terminal_keeps_it(front: Front, told: Path) -> None:
    ours, theirs = pty.openpty()
    code = "import sys; print(all(one.isatty() for one in (sys.stdin, sys.stdout, sys.stderr)))"
    runner = front(code, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    assert runner.wait(DEADLINE_S) == 0
    assert os.read(ours, 100).strip() == b"True"
    os.close(ours)
    assert told.read_bytes() == b"0 "


def test_a_child_that_goes_on_printing_is_no_part_of_the_run_and_loses_nothing(
    front: Front, told: Path
) -> None:
    code = """
import subprocess, sys
later = "import sys; sys.stdin.read(); print('later')"
subprocess.Popen([sys.executable, "-c", later])
print("now")
"""
    runner = piped(front, code)
    assert runner.stdin is not None
    assert runner.stdout is not None
    assert runner.stdout.read(4) == b"now\n"
    deadline = time.monotonic() + DEADLINE_S
    while not told.exists() or not told.read_bytes():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert told.read_bytes() == b"0 now\n"
    runner.stdin.close()
    assert runner.stdout.read() == b"later\n"
    assert runner.wait(DEADLINE_S) == 0


def test_a_reader_that_goes_away_is_felt_by_the_program(front: Front, told: Path) -> None:
    code = (
        "import os, signal; signal.signal(13, signal.SIG_DFL)\nwhile True: os.write(1, b'x' * 999)"
    )
    runner = piped(front, code)
    assert runner.stdout is not None
    runner.stdout.read(10)
    runner.stdout.close()
    assert runner.wait(DEADLINE_S) == 128 + signal.SIGPIPE
    assert told.read_bytes().startswith(b"-13 x")


@pytest.mark.parametrize("name", ["TERM", "HUP", "USR1", "INT", "QUIT"])
def test_signals_are_passed_on_and_the_program_decides(
    front: Front, told: Path, name: str
) -> None:
    number = getattr(signal, f"SIG{name}")
    code = f"""
import signal, sys, time
def end(*_): sys.exit(7)
signal.signal({int(number)}, end)
print("begun", flush=True)
while True: time.sleep(0.05)
"""
    runner = piped(front, code)
    assert runner.stdout is not None
    assert runner.stdout.readline() == b"begun\n"
    os.kill(runner.pid, number)
    assert runner.wait(DEADLINE_S) == 7
    assert told.read_bytes() == b"7 begun\n"


def test_a_program_ended_by_a_signal_is_told_as_such(front: Front, told: Path) -> None:
    runner = piped(front, "import os; os.kill(os.getpid(), 15)")
    assert runner.wait(DEADLINE_S) == 128 + 15
    assert told.read_bytes() == b"-15 "


def test_ctrl_c_on_a_terminal_reaches_the_program_once(front: Front, told: Path) -> None:
    program = """
import signal, sys, time
got = []
def catch(*_):
    got.append(1)
    print("caught", flush=True)
signal.signal(signal.SIGINT, catch)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(len(got)))
print("begun", flush=True)
while True: time.sleep(0.05)
"""
    pid, terminal = pty.fork()
    if pid == 0:
        command = [sys.executable, "-c", RUNNER, str(told), sys.executable, "-c", program]
        os.execv(sys.executable, command)
    try:
        _read_until(terminal, b"begun")
        os.write(terminal, b"\x03")
        _read_until(terminal, b"caught")
        os.kill(pid, signal.SIGTERM)
        _, status = os.waitpid(pid, 0)
        assert os.waitstatus_to_exitcode(status) == 1
    finally:
        os.close(terminal)


def test_what_was_ignored_stays_ignored(front: Front) -> None:
    code = "import signal; print(signal.getsignal(signal.SIGHUP) is signal.SIG_IGN)"
    ignoring = f"import os, signal, sys; signal.signal(1, signal.SIG_IGN); os.execv(sys.executable, {[sys.executable, '-c', RUNNER]!r} + sys.argv[1:])"
    command = [sys.executable, "-c", ignoring, os.devnull, sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, check=True, timeout=DEADLINE_S)
    assert done.stdout == b"True\n"


def _read_until(terminal: int, wanted: bytes) -> None:
    deadline, found = time.monotonic() + DEADLINE_S, b""
    while wanted not in found:
        ready, _, _ = select.select([terminal], [], [], max(0.0, deadline - time.monotonic()))
        assert ready, f"{wanted!r} did not come; so far {found!r}"
        found += os.read(terminal, 1000)
