"""What the hub asks of a database; every store passes the same suite."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeAlias, TypeVar

T = TypeVar("T")

Row: TypeAlias = Mapping[str, Any]

Progress: TypeAlias = Callable[[int, int], None]
"""Told how much is done and how much there is in all; called from another thread."""


class Tx(Protocol):
    """One transaction. Statements are named: `checks.due` is the block `due` of `sql/checks.sql`; parameters are `:name`."""

    def all(self, name: str, /, **params: object) -> list[Row]:
        """Return the rows of a query."""

    def one(self, name: str, /, **params: object) -> Row | None:
        """Return the first row of a query, None when there is none."""

    def run(self, name: str, /, **params: object) -> int:
        """Execute a statement and return how many rows it touched."""

    def many(self, name: str, rows: Iterable[Mapping[str, object]], /) -> int:
        """Execute a statement for each of the rows and return how many rows it touched in all."""


class Store(Protocol):
    """A database with the tables of the hub, at the version this program knows."""

    async def open(self) -> tuple[str, ...]:
        """Bring the tables up to date, begin, and return the names of the migrations that were applied.

        May be called again after it failed.

        Raises:
            StoreError: the database cannot be used, or is newer than this program.
        """

    async def write(self, act: Callable[[Tx], T]) -> T:
        """Run `act` in a transaction and return its answer once that is on disk; an exception undoes all that it did.

        `act` may run again from the start when the database asks for it, so it does nothing but ask and save.

        Raises:
            StoreError: the database cannot be used; nothing was changed.
        """

    async def read(self, act: Callable[[Tx], T]) -> T:
        """Run `act` over one unchanging view of the database.

        Raises:
            StoreError: the database cannot be used.
        """

    async def backup(self, target: Path, progress: Progress | None = None) -> None:
        """Write a consistent copy while everything goes on.

        Raises:
            StoreError: it could not be written; what stood at the target before still does.
        """

    def is_lost(self) -> bool:
        """Tell whether the database that was opened is gone, or another one took its place: whoever uses it begins anew."""

    async def close(self) -> None:
        """Finish what was begun and let go."""
