"""Give a whole temp or backup the name of the file it stands for, and keep what stood there as evidence."""

import os
import sys
from contextlib import suppress

from holdfast.errors import CommittedNotDurable
from holdfast.statefile.draft import Order, draft
from holdfast.statefile.durability import Durability
from holdfast.statefile.intent import read_content
from holdfast.statefile.metadata import carry_over, look
from holdfast.statefile.place import Place
from holdfast.statefile.recovery.choose import Choice, Rank
from holdfast.statefile.recovery.evidence import Evidence
from holdfast.statefile.recovery.judge import beside
from holdfast.statefile.system.ops import SAFELY

# Windows flushes only what is open for writing; elsewhere a file that may not be written is synced too.
_TO_SYNC = (os.O_RDWR if sys.platform == "win32" else os.O_RDONLY) | SAFELY


def promote(
    place: Place, choice: Choice, earlier: tuple[str, ...] | None, wall: float
) -> str | None:
    """Put the chosen one in its place and return the name of the evidence; the caller holds the lock.

    `earlier` are the names of older evidence, or None when there is no file to keep.

    Raises:
        CommittedNotDurable: it is in place, but the folder could not be synced.
        OSError: the system refused; the file is as it was.
    """
    ops, folder = place.ops, place.folder
    source = _secured(place, choice, replaces=earlier is not None)
    evidence = None
    try:
        evidence = None if earlier is None else Evidence(place, earlier, wall)
        ops.replace(folder, source, place.name)
    except BaseException:
        if evidence is not None:
            evidence.take_back()
        if source != choice.name:
            with suppress(OSError):
                ops.unlink(folder, source)
        raise
    try:
        ops.sync_folder(folder)
    except OSError as error:
        raise CommittedNotDurable(
            f"{place.path} is whole again, but its folder could not be synced: {error.strerror}; "
            "a power cut may undo that; recover it again",
            path=place.path,
        ) from error
    return evidence.name if evidence else None


def _secured(place: Place, choice: Choice, *, replaces: bool) -> str:
    """Bring the chosen one to the disk with the owner and permissions of the file; return its name.

    When the sync fails, the kernel calls the pages clean, and a second sync would succeed over lost
    bytes: only a new copy of what is in memory is another try.
    """
    ops, folder = place.ops, place.folder
    fd = ops.open(folder, choice.name, _TO_SYNC)
    try:
        # A temp that died young still has the permissions of a temp; a backup has those of the file.
        if replaces and choice.rank is not Rank.BACKUP:
            carry_over(look(place, with_sha256=False), fd, None, ops)
        try:
            ops.sync_file(fd)
        except OSError:
            return _copied(place, choice.name)
    finally:
        with suppress(OSError):
            ops.close(fd)
    return choice.name


def _copied(place: Place, name: str) -> str:
    content = read_content(place.folder, name, place.ops)
    if content is None:
        raise FileNotFoundError(name)
    original = look(beside(place, name, name), with_sha256=False)
    copy = draft(place, Order(content, Durability.FILE), original)
    with suppress(OSError):  # it is synced
        copy.close()
    return copy.name
