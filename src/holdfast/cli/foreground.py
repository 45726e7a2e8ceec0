"""`up --foreground`: Holdfast in front, for containers, service managers and looking on."""

import argparse
import os
import signal
import sys
import threading
from contextlib import suppress
from types import FrameType
from typing import TYPE_CHECKING

from holdfast import assemble
from holdfast.cli import ending, reach
from holdfast.errors import HoldfastError
from holdfast.home import Home

if TYPE_CHECKING:
    import subprocess

    from holdfast.config.settings import Settings

_MEANT = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)

AGAIN_AFTER = 0.1
"""Seconds between two looks, once an end was ordered, whether another supervisor came in place of the one asked."""


def run(wanted: "Settings", options: argparse.Namespace) -> int:
    """Run until supervisor and watchdog have ended; the first signal asks them to stop everything, the second kills.

    Raises:
        LockHeld: they run already.
        HoldfastError: they could not start.
    """
    front = _Front(reach.home())
    front.listen()
    front.stand_before(assemble.spawn(reach.home()))
    code = _bring_up(wanted, options, front)
    if not (options.quiet or options.json or front.heard):
        print("In the foreground: Ctrl-C stops everything, a second one kills.", flush=True)
    is_orderly = front.wait()
    if front.heard:
        return 130 if front.heard[0] == signal.SIGINT else 0
    return code if is_orderly else 1


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
    """Hears the signals meant for the whole and passes them on to the supervisor, also those that come too early.

    A thread passes them on: what interrupts the main thread, perhaps in the midst of an import, does nothing there.
    """

    def __init__(self, home: Home) -> None:
        self.home = home
        self.heard: list[int] = []
        self._child: subprocess.Popen[bytes] | None = None
        self._asked: int | None = None
        self._is_ending = False
        self._passing_on = threading.RLock()
        self._signals, self._signal = os.pipe()
        self._woken, self._wake = os.pipe()

    def listen(self) -> None:
        """Take over the signals that end a program, and have each wake whoever waits here."""
        for number in _MEANT:
            signal.signal(number, self._interrupted)
        if sys.platform != "win32":
            for fd in (self._woken, self._wake, self._signal):
                os.set_blocking(fd, False)
            signal.set_wakeup_fd(self._signal, warn_on_full_buffer=False)
            threading.Thread(target=self._listen, name="signals", daemon=True).start()

    def stand_before(self, child: "subprocess.Popen[bytes]") -> None:
        """Pass on what was heard so far, and everything from now on."""
        with self._passing_on:
            self._child = child
            for _ in self.heard:
                self.end()

    def end(self) -> None:
        """Ask the supervisor to stop everything; asked again, it kills."""
        with self._passing_on:
            self._is_ending = True
            self._asked = ending.holder(self.home.supervisor_lock)
            if self._asked is not None:
                ending.ask(self._asked)

    def wait(self) -> bool:
        """Return once nothing of Holdfast is left, whoever was replaced meanwhile; tell whether it ended in order."""
        while self._child is not None and (own := ending.of_home(self.home)):
            with ending.Programs(own) as programs:
                programs.await_one(self._woken, within=AGAIN_AFTER if self._is_ending else None)
            self._child.poll()  # a child that died must not stay a zombie
            self._ask_successor()
        if self._child is not None:
            self._child.wait()
        return not self.home.heartbeat("supervisor").exists()

    def _interrupted(self, number: int, _frame: FrameType | None) -> None:
        if sys.platform == "win32":
            self._hear(number)

    def _listen(self) -> None:
        """Take up the numbers that the interpreter wrote the moment each signal came."""
        while numbers := os.read(self._signals, 64):
            for number in numbers:
                if number in _MEANT:
                    self._hear(number)
            with suppress(BlockingIOError):
                os.write(self._wake, b"!")

    def _hear(self, number: int) -> None:
        with self._passing_on:
            self.heard.append(number)
            if self._child is not None:
                self.end()

    def _ask_successor(self) -> None:
        """Ask a supervisor that came after the one that was asked: it was just being replaced, and knows of nothing."""
        if not self._is_ending:
            return
        with suppress(HoldfastError), reach.supervisor() as control:
            if control.call("ping")["pid"] != self._asked:  # it answers, so it hears signals too
                self.end()
