"""Replace a file so that everybody, at any instant and after any crash, sees the old or the new one whole."""

import enum
import os
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple, TypedDict

from holdfast.errors import CommittedNotDurable, Conflict, InvalidContent
from holdfast.statefile.faults import io_error
from holdfast.statefile.lock import Sidecar
from holdfast.statefile.metadata import ABSENT, Old, carry_over, look
from holdfast.statefile.ops import Ops
from holdfast.statefile.place import Place, StrPath, open_place
from holdfast.statefile.sweep import sweep_once
from holdfast.statefile.system import SYSTEM
from holdfast.statefile.temp import Temp, create_temp, temp_name


class Durability(enum.Enum):
    """What an acknowledged write survives.

    `ATOMIC`: the death of any process. `FILE`: also a power cut, which leaves the old or the new
    content. `FULL`: a power cut leaves the new content.
    """

    ATOMIC = "atomic"
    FILE = "file"
    FULL = "full"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a write did.

    `lost` names what the new file could not keep of the old: `owner group mode links attributes`
    and `attribute NAME`. `swept` counts the temps of dead writers that were removed.
    """

    path: str
    bytes: int
    sha256: str
    requested: Durability
    achieved: Durability
    lost: tuple[str, ...]
    swept: int


class WriteOptions(TypedDict, total=False):
    """The keywords of `write_atomic`, for those who pass them on."""

    durability: Durability
    mode: int | None
    follow: bool
    create_only: bool
    expect: str | None
    ops: Ops


class _Order(NamedTuple):
    content: bytes
    sha256: str
    durability: Durability
    mode: int | None
    create_only: bool
    expect: str | None


def write_atomic(  # noqa: PLR0913 - each keyword is a promise of its own, and all have defaults
    path: StrPath,
    data: bytes | str,
    *,
    durability: Durability = Durability.FULL,
    mode: int | None = None,
    follow: bool = True,
    create_only: bool = False,
    expect: str | None = None,
    ops: Ops = SYSTEM,
) -> Result:
    """Replace or create a file in one step, under its lock, keeping permissions, owner and attributes.

    Text is written as UTF-8. `mode` sets the permissions exactly; without it an old file keeps its
    own and a new one follows the umask. `follow` writes through links; off, it replaces the link.
    `expect` is the SHA-256 in hex of the content the caller knows, or `absent`. The steps are those
    of PostgreSQL's durable_rename, with length, checksum and a liveness lock on the temp.

    Raises:
        Conflict: the file is not what `expect` or `create_only` says.
        CommittedNotDurable: the new content is in place, but the folder could not be synced.
        InvalidContent: the text is not Unicode.
        LockTimeout: another writer held the lock for 10 s; enter `locked` first to wait differently.
        StateIOError: any other refusal of the system; the old content is untouched, no temp is left.
    """
    content = _encoded(data, path)
    order = _Order(
        content=content,
        sha256=_sha256(content),
        durability=durability,
        mode=mode,
        create_only=create_only,
        expect=expect,
    )
    try:
        with open_place(path, follow=follow, ops=ops) as place, Sidecar(place):
            return _write(place, order)
    except OSError as error:
        raise io_error(error, os.fspath(path), "written") from error


def _encoded(data: bytes | str, path: StrPath) -> bytes:
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


def _sha256(content: bytes) -> str:
    import hashlib  # loads OpenSSL, which a program that only reads does not need

    return hashlib.sha256(content).hexdigest()


def _write(place: Place, order: _Order) -> Result:
    old = look(place, with_sha256=order.expect not in (None, ABSENT))
    _refuse_surprise(place, order, old)
    temp = _create(place, order, old)
    try:
        lost, ordered = _fill(temp, place, order, old)
        _give_name(temp, place, order)
    except BaseException:
        temp.discard()
        raise
    achieved = _settle(temp, place, order, ordered=ordered)
    return Result(
        path=place.path,
        bytes=len(order.content),
        sha256=order.sha256,
        requested=order.durability,
        achieved=achieved,
        lost=lost,
        swept=sweep_once(place),
    )


def _refuse_surprise(place: Place, order: _Order, old: Old) -> None:
    expected = ABSENT if order.create_only else order.expect
    if expected is None or expected == old.version:
        return
    raise Conflict(
        f"{place.path} was to be {expected} and is {old.version}; it was not written; "
        "read it again and repeat the change",
        path=place.path,
    )


def _create(place: Place, order: _Order, old: Old) -> Temp:
    name = temp_name(place.stem, len(order.content), order.sha256, os.urandom(8).hex())
    # Only a creation with 0666 lets the kernel apply the umask, or the folder's default access list.
    fresh = old.stat is None and order.mode is None
    return create_temp(place, name, 0o666 if fresh else 0o600)


def _fill(temp: Temp, place: Place, order: _Order, old: Old) -> tuple[tuple[str, ...], bool]:
    """Write content and metadata, and sync both; return what was lost and whether a sync held."""
    ops = place.ops
    if order.durability is Durability.ATOMIC:
        ops.reserve(temp.open_fd, len(order.content))
    temp.write(order.content)
    lost = carry_over(old, temp.open_fd, order.mode, ops)
    if order.durability is Durability.ATOMIC:
        ops.close_copy(temp.open_fd)
        return lost, False
    # Never repeated: after a failed fsync the kernel calls the pages clean, so a second one succeeds
    # over lost data (Rebello et al., "Can Applications Recover from fsync Failures?", ATC 2020).
    return lost, ops.sync_file(temp.open_fd)


def _give_name(temp: Temp, place: Place, order: _Order) -> None:
    if not place.ops.renames_open_files:
        temp.close()
    if not order.create_only:
        place.ops.replace(place.folder, temp.name, place.name)
        return
    try:
        place.ops.rename_new(place.folder, temp.name, place.name)
    except FileExistsError as error:
        raise Conflict(
            f"{place.path} was to be created, but somebody else has just done so; read it first",
            path=place.path,
        ) from error


def _settle(temp: Temp, place: Place, order: _Order, *, ordered: bool) -> Durability:
    """Make the new name last; nothing in here may claim that the write failed."""
    synced = False
    try:
        if order.durability is Durability.FULL:
            synced = place.ops.sync_folder(place.folder)
        temp.close()
    except OSError as error:
        with suppress(OSError):
            temp.close()
        raise CommittedNotDurable(
            f"{place.path} has its new content, but its folder could not be synced: "
            f"{error.strerror}; a power cut may bring the old content back; write it again",
            path=place.path,
        ) from error
    if synced:
        return Durability.FULL
    return Durability.FILE if ordered else Durability.ATOMIC
