"""Change several files of one folder together: after any crash all of them are new, or all are old."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import NamedTuple

from holdfast.errors import CommittedNotDurable, UsageError
from holdfast.statefile.draft import Order, draft
from holdfast.statefile.durability import Durability
from holdfast.statefile.faults import io_error
from holdfast.statefile.intent import Change, Intent, intent_name, read_content
from holdfast.statefile.intent import encoded as encoded_intent
from holdfast.statefile.lock import LOCK_WAIT_S, write_mark
from holdfast.statefile.metadata import Old, look, version_of
from holdfast.statefile.place import Place, StrPath, open_place
from holdfast.statefile.settle import all_locked
from holdfast.statefile.sweep import sweep_once
from holdfast.statefile.system.ops import Ops
from holdfast.statefile.system.this import SYSTEM
from holdfast.statefile.temp import Temp, checksum
from holdfast.statefile.write import encoded, refuse_surprise


class Transaction:
    """What is to be written together; nothing is, until the block ends without an error."""

    def __init__(self) -> None:
        self.orders: dict[str, tuple[bytes, str | None]] = {}

    def write(self, path: StrPath, data: bytes | str, *, expect: str | None = None) -> None:
        """Add one file; a second content for the same path takes the place of the first.

        `expect` is the SHA-256 in hex of the content the caller knows, or `absent`.

        Raises:
            InvalidContent: the text is not Unicode.
        """
        self.orders[os.fspath(path)] = (encoded(data, path), expect)


class _Part(NamedTuple):
    place: Place
    before: str
    content: bytes
    made: Temp

    def change(self) -> Change:
        """Return what the journal says of it."""
        return Change(
            self.place.name,
            self.place.stem,
            self.made.name,
            self.before,
            len(self.content),
            checksum(self.content),
        )


@contextmanager
def transaction(
    *paths: StrPath,
    durability: Durability = Durability.FULL,
    wait_for: float = LOCK_WAIT_S,
    ops: Ops = SYSTEM,
) -> Iterator[Transaction]:
    """Write several files of one folder so that after any crash all are new or all are old.

    The locks of the `paths` are held from the start, so what is read inside the block is what is
    replaced; other files may be written too and are locked at the end, where two transactions that
    name different ones first can wait for each other in vain: name all of them. An error inside the
    block writes nothing. A reader that looks while the names change, for some microseconds, may see one
    file new and the next still old: who needs them to agree enters `locked` for one of them. What a
    dead writer left is finished, or undone, by whoever next locks one of the files, and by recover.

    Raises:
        UsageError: the files stand in different folders, or two paths lead to one file.
        Conflict: a file is not what `expect` says; none was written.
        LockTimeout: another writer held a lock for `wait_for` seconds; none was written.
        CommittedNotDurable: they are committed, but not synced, or not all in place yet.
        StateIOError: any other refusal of the system; all files are as they were.
    """
    todo = Transaction()
    with ExitStack() as stack:
        try:
            places = _opened(paths, stack, ops)
            stack.enter_context(all_locked(places.values(), wait_for=wait_for, for_writing=True))
        except OSError as error:
            raise io_error(error, _named(paths), "locked") from error
        yield todo
        if not todo.orders:
            return
        try:
            late = [path for path in todo.orders if path not in places]
            places |= _opened(late, stack, ops)
            _refuse_strangers(places)
            rest = [places[path] for path in late]
            with all_locked(rest, wait_for=wait_for, for_writing=True):
                _commit(places, todo.orders, durability)
        except OSError as error:
            raise io_error(error, _named(todo.orders), "written together") from error


def _opened(
    paths: tuple[StrPath, ...] | list[str], stack: ExitStack, ops: Ops
) -> dict[str, Place]:
    return {
        os.fspath(path): stack.enter_context(open_place(path, follow=True, ops=ops))
        for path in paths
    }


def _named(paths: tuple[StrPath, ...] | dict[str, tuple[bytes, str | None]]) -> str:
    return ", ".join(os.fspath(path) for path in paths)


def _refuse_strangers(places: dict[str, Place]) -> None:
    if len({place.key for place in places.values()}) > 1:
        raise UsageError(
            f"the files of a transaction stand in one folder, and these do not: {', '.join(places)}; "
            "move them together, or write them one after another"
        )
    if len({place.name for place in places.values()}) < len(places):
        raise UsageError(f"two of these paths lead to one file: {', '.join(places)}; name it once")


def _commit(
    places: dict[str, Place],
    orders: dict[str, tuple[bytes, str | None]],
    durability: Durability,
) -> None:
    parts: list[_Part] = []
    try:
        for path, (content, expect) in orders.items():
            part = _drafted(places[path], Order(content, durability, certified=False), expect)
            if part is not None:
                parts.append(part)
        if not parts:
            return
        intent = _written_down(parts, durability)
    except BaseException:
        for part in parts:
            part.made.discard()
        raise
    _carry_out(parts, intent, durability)


def _drafted(place: Place, order: Order, expect: str | None) -> _Part | None:
    """Return a ready temp, or None where the content is equal already."""
    content = read_content(place.folder, place.name, place.ops)
    before = version_of(content)
    if expect is not None:
        refuse_surprise(place, expect, before)
    if content == order.content:
        return None
    old = look(place, with_sha256=False)
    return _Part(place, before, order.content, draft(place, order, old))


def _written_down(parts: list[_Part], durability: Durability) -> Intent:
    """Bring the journal to the disk: the moment of commitment. After an error there is none."""
    intent = Intent(os.urandom(8).hex(), tuple(part.change() for part in parts))
    folder, ops = parts[0].place.folder, parts[0].place.ops
    name = intent_name(intent.id)
    # Its draft counts as one of the first file, whose lock keeps sweepers away and lets them come after a death.
    at = parts[0].place._replace(name=name)
    try:
        for part in parts:
            write_mark(part.place, intent.id, is_synced=durability is not Durability.ATOMIC)
        order = Order(encoded_intent(intent), durability, 0o600, certified=False)
        made = draft(at, order, Old("absent"))
        _place_journal(made, at, durability)
    except BaseException:
        with suppress(OSError):
            ops.unlink(folder, name)
        _unmark(parts)
        raise
    return intent


def _place_journal(made: Temp, at: Place, durability: Durability) -> None:
    ops = at.ops
    try:
        if not ops.renames_open_files:
            made.close()
        ops.replace(at.folder, made.name, at.name)
    except BaseException:
        made.discard()
        raise
    if durability is Durability.FULL:
        ops.sync_folder(at.folder)
    made.close()


def _unmark(parts: list[_Part]) -> None:
    # A mark that stays is taken away by the next writer, who finds no journal for it.
    for part in parts:
        with suppress(OSError):
            write_mark(part.place, None)


def _carry_out(parts: list[_Part], intent: Intent, durability: Durability) -> None:
    """Give all temps their names; from here on the transaction can only go forward."""
    folder, ops = parts[0].place.folder, parts[0].place.ops
    try:
        for part in parts:
            if not ops.renames_open_files:
                part.made.close()
            ops.replace(folder, part.made.name, part.place.name)
        if durability is Durability.FULL:
            ops.sync_folder(folder)
        for part in parts:
            part.made.close()
        ops.unlink(folder, intent_name(intent.id))
    except OSError as error:
        raise CommittedNotDurable(
            f"{', '.join(part.place.path for part in parts)} are committed together, but not all is "
            f"in place and synced: {error.strerror}; the next writer finishes it, or: "
            f"holdfast state recover {folder.path}",
            path=parts[0].place.path,
        ) from error
    finally:
        for part in parts:
            with suppress(OSError):
                part.made.close()
    _unmark(parts)
    for part in parts:
        sweep_once(part.place)
