"""Decide which of the things beside a lost file takes its place: the rules of recovery, without a disk."""

import enum
from typing import NamedTuple

from holdfast.statefile.recovery.judge import Backup, FoundTemp, State, Status

# What is dated further ahead than clocks differ says nothing about its age.
_FUTURE_S = 2.0


class Rank(enum.Enum):
    """What a candidate is."""

    TEMP = enum.auto()
    BACKUP = enum.auto()
    STRANGER = enum.auto()


class Case(NamedTuple):
    """A file that is not valid, and what stands beside it.

    `stamp_ns` is when a process last began to write the file, if that is known. `strangers` are the
    foreign temps that may be taken.
    """

    state: State
    temps: tuple[FoundTemp, ...]
    backups: tuple[Backup, ...]
    strangers: tuple[FoundTemp, ...]
    stamp_ns: int | None


class Choice(NamedTuple):
    """The one that takes the place."""

    name: str
    rank: Rank


class Doubt(NamedTuple):
    """Several could, or one that should not without being asked for; `why` follows the name of the file."""

    names: tuple[str, ...]
    why: str


def choose(case: Case) -> Choice | Doubt | None:
    """Return what takes the place of an invalid or missing file; None when nothing can.

    First the complete temps of the last process that wrote the file; then backups, the youngest
    first; then older temps, which for a missing file are only offered, as it may have been deleted on
    purpose; then what other programs left.
    """
    complete = tuple(temp for temp in case.temps if temp.status is Status.COMPLETE)
    fresh = tuple(temp for temp in complete if _is_fresh(temp, case.stamp_ns))
    if fresh:
        return _newest(fresh, Rank.TEMP)
    for backup in case.backups:
        if backup.valid:
            return Choice(backup.name, Rank.BACKUP)
    if complete and case.state is State.MISSING:
        why = "is missing; it was perhaps deleted on purpose, after what is left of it was written"
        return Doubt(tuple(sorted(temp.name for temp in complete)), why)
    if complete:
        return _newest(complete, Rank.TEMP)
    return _newest(case.strangers, Rank.STRANGER) if case.strangers else None


def _is_fresh(temp: FoundTemp, stamp_ns: int | None) -> bool:
    return stamp_ns is None or temp.changed_ns >= stamp_ns


def _newest(candidates: tuple[FoundTemp, ...], rank: Rank) -> Choice | Doubt:
    """Choose by generation where all have one, else by the time of change.

    Times of change alone are not to be trusted when one lies ahead or two are equal: clocks are set
    back, and copies get new ones (FreeCAD#18044).
    """
    by_time = sorted(candidates, key=lambda one: (one.changed_ns, one.name), reverse=True)
    newest = by_time[0]
    if len({(one.bytes, one.checksum) for one in candidates}) == 1:
        return Choice(newest.name, rank)
    if all(one.generation is not None for one in candidates):
        highest = max(one.generation or 0 for one in candidates)
        by_time = [one for one in by_time if one.generation == highest]
        newest = by_time[0]
    elif any(one.age_s < -_FUTURE_S for one in candidates):
        return Doubt(
            tuple(one.name for one in by_time),
            "could be one of these, and one is dated in the future",
        )
    else:
        by_time = [one for one in by_time if one.changed_ns == newest.changed_ns]
    if len({(one.bytes, one.checksum) for one in by_time}) > 1:
        return Doubt(
            tuple(one.name for one in by_time), "could be one of these, and none is the newer"
        )
    return Choice(newest.name, rank)
