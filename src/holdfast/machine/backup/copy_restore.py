"""Bring a snapshot of the copy engine back: bytes proved against the manifest, modes, dates, owners, links."""

import contextlib
import errno
import os
from collections.abc import Mapping

from holdfast.machine.backup.copy_take import FILES
from holdfast.machine.backup.engine import Phase, Progress, Report, Restored, shown
from holdfast.machine.backup.manifest import Entry, EntryKind
from holdfast.machine.backup.tree import clear, dress, put_link, read_through

_TOLD_AT_MOST = 20
_ENDS_IT = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


def restore(
    snapshot: str, folder: str, entries: Mapping[str, Entry], to: str, report: Report
) -> Restored:
    """Put every entry below `to`; a file whose bytes are no longer those that were saved is left out and told."""
    os.makedirs(to, mode=0o700, exist_ok=True)
    lost: list[str] = []
    made = {""}
    files = size = 0
    total = sum(one.kind is EntryKind.FILE for one in entries.values())
    for one in entries.values():
        # Only into folders made here: a link put in the place of one would lead out of `to`.
        is_safe = _is_below(one.path) and os.path.dirname(one.path) in made
        if not is_safe or not _put(one, os.path.join(folder, FILES), to):
            lost.append(one.path)
        elif one.kind is EntryKind.FOLDER:
            made.add(one.path)
        elif one.kind is EntryKind.FILE:
            files, size = files + 1, size + one.size
            percent = 100.0 * files / total
            report(
                Progress(
                    phase=Phase.RESTORE,
                    percent=percent,
                    files=files,
                    files_total=total,
                    bytes=size,
                )
            )
    # Folders last and from the inside out: putting a file into one changes its date, and a mode may forbid it.
    for one in reversed(list(entries.values())):
        if one.kind is EntryKind.FOLDER and one.path in made:
            dress(os.path.join(to, one.path), one)
    return Restored(
        snapshot=snapshot,
        to=to,
        files=files,
        bytes=size,
        lost=tuple(map(shown, lost[:_TOLD_AT_MOST])),
    )


def _is_below(path: str) -> bool:
    """Tell whether a path of the manifest stays below the folder it is restored to."""
    return not os.path.isabs(path) and not {"", ".", ".."} & set(path.split("/"))


def _put(one: Entry, stored: str, to: str) -> bool:
    """Put one entry in its place; tell whether it could be."""
    target = os.path.join(to, one.path)
    try:
        clear(target, one.kind)
        if one.kind is EntryKind.FOLDER:
            os.makedirs(target, mode=0o700, exist_ok=True)
            os.chmod(target, 0o700)
            return True
        if one.kind is EntryKind.LINK:
            put_link(one.content, target)
        elif not _is_true_copy(os.path.join(stored, one.path), target, one):
            return False
        dress(target, one)
    except OSError as error:
        if error.errno in _ENDS_IT:
            raise
        return False
    return True


def _is_true_copy(source: str, target: str, one: Entry) -> bool:
    """Copy a file, and leave nothing of it where it is not the one that was saved."""
    is_true = False
    try:
        is_true = read_through(source, target, lambda _: None).sha256 == one.content
    finally:
        if not is_true:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(target)
    return is_true
