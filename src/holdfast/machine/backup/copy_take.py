"""Make one snapshot of the copy engine: what is still the same is linked, what is not is read and copied."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from holdfast.machine.backup.engine import Phase, Progress, Report
from holdfast.machine.backup.manifest import (
    ENTRIES,
    HEAD,
    Entry,
    EntryKind,
    Head,
    entry_of,
    head_lines,
    lines_of,
)
from holdfast.machine.backup.scan import Scan
from holdfast.machine.backup.tree import (
    GONE,
    keep,
    link,
    put_link,
    read_through,
    settle,
    write_lines,
)

FILES = "files"
TOLD_AT_MOST = 20
"""Unread and changed paths that are remembered of one snapshot."""

_TRIES = 3
_CLOCK_TICK_NS = 2_000_000_000
"""A change so soon before it was copied may bear the same times as the copy: such a file is read again (FAT counts in 2 s)."""


class Past(NamedTuple):
    """The snapshot before, which of its files were found damaged, and whether it is dated in the future."""

    head: Head
    folder: str
    entries: Mapping[str, Entry]
    damaged: frozenset[str]
    is_ahead: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Making:
    """One run: the name it will have, when it began, where it reads and where it writes."""

    id: str
    at: float
    project: str
    folder: str
    report: Report


def take(making: Making, found: Scan, past: Past | None) -> tuple[Head, bool]:
    """Return the head of the snapshot that now holds the project, and whether it is a new one, still to be renamed.

    Raises:
        OSError: the repository refuses; what was written is the caller's to remove.
    """
    if past is not None and _is_same(making, found, past):
        return past.head, False
    os.makedirs(os.path.join(making.folder, FILES), mode=0o700)
    run = _Run(making, found, past)
    entries = [kept for one in found.entries if (kept := run.keep(one)) is not None]
    return _written(making, entries, [*found.unread, *run.unread], run.changed), True


def _is_same(making: Making, found: Scan, past: Past) -> bool:
    """Tell whether the snapshot before holds just what was found; reads the files whose times cannot tell."""
    if sorted(found.unread)[:TOLD_AT_MOST] != sorted(past.head.unread) or past.head.changed:
        return False
    if past.is_ahead or past.damaged or len(found.entries) != len(past.entries):
        return False
    return all(
        (old := past.entries.get(one.path)) is not None and _is_same_entry(making, one, old, past)
        for one in found.entries
    )


def _is_same_entry(making: Making, one: Entry, old: Entry, past: Past) -> bool:
    if not one.is_same_but_for_content(old):
        return False
    if one.kind is not EntryKind.FILE:
        return one.content == old.content
    return _is_untouched(one, old, past) or _holds(making, one, old)


def _is_untouched(one: Entry, old: Entry, past: Past) -> bool:
    """Tell by its times alone that a file was not written since it was copied."""
    is_settled = (
        not past.is_ahead
        and old.ctime_ns < past.head.at * 1e9 - _CLOCK_TICK_NS
        and one.path not in past.head.changed
    )
    return one.is_same_but_for_content(old) and one.ctime_ns == old.ctime_ns and is_settled


def _holds(making: Making, one: Entry, old: Entry) -> bool:
    try:
        copied = read_through(os.path.join(making.project, one.path), None, lambda _: None)
    except OSError:
        return False
    return copied.is_still and copied.sha256 == old.content


class _Run:
    """What one run has done so far."""

    def __init__(self, making: Making, found: Scan, past: Past | None) -> None:
        self._making = making
        self._past = past
        self._files_total = sum(one.kind is EntryKind.FILE for one in found.entries)
        self._bytes_total = sum(one.size for one in found.entries)
        self._files = 0
        self._bytes = 0
        self.unread: list[str] = []
        self.changed: list[str] = []

    def keep(self, entry: Entry) -> Entry | None:
        """Put one path into the snapshot; None for a file that went away or cannot be read."""
        target = os.path.join(self._making.folder, FILES, entry.path)
        if entry.kind is EntryKind.FOLDER:
            os.mkdir(target, 0o700)
            return entry
        if entry.kind is EntryKind.LINK:
            put_link(entry.content, target)
            return entry
        kept = self._linked(entry, target) or self._copied(entry, target)
        self._files += 1
        self._tell()
        return kept

    def _linked(self, entry: Entry, target: str) -> Entry | None:
        past = self._past
        old = past.entries.get(entry.path) if past else None
        if past is None or old is None or entry.path in past.damaged:
            return None
        if not (_is_untouched(entry, old, past) or self._is_alike(entry, old)):
            return None
        if not link(os.path.join(past.folder, FILES, entry.path), target):
            return None
        self._bytes += entry.size
        return replace(entry, content=old.content)

    def _is_alike(self, entry: Entry, old: Entry) -> bool:
        """Tell whether a file of other times still holds the same; the manifest keeps the times."""
        is_likely = (entry.kind, entry.size) == (old.kind, old.size)
        return is_likely and _holds(self._making, entry, old)

    def _copied(self, entry: Entry, target: str) -> Entry | None:
        source = os.path.join(self._making.project, entry.path)
        started = self._bytes
        try:
            copied = read_through(source, target, self._count)
            for _ in range(_TRIES - 1):
                if copied.is_still:
                    break
                os.unlink(target)
                self._bytes = started
                copied = read_through(source, target, self._count)
        except OSError as error:
            if error.filename != source:
                raise
            if error.errno not in GONE:
                self.unread.append(entry.path)
            return None
        if not copied.is_still:
            self.changed.append(entry.path)
        seen = entry_of(entry.path, copied.status) or entry
        keep(target, seen.mtime_ns)
        return replace(seen, size=copied.size, content=copied.sha256)

    def _count(self, size: int) -> None:
        self._bytes += size
        self._tell()

    def _tell(self) -> None:
        total = self._bytes_total
        self._making.report(
            Progress(
                phase=Phase.SAVE,
                percent=min(100.0, 100.0 * self._bytes / total) if total else None,
                files=self._files,
                files_total=self._files_total,
                bytes=self._bytes,
                bytes_total=total,
            )
        )


def _written(making: Making, entries: list[Entry], unread: list[str], changed: list[str]) -> Head:
    """Write the manifest and bring all of the new folder onto the disk."""
    size, sha256 = write_lines(os.path.join(making.folder, ENTRIES), lines_of(entries))
    files = [one for one in entries if one.kind is EntryKind.FILE]
    head = Head(
        id=making.id,
        at=making.at,
        files=len(files),
        bytes=sum(one.size for one in files),
        unread=tuple(sorted(unread)[:TOLD_AT_MOST]),
        changed=tuple(sorted(changed)[:TOLD_AT_MOST]),
        entries_bytes=size,
        entries_sha256=sha256,
    )
    # Not by write_atomic: the folder as a whole appears in one step, and needs no lock of a file in it.
    write_lines(os.path.join(making.folder, HEAD), head_lines(head))
    settle(making.folder)
    return head
