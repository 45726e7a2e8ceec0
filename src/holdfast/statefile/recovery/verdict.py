"""Decide what becomes of one file that recovery has looked at, or say why nothing can be done."""

import enum
import os
from typing import NamedTuple

from holdfast.clock import Clock
from holdfast.errors import Conflict, Corrupt, UsageError
from holdfast.statefile.place import Place
from holdfast.statefile.recovery.choose import Choice, Doubt, Rank, choose
from holdfast.statefile.recovery.judge import State, Status
from holdfast.statefile.recovery.survey import Survey
from holdfast.statefile.settle import Outcome as Settlement

_MOST_NAMED = 5


class Outcome(enum.Enum):
    """What became of a file.

    `INTACT`: it was valid. `PROMOTED`: a temp took its place. `RESTORED`: a backup did. `FINISHED`,
    `UNDONE`: a transaction was brought to its end, or to nothing, and that was all. `FOLDER`: see
    the parts.
    """

    INTACT = "intact"
    PROMOTED = "promoted"
    RESTORED = "restored"
    FINISHED = "finished"
    UNDONE = "undone"
    FOLDER = "folder"


class Unclear(Corrupt):
    """There is something whole that may take the place of a file, but only when it is asked for."""


class Wish(NamedTuple):
    """How to recover; as in `recover`."""

    dry_run: bool
    foreign: bool
    use: str | None
    wait_for: float
    clock: Clock


_RANKS = {
    Rank.TEMP: Outcome.PROMOTED,
    Rank.STRANGER: Outcome.PROMOTED,
    Rank.BACKUP: Outcome.RESTORED,
}
_SETTLED = {Settlement.FINISHED: Outcome.FINISHED, Settlement.UNDONE: Outcome.UNDONE}


def decided(
    place: Place, found: Survey, wish: Wish, settled: Settlement | None
) -> tuple[Outcome, Choice | None]:
    """Return what becomes of a file, and what takes its place if anything does.

    `settled` is what became of a transaction it took part in.

    Raises:
        Unclear: something could take its place, but it is not certain that it should.
        Corrupt, Conflict, UsageError: as `recover`.
    """
    after = _SETTLED.get(settled) if settled else None
    is_undone = found.unbegun or after is Outcome.UNDONE
    if found.state is State.VALID:
        if wish.use:
            raise Conflict(
                f"{place.path} is valid, and a valid file is never replaced by what a crash left; "
                "to go back to an earlier version, move the file away first",
                path=place.path,
            )
        return after or Outcome.INTACT, None
    choice = _asked_for(place, wish, found) if wish.use else choose(found.case)
    if isinstance(choice, Choice):
        return _RANKS[choice.rank], choice
    if choice is None and found.state is State.MISSING and is_undone:
        return Outcome.UNDONE, None
    raise _unclear(place, choice) if choice else _unrecoverable(place, found, wish)


def _asked_for(place: Place, wish: Wish, found: Survey) -> Choice:
    """Return what the caller named, if it is as whole as what would be taken unasked.

    Raises:
        UsageError: there is no such thing.
        Corrupt: it is not whole, or not dead.
    """
    name = os.path.basename(wish.use or "")
    strangers = {one.name for one in found.strangers}
    for temp in found.temps:
        if temp.name == name and temp.checksum:
            return Choice(name, Rank.STRANGER if name in strangers else Rank.TEMP)
    whys = {temp.name: temp.why for temp in found.temps}
    for backup in found.backups:
        if backup.name == name and backup.valid:
            return Choice(name, Rank.BACKUP)
        whys[backup.name] = backup.why
    if name not in whys:
        raise UsageError(
            f"nothing beside {place.path} has the name {name}; see holdfast state inspect"
        )
    raise Corrupt(
        f"{name} cannot take the place of {place.path}: {whys[name]}; it was left as it is",
        path=place.path,
    )


def _unclear(place: Place, doubt: Doubt) -> Unclear:
    return Unclear(
        f"{place.path} {doubt.why}: {', '.join(doubt.names)}; it was left as it is; "
        f"look at them, then name the one to take: --use {doubt.names[0]}",
        path=place.path,
    )


def _unrecoverable(place: Place, found: Survey, wish: Wish) -> Corrupt:
    what = "is missing" if found.state is State.MISSING else f"cannot be used: {found.why}"
    beside_it = [f"{temp.name}: {temp.why}" for temp in found.temps]
    beside_it += [f"{backup.name}: {backup.why}" for backup in found.backups]
    left = f"; found {'; '.join(beside_it[:_MOST_NAMED])}" if beside_it else ""
    more = f" and {len(beside_it) - _MOST_NAMED} more" if len(beside_it) > _MOST_NAMED else ""
    is_foreign = any(temp.status is Status.FOREIGN for temp in found.temps)
    hint = (
        "consider the temps of other programs (--foreign), "
        if is_foreign and not wish.foreign
        else ""
    )
    folder = os.path.dirname(place.path) or "."
    return Corrupt(
        f"{place.path} {what}, and nothing beside it can take its place{left}{more}; it was left "
        f"as it is; {hint}rebuild it (holdfast state rebuild {folder}) or write it anew",
        path=place.path,
    )
