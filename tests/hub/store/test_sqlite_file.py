import os
import sqlite3
import stat
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from holdfast.errors import StoreError
from holdfast.hub.store import migrate, sqlite_file
from holdfast.hub.store.migrate import Migration


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "hub.db"


@pytest.fixture
def file(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite_file.connect(path, create=True)) as connection:
        yield connection


def ships(monkeypatch: pytest.MonkeyPatch, *steps: Migration) -> None:
    monkeypatch.setattr(migrate, "shipped", lambda: steps)


def names(connection: sqlite3.Connection) -> set[str]:
    return {row["name"] for row in connection.execute("SELECT name FROM sqlite_master")}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_the_file_and_what_stands_beside_it_are_private(
    file: sqlite3.Connection, path: Path
) -> None:
    previous = os.umask(0)
    try:
        sqlite_file.bring_up(file, path, 0.0)
        modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()}
    finally:
        os.umask(previous)

    assert set(modes.values()) == {0o600}
    assert "hub.db-wal" in modes


def test_a_commit_outlasts_a_power_cut_and_references_are_kept(file: sqlite3.Connection) -> None:
    found = {
        pragma: next(iter(file.execute(f"PRAGMA {pragma}").fetchone().values()))
        for pragma in ("journal_mode", "synchronous", "foreign_keys")
    }

    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def test_a_missing_file_is_made_only_when_that_was_asked_for(path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be opened"):
        sqlite_file.connect(path)

    assert not path.exists()


def test_migrations_are_recorded_with_their_moment(file: sqlite3.Connection, path: Path) -> None:
    done = sqlite_file.bring_up(file, path, 12.5)

    rows = file.execute("SELECT * FROM migrations ORDER BY name").fetchall()
    assert [row["name"] for row in rows] == list(done)
    assert [row["checksum"] for row in rows] == [each.checksum for each in migrate.shipped()]
    assert {row["applied_at"] for row in rows} == {12.5}
    assert sqlite_file.bring_up(file, path, 13.0) == ()


def test_a_migration_that_fails_leaves_nothing_behind(
    file: sqlite3.Connection, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = Migration(name="0001_a", sql="CREATE TABLE a (x);")
    torn = Migration(name="0002_b", sql="CREATE TABLE b (x);\nCREATE TABLE b (x);")
    ships(monkeypatch, good, torn)
    with pytest.raises(sqlite3.OperationalError, match="already exists"):
        sqlite_file.bring_up(file, path, 0.0)
    assert names(file) >= {"a", "migrations"}
    assert "b" not in names(file)

    ships(monkeypatch, good, Migration(name="0002_b", sql="CREATE TABLE b (x);"))
    assert sqlite_file.bring_up(file, path, 0.0) == ("0002_b",)


def test_a_trigger_with_semicolons_is_one_statement(
    file: sqlite3.Connection, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sql = (
        "CREATE TABLE a (x); -- it's a table\n"
        "CREATE TRIGGER t AFTER INSERT ON a BEGIN\n  DELETE FROM a WHERE x = ';';\n  DELETE FROM a WHERE x = 2;\nEND;\n"
        "CREATE TABLE b (x)\n"
    )
    ships(monkeypatch, Migration(name="0001_a", sql=sql))

    sqlite_file.bring_up(file, path, 0.0)

    assert names(file) >= {"a", "t", "b"}


def test_programs_that_start_at_once_apply_each_migration_once(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Each waits for all the others, on a disk that may be slow.
    monkeypatch.setattr(sqlite_file, "BUSY_FOR_S", 30.0)
    gate = threading.Barrier(4)
    done: list[tuple[str, ...]] = []

    def start() -> None:
        gate.wait()
        with closing(sqlite_file.connect(path, create=True)) as connection:
            done.append(sqlite_file.bring_up(connection, path, 0.0))

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(done) == 4
    assert sorted(name for names in done for name in names) == [
        each.name for each in migrate.shipped()
    ]


@pytest.mark.parametrize(
    ("code", "todo"),
    [
        (sqlite3.SQLITE_BUSY, "another program holds its lock"),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, "another program holds its lock"),
        (sqlite3.SQLITE_FULL, "the disk is full"),
        (sqlite3.SQLITE_IOERR_WRITE, "the disk refused"),
        (sqlite3.SQLITE_READONLY, "cannot be written"),
        (sqlite3.SQLITE_CANTOPEN, "cannot be opened"),
        (sqlite3.SQLITE_CORRUPT, "it is damaged"),
        (sqlite3.SQLITE_NOTADB, "no database of the hub"),
        (sqlite3.SQLITE_NOMEM, "no memory left"),
    ],
)
def test_every_trouble_of_the_file_says_what_to_do(code: int, todo: str) -> None:
    error = sqlite3.OperationalError("said by SQLite")
    error.sqlite_errorcode = code

    trouble = sqlite_file.as_trouble(error, Path("/home/hub.db"))

    assert trouble is not None
    assert str(trouble).startswith("/home/hub.db cannot be used (said by SQLite): ")
    assert todo in str(trouble)


def test_a_faulty_statement_is_no_trouble_of_the_file(
    file: sqlite3.Connection, path: Path
) -> None:
    with pytest.raises(sqlite3.OperationalError, match="no such table"), sqlite_file.told(path):
        file.execute("SELECT * FROM absent")


def test_a_file_of_something_else_is_refused_and_left_alone(path: Path) -> None:
    path.write_bytes(b"not a database, " * 400)

    with pytest.raises(StoreError, match="no database of the hub"):
        sqlite_file.connect(path)

    assert path.read_bytes() == b"not a database, " * 400


def test_a_file_on_another_machine_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_file, "file_system_of", lambda _folder: "nfs4")

    with pytest.raises(StoreError, match=r"would stand on nfs4.*local disk"):
        sqlite_file.connect(path, create=True)

    assert not path.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
def test_the_file_system_is_found_by_its_device() -> None:
    assert sqlite_file.file_system_of(Path("/proc")) == "proc"
    assert sqlite_file.file_system_of(Path("/missing")) is None
