"""`holdfast state lock FILE -- COMMAND`: hold the lock of a file while a command runs."""

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from holdfast.cli import render
from holdfast.cli.state.nested import VARIABLE, operations, told_of
from holdfast.cli.when import seconds
from holdfast.statefile.faults import io_error
from holdfast.statefile.lock import Sidecar
from holdfast.statefile.place import Place, open_place
from holdfast.statefile.system.ops import Ops

# What shells, env(1) and timeout(1) say of a command they cannot start.
_NOT_FOUND = 127
_NOT_EXECUTABLE = 126
_KILLED_BY = 128
_PASSED_ON = ("SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2")
_OF_A_TERMINAL = ("SIGINT", "SIGQUIT")


def run(options: argparse.Namespace) -> int:
    """Run the command under the lock and return its exit code; 128 and more for a signal."""
    ops = operations()
    with (
        _opened(options.path, ops) as place,
        Sidecar(place, wait_for=seconds(options.timeout)) as sidecar,
    ):
        environment = {**os.environ, VARIABLE: told_of(place)}
        try:
            code = _ended(options.words, environment, sidecar.fd)
        except FileNotFoundError:
            render.complain(f"{options.words[0]}: there is no such command")
            return _NOT_FOUND
        except (OSError, ValueError) as error:
            render.complain(f"{options.words[0]} cannot be executed: {error}")
            return _NOT_EXECUTABLE
    return code if code >= 0 else _KILLED_BY - code


@contextmanager
def _opened(path: str, ops: Ops) -> Iterator[Place]:
    try:
        with open_place(path, follow=True, ops=ops) as place:
            yield place
    except OSError as error:
        raise io_error(error, path, "locked") from error


def _ended(words: list[str], environment: dict[str, str], lock: int | None) -> int:
    """Run a command to its end; what would end this process meanwhile is for the command to decide.

    It inherits the lock: should this process be killed, the file stays locked until the command ends.
    """
    kept = () if lock is None or sys.platform == "win32" else (lock,)
    child: subprocess.Popen[bytes] | None = None
    early: list[int] = []

    def pass_on(number: int, _frame: object) -> None:
        if child is None:
            early.append(number)
        else:
            child.send_signal(number)

    with _handled(pass_on):
        child = subprocess.Popen(words, env=environment, pass_fds=kept)
        for number in early:
            child.send_signal(number)
        return child.wait()


@contextmanager
def _handled(pass_on: Callable[[int, object], None]) -> Iterator[None]:
    """Pass signals on; those of a terminal reach the command by themselves."""
    handlers: dict[str, Callable[[int, object], None]] = dict.fromkeys(_PASSED_ON, pass_on)
    handlers |= dict.fromkeys(_OF_A_TERMINAL, lambda _number, _frame: None)
    before = {
        number: signal.signal(number, handler)
        for name, handler in handlers.items()
        if (number := getattr(signal, name, None)) is not None
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
