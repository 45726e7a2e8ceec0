"""The built-in service `backup`: it watches the files of all projects and orders a backup where they have changed.

What it sees is only a hint: each project is scanned whole by its schedule, whatever was missed here.
"""

import enum
import os
from collections.abc import Iterator, Sequence
from typing import Protocol

from holdfast.clock import Clock
from holdfast.machine.backup.excludes import is_excluded
from holdfast.machine.backup.schedule import Changes
from holdfast.machine.backup.telling import Told
from holdfast.machine.watch.eyes import Eyes
from holdfast.model.project import Project

LOOK_EVERY = 1.0
"""Seconds between two looks at what the kernel told."""

LOOKS_IN_A_QUIET = 4
"""Looks in the quiet the most impatient project wishes, where that is shorter."""

RETRY_EVERY = 600.0
"""Seconds until a folder the kernel refused to watch is tried again: it costs a walk through all of it."""

AT_ONCE = 2
"""Backups under way at which a change orders no more; a schedule asks nobody."""


class Answer(enum.Enum):
    """What became of an order."""

    TAKEN = "taken"
    LATER = "later"
    UNKNOWN = "unknown"


class Port(Protocol):
    """What the watcher asks of the rest of Holdfast."""

    def order(self, name: str) -> Answer:
        """Have a project backed up."""

    def tell(self, events: Sequence[Told]) -> bool:
        """Write events into the journal."""

    def under_way(self, names: Sequence[str]) -> int:
        """Return how many of these projects are being backed up."""


class Watcher:
    """Watches all projects that want it; `look` is called again and again and never waits for a file."""

    def __init__(self, eyes: Eyes, clock: Clock, port: Port) -> None:
        self.eyes = eyes
        self.clock = clock
        self.port = port
        self.changes = Changes()
        self.degraded: dict[str, str] = {}
        """Why a project is not watched by the kernel, and goes by its schedule alone."""
        self._projects: dict[str, Project] = {}
        self._roots: dict[str, tuple[int, int] | None] = {}
        self._retry_mono = 0.0

    @property
    def every(self) -> float:
        """Return the seconds until the next look."""
        shortest = min(self._quiet().values(), default=LOOK_EVERY * LOOKS_IN_A_QUIET)
        return max(0.05, min(LOOK_EVERY, shortest / LOOKS_IN_A_QUIET))

    def watch(self, projects: Sequence[Project]) -> None:
        """Watch these projects and no others; one that is new here may have changed while nobody looked."""
        known = self._projects
        self._projects = {one.name: one for one in projects if one.enabled and one.on_change}
        mono = self.clock.monotonic()
        for name, project in self._projects.items():
            if name not in known or known[name].path != project.path:
                self.changes.note(name, mono)
        for name in known.keys() - self._projects.keys():
            self.changes.ordered(name)
            self.degraded.pop(name, None)
        self._roots = {
            project.path: _identity(project.path) for project in self._projects.values()
        }
        self._turn()

    def look(self) -> None:
        """Take down what has changed, and order what is due."""
        mono = self.clock.monotonic()
        self._look_at_roots(mono)
        for path in self.eyes.changes():
            for name in self._whose(path):
                self.changes.note(name, mono)
        self._look_at_unread(mono)
        if self.eyes.blind and mono >= self._retry_mono:
            self._turn()
        self._tell_degradation()
        self._order(mono)

    def _order(self, mono: float) -> None:
        due = self.changes.due(self._quiet(), mono)
        if not due:
            return
        room = AT_ONCE - self.port.under_way(list(self._projects))
        for name in due[: max(0, room)]:
            match self.port.order(name):
                case Answer.TAKEN | Answer.UNKNOWN:
                    self.changes.ordered(name)
                case Answer.LATER:
                    self.changes.put_off(name, mono)

    def _quiet(self) -> dict[str, float]:
        return {name: one.on_change for name, one in self._projects.items() if one.on_change}

    def _turn(self) -> None:
        self._retry_mono = self.clock.monotonic() + RETRY_EVERY
        self.eyes.turn_to(root for root, found in self._roots.items() if found is not None)

    def _look_at_roots(self, mono: float) -> None:
        """Notice a folder that is gone, back or another one: the run that is ordered then says what is the matter."""
        before, self._roots = self._roots, {root: _identity(root) for root in self._roots}
        moved = {root for root, found in self._roots.items() if found != before[root]}
        if moved:
            self._turn()
        for name, project in self._projects.items():
            if project.path in moved:
                self.changes.note(name, mono)

    def _look_at_unread(self, mono: float) -> None:
        """Take for changed what the kernel told of in a name that is no text."""
        unread = set(self.eyes.unread)
        self.eyes.unread.clear()
        for name, project in self._projects.items():
            if project.path in unread:
                self.changes.note(name, mono)

    def _whose(self, path: str) -> Iterator[str]:
        for name, project in self._projects.items():
            below = _below(path, project.path)
            if below is not None and not _is_left_out(below, project.exclude):
                yield name

    def _tell_degradation(self) -> None:
        blind = {
            name: self.eyes.blind[project.path]
            for name, project in self._projects.items()
            if project.path in self.eyes.blind
        }
        events = [
            *(
                Told(kind="backup.watch_degraded", project=name, facts={"why": why})
                for name, why in blind.items()
                if name not in self.degraded
            ),
            *(
                Told(kind="backup.watch_restored", project=name, facts={})
                for name in self.degraded
                if name not in blind
            ),
        ]
        self.degraded = blind
        if events:
            self.port.tell(events)


def _identity(path: str) -> tuple[int, int] | None:
    """Return which folder a path leads to now; None where it leads to none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return (found.st_dev, found.st_ino) if os.path.isdir(path) else None


def _below(path: str, root: str) -> str | None:
    """Return a path as it stands below a project; empty for the folder itself, None for another's."""
    if path == root:
        return ""
    for base in {root, os.path.realpath(root)}:  # some systems tell of the place a link leads to
        folder = base.rstrip(os.sep) + os.sep
        if path.startswith(folder):
            return path[len(folder) :]
    return None


def _is_left_out(below: str, exclude: Sequence[str]) -> bool:
    parts = below.split(os.sep)
    return any(is_excluded("/".join(parts[:count]), exclude) for count in range(1, len(parts) + 1))
