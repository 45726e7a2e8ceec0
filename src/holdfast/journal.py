"""The machine's events: append-only JSON lines in segments, written by one supervisor and read by anybody."""

import json
import operator
import os
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from holdfast.clock import Clock, utc_text, wall_from_text
from holdfast.model.event import Event

SEGMENT_SIZE = 8_000_000
"""Bytes after which a new segment is begun."""

LARGEST_ID = 2**53
"""Ids from here on are no microsecond of any birth (that would be in the year 2255), and no whole number in JavaScript."""

SEGMENTS_KEPT = 16
"""Segments kept on disk; the oldest go first."""

HELD_IN_MEMORY = 10_000
"""Events kept while the disk refuses them."""


class Journal:
    """The writing end; `append` never raises for a full disk: what could not be written waits for the next call."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.folder = folder
        self.clock = clock
        self.lost = 0
        self._held: deque[tuple[int, bytes]] = deque()
        self._descriptor = -1
        self._size = 0
        self._last_id = 0
        self._unsynced = False

    def open(self) -> None:
        """Go on after the last whole line; a line that a crash cut short is closed off, and readers pass over it."""
        newest = max(segments(self.folder), default=None)
        if newest is None:
            return
        self._last_id = max((event.id for event in _events_of(newest)), default=_first_id(newest))
        self._open_segment(newest)
        if self._size and not _ends_with_newline(newest):
            self._held.append((self._last_id, b"\n"))
            self._flush()

    def append(self, kind: str, subject: str, facts: dict[str, object] | None = None) -> Event:
        """Write one event; its id is the microsecond of its birth, pushed up where the clock stood still or went back."""
        at = self.clock.wall()
        self._last_id = max(self._last_id + 1, int(at * 1_000_000))
        event = Event(id=self._last_id, at=at, kind=kind, subject=subject, facts=facts or {})
        if len(self._held) == HELD_IN_MEMORY:
            self._held.popleft()
            self.lost += 1
        self._held.append((event.id, line_of(event)))
        self._flush()
        return event

    def sync(self) -> None:
        """Make durable what was written since the last call.

        Raises:
            OSError: the disk refused; it is not asked twice, because it would claim success over lost data.
        """
        if self._unsynced:
            self._unsynced = False
            os.fsync(self._descriptor)

    def close(self) -> None:
        """Close the segment."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _flush(self) -> None:
        try:
            while self._held:
                self._write(*self._held[0])
                self._held.popleft()
        except OSError:
            return  # a full disk: the events wait in memory for the next append

    def _write(self, event_id: int, line: bytes) -> None:
        if self._descriptor < 0 or self._size >= SEGMENT_SIZE:
            self._open_segment(self.folder / f"{event_id:020d}.jsonl")
        written = os.write(self._descriptor, line)
        if written < len(line):
            os.ftruncate(self._descriptor, self._size)
            raise OSError("the disk took only part of a line")
        self._size += written
        self._unsynced = True

    def _open_segment(self, path: Path) -> None:
        self.sync()
        self.close()
        self._descriptor = os.open(
            path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o600
        )
        self._size = os.fstat(self._descriptor).st_size
        for old in sorted(segments(self.folder))[:-SEGMENTS_KEPT]:
            old.unlink(missing_ok=True)


def line_of(event: Event) -> bytes:
    """Return the line an event is on disk: its own fields first, then its facts."""
    own = {"id": event.id, "at": utc_text(event.at), "kind": event.kind, "subject": event.subject}
    return json.dumps({**event.facts, **own}, separators=(",", ":"), default=str).encode() + b"\n"


def segments(folder: Path) -> list[Path]:
    """Return the segment files of a journal, in no particular order."""
    return [path for path in folder.glob("*.jsonl") if path.stem.isdigit()]


def read(folder: Path, *, after: int = 0, subject: str | None = None) -> Iterator[Event]:
    """Yield the events with an id above `after`, oldest first; lines cut short by a crash are passed over."""
    ordered = sorted(segments(folder))
    for path, following in zip(ordered, [*ordered, None][1:], strict=True):
        if following is not None and _first_id(following) <= after:
            continue
        for event in _events_of(path):
            if event.id > after and (subject is None or event.subject == subject):
                yield event


def _events_of(path: Path) -> Iterator[Event]:
    try:
        source = path.open("rb")
    except FileNotFoundError:
        return  # pruned between the listing and now
    with source:
        for line in source:
            event = parse(line)
            if event is not None:
                yield event


def parse(line: bytes) -> Event | None:
    """Return the event of one line, None when it is not whole or nothing a journal would hold."""
    try:
        found = json.loads(line)
        own = (
            operator.index(found.pop("id")),
            wall_from_text(found.pop("at")),
            found.pop("kind"),
            found.pop("subject"),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    number, at, kind, subject = own
    is_sound = 0 < number < LARGEST_ID and isinstance(kind, str) and isinstance(subject, str)
    return Event(id=number, at=at, kind=kind, subject=subject, facts=found) if is_sound else None


def _first_id(path: Path) -> int:
    return int(path.stem)


def _ends_with_newline(path: Path) -> bool:
    with path.open("rb") as source:
        source.seek(-1, os.SEEK_END)
        return source.read(1) == b"\n"
