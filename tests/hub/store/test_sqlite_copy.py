import sqlite3
import stat
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from holdfast.errors import StoreError
from holdfast.hub.store import sqlite_copy, sqlite_file


@pytest.fixture
def live(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A database in use, larger than one step of a copy, whose rows are all alike."""
    path = tmp_path / "hub.db"
    with closing(sqlite_file.connect(path, create=True)) as connection:
        sqlite_file.bring_up(connection, path, 0.0)
        rows = [(str(number), "0" * 1000) for number in range(4000)]
        connection.executemany("INSERT INTO meta VALUES (?, ?)", rows)
        yield connection


@pytest.fixture
def source(live: sqlite3.Connection, tmp_path: Path) -> Path:
    return tmp_path / "hub.db"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "copies").mkdir()
    return tmp_path / "copies" / "hub.db"


def values_in(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as copied:
        return {value for (value,) in copied.execute("SELECT DISTINCT value FROM meta")}


def test_a_copy_shows_one_moment_though_all_is_changed_at_each_step(
    live: sqlite3.Connection, source: Path, target: Path
) -> None:
    steps: list[tuple[int, int]] = []

    def change(done: int, total: int) -> None:
        steps.append((done, total))
        live.execute("UPDATE meta SET value = ?", (str(len(steps) % 10) * 1000,))

    sqlite_copy.copy(source, target, change)

    assert values_in(target) == {"0" * 1000}
    assert len(steps) == -(-steps[-1][1] // sqlite_copy.PAGES_A_STEP)


def test_a_copy_is_one_private_file_that_replaces_the_one_before(
    source: Path, target: Path
) -> None:
    target.write_bytes(b"the one before")
    (target.parent / ".hub.db.part").write_bytes(b"of one that was killed")

    sqlite_copy.copy(source, target, None)

    assert values_in(target) == {"0" * 1000}
    found = {each.name for each in target.parent.iterdir()}
    assert found - {".hub.db.lock"} == {"hub.db"}
    if sys.platform != "win32":
        assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_a_database_in_use_is_no_target(
    source: Path, live: sqlite3.Connection, target: Path
) -> None:
    with pytest.raises(StoreError, match="is a database in use"):
        sqlite_copy.copy(source, source, None)
    with closing(sqlite_file.connect(target, create=True)) as other:
        other.execute("CREATE TABLE a (x)")
        with pytest.raises(StoreError, match="is a database in use"):
            sqlite_copy.copy(source, target, None)


def test_a_copy_that_stops_halfway_leaves_the_one_before(source: Path, target: Path) -> None:
    target.write_bytes(b"the one before")

    def stop(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sqlite_copy.copy(source, target, stop)

    assert target.read_bytes() == b"the one before"
    assert not (target.parent / ".hub.db.part").exists()


def test_a_missing_database_cannot_be_copied(tmp_path: Path, target: Path) -> None:
    with pytest.raises(StoreError, match=r"absent\.db cannot be used"):
        sqlite_copy.copy(tmp_path / "absent.db", target, None)

    assert not target.exists()
