"""Look at state files and at all that crashes left beside them, without a lock and without a trace."""

import errno
import os
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

from holdfast.clock import Clock, SystemClock
from holdfast.statefile.content import Kind, fault, kind_of
from holdfast.statefile.faults import io_error
from holdfast.statefile.intent import intent_name, read_content, read_intent
from holdfast.statefile.place import Place, StrPath, is_folder, open_place
from holdfast.statefile.recovery.judge import (
    Backup,
    FoundTemp,
    Scene,
    State,
    Status,
    beside,
    is_busy,
    judge_backup,
    judge_stranger,
    judge_target,
    judge_temp,
    scene_of,
)
from holdfast.statefile.recovery.leftovers import Leftovers, Listing, sort_names
from holdfast.statefile.system.ops import Ops
from holdfast.statefile.system.this import SYSTEM

# A thousand files cost 5 to 10 ms to open and read, a thousand names a tenth of that.
LOOKS_AT_MOST = 128

_HASHED = 64
_HEX = frozenset("0123456789abcdef")
# 180 bytes are the longest stem that is the name itself, and a character has at most 4.
_SURELY_ITS_STEM = 45


class Target(NamedTuple):
    """One state file with what stands beside it; `evidence` are the names of earlier corrupt versions."""

    name: str
    state: State
    why: str | None
    temps: tuple[FoundTemp, ...]
    backups: tuple[Backup, ...]
    evidence: tuple[str, ...]

    @property
    def is_well(self) -> bool:
        """Tell whether nothing is to be mended: a missing file is well only while a writer makes it."""
        if any(temp.status is not Status.LIVE for temp in self.temps):
            return False
        return self.state is State.VALID or (self.state is State.MISSING and bool(self.temps))


class FoundTransaction(NamedTuple):
    """A journal: the files it changes, and whether its writer is at work."""

    id: str
    files: tuple[str, ...]
    live: bool


class Report(NamedTuple):
    """What stands under a path; `unread` counts the files of a large folder that were not opened."""

    path: str
    targets: tuple[Target, ...]
    transactions: tuple[FoundTransaction, ...]
    unread: int = 0

    @property
    def is_well(self) -> bool:
        """Tell whether nothing was found that is corrupt, missing, unreadable or left by a crash."""
        return all(target.is_well for target in self.targets) and all(
            one.live for one in self.transactions
        )

    def plain(self) -> dict[str, Any]:
        """Return it in values that JSON knows."""
        return {
            "path": self.path,
            "well": self.is_well,
            "targets": [_plain_target(target) for target in self.targets],
            "transactions": [one._asdict() for one in self.transactions],
            "unread": self.unread,
        }


def _plain_target(target: Target) -> dict[str, Any]:
    return {
        "name": target.name,
        "state": target.state.value,
        "why": target.why,
        "well": target.is_well,
        "temps": [
            {
                "name": temp.name,
                "status": temp.status.value,
                "bytes": temp.bytes,
                "age_s": round(temp.age_s, 3),
                "why": temp.why,
            }
            for temp in target.temps
        ],
        "backups": [backup._asdict() for backup in target.backups],
        "evidence": list(target.evidence),
    }


def inspect(
    path: StrPath,
    *,
    looks: int | None = LOOKS_AT_MOST,
    clock: Clock | None = None,
    ops: Ops = SYSTEM,
) -> Report:
    """Look at a state file, or at all of a folder, and at what stands beside them.

    In a folder those are the files that are JSON or text by their names and those that have temps or
    backups. No more than `looks` files are opened there, those with something beside them first;
    None opens all. A missing file is reported as such, and is not well.

    Raises:
        StateIOError: the folder cannot be read. A file that cannot be read is in the report.
    """
    text = os.fspath(path)
    now = (clock or SystemClock()).wall()
    try:
        if is_folder(text, ops):
            return _report_folder(text, now, looks, ops)
        with open_place(text, follow=True, ops=ops) as place:
            listing = sort_names(ops.listdir(place.folder), place.name)
            target = _judged(place, listing.of(place.name, place.stem), now)
            targets = () if target is None else (target,)
            return Report(text, targets, _transactions(place, listing, only=place.name))
    except OSError as error:
        raise io_error(error, text, "inspected") from error


def _report_folder(path: str, now: float, looks: int | None, ops: Ops) -> Report:
    folder = ops.open_folder(path)
    try:
        anywhere = Place(path, folder, ops.key(folder), "", "", ops)
        listing = sort_names(ops.listdir(folder))
        crowded, alone = _homes(anywhere, listing)
        wanted = len(alone) + sum(leftovers.amount + 1 for _, leftovers in crowded)
        room = wanted if looks is None else min(looks, wanted)
        unread = wanted - room
        targets: list[Target | None] = []
        for place, leftovers in crowded:
            if room > 0:
                targets.append(_judged(place, leftovers.first(room - 1), now))
                room -= leftovers.amount + 1
        targets += [_judged_alone(anywhere, name, now) for name in alone[: max(0, room)]]
        found = sorted((target for target in targets if target), key=lambda target: target.name)
        return Report(path, tuple(found), _transactions(anywhere, listing), unread)
    finally:
        with suppress(OSError):
            ops.close_folder(folder)


