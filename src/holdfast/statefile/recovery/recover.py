"""Mend what crashes left of state files: finish what was begun, promote what is whole, remove the rest."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from holdfast.clock import Clock, SystemClock
from holdfast.errors import (
    CommittedNotDurable,
    Corrupt,
    LockTimeout,
    StateError,
    StateIOError,
    UsageError,
)
from holdfast.statefile.content import Kind, kind_of
from holdfast.statefile.faults import io_error
from holdfast.statefile.intent import intent_name, parse_intent_name, pending, read_intent
from holdfast.statefile.lock import LOCK_WAIT_S, Sidecar, sidecar_name, write_mark
from holdfast.statefile.place import Place, StrPath, is_folder, open_place
from holdfast.statefile.recovery.choose import Choice
from holdfast.statefile.recovery.inspect import Target, inspect
from holdfast.statefile.recovery.judge import State, Status, beside
from holdfast.statefile.recovery.leftovers import sort_names
from holdfast.statefile.recovery.promote import promote
from holdfast.statefile.recovery.survey import Survey, dead_drafts, survey
from holdfast.statefile.recovery.told import NotAllMended, Recovery, together
from holdfast.statefile.recovery.verdict import Outcome, Wish, decided
from holdfast.statefile.settle import Outcome as Settlement
from holdfast.statefile.settle import settle
from holdfast.statefile.system.ops import Ops
from holdfast.statefile.system.this import SYSTEM

__all__ = ["NotAllMended", "Outcome", "Recovery", "recover"]

_HASHED_STEM = 64
_HEX = frozenset("0123456789abcdef")


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
        StateIOError: something cannot be read, which says nothing about its content, or be done;
            there is no such file, and nothing says that there ever was.
        NotAllMended: some files of a folder could not be mended, all others were; it is also one
            of Corrupt, LockTimeout, CommittedNotDurable and StateIOError.
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
    if not transactions and _never_was(place):
        raise StateIOError(
            f"{place.path}: there is no such file, and nothing is left of one; name another",
            path=place.path,
            errno_name="ENOENT",
        )
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


def _never_was(place: Place) -> bool:
    """Tell whether there is no file, and nothing beside its place that one would have left."""
    for name in (place.name, sidecar_name(place.stem)):
        with suppress(FileNotFoundError):
            place.ops.lstat(place.folder, name)
            return False
    listing = sort_names(place.ops.listdir(place.folder), place.name)
    left = listing.of(place.name, place.stem)
    return not (left.has_something or left.evidence)


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
    failures: list[StateError] = []
    transactions = _settle_all(path, wish, ops, failures)
    parts: list[Recovery] = []
    for target in inspect(path, looks=None, clock=wish.clock, ops=ops).targets:
        file = os.path.join(path, target.name)
        if _is_no_file_of_its_own(target, file):
            continue
        with _collected(failures, file):
            parts.append(_recover_target(target, file, wish, ops))
    removed: dict[str, int] = {}
    with _collected(failures, path):
        removed = _remove_drafts(path, wish, ops)
    done = Recovery(
        path=path,
        outcome=Outcome.FOLDER,
        removed=tuple(removed),
        bytes=sum(removed.values()),
        transactions=transactions,
        dry_run=wish.dry_run,
        parts=tuple(parts),
    )
    if failures:
        # A transaction that cannot be settled fails again for each of its files.
        raise together(done, tuple({str(one): one for one in failures}.values()))
    return done


@contextmanager
def _collected(failures: list[StateError], path: str) -> Iterator[None]:
    """Keep what fails for one file from costing the others their mending."""
    try:
        yield
    except (Corrupt, LockTimeout, CommittedNotDurable, StateIOError) as failure:
        failures.append(failure)
    except OSError as error:
        failures.append(io_error(error, path, "recovered"))


def _settle_all(path: str, wish: Wish, ops: Ops, failures: list[StateError]) -> tuple[str, ...]:
    settled: list[str] = []
    with _anywhere(path, ops) as anywhere:
        for txn in pending(anywhere.folder, ops):
            with _collected(failures, path):
                if not wish.dry_run:
                    place = _file_of(anywhere, txn)
                    settle(place, txn, wait_for=wish.wait_for, clock=wish.clock)
                settled.append(txn)
    return tuple(settled)


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


def _is_no_file_of_its_own(target: Target, file: str) -> bool:
    """Tell whether a name is no state file's: a journal's, one only a foreign temp suggests, or gone by now."""
    if parse_intent_name(target.name) is not None:
        return True
    if target.state is not State.MISSING or target.backups:
        return False
    if not target.temps:
        return not os.path.lexists(file)  # a link that leads nowhere is there
    only_strangers = all(temp.status is Status.FOREIGN for temp in target.temps)
    return only_strangers and kind_of(target.name) is Kind.OTHER


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
