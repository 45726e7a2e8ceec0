"""A full look at a project: every path that is to be in a snapshot, without reading what the files hold."""

import os
from collections.abc import Sequence
from typing import NamedTuple

from holdfast.machine.backup.engine import Phase, Progress, Report
from holdfast.machine.backup.excludes import is_excluded
from holdfast.machine.backup.manifest import Entry, EntryKind, entry_of
from holdfast.machine.backup.tree import GONE

_TOLD_EVERY = 1000


class Scan(NamedTuple):
    """What a look found, folders before what is in them, and which paths it could not look at."""

    entries: list[Entry]
    unread: list[str]


def scan(project: str, exclude: Sequence[str], leave_out: str, report: Report) -> Scan:
    """Look at all of a project but the excluded paths and the folder `leave_out`, the repository itself.

    What goes away meanwhile is passed over; what cannot be looked at is told.
    """
    found = Scan([], [])
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        inner = [
            path for path in _names_in(project, folder, found) if not is_excluded(path, exclude)
        ]
        for path in inner:
            entry = _look(project, path, found)
            if entry is None:
                continue
            if entry.kind is EntryKind.FOLDER:
                if os.path.realpath(os.path.join(project, path)) == leave_out:
                    continue
                waiting.append(path)
            found.entries.append(entry)
            if len(found.entries) % _TOLD_EVERY == 0:
                report(Progress(phase=Phase.SCAN, files=len(found.entries)))
    return found


def _names_in(project: str, folder: str, found: Scan) -> list[str]:
    try:
        names = sorted(os.listdir(os.path.join(project, folder)))
    except OSError as error:
        if not folder:
            raise
        if error.errno not in GONE:
            found.unread.append(folder)
        return []
    return [f"{folder}/{name}" if folder else name for name in names]


def _look(project: str, path: str, found: Scan) -> Entry | None:
    whole = os.path.join(project, path)
    try:
        status = os.lstat(whole)
        target = os.readlink(whole) if os.path.islink(whole) else ""
    except OSError as error:
        if error.errno not in GONE:
            found.unread.append(path)
        return None
    return entry_of(path, status, target)
