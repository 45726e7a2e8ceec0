"""Mend what crashes left of state files: finish what was begun, promote what is whole, remove the rest."""

import os
from typing import Any, NamedTuple

from holdfast.clock import Clock, SystemClock
from holdfast.errors import Corrupt, StateIOError, UsageError
from holdfast.statefile.content import Kind, kind_of
from holdfast.statefile.faults import io_error
from holdfast.statefile.intent import intent_name, parse_intent_name, pending, read_intent
from holdfast.statefile.lock import LOCK_WAIT_S, Sidecar, write_mark
from holdfast.statefile.place import Place, StrPath, is_folder, open_place
from holdfast.statefile.recovery.choose import Choice
from holdfast.statefile.recovery.inspect import Target, inspect
from holdfast.statefile.recovery.judge import State, Status, beside
from holdfast.statefile.recovery.leftovers import sort_names
from holdfast.statefile.recovery.promote import promote
from holdfast.statefile.recovery.survey import Survey, dead_drafts, survey
from holdfast.statefile.recovery.verdict import Outcome, Wish, decided
from holdfast.statefile.settle import Outcome as Settlement
from holdfast.statefile.settle import settle
from holdfast.statefile.system.ops import Ops
from holdfast.statefile.system.this import SYSTEM

__all__ = ["Outcome", "Recovery", "recover"]

_HASHED_STEM = 64
_HEX = frozenset("0123456789abcdef")


class Recovery(NamedTuple):
    """What was done to one file, or with `dry_run` would be; for a folder to each of its `parts`.

    `source` took the place of the file, `evidence` is where the corrupt content is now; `removed`
    are dead temps, of so many `bytes` together; `transactions` are those that were settled.
    """

    path: str
    outcome: Outcome
    source: str | None = None
    removed: tuple[str, ...] = ()
    bytes: int = 0
    evidence: str | None = None
    transactions: tuple[str, ...] = ()
    dry_run: bool = False
    parts: tuple["Recovery", ...] = ()

    def plain(self) -> dict[str, Any]:
        """Return it in values that JSON knows."""
        parts = [part.plain() for part in self.parts]
        return self._asdict() | {"outcome": self.outcome.value, "parts": parts}


def recover(  # noqa: PLR0913 - each keyword is a promise of its own, and all have defaults
    path: StrPath,
    *,
    dry_run: bool = False,
    foreign: bool = False,
    use: str | None = None,
    wait_for: float = LOCK_WAIT_S,
    clock: Clock | None = None,
    ops: Ops = SYSTEM,
) -> Recovery:
    """Mend a state file, or each one of a folder, under its lock; can be repeated after any death.

    A valid file stays as it is, and dead temps beside it go: nobody was told that they were written.
    An invalid or missing one is replaced by a temp that is complete by its checksum, else by the
    youngest valid backup, and its content is kept as `NAME.corrupt-*`. A temp whose writer lives is
    never touched. `use` names the temp or backup to take. `foreign` also takes, as the last resort,
    or else removes temps of other programs. `dry_run` changes nothing. Waits `wait_for` seconds for
    the lock.

    Raises:
        Corrupt: nothing can take its place, or it is not clear what; all is left as it is.
        Conflict: the file is valid, so `use` has no place to put anything.
        UsageError: nothing beside the file bears the name `use`.
        LockTimeout: a writer is at work.
        CommittedNotDurable: it is mended, but a power cut may undo that.
        StateIOError: something cannot be read, which says nothing about its content, or be done.
    """
    text = os.fspath(path)
    wish = Wish(dry_run, foreign, use, wait_for, clock or SystemClock())
    try:
        if is_folder(text, ops):
            return _recover_folder(text, wish, ops)
        with open_place(text, follow=True, ops=ops) as place:
            return _recover_file(place, wish)
    except OSError as error:
        raise io_error(error, text, "recovered") from error


def _recover_file(place: Place, wish: Wish) -> Recovery:
    transactions = [txn for txn in pending(place.folder, place.ops) if _names(place, txn)]
    if wish.dry_run:
        if transactions:
            return Recovery(
                place.path,
                Outcome.FINISHED,
                transactions=tuple(transactions),
                dry_run=True,
            )
        return _mended(place, wish, None)
    settled = None
    for txn in transactions:
        settled = (txn, settle(place, txn, wait_for=wish.wait_for, clock=wish.clock))
    with Sidecar(place, wait_for=wish.wait_for, clock=wish.clock, stamp=False, settles=False):
        return _mended(place, wish, settled)


def _names(place: Place, txn: str) -> bool:
    intent = read_intent(place.folder, txn, place.ops)
    return intent is not None and any(change.name == place.name for change in intent.changes)


