"""Replace a file so that everybody, at any instant and after any crash, sees the old or the new one whole."""

import os
from contextlib import suppress
from typing import NamedTuple, TypedDict

from holdfast.errors import CommittedNotDurable, Conflict, InvalidContent
from holdfast.statefile.again import SMALL, NotSynced, remember, write_again
from holdfast.statefile.backup import keep_backup
from holdfast.statefile.draft import Order, draft
from holdfast.statefile.durability import Durability
from holdfast.statefile.faults import io_error
from holdfast.statefile.folders import make_folders
from holdfast.statefile.lock import LOCK_WAIT_S, Sidecar, holds_any
from holdfast.statefile.metadata import ABSENT, look, version_of
from holdfast.statefile.place import Place, StrPath, open_place
from holdfast.statefile.sweep import sweep_once
from holdfast.statefile.system.ops import SAFELY, Ops
from holdfast.statefile.system.this import SYSTEM
from holdfast.statefile.temp import Temp

_NO_SHA256 = (None, ABSENT)


class Result(NamedTuple):
    """What a write did.

    `lost` names what the new file could not keep of the old: `owner group mode links attributes
    backup` and `attribute NAME`. `swept` counts the temps of dead writers that were removed, and
    their bytes. Not `written` is what was equal already, or only a dry run; `content` is what the
    file holds, or would hold.
    """

    path: str
    content: bytes
    requested: Durability
    achieved: Durability
    lost: tuple[str, ...] = ()
    swept: int = 0
    swept_bytes: int = 0
    written: bool = True

    @property
    def bytes(self) -> int:
        """Return the size of the content."""
        return len(self.content)

    @property
    def sha256(self) -> str:
        """Return the SHA-256 of the content in hex, as `expect` takes it."""
        return version_of(self.content)


class WriteOptions(TypedDict, total=False):
    """The keywords of `write_atomic`, for those who pass them on."""

    durability: Durability
    mode: int | None
    follow: bool
    create_only: bool
    expect: str | None
    backups: int
    parents: bool
    wait_for: float
    ops: Ops


def write_atomic(  # noqa: PLR0913 - each keyword is a promise of its own, and all have defaults
    path: StrPath,
    data: bytes | str,
    *,
    durability: Durability = Durability.FULL,
    mode: int | None = None,
    follow: bool = True,
    create_only: bool = False,
    expect: str | None = None,
    backups: int = 0,
    parents: bool = False,
    wait_for: float = LOCK_WAIT_S,
    ops: Ops = SYSTEM,
) -> Result:
    """Replace or create a file in one step, under its lock, keeping permissions, owner and attributes.

    Text is written as UTF-8. `mode` sets the permissions exactly; without it an old file keeps its
    own and a new one follows the umask. `follow` writes through links; off, it replaces the link.
    `expect` is the SHA-256 in hex of the content the caller knows, or `absent`. `backups` keeps so
    many of the versions before, the youngest as `NAME.~1~`. `parents` makes the folders that are
    missing. `wait_for` is how many seconds another writer is waited for. The steps are those of
    PostgreSQL's durable_rename, with length, checksum and a liveness lock on the temp.

    Raises:
        Conflict: the file is not what `expect` or `create_only` says.
        CommittedNotDurable: the new content is in place, but the folder could not be synced.
        InvalidContent: the text is not Unicode.
        LockTimeout: another writer held the lock for `wait_for` seconds; nothing was written.
        StateIOError: any other refusal of the system; the old content is untouched, no temp is left.
    """
    content = data if isinstance(data, bytes) else encoded(data, path)
    text = os.fspath(path)
    is_plain = follow and expect is None and not (create_only or backups)
    try:
        if is_plain and len(content) < SMALL and not holds_any():
            achieved = write_again(text, content, durability, ops, mode=mode)
            if achieved is not None:
                return Result(text, content, durability, achieved)
        order = Order(content, durability, mode, ABSENT if create_only else expect, backups)
        if parents:
            make_folders(os.path.dirname(text), ops)
        place = open_place(text, follow=follow, ops=ops)
        try:
            with Sidecar(place, wait_for=wait_for):
                result = replace(place, order, is_new=create_only)
            if is_plain:
                remember(place)
            return result
        finally:
            place.close()
    except NotSynced as failure:
        raise _not_durable(text, failure.__cause__) from failure.__cause__
    except OSError as error:
        raise io_error(error, text, "written") from error


