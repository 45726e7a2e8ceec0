"""How far a backup has come, in a file for whoever wants to see it."""

import contextlib
import os

from holdfast import statefile
from holdfast.clock import Clock
from holdfast.errors import StateError
from holdfast.home import Home
from holdfast.machine.backup.engine import Progress
from holdfast.statefile import Durability

EVERY = 0.2
"""Seconds between two writes."""


class ProgressFile:
    """Takes each step of an engine and writes it down now and then; gone with the run.

    What the disk refuses is left out: nobody's backup fails for want of a progress bar.
    """

    def __init__(self, home: Home, name: str, clock: Clock) -> None:
        self.name = name
        self.path = path_of(home, name)
        self.clock = clock
        self._next_mono = 0.0
        self._phase = ""

    def __call__(self, step: Progress) -> None:
        """Take one step."""
        mono = self.clock.monotonic()
        if mono < self._next_mono and step.phase == self._phase:
            return
        self._next_mono, self._phase = mono + EVERY, step.phase
        with contextlib.suppress(StateError):
            statefile.write_json(
                self.path,
                {
                    "name": self.name,
                    "pid": os.getpid(),
                    "at": self.clock.wall(),
                    "phase": step.phase.value,
                    "percent": step.percent,
                    "files": step.files,
                    "files_total": step.files_total,
                    "bytes": step.bytes,
                    "bytes_total": step.bytes_total,
                    "eta_s": step.eta_s,
                },
                durability=Durability.ATOMIC,
                mode=0o600,
            )

    def close(self) -> None:
        """Take the file away."""
        with contextlib.suppress(OSError):
            os.unlink(self.path)


def path_of(home: Home, name: str) -> str:
    """Return where the progress of a project stands while it is being backed up."""
    return str(home.backups / f"{name}.progress.json")


def read(home: Home, name: str) -> dict[str, object] | None:
    """Return how far a run has come; None when none is under way, or nothing was told yet."""
    try:
        found = statefile.read_json(path_of(home, name))
    except (StateError, FileNotFoundError):
        return None
    return found if isinstance(found, dict) else None