def _mended(place: Place, wish: Wish, settled: tuple[str, Settlement] | None) -> Recovery:
    """Decide, and do it unless that is not wished; nothing is changed before all is decided."""
    now = wish.clock.wall()
    found = survey(place, now, locked_by_us=not wish.dry_run, foreign=wish.foreign)
    outcome, choice = decided(place, found, wish, settled[1] if settled else None)
    dead = {name: size for name, size in found.dead.items() if not choice or name != choice.name}
    evidence = None
    if not wish.dry_run:
        if choice:
            earlier = found.evidence if found.state is State.INVALID else None
            evidence = promote(place, choice, earlier, now)
        _remove(place, (*dead, *_outlived(found, choice)))
        if found.unbegun:
            write_mark(place, None)
    return Recovery(
        path=place.path,
        outcome=outcome,
        source=choice.name if choice else None,
        removed=tuple(dead),
        bytes=sum(dead.values()),
        evidence=evidence,
        transactions=(settled[0],) if settled else (),
        dry_run=wish.dry_run,
    )


def _outlived(found: Survey, choice: Choice | None) -> tuple[str, ...]:
    """Return the chosen temp when a copy of it had to take the place; no longer there, it is no loss."""
    return (choice.name,) if choice and choice.name in found.dead else ()


def _remove(place: Place, names: tuple[str, ...]) -> None:
    for name in names:
        try:
            place.ops.unlink(place.folder, name)
        except FileNotFoundError:
            continue
        except OSError as error:
            refusal = io_error(error, place.path, "cleaned up")
            raise StateIOError(
                f"{place.path} is whole, but {name} beside it could not be removed: "
                f"{error.strerror}; remove it by hand, or recover the file again",
                path=place.path,
                errno_name=refusal.errno_name,
            ) from error


def _recover_folder(path: str, wish: Wish, ops: Ops) -> Recovery:
    if wish.use:
        raise UsageError(f"{path} is a folder; name the file that {wish.use} is to become")
    transactions = _settle_all(path, wish, ops)
    parts: list[Recovery] = []
    failures: list[Corrupt] = []
    for target in inspect(path, looks=None, clock=wish.clock, ops=ops).targets:
        if _is_no_file_of_its_own(target, wish):
            continue
        file = os.path.join(path, target.name)
        try:
            parts.append(_recover_target(target, file, wish, ops))
        except Corrupt as failure:
            failures.append(failure)
    removed = _remove_drafts(path, wish, ops)
    if failures:
        raise _together(path, failures)
    return Recovery(
        path=path,
        outcome=Outcome.FOLDER,
        removed=tuple(removed),
        bytes=sum(removed.values()),
        transactions=transactions,
        dry_run=wish.dry_run,
        parts=tuple(parts),
    )


def _settle_all(path: str, wish: Wish, ops: Ops) -> tuple[str, ...]:
    with _anywhere(path, ops) as anywhere:
        transactions = pending(anywhere.folder, ops)
        for txn in () if wish.dry_run else transactions:
            settle(_file_of(anywhere, txn), txn, wait_for=wish.wait_for, clock=wish.clock)
        return tuple(transactions)


def _file_of(anywhere: Place, txn: str) -> Place:
    """Return one of the files of a transaction; its journal where that does not tell them."""
    intent = read_intent(anywhere.folder, txn, anywhere.ops)
    if intent and intent.changes:
        return beside(anywhere, intent.changes[0].name, intent.changes[0].stem)
    return beside(anywhere, intent_name(txn), intent_name(txn))


def _anywhere(path: str, ops: Ops) -> Place:
    """Return a place in a folder that stands for none of its files."""
    folder = ops.open_folder(path)
    return Place(path, folder, ops.key(folder), "", "", ops)


def _is_no_file_of_its_own(target: Target, wish: Wish) -> bool:
    """Tell whether a name is no state file's: a journal's, or one that only a foreign temp suggests."""
    if parse_intent_name(target.name) is not None:
        return True
    only_strangers = all(temp.status is Status.FOREIGN for temp in target.temps)
    if target.state is not State.MISSING or target.backups or not only_strangers:
        return False
    return not wish.foreign or kind_of(target.name) is Kind.OTHER


def _recover_target(target: Target, file: str, wish: Wish, ops: Ops) -> Recovery:
    if target.is_well:
        return Recovery(file, Outcome.INTACT, dry_run=wish.dry_run)
    if target.state is State.MISSING and _is_hashed(target.name):
        raise Corrupt(
            f"a file of {os.path.dirname(file)} is missing whose name is too long to be read from its "
            f"temp {target.temps[0].name if target.temps else target.name}; recover it by its name",
            path=file,
        )
    return recover(file, **wish._asdict(), ops=ops)


def _is_hashed(name: str) -> bool:
    return len(name) == _HASHED_STEM and _HEX.issuperset(name)


def _remove_drafts(path: str, wish: Wish, ops: Ops) -> dict[str, int]:
    with _anywhere(path, ops) as anywhere:
        listing = sort_names(ops.listdir(anywhere.folder))
        drafts = dead_drafts(anywhere, listing, wish.clock.wall())
        if not wish.dry_run:
            _remove(anywhere, tuple(draft.name for draft in drafts))
        return {draft.name: draft.bytes for draft in drafts}


def _together(path: str, failures: list[Corrupt]) -> Corrupt:
    if len(failures) == 1:
        return failures[0]
    listed = "".join(f"\n  {failure}" for failure in failures)
    return Corrupt(f"{len(failures)} files of {path} could not be recovered:{listed}", path=path)
