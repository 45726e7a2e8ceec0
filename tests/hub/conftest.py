"""Databases of the hub for its tests: one transaction in memory, or a whole store on disk."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from holdfast.clock import SystemClock
from holdfast.hub.store import sqlite_file
from holdfast.hub.store.interface import Tx
from holdfast.hub.store.sqlite import SqliteStore

T = TypeVar("T")

MEMORY = Path("memory")


class StoreNow(SqliteStore):
    """A store that a synchronous test can ask."""

    def write_now(self, act: Callable[[Tx], T]) -> T:
        """Run one transaction and wait until it is on disk."""
        return asyncio.run(self.write(act))

    def read_now(self, act: Callable[[Tx], T]) -> T:
        """Run one reading transaction."""
        return asyncio.run(self.read(act))


@pytest.fixture(scope="session")
def _template() -> Iterator[sqlite3.Connection]:
    connection = sqlite_file.in_memory()
    sqlite_file.bring_up(connection, MEMORY, 0.0)
    yield connection
    connection.close()


@pytest.fixture(scope="session")
def new_tx(_template: sqlite3.Connection) -> Iterator[Callable[[], Tx]]:
    """Return what gives a transaction in a new database in memory, as often as it is called."""
    made: list[sqlite3.Connection] = []

    def new() -> Tx:
        connection = sqlite_file.in_memory()
        made.append(connection)
        _template.backup(connection)
        connection.execute("BEGIN")
        return sqlite_file.SqliteTx(connection, MEMORY)

    yield new
    for connection in made:
        connection.close()


@pytest.fixture
def tx(new_tx: Callable[[], Tx]) -> Tx:
    """A transaction in a new database in memory that has all tables."""
    return new_tx()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StoreNow]:
    """An open store on disk that has all tables."""
    made = StoreNow(tmp_path / "hub.db", SystemClock())
    asyncio.run(made.open())
    yield made
    asyncio.run(made.close())
