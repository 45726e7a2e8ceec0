"""What a snapshot of the copy engine holds: a short head that is quick to read, and a line for each path.

The lines are JSON in ASCII; a name that is no UTF-8 keeps its bytes as lone surrogates, as `os.fsdecode` gives them.
"""

import hashlib
import json
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from holdfast.machine.backup.engine import shown
from holdfast.model.backup import Snapshot
from holdfast.model.wire import from_plain, to_plain

HEAD = "manifest.json"
ENTRIES = "entries.jsonl"


class EntryKind(StrEnum):
    """What stands at a path; sockets, pipes and devices are not backed up."""

    FILE = "file"
    FOLDER = "folder"
    LINK = "link"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One path below the project: times in nanoseconds since the epoch, `content` the SHA-256 of a file or the target of a link."""

    path: str
    kind: EntryKind
    mode: int
    mtime_ns: int
    ctime_ns: int
    uid: int
    gid: int
    size: int = 0
    content: str = ""

    def is_same_but_for_content(self, other: "Entry") -> bool:
        """Tell whether two are alike in all that can be seen without reading them."""
        return (self.kind, self.mode, self.mtime_ns, self.uid, self.gid, self.size) == (
            other.kind,
            other.mode,
            other.mtime_ns,
            other.uid,
            other.gid,
            other.size,
        )


def entry_of(path: str, found: os.stat_result, target: str = "") -> Entry | None:
    """Return what stands at a path; None for what is not backed up."""
    kind = {
        stat.S_IFREG: EntryKind.FILE,
        stat.S_IFDIR: EntryKind.FOLDER,
        stat.S_IFLNK: EntryKind.LINK,
    }.get(stat.S_IFMT(found.st_mode))
    if kind is None:
        return None
    return Entry(
        path=path,
        kind=kind,
        mode=stat.S_IMODE(found.st_mode),
        mtime_ns=found.st_mtime_ns,
        ctime_ns=found.st_ctime_ns,
        uid=found.st_uid,
        gid=found.st_gid,
        size=found.st_size if kind is EntryKind.FILE else 0,
        content=target,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The head of a manifest; `entries_bytes` and `entries_sha256` tell whether its lines are whole."""

    format: int = 1
    id: str
    at: float
    files: int
    bytes: int
    unread: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    entries_bytes: int
    entries_sha256: str

    def snapshot(self) -> Snapshot:
        """Return the snapshot it describes."""
        return Snapshot(
            id=self.id,
            at=self.at,
            files=self.files,
            bytes=self.bytes,
            partial=bool(self.unread),
            unread=tuple(map(shown, self.unread)),
            changed=tuple(map(shown, self.changed)),
        )


def lines_of(entries: Iterable[Entry]) -> Iterator[bytes]:
    """Yield the line of each entry."""
    for one in entries:
        yield json.dumps(to_plain(one), separators=(",", ":")).encode("ascii") + b"\n"


def head_lines(head: Head) -> Iterator[bytes]:
    """Yield the one line of a head."""
    yield json.dumps(to_plain(head)).encode("ascii") + b"\n"


def head_of(folder: str) -> Head | None:
    """Return the head of a snapshot; None where it, or what it tells of, is not whole."""
    try:
        with open(os.path.join(folder, HEAD), "rb") as source:
            head = from_plain(Head, json.loads(source.read()))
        is_whole = os.path.getsize(os.path.join(folder, ENTRIES)) == head.entries_bytes
    except (OSError, ValueError):
        return None
    return head if is_whole else None


def entries_of(folder: str, head: Head) -> dict[str, Entry] | None:
    """Return the entries of a snapshot by path; None where they are not those that were written."""
    found: dict[str, Entry] = {}
    seen = hashlib.sha256()
    try:
        with open(os.path.join(folder, ENTRIES), "rb") as source:
            for line in source:
                seen.update(line)
                entry = from_plain(Entry, json.loads(line))
                found[entry.path] = entry
    except (OSError, ValueError):
        return None
    return found if seen.hexdigest() == head.entries_sha256 else None
