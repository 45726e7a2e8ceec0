"""`holdfast events`: what happened on this machine, from its journal; works without a supervisor."""

import argparse
import io
import json
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any, TypeAlias

from holdfast import journal
from holdfast.cli import follow, lines, reach, render, tail
from holdfast.cli.when import moment
from holdfast.clock import SystemClock, utc_text
from holdfast.errors import UsageError
from holdfast.model.event import Event

LINES_BEFORE_FOLLOWING = 10
"""How many events `-f` begins with when nothing else was asked for."""

NEWEST_ID = sys.maxsize

OWN_FIELDS = ("id", "at", "kind", "subject")

SEVERITY_COLOURS = {"warning": "yellow", "critical": "red"}

Plain: TypeAlias = dict[str, Any]
"""An event as `--json` shows it: its own fields first, then its facts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which events are shown: the newest `count` since a moment that concern one subject; None means all."""

    count: int | None
    since: float
    subject: str | None

    def takes(self, event: Event) -> bool:
        """Tell whether an event is one of them, whatever their number."""
        return event.at >= self.since and self.subject in (None, event.subject)


def run(options: argparse.Namespace) -> int:
    """Show events, oldest first, and with --follow those that come after them."""
    folder = reach.home().journal
    wanted = _wanted(options)
    screen = Screen(is_json=options.json)
    if not options.follow:
        screen.show(map(plain, _past(folder, wanted, NEWEST_ID)))
        return 0
    # The wait begins before the first look, so that nothing that comes in between is missed.
    with follow.changes(str(folder), lambda name: name.endswith(".jsonl")) as changes:
        last_id, reader = _reader(folder)
        screen.show(map(plain, _past(folder, wanted, last_id)))
        while True:
            screen.show(_new(reader, wanted))
            changes.wait()


def _wanted(options: argparse.Namespace) -> Wanted:
    if options.lines is not None and options.lines < 0:
        raise UsageError(f"-n {options.lines} was given; expected how many events, 0 or more")
    since = 0.0 if options.since is None else moment(options.since, SystemClock().wall())
    is_short = options.follow and options.lines is None and options.since is None
    count = LINES_BEFORE_FOLLOWING if is_short else options.lines
    return Wanted(count=count, since=since, subject=options.subject)


def _past(folder: Path, wanted: Wanted, last_id: int) -> Iterable[Event]:
    """Return the wanted events up to an id, oldest first."""
    # An id is never smaller than the microsecond of its birth.
    after = max(0, int(wanted.since * 1_000_000) - 1)
    if not journal.segments(folder):
        return ()
    if wanted.count is None:
        return filter(wanted.takes, _between(folder, after, last_id))
    return _newest(folder, wanted, after, last_id)


def _newest(folder: Path, wanted: Wanted, after: int, last_id: int) -> deque[Event]:
    """Return the newest of the wanted events, reading no more segments than it takes."""
    count = wanted.count or 0
    kept: deque[Event] = deque()
    for first in sorted((int(path.stem) for path in journal.segments(folder)), reverse=True):
        if len(kept) >= count or last_id <= after:
            break
        found = filter(wanted.takes, _between(folder, max(after, first - 1), last_id))
        kept.extendleft(reversed(deque(found, maxlen=count - len(kept))))
        last_id = min(last_id, first - 1)
    return kept


def _between(folder: Path, after: int, last_id: int) -> Iterator[Event]:
    return takewhile(lambda event: event.id <= last_id, journal.read(folder, after=after))


def plain(event: Event) -> Plain:
    """Return an event as `--json` shows it."""
    own = {"id": event.id, "at": utc_text(event.at), "kind": event.kind, "subject": event.subject}
    return own | {key: value for key, value in event.facts.items() if key not in own}


def _reader(folder: Path) -> tuple[int, tail.Tail]:
    """Return the id of the newest event, and what reads on after it."""
    following = next_segment(folder)
    newest = max(journal.segments(folder), default=None)
    if newest is None:
        return 0, tail.Tail(following)
    file = io.FileIO(str(newest))
    pieces = tail.backwards([file])
    unfinished = next(pieces)
    found = (event["id"] for piece in pieces if (event := _parsed(piece)) is not None)
    return next(found, int(newest.stem) - 1), tail.Tail(following, file, unfinished)


def next_segment(folder: Path) -> tail.Following:
    """Return what finds the segment after another one."""

    def following(file: io.FileIO | None) -> io.FileIO | None:
        after = "" if file is None else str(file.name)
        for path in sorted(map(str, journal.segments(folder))):
            if path > after:
                return io.FileIO(path)
        return None

    return following


def _new(reader: tail.Tail, wanted: Wanted) -> Iterator[Plain]:
    for line in reader.lines():
        found = _parsed(line)
        if found is not None and wanted.subject in (None, found["subject"]):
            yield found


def _parsed(line: bytes) -> Plain | None:
    """Return the event of a line; None for one that a crash cut short."""
    try:
        found: Plain = json.loads(line)
        return {name: found[name] for name in OWN_FIELDS} | found
    except (ValueError, KeyError, TypeError):
        return None


class Screen:
    """Prints events, one a line."""

    def __init__(self, *, is_json: bool) -> None:
        self._is_json = is_json
        self._is_terminal = sys.stdout.isatty()

    def show(self, events: Iterable[Plain]) -> None:
        """Print events and hand them on at once."""
        for event in events:
            sys.stdout.write(f"{self._text(event)}\n")
        sys.stdout.flush()

    def _text(self, event: Plain) -> str:
        if self._is_json:
            return json.dumps(event)
        facts = (
            f"{key}={lines.fact(value)}" for key, value in event.items() if key not in OWN_FIELDS
        )
        told = f"{event['at']}  {event['kind']:22}  {event['subject']:16}  {' '.join(facts)}"
        safe = lines.harmless(told.rstrip()) if self._is_terminal else told.rstrip()
        colour = SEVERITY_COLOURS.get(str(event.get("severity")))
        return safe if colour is None else render.paint(safe, colour)
