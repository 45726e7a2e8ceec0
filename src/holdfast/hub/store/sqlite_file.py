"""One SQLite file: opening it, bringing its tables up to date, speaking to it, and its troubles in words."""

import errno
import os
import sqlite3
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from holdfast.errors import StoreError
from holdfast.hub.store import migrate, statements
from holdfast.hub.store.interface import Row

BUSY_FOR_S = 3.0
"""How long another program may hold the lock before a statement gives up."""

KEPT_STATEMENTS = 256
LARGEST_IDLE_LOG = 64 * 1024 * 1024
"""Bytes to which the write-ahead log is cut back after a burst."""

NETWORKS = frozenset(
    {
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "fuse.sshfs",
        "glusterfs",
        "gpfs",
        "lustre",
        "nfs",
        "nfs4",
        "smb3",
    }
)
"""File systems of other machines, whose locks or shared memory do not hold what SQLite needs (sqlite.org/wal.html)."""

_MOUNTS = "/proc/self/mountinfo"
_PRIMARY = 0xFF
_TROUBLES = {
    sqlite3.SQLITE_BUSY: "another program holds its lock: end that one, or wait",
    sqlite3.SQLITE_LOCKED: "another program holds its lock: end that one, or wait",
    sqlite3.SQLITE_PROTOCOL: "another program holds its lock: end that one, or wait",
    sqlite3.SQLITE_FULL: "the disk is full: make room; the hub goes on by itself",
    sqlite3.SQLITE_IOERR: "the disk refused: look at the kernel's log; the hub goes on by itself once it answers",
    sqlite3.SQLITE_READONLY: "it cannot be written: look at its permissions and at the mount of its folder",
    sqlite3.SQLITE_PERM: "it cannot be written: look at its permissions and at the mount of its folder",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened: look at the folder and its permissions",
    sqlite3.SQLITE_CORRUPT: "it is damaged: stop the hub, move it away, and put a copy of `holdfast hub backup` in its place",
    sqlite3.SQLITE_NOTADB: "it is no database of the hub: stop the hub, move it away, and put a copy of `holdfast hub backup` in its place",
    sqlite3.SQLITE_NOMEM: "there is no memory left: end something",
}


