"""Read what the copy engine stored back, and remember what is damaged, so that the next snapshot copies it anew."""

import json
import os
from collections.abc import Mapping, Sequence

from holdfast.machine.backup.copy_take import FILES
from holdfast.machine.backup.engine import Phase, Progress, Report, Verdict, shown
from holdfast.machine.backup.manifest import Entry, EntryKind
from holdfast.machine.backup.tree import read_through
from holdfast.statefile import write_atomic

DAMAGED = "damaged.json"


def damaged_in(folder: str) -> frozenset[str]:
    """Return the files of a snapshot that were found damaged."""
    try:
        with open(os.path.join(folder, DAMAGED), "rb") as source:
            found = json.loads(source.read())
    except (OSError, ValueError):
        return frozenset()
    return frozenset(map(str, found)) if isinstance(found, list) else frozenset()


def verify(
    snapshot: str,
    found: Sequence[tuple[str, Mapping[str, Entry] | None]],
    *,
    part: int | None,
    parts: int,
    report: Report,
) -> Verdict:
    """Read every file of the part; each file once, in however many snapshots it stands.

    The entries of a snapshot are None where its manifest is damaged.
    """
    wanted = [
        (folder, one)
        for folder, entries in found
        for index, one in enumerate(_files(entries or {}))
        if part is None or index % parts == part
    ]
    sound: set[tuple[int, int]] = set()
    wrong: dict[str, list[str]] = {}
    files = size = 0
    for count, (folder, one) in enumerate(wanted):
        report(_progress(count, len(wanted)))
        if _is_sound(folder, one, sound):
            files, size = files + 1, size + one.size
        else:
            wrong.setdefault(folder, []).append(one.path)
    for folder, paths in wrong.items():
        _remember(folder, paths)
    # The next snapshot takes nothing from one whose manifest is damaged: there is nothing to remember.
    unknown = [
        f"the manifest of {os.path.basename(one)}" for one, entries in found if entries is None
    ]
    return Verdict(
        sound=not wrong and not unknown,
        snapshot=snapshot,
        part=part,
        parts=parts,
        files=files,
        bytes=size,
        why=_why([*unknown, *(path for paths in wrong.values() for path in paths)]),
    )


def _files(entries: Mapping[str, Entry]) -> list[Entry]:
    return [one for one in entries.values() if one.kind is EntryKind.FILE]


def _progress(count: int, total: int) -> Progress:
    return Progress(
        phase=Phase.VERIFY, percent=100.0 * count / total, files=count, files_total=total
    )


def _is_sound(folder: str, one: Entry, sound: set[tuple[int, int]]) -> bool:
    path = os.path.join(folder, FILES, one.path)
    try:
        status = os.lstat(path)
        key = (status.st_dev, status.st_ino)
        if key in sound:
            return True
        if read_through(path, None, lambda _: None).sha256 != one.content:
            return False
    except OSError:
        return False
    sound.add(key)
    return True


def _remember(folder: str, paths: list[str]) -> None:
    known = sorted(damaged_in(folder) | set(paths))
    # In ASCII, so that names that are no UTF-8 can stand in it too.
    write_atomic(os.path.join(folder, DAMAGED), json.dumps(known) + "\n", mode=0o600)


def _why(paths: Sequence[str]) -> str:
    if not paths:
        return ""
    more = len(paths) - 1
    return f"{shown(paths[0])}{f' and {more} more' if more else ''} no longer holds what was saved"
