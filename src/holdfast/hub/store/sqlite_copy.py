"""A copy of a SQLite file that is in use: consistent, checked, and under its name only when it is whole."""

import contextlib
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

from holdfast import statefile
from holdfast.errors import StateError, StoreError
from holdfast.hub.store import sqlite_file
from holdfast.hub.store.interface import Progress
from holdfast.statefile.place import Place, open_place
from holdfast.statefile.system.this import SYSTEM

PAGES_A_STEP = 512


def copy(source: Path, target: Path, progress: Progress | None) -> None:
    """Write a copy of the database as it is at this moment; who writes meanwhile does not wait.

    Raises:
        StoreError: it could not be written; what stood at the target before still does.
    """
    _refuse_open(source, target)
    try:
        with statefile.locked(target), open_place(target, follow=True, ops=SYSTEM) as place:
            _write(source, target.resolve(), place, progress)
    except OSError as error:
        raise StoreError(
            f"the copy {target} could not be written: {error.strerror}; look at its folder and make room"
        ) from error
    except StateError as error:
        raise StoreError(f"the copy {target} could not be written: {error}") from error


def _refuse_open(source: Path, target: Path) -> None:
    """Refuse a name under which a database is in use: its log would be played into the copy.

    Raises:
        StoreError: the target is one.
    """
    is_itself = target.exists() and target.samefile(source) if source.exists() else False
    if is_itself or os.path.exists(f"{target}-wal"):
        raise StoreError(f"{target} is a database in use; choose another name for the copy")


def _write(source: Path, target: Path, place: Place, progress: Progress | None) -> None:
    part = target.with_name(f".{target.name}.part")
    with contextlib.suppress(FileNotFoundError):
        part.unlink()  # what a killed one left; the lock of the target is ours
    try:
        _fill(source, part, progress)
        _sync(part)
        place.ops.replace(place.folder, part.name, place.name)
        place.ops.sync_folder(place.folder)
    finally:
        part.unlink(missing_ok=True)


def _fill(source: Path, part: Path, progress: Progress | None) -> None:
    with contextlib.closing(sqlite_file.connect(source)) as reading, sqlite_file.told(source):
        # The view is fixed first; else each change by the hub would make the copy begin anew.
        reading.execute("BEGIN")
        reading.execute("SELECT COUNT(*) FROM sqlite_master")
        os.close(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        with sqlite_file.told(part), contextlib.closing(_new(part)) as writing:
            reading.backup(writing, pages=PAGES_A_STEP, progress=_told_to(progress))
            # One file, without a log beside it, that can be put anywhere.
            writing.execute("PRAGMA journal_mode = DELETE")
            _check(writing, part)


def _new(part: Path) -> sqlite3.Connection:
    return sqlite3.connect(part, isolation_level=None)


def _told_to(progress: Progress | None) -> Callable[[int, int, int], None] | None:
    if progress is None:
        return None
    return lambda _status, remaining, total: progress(total - remaining, total)


def _check(writing: sqlite3.Connection, part: Path) -> None:
    found = writing.execute("PRAGMA quick_check(1)").fetchone()
    if found != ("ok",):
        raise StoreError(
            f"the copy {part} is damaged ({found[0]}), and so is perhaps the database"
        )


def _sync(part: Path) -> None:
    fd = os.open(part, os.O_RDWR)
    try:
        SYSTEM.sync_file(fd)
    finally:
        os.close(fd)