def encoded(data: bytes | str, path: StrPath) -> bytes:
    """Return bytes as they are and text as UTF-8.

    Raises:
        InvalidContent: the text is not Unicode.
    """
    if isinstance(data, bytes):
        return data
    try:
        return data.encode()
    except UnicodeEncodeError as error:
        raise InvalidContent(
            f"the text for {os.fspath(path)} holds a lone surrogate at position {error.start}; "
            "decode it properly, or pass bytes",
            path=os.fspath(path),
        ) from error


def replace(place: Place, order: Order, *, is_new: bool = False) -> Result:
    """Write into a place whose lock the caller holds; `is_new` refuses a name taken at the last moment.

    Raises:
        Conflict, CommittedNotDurable: as `write_atomic`.
        OSError: the system refused; the old content is untouched, no temp is left.
    """
    old = look(place, with_sha256=order.expect not in _NO_SHA256)
    if order.expect is not None:
        refuse_surprise(place, order.expect, old.version)
    temp = draft(place, order, old)
    try:
        if order.backups and not keep_backup(place, old, order.backups):
            temp.lost += ("backup",)
        _give_name(temp, is_new=is_new)
    except BaseException:
        temp.discard()
        raise
    achieved = _settle(temp, order.durability)
    swept = sweep_once(place)
    return Result(
        place.path, order.content, order.durability, achieved, temp.lost, swept.temps, swept.bytes
    )


def make_durable(place: Place, durability: Durability) -> Durability:
    """Bring the file that stands at a place to the disk, without writing it; return the level achieved.

    Raises:
        OSError: the disk refused.
    """
    ops = place.ops
    if durability is Durability.ATOMIC:
        return durability
    reading = os.O_RDONLY if ops.renames_open_files else os.O_RDWR  # Windows syncs writers only
    fd = ops.open(place.folder, place.name, reading | SAFELY)
    try:
        is_ordered = ops.sync_file(fd)
    finally:
        ops.close(fd)
    if durability is Durability.FULL and ops.sync_folder(place.folder):
        return durability
    return Durability.FILE if is_ordered else Durability.ATOMIC


def refuse_surprise(place: Place, expected: str, found: str) -> None:
    """Compare versions: a SHA-256 in hex, or `absent`.

    Raises:
        Conflict: they differ.
    """
    if expected == found:
        return
    raise Conflict(
        f"{place.path} was to be {expected} and is {found}; it was not written; "
        "read it again and repeat the change",
        path=place.path,
    )


def _give_name(temp: Temp, *, is_new: bool) -> None:
    place = temp.place
    ops = place.ops
    if not ops.renames_open_files:
        temp.close()
    if not is_new:
        ops.replace(place.folder, temp.name, place.name)
        return
    try:
        ops.rename_new(place.folder, temp.name, place.name)
    except FileExistsError as error:
        raise Conflict(
            f"{place.path} was to be created, but somebody else has just done so; read it first",
            path=place.path,
        ) from error


def _settle(temp: Temp, durability: Durability) -> Durability:
    """Make the new name last; nothing in here may claim that the write failed."""
    place = temp.place
    synced = False
    try:
        if durability is Durability.FULL:
            synced = place.ops.sync_folder(place.folder)
        temp.close()
    except OSError as error:
        with suppress(OSError):
            temp.close()
        raise _not_durable(place.path, error) from error
    if synced:
        return Durability.FULL
    return Durability.FILE if temp.is_ordered else Durability.ATOMIC


def _not_durable(path: str, error: BaseException | None) -> CommittedNotDurable:
    return CommittedNotDurable(
        f"{path} has its new content, but its folder could not be synced: "
        f"{error.strerror if isinstance(error, OSError) else error}; "
        "a power cut may bring the old content back; write it again",
        path=path,
    )
