"""The journal of this machine from some event on, each line parsed once."""

from pathlib import Path
from typing import NamedTuple

from holdfast import journal
from holdfast.model.event import Event

AT_ONCE = 500
"""Events in one transaction."""


LARGEST_ID = 2**53 - 1
"""The largest id that is believed, as microseconds a time in the year 2255: one above it would hide all that come after."""


class Mark(NamedTuple):
    """A place in the journal: a segment, and how many of its bytes were read."""

    segment: str
    offset: int


class Tail:
    """Reads on from where it was told to; `look` moves nothing, so what could not be taken in is seen again."""

    def __init__(self, folder: Path, after: int) -> None:
        self._folder = folder
        self._after = after
        self._mark: Mark | None = None

    def look(self) -> tuple[list[Event], Mark | None]:
        """Return the next events, and the place behind them for `passed`; no events when there are no more."""
        mark = self._mark or self._beginning()
        while mark is not None:
            # Listed before the segment is read: what goes into it until the next one is begun is not passed over.
            following = self._following(mark)
            found, behind = _read(self._folder / mark.segment, mark)
            fresh = [event for event in found if event.id > self._after]
            if fresh:
                return fresh, behind
            mark = behind if behind != mark else following
            if mark is None:
                return [], behind
            self._mark = mark
        return [], None

    def passed(self, mark: Mark | None, newest: int) -> None:
        """Go on behind a place the next time; `newest` is the id of the last event before it."""
        self._mark = mark
        self._after = max(self._after, newest)

    def _beginning(self) -> Mark | None:
        """Return the start of the segment that holds the first event wanted: a segment is named by its first id."""
        names = self._names()
        before = [name for name in names if int(Path(name).stem) <= self._after]
        chosen = before[-1:] or names[:1]
        return Mark(chosen[0], 0) if chosen else None

    def _following(self, mark: Mark) -> Mark | None:
        later = [name for name in self._names() if name > mark.segment]
        return Mark(later[0], 0) if later else None

    def _names(self) -> list[str]:
        return sorted(path.name for path in journal.segments(self._folder))


def _read(path: Path, mark: Mark) -> tuple[list[Event], Mark]:
    """Return events of whole lines and the place behind them."""
    found: list[Event] = []
    offset = mark.offset
    try:
        source = path.open("rb")
    except FileNotFoundError:
        return [], mark  # pruned: the next segment goes on
    with source:
        source.seek(offset)
        for line in source:
            if not line.endswith(b"\n") or len(found) == AT_ONCE:
                break
            offset += len(line)
            event = journal.parse(line)
            if event is not None and _is_sound(event):
                found.append(event)
    return found, Mark(mark.segment, offset)


def _is_sound(event: Event) -> bool:
    """Tell whether a line that could be parsed is one that a journal writes."""
    words: tuple[object, ...] = (event.kind, event.subject)
    return all(isinstance(word, str) for word in words) and 0 < event.id <= LARGEST_ID
