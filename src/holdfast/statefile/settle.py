"""Finish, or undo, a transaction whose writer died: all of its files new, or all old."""

import enum
import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress

from holdfast.clock import Clock, SystemClock
from holdfast.statefile.intent import (
    Change,
    Intent,
    intent_name,
    parse_intent_name,
    read_content,
    read_intent,
)
from holdfast.statefile.lock import LOCK_WAIT_S, Sidecar, read_mark, write_mark
from holdfast.statefile.metadata import version_of
from holdfast.statefile.place import Place
from holdfast.statefile.recovery.evidence import evidence_name

# Where a file was, something else has been put since.
_NO_FILE = frozenset({errno.ELOOP, errno.EISDIR, errno.ENXIO})


class Outcome(enum.Enum):
    """What became of a transaction.

    `GONE`: another process settled it meanwhile. `BROKEN`: somebody took a temp of it away after it
    had begun to show; its journal was set aside as evidence.
    """

    FINISHED = "finished"
    UNDONE = "undone"
    GONE = "gone"
    BROKEN = "broken"


class _Standing(enum.Enum):
    """How far one file of a transaction is."""

    READY = enum.auto()  # its temp is whole and nobody has touched the target
    DONE = enum.auto()
    LATER = enum.auto()  # somebody wrote the target after the transaction: that stays
    LOST = enum.auto()  # the target is old and the temp is gone or cut


def settle(
    place: Place, txn: str, *, wait_for: float = LOCK_WAIT_S, clock: Clock | None = None
) -> Outcome:
    """Settle one transaction in the folder of a place; the caller holds none of its locks.

    Can be done again after a death at any step of it.

    Raises:
        LockTimeout: its writer lives and took too long.
        OSError: the system refused; what was not settled can be settled later.
    """
    first = read_intent(place.folder, txn, place.ops)
    files = [_beside(place, change.name, change.stem) for change in first.changes] if first else []
    is_journal = parse_intent_name(place.name) is not None
    if not is_journal and place.stem not in {one.stem for one in files}:
        files.append(place)
    with all_locked(files, wait_for=wait_for):
        intent = read_intent(place.folder, txn, place.ops)
        outcome = _carry_out(place, intent, clock) if intent else _forget(place, txn)
        for one in files:
            if read_mark(one) == txn:
                write_mark(one, None)
    return outcome


def _beside(place: Place, name: str, stem: str) -> Place:
    return place._replace(path=os.path.join(place.folder.path, name), name=name, stem=stem)


@contextmanager
def all_locked(
    places: Iterable[Place], *, wait_for: float = LOCK_WAIT_S, for_writing: bool = False
) -> Iterator[None]:
    """Hold the locks of several files, taken in one order by everybody, so that nobody waits in a circle.

    `for_writing` leaves the traces of a writer in them, and settles what a dead one left.

    Raises:
        LockTimeout: one of them was not free in time.
        OSError: a lock file cannot be made.
    """
    with ExitStack() as stack:
        for place in sorted(places, key=lambda one: (*map(str, one.key), one.stem)):
            sidecar = Sidecar(place, wait_for=wait_for, settles=for_writing, stamp=for_writing)
            stack.enter_context(sidecar)
        yield


def _carry_out(place: Place, intent: Intent, clock: Clock | None) -> Outcome:
    standings = [(change, _standing(place, change)) for change in intent.changes]
    found = {standing for _, standing in standings}
    if _Standing.LOST in found:
        if _Standing.DONE in found:
            _set_aside(place, intent.id, clock)
            return Outcome.BROKEN
        _undo(place, intent)
        return Outcome.UNDONE
    for change, standing in standings:
        if standing is _Standing.READY:
            place.ops.replace(place.folder, change.temp, change.name)
    place.ops.sync_folder(place.folder)
    _undo(place, intent)
    return Outcome.FINISHED


def _standing(place: Place, change: Change) -> _Standing:
    try:
        content = read_content(place.folder, change.name, place.ops)
    except OSError as error:
        if error.errno not in _NO_FILE:
            raise
        return _Standing.LATER
    # Content that is equal takes no part in a transaction, so what is still the old one is not the new one.
    if version_of(content) == change.before:
        temp = read_content(place.folder, change.temp, place.ops)
        whole = temp is not None and change.is_fulfilled_by(temp)
        return _Standing.READY if whole else _Standing.LOST
    is_new = content is not None and change.is_fulfilled_by(content)
    return _Standing.DONE if is_new else _Standing.LATER


def _undo(place: Place, intent: Intent) -> None:
    """Remove the temps that are left, then the journal."""
    for change in intent.changes:
        with suppress(FileNotFoundError):
            place.ops.unlink(place.folder, change.temp)
    with suppress(FileNotFoundError):
        place.ops.unlink(place.folder, intent_name(intent.id))


def _forget(place: Place, txn: str) -> Outcome:
    """Remove a journal that was never finished: its transaction was not committed."""
    try:
        place.ops.unlink(place.folder, intent_name(txn))
    except FileNotFoundError:
        return Outcome.GONE
    return Outcome.UNDONE


def _set_aside(place: Place, txn: str, clock: Clock | None) -> None:
    evidence = evidence_name(intent_name(txn), (clock or SystemClock()).wall())
    with suppress(FileNotFoundError):
        place.ops.replace(place.folder, intent_name(txn), evidence)