def _homes(anywhere: Place, listing: Listing) -> tuple[list[tuple[Place, Leftovers]], list[str]]:
    """Return the state files of a folder: those with something beside them, and those by themselves."""
    names = {}
    if any(_is_hashed(key) for key in listing.beside):
        names = {_stem(anywhere, name): name for name in listing.files if len(name) > _HASHED}
    crowded: dict[str, tuple[Place, Leftovers]] = {}
    for key, leftovers in listing.beside.items():
        name = names.get(key, key)
        if leftovers.has_something and name not in crowded:
            place = beside(anywhere, name, _stem(anywhere, name))
            crowded[name] = (place, listing.of(name, place.stem))
    alone = [
        name for name in listing.files if name not in crowded and kind_of(name) is not Kind.OTHER
    ]
    return list(crowded.values()), alone


def _is_hashed(stem: str) -> bool:
    return len(stem) == _HASHED and _HEX.issuperset(stem)


def _stem(anywhere: Place, name: str) -> str:
    if len(name) <= _SURELY_ITS_STEM:
        return name
    try:
        path = os.path.join(anywhere.folder.path, name)
        with open_place(path, follow=False, ops=anywhere.ops) as place:
            return place.stem
    except OSError:
        return name  # a folder, a pipe, or gone: it has no stem


def _judged_alone(anywhere: Place, name: str, now: float) -> Target | None:
    """Judge a file beside which nothing stands, in the cheapest way: most are whole."""
    kind = kind_of(name)
    with suppress(OSError):
        content = read_content(anywhere.folder, name, anywhere.ops)
        if content and (why := fault(content, kind)) is None:
            return Target(name, State.VALID, why, (), (), ())
    leftovers = Leftovers([], [], [], [])
    return _judged(beside(anywhere, name, name), leftovers, now)


def _judged(place: Place, leftovers: Leftovers, now: float) -> Target | None:
    """Judge one file without its lock; what cannot be read is told, not raised. None for a folder."""
    if leftovers.has_something:
        scene = scene_of(place, now, locked_by_us=False)
    else:
        scene = Scene(place, kind_of(place.name), now, frozenset(), busy=False)
    # Temps first: one that takes the target's name meanwhile is then seen as the target.
    temps = tuple(_temps(scene, leftovers))
    backups = tuple(_backups(scene, leftovers))
    evidence = tuple(leftovers.evidence)
    try:
        state, why = judge_target(scene)
    except IsADirectoryError:
        return None
    except OSError as error:
        if error.errno == errno.ELOOP and (real := _behind(place, now)):
            state, why, temps = real.state, real.why, temps + real.temps
            backups, evidence = backups + real.backups, evidence + real.evidence
        else:
            state, why = State.UNREADABLE, _words(error)
    return Target(place.name, state, why, temps, backups, evidence)


def _temps(scene: Scene, leftovers: Leftovers) -> Iterator[FoundTemp]:
    judgements = [(name, partial(judge_temp, scene, name, said)) for name, said in leftovers.temps]
    judgements += [
        (stranger.name, partial(judge_stranger, scene, stranger))
        for stranger in leftovers.strangers
    ]
    for name, judge in judgements:
        try:
            if temp := judge():
                yield temp
        except OSError as error:
            yield FoundTemp(name, Status.PARTIAL, 0, 0.0, _words(error))


def _backups(scene: Scene, leftovers: Leftovers) -> Iterator[Backup]:
    for name in leftovers.backups:
        try:
            if backup := judge_backup(scene, name):
                yield backup
        except OSError as error:
            yield Backup(name, valid=False, why=_words(error))


def _words(error: OSError) -> str:
    return f"it cannot be read: {error.strerror}"


def _behind(link: Place, now: float) -> Target | None:
    """Judge the file a link leads to, in its own folder; None when it leads in a circle."""
    with suppress(OSError), open_place(link.path, follow=True, ops=link.ops) as place:
        listing = sort_names(place.ops.listdir(place.folder), place.name)
        return _judged(place, listing.of(place.name, place.stem), now)
    return None


def _transactions(
    anywhere: Place, listing: Listing, only: str | None = None
) -> tuple[FoundTransaction, ...]:
    found = (_transaction(anywhere, txn) for txn in sorted(listing.transactions))
    return tuple(one for one in found if one and (only is None or only in one.files))


def _transaction(anywhere: Place, txn: str) -> FoundTransaction | None:
    """Return what is known of a transaction; None when it has just ended."""
    ops, folder = anywhere.ops, anywhere.folder
    intent = read_intent(folder, txn, ops)
    changes = intent.changes if intent else ()
    live = any(is_busy(beside(anywhere, one.name, one.stem)) for one in changes)
    try:
        # The journal goes before the locks do: one that still stands was left by a dead writer.
        ops.lstat(folder, intent_name(txn))
    except FileNotFoundError:
        return None
    return FoundTransaction(txn, tuple(one.name for one in changes), live)
