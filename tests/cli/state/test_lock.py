import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from holdfast.errors import LockTimeout
from holdfast.statefile import locked

if TYPE_CHECKING:
    from tests.cli.conftest import Done

State = Callable[..., "Done"]
Command = Callable[..., "subprocess.Popen[bytes]"]
DEADLINE_S = 30.0

if sys.platform == "win32":
    pytest.skip("these tests use POSIX signals", allow_module_level=True)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.json"
    path.write_text('{"n": 1}\n')
    return path


@pytest.fixture
def locking(file: Path) -> Iterator[Command]:
    """Run a Python program under the lock of the file; it is ended with the test."""
    started: list[subprocess.Popen[bytes]] = []

    def run(program: str, *words: str) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "holdfast", "state", "lock", str(file), *words, "--"]
        started.append(
            subprocess.Popen(
                [*command, sys.executable, "-c", program, str(file)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        )
        return started[-1]

    yield run
    for one in started:
        if one.poll() is None:
            os.killpg(one.pid, signal.SIGKILL)
        one.communicate()


def ended(command: "subprocess.Popen[bytes]") -> tuple[int, str, str]:
    out, err = command.communicate(timeout=DEADLINE_S)
    return command.returncode, out.decode(), err.decode()


SAY_AND_WAIT = "import sys; print('in', flush=True); sys.stdin.read()"


def test_the_lock_is_held_while_the_command_runs_and_no_longer(
    file: Path, locking: Command
) -> None:
    command = locking(SAY_AND_WAIT)
    assert command.stdout is not None
    assert command.stdout.readline() == b"in\n"
    with pytest.raises(LockTimeout, match=str(command.pid)), locked(file, 0.05):
        pass
    assert ended(command) == (0, "", "")
    with locked(file, 0):
        pass


@pytest.mark.parametrize(
    ("program", "code"),
    [
        ("", 0),
        ("raise SystemExit(7)", 7),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", 137),
    ],
)
def test_the_exit_code_is_that_of_the_command(locking: Command, program: str, code: int) -> None:
    assert ended(locking(program)) == (code, "", "")


def test_a_command_that_is_not_there_or_no_program_is_told_as_shells_do(
    state: State, file: Path
) -> None:
    done = state("lock", str(file), "--", "/nonexistent/command")
    assert (done.code, len(done.err.splitlines())) == (127, 1)
    done = state("lock", str(file), "--", str(file))
    assert (done.code, len(done.err.splitlines())) == (126, 1)


def test_a_lock_that_is_not_free_in_time_is_refused_and_nothing_is_run(
    state: State, file: Path, hold_elsewhere: Callable[[Path], int]
) -> None:
    pid = hold_elsewhere(file)
    done = state("lock", str(file), "--timeout", "50ms", "--", "touch", str(file.parent / "ran"))
    assert done.code == 4
    assert str(pid) in done.err
    assert not (file.parent / "ran").exists()


def test_the_command_may_change_the_file_it_has_locked(file: Path, locking: Command) -> None:
    program = """
import subprocess, sys
for number in ("2", "3"):
    words = [sys.executable, "-m", "holdfast", "state", "set", sys.argv[1], "n", number, "--timeout", "0s", "-q"]
    subprocess.run(words, check=True)
"""
    assert ended(locking(program)) == (0, "", "")
    assert file.read_text() == '{"n": 3}\n'


def test_a_lock_inside_a_lock_of_the_same_file_is_entered(file: Path, locking: Command) -> None:
    program = """
import subprocess, sys
words = [sys.executable, "-m", "holdfast", "state", "lock", sys.argv[1], "--timeout", "0s", "--", "true"]
subprocess.run(words, check=True)
"""
    assert ended(locking(program)) == (0, "", "")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1])
def test_the_command_is_told_to_end_and_the_lock_outlives_it(
    file: Path, locking: Command, number: signal.Signals
) -> None:
    program = f"""
import signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [{int(number)}])
print("in", flush=True)
signal.sigwait([{int(number)}])
print("leaving", flush=True)
sys.stdin.read()
sys.exit(9)
"""
    command = locking(program)
    assert command.stdout is not None
    assert command.stdout.readline() == b"in\n"
    command.send_signal(number)
    assert command.stdout.readline() == b"leaving\n"
    with pytest.raises(LockTimeout), locked(file, 0.05):
        pass
    assert ended(command) == (9, "", "")


def test_after_ctrl_c_the_command_has_the_last_word(locking: Command) -> None:
    program = """
import sys
try:
    print("in", flush=True)
    sys.stdin.read()
except KeyboardInterrupt:
    sys.exit(5)
"""
    command = locking(program)
    assert command.stdout is not None
    assert command.stdout.readline() == b"in\n"
    os.killpg(command.pid, signal.SIGINT)
    assert ended(command) == (5, "", "")


def test_the_command_of_a_killed_holder_goes_on_under_the_lock(
    file: Path, locking: Command
) -> None:
    command = locking(SAY_AND_WAIT)
    assert command.stdout is not None
    assert command.stdout.readline() == b"in\n"
    command.kill()
    command.wait(DEADLINE_S)

    with pytest.raises(LockTimeout), locked(file, 0):
        pass
    command.communicate()
    with locked(file, DEADLINE_S):
        pass


def test_commands_side_by_side_under_one_lock_lose_nothing(file: Path, locking: Command) -> None:
    many = """
import subprocess, sys
command = [sys.executable, "-m", "holdfast", "state", "append", sys.argv[1], "list", "1", "-q"]
running = [subprocess.Popen(command) for _ in range(6)]
sys.exit(sum(one.wait() for one in running))
"""
    file.write_text('{"list": []}')
    assert ended(locking(many)) == (0, "", "")
    assert file.read_text() == '{"list": [1, 1, 1, 1, 1, 1]}'


def test_words_behind_the_dashes_are_the_command_whatever_they_look_like(file: Path) -> None:
    program = "import sys; print(sys.argv[1:])"
    command = [sys.executable, "-c", program, "-q", "--", "--json", ""]
    words = ["state", "lock", str(file), "--timeout", "5s", "--", *command]
    done = subprocess.run(
        [sys.executable, "-m", "holdfast", *words], capture_output=True, text=True, check=True
    )
    assert done.stdout == "['-q', '--', '--json', '']\n"
