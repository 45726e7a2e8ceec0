"""`holdfast run --check NAME -- COMMAND`: a run of somebody else's scheduler, remembered as one of a job."""

import argparse
import contextlib
import os
import secrets
from dataclasses import replace

from holdfast.cli import reach, render
from holdfast.clock import Clock, SystemClock, boot_id
from holdfast.errors import HoldfastError, UsageError
from holdfast.home import NAME, RESERVED_NAMES
from holdfast.machine.jobs import store
from holdfast.machine.jobs.front import run_in_front
from holdfast.machine.jobs.tail import text_of
from holdfast.machine.process.identity import identify
from holdfast.model.job import Result, Run, Trigger
from holdfast.model.service import Now
from holdfast.model.wire import to_plain

NOT_FOUND = 127
NOT_EXECUTABLE = 126
ENDED_BY_SIGNAL = 128
"""Exit codes as shells give them."""

TELL_WITHIN = 2.0
"""Seconds a supervisor has to take note; the run is on disk already."""


def run(options: argparse.Namespace) -> int:
    """Run the command in front and return its exit code, 128 and more for a signal.

    What cannot be written down never keeps the command from running.

    Raises:
        UsageError: the name cannot be that of a check, or no command was given.
    """
    name: str = options.check
    words = options.words[1:] if options.words[:1] == ["--"] else options.words
    if NAME.fullmatch(name) is None or name in RESERVED_NAMES:
        raise UsageError(
            f"{name!r} cannot be the name of a check; names are small letters, digits, - and _"
        )
    if not words:
        raise UsageError("no command was given; write: holdfast run --check NAME -- COMMAND")
    clock = SystemClock()
    return _Recorded(name, clock).run(words)


class _Recorded:
    """One run, written down before it begins and when it is over."""

    def __init__(self, name: str, clock: Clock) -> None:
        self.name = name
        self.clock = clock
        self.began = clock.monotonic()
        self.row = Run(
            id=f"{int(clock.wall() * 1_000_000):x}-{secrets.token_hex(4)}",
            trigger=Trigger.EXTERNAL,
            started_at=clock.wall(),
            runner=identify(os.getpid()),
        )

    def run(self, words: list[str]) -> int:
        """Run the command and return the exit code a shell would give."""
        self._write_down()
        try:
            code = run_in_front(words, self._ended)
        except FileNotFoundError:
            return self._not_executed(NOT_FOUND, f"{words[0]}: there is no such command")
        except (OSError, ValueError) as error:
            return self._not_executed(NOT_EXECUTABLE, f"{words[0]} cannot be executed: {error}")
        return code if code >= 0 else ENDED_BY_SIGNAL - code

    def _not_executed(self, code: int, why: str) -> int:
        render.complain(why)
        self.row = replace(self.row, why=why)
        self._ended(code, b"")
        return code

    def _ended(self, code: int, output: bytes) -> None:
        self.row = replace(
            self.row,
            ended_at=self.clock.wall(),
            duration_s=round(self.clock.monotonic() - self.began, 3),
            result=Result.SUCCESS if code == 0 else Result.FAILED,
            exit_code=code if code >= 0 else None,
            signal=-code if code < 0 else None,
            output_tail=text_of(output),
            runner=None,
        )
        if self._write_down():
            self._tell()

    def _write_down(self) -> bool:
        """Write the row; what cannot be written never keeps the command from running."""
        home, clock = reach.home(), self.clock
        now = Now(wall=clock.wall(), mono=clock.monotonic(), boot_id=boot_id())
        try:
            home.make()
            store.add_run(home, self.name, self.row, now)
        except (HoldfastError, OSError) as error:
            render.complain(f"this run of {self.name} is not remembered: {error}")
            return False
        return True

    def _tell(self) -> None:
        """Have the supervisor, if one runs, tell of it."""
        order = {"name": self.name, "run": to_plain(self.row)}
        with contextlib.suppress(HoldfastError), reach.supervisor(patience=TELL_WITHIN) as control:
            control.call("record_run", order)