def connect(path: Path, *, create: bool = False) -> sqlite3.Connection:
    """Open a database file of the hub; only `create` makes a missing one, private to this user.

    Raises:
        StoreError: it cannot be opened.
    """
    if create:
        _refuse_network(path)
        _make_private(path)
    with told(path):
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=rw",
            uri=True,
            timeout=BUSY_FOR_S,
            isolation_level=None,
            cached_statements=KEPT_STATEMENTS,
            check_same_thread=False,
        )
    try:
        with told(path):
            _settle(connection)
            _see_log(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def in_memory() -> sqlite3.Connection:
    """Open a database that lasts as long as the connection."""
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    _settle(connection)
    return connection


def _refuse_network(path: Path) -> None:
    """Refuse a file system of another machine: its locks and shared memory are not those SQLite needs.

    Raises:
        StoreError: the folder lies on one.
    """
    kind = file_system_of(path.parent)
    if kind in NETWORKS:
        raise StoreError(
            f"{path} would stand on {kind}, where a database is soon damaged; set HOLDFAST_HOME to a folder on a local disk"
        )


def file_system_of(folder: Path) -> str | None:
    """Return the kind of file system a folder lies on, None where the platform does not tell (Linux does)."""
    if sys.platform != "linux":
        return None
    try:
        device = os.stat(folder).st_dev
        with open(_MOUNTS, encoding="utf-8", errors="surrogateescape") as lines:
            return _kind_of(lines, f"{os.major(device)}:{os.minor(device)}")
    except OSError:
        return None


def _kind_of(mounts: Iterable[str], device: str) -> str | None:
    """Find a device in lines as proc_pid_mountinfo(5) describes them."""
    for line in mounts:
        own, _, file_system = line.partition(" - ")
        if own.split(" ")[2] == device:
            return file_system.split(" ")[0]
    return None


def _make_private(path: Path) -> None:
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        why = os.strerror(error.errno or errno.EIO)
        raise StoreError(
            f"{path} cannot be opened: {why}; look at the folder, its permissions and its mount"
        ) from error


def _settle(connection: sqlite3.Connection) -> None:
    connection.row_factory = _as_row
    # An acknowledged change outlasts a power cut: NORMAL would not sync the log at each commit.
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA fullfsync = ON")  # macOS: through the cache of the disk too
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(f"PRAGMA journal_size_limit = {LARGEST_IDLE_LOG}")


def _see_log(connection: sqlite3.Connection, path: Path) -> None:
    """Have readers and a writer work side by side.

    Raises:
        StoreError: this place cannot do that.
    """
    row = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if row["journal_mode"] != "wal":
        raise StoreError(
            f"{path} stands where readers and a writer cannot work side by side (its log is "
            f"{row['journal_mode']!r}, expected 'wal'); set HOLDFAST_HOME to a folder on a local disk"
        )


def _as_row(cursor: sqlite3.Cursor, values: tuple[Any, ...]) -> Row:
    return {column[0]: value for column, value in zip(cursor.description, values, strict=True)}


def bring_up(connection: sqlite3.Connection, path: Path, at: float) -> tuple[str, ...]:
    """Apply every migration the database lacks, each in a transaction; return their names.

    Raises:
        StoreError: the database is newer than this program, made from other files, or unusable.
    """
    done: list[str] = []
    with told(path):
        while lacking := pending(connection, path):
            if _apply(connection, lacking[0], path, at):
                done.append(lacking[0].name)
    return tuple(done)


def pending(connection: sqlite3.Connection, path: Path) -> tuple[migrate.Migration, ...]:
    """Return the migrations the database lacks.

    Raises:
        StoreError: as `migrate.pending`.
    """
    is_marked = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'migrations'")
    recorded = {}
    if is_marked.fetchone():
        rows = connection.execute("SELECT name, checksum FROM migrations")
        recorded = {row["name"]: row["checksum"] for row in rows}
    return migrate.pending(migrate.shipped(), recorded, database=str(path))


def _apply(
    connection: sqlite3.Connection, wanted: migrate.Migration, path: Path, at: float
) -> bool:
    """Take one step forward; False when another program has just done so."""
    try:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(
            "CREATE TABLE IF NOT EXISTS migrations "
            "(name TEXT PRIMARY KEY, checksum TEXT NOT NULL, applied_at REAL NOT NULL)"
        )
        is_lacking = wanted in pending(connection, path)
        if is_lacking:
            for statement in _single(wanted.sql):
                connection.execute(statement)
            connection.execute(
                "INSERT INTO migrations (name, checksum, applied_at) VALUES (?, ?, ?)",
                (wanted.name, wanted.checksum, at),
            )
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return is_lacking


def _single(script: str) -> Iterator[str]:
    """Yield the statements of a script one by one: `executescript` would end the transaction first."""
    collected = ""
    for line in script.splitlines():
        collected += f"{line}\n"
        if sqlite3.complete_statement(collected):
            yield collected
            collected = ""
    if collected.strip():
        yield collected


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Turn the troubles of a database into words; a faulty statement stays what it is."""
    try:
        yield
    except sqlite3.Error as error:
        trouble = as_trouble(error, path)
        if trouble is None:
            raise
        raise trouble from error


def as_trouble(error: sqlite3.Error, path: Path) -> StoreError | None:
    """Return what is wrong with the database and what to do, None for what is wrong with the statement."""
    code = getattr(error, "sqlite_errorcode", None)
    todo = None if code is None else _TROUBLES.get(code & _PRIMARY)
    if todo is None:
        return None
    return StoreError(f"{path} cannot be used ({error}): {todo}")


class SqliteTx:
    """The statements of one transaction over a connection."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path

    def all(self, name: str, /, **params: object) -> list[Row]:
        """Return the rows of a query."""
        with told(self._path):
            cursor = self._connection.cursor()
            cursor.row_factory = None  # the names are the same for all rows: asked once
            cursor.execute(statements.text(name), params)
            names = [column[0] for column in cursor.description or ()]
            return [dict(zip(names, values, strict=True)) for values in cursor]

    def one(self, name: str, /, **params: object) -> Row | None:
        """Return the first row of a query, None when there is none."""
        with told(self._path):
            cursor = self._connection.execute(statements.text(name), params)
            found: Row | None = cursor.fetchone()
            cursor.close()  # a statement left halfway would keep the transaction open
        return found

    def run(self, name: str, /, **params: object) -> int:
        """Execute a statement and return how many rows it touched."""
        with told(self._path):
            return max(0, self._connection.execute(statements.text(name), params).rowcount)

    def many(self, name: str, rows: Iterable[Mapping[str, object]], /) -> int:
        """Execute a statement for each of the rows and return how many rows it touched in all."""
        with told(self._path):
            return max(0, self._connection.executemany(statements.text(name), rows).rowcount)
