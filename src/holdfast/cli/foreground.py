"""`up --foreground`: the supervisor as a child in front, for containers, service managers and looking on."""

import argparse
import signal
import subprocess
import sys
from types import FrameType
from typing import TYPE_CHECKING

from holdfast import assemble
from holdfast.cli import reach
from holdfast.errors import HoldfastError

if TYPE_CHECKING:
    from holdfast.config.settings import Settings


def run(wanted: "Settings", options: argparse.Namespace) -> int:
    """Run until the supervisor ends; the first signal asks it to stop everything, the second kills.

    Raises:
        LockHeld: a supervisor runs already.
        HoldfastError: it could not start.
    """
    front = _Front()
    front.listen()
    supervisor = assemble.spawn_supervisor(reach.home())
    front.stand_before(supervisor)
    code = _bring_up(wanted, options, front)
    if not (options.quiet or front.heard):
        print("In the foreground: Ctrl-C stops everything, a second one kills.", flush=True)
    ended = supervisor.wait()
    if front.heard:
        return 130 if front.heard[0] == signal.SIGINT else 0
    return (
        1 if ended < 0 else ended or code
    )  # below 0: ended by a signal, which is nobody's wish here


def _bring_up(wanted: "Settings", options: argparse.Namespace, front: "_Front") -> int:
    from holdfast.cli.up import bring_up

    try:
        return bring_up(wanted, options)
    except HoldfastError as error:
        if not front.heard:  # else what fails now fails because it was told to end
            front.end()
            front.wait()
            raise
        return error.exit_code


class _Front:
    """Hears the signals meant for the whole and passes them on to the supervisor, also those that come too early."""

    def __init__(self) -> None:
        self.heard: list[int] = []
        self._supervisor: subprocess.Popen[bytes] | None = None

    def listen(self) -> None:
        """Take over the signals that end a program."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._hear)
        if sys.platform != "win32":
            signal.signal(signal.SIGHUP, self._hear)

    def stand_before(self, supervisor: "subprocess.Popen[bytes]") -> None:
        """Pass on what was heard so far, and everything from now on."""
        self._supervisor = supervisor
        for _ in self.heard:
            self.end()

    def end(self) -> None:
        """Ask the supervisor to stop everything; asked again, it kills."""
        if self._supervisor is not None:
            self._supervisor.send_signal(signal.SIGTERM)

    def wait(self) -> None:
        """Return once the supervisor is gone: nothing is left behind."""
        if self._supervisor is not None:
            self._supervisor.wait()

    def _hear(self, number: int, _frame: FrameType | None) -> None:
        self.heard.append(number)
        self.end()
