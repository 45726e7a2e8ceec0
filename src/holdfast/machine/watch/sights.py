"""What each service wants watched, and when a change of it is worth telling."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from holdfast.clock import Clock
from holdfast.machine.watch.eyes import Eyes
from holdfast.machine.watch.files import Mark, Marks, differing, mark_of, marks
from holdfast.machine.watch.ignore import is_ignored

ROOTS_EVERY = 1.0
"""Seconds between two looks whether each watched path still leads to the same file or folder."""

POLL_EVERY = 2.0
"""Seconds between two looks at all files of a path that the kernel does not watch."""

RETRY_EVERY = 60.0
"""Seconds until a path that the kernel refused is tried again."""

UNQUIET_FOR = 10.0
"""Seconds after which a change is told although more follow without end."""

COARSE_BY = 0.01
"""Seconds by which the time of a file may lie before its change: kernels stamp files by a clock that only ticks."""

MOST_NAMED = 20
"""Paths named in one report; the count says how many there were."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What one service wants: paths, how long they must be quiet, and since when which process has run.

    `started_at` is in seconds since the epoch, as the clock stands now: the times of files are compared with it.
    """

    paths: tuple[str, ...]
    debounce: float
    generation: int
    started_at: float

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "Wish":
        """Read a wish as the supervisor writes it."""
        return cls(
            paths=tuple(os.path.abspath(path) for path in plain["paths"]),
            debounce=plain["debounce"],
            generation=plain["generation"],
            started_at=plain["started_at"],
        )


@dataclass(slots=True, kw_only=True)
class _Sight:
    """One service: its wish, and what of it has changed and was not told yet."""

    wish: Wish
    changed: set[str] = field(default_factory=set)
    first_mono: float = 0.0
    last_mono: float = 0.0
    degraded: str | None = None

    def note(self, paths: set[str] | list[str], mono: float) -> None:
        if paths:
            self.first_mono = self.first_mono if self.changed else mono
            self.last_mono = mono
            self.changed.update(paths)

    def is_quiet(self, mono: float) -> bool:
        quiet = mono - self.last_mono >= self.wish.debounce
        return quiet or mono - self.first_mono >= max(UNQUIET_FOR, self.wish.debounce)


class Sights:
    """Everything watched for all services; `look` is called about ten times a second."""

    def __init__(self, eyes: Eyes, clock: Clock) -> None:
        self.eyes = eyes
        self.clock = clock
        self._sights: dict[str, _Sight] = {}
        self._roots: dict[str, Mark | None] = {}
        self._marks: dict[str, Marks] = {}
        self._roots_due = self._poll_due = self._retry_due = 0.0

    def wish(self, wishes: Mapping[str, Wish]) -> None:
        """Watch for these services and no others; what changed since the start of each process counts already."""
        known, self._sights = self._sights, {}
        for name, wish in wishes.items():
            old = known.get(name)
            same = old is not None and (old.wish.generation, old.wish.paths) == (
                wish.generation,
                wish.paths,
            )
            self._sights[name] = old if old is not None and same else _Sight(wish=wish)
            self._sights[name].wish = wish
        roots = {root for wish in wishes.values() for root in wish.paths}
        if roots != self._roots.keys():
            known_roots = self._roots  # one that was replaced just now is noticed by the next look
            self._roots = {
                root: known_roots[root] if root in known_roots else _mark_of_root(root)
                for root in roots
            }
            self._turn()
        for name, sight in self._sights.items():
            if sight is not known.get(name):
                sight.note(self._newer_than(sight.wish), self.clock.monotonic())

    def look(self) -> Iterator[dict[str, Any]]:
        """Yield what is to be told by now: changes that have become quiet, and what cannot be watched."""
        mono = self.clock.monotonic()
        self._note(self.eyes.changes(), mono)
        if mono >= self._roots_due:
            self._roots_due = mono + ROOTS_EVERY
            self._look_at_roots(mono)
        if mono >= self._poll_due:
            self._poll_due = mono + POLL_EVERY
            self._poll(mono)
        for name, sight in self._sights.items():
            yield from self._degradation(name, sight)
            if sight.changed and sight.is_quiet(mono):
                yield _report(name, sight)
                sight.changed = set()

    def _turn(self) -> None:
        """Let the eyes look at what exists; what they miss while they turn shows in the marks of files."""
        self._retry_due = self.clock.monotonic() + RETRY_EVERY
        self.eyes.turn_to(root for root, mark in self._roots.items() if mark is not None)
        self._marks = {root: self._marks.get(root) or marks(root) for root in self.eyes.blind}

    def _newer_than(self, wish: Wish) -> list[str]:
        """Return the files that changed since the process started; what was removed since leaves no trace."""
        now = self.clock.wall()
        since = wish.started_at - COARSE_BY
        found = [
            path
            for root in wish.paths
            for path, mark in marks(root).items()
            if since < mark.changed_at <= now
        ]
        return sorted(found)

    def _note(self, paths: set[str], mono: float) -> None:
        for sight in self._sights.values() if paths else ():
            sight.note({path for path in paths if _concerns(path, sight.wish)}, mono)

    def _look_at_roots(self, mono: float) -> None:
        """Notice a path that leads elsewhere now: replaced as a whole, a link that was switched, back after it was gone."""
        moved = set()
        for root, before in self._roots.items():
            mark = _mark_of_root(root)
            if mark != before:
                self._roots[root] = mark
                moved.add(root)
        if moved or (self.eyes.blind and mono >= self._retry_due):
            self._turn()
        self._note({root for root in moved if self._roots[root] is not None}, mono)

    def _poll(self, mono: float) -> None:
        for root in self.eyes.blind:
            before = self._marks.get(root)
            self._marks[root] = marks(root)
            if before is not None:
                self._note(set(differing(before, self._marks[root])), mono)
                continue
            for sight in self._sights.values():  # it went blind a moment ago
                if root in sight.wish.paths:
                    sight.note(self._newer_than(sight.wish), mono)

    def _degradation(self, name: str, sight: _Sight) -> Iterator[dict[str, Any]]:
        lacking = [f"{root} does not exist" for root in sight.wish.paths if not self._roots[root]]
        blind = [
            f"{root}: {why}" for root, why in self.eyes.blind.items() if root in sight.wish.paths
        ]
        why = "; ".join(lacking + blind) or None
        if why != sight.degraded:
            sight.degraded = why
            yield {"service": name, "degraded": why}


def _report(name: str, sight: _Sight) -> dict[str, Any]:
    return {
        "service": name,
        "generation": sight.wish.generation,
        "changed": sorted(sight.changed)[:MOST_NAMED],
        "count": len(sight.changed),
    }


def _concerns(path: str, wish: Wish) -> bool:
    return any(_is_within(path, root) for root in wish.paths)


def _is_within(path: str, root: str) -> bool:
    """Tell whether a changed path is a watched one, or lies below one and is not ignored."""
    if path == root:
        return True
    for base in {root, os.path.realpath(root)}:  # some systems tell of the place a link leads to
        folder = base.rstrip(os.sep) + os.sep
        if path.startswith(folder):
            return not is_ignored(path[len(folder) :])
    return False


def _mark_of_root(root: str) -> Mark | None:
    """Return the mark of a watched path; of a folder only which one it is, because its own times say nothing."""
    mark = mark_of(root)
    return mark._replace(changed_ns=0) if mark is not None and os.path.isdir(root) else mark
