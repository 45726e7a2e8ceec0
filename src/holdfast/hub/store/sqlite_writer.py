"""The one thread that writes: it takes everything that waits, commits it together, and answers all at once."""

import asyncio
import contextlib
import os
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from holdfast.clock import Clock
from holdfast.errors import StoreError
from holdfast.hub.store import sqlite_file
from holdfast.hub.store.interface import Tx

T = TypeVar("T")

LARGEST_GROUP = 256
"""How many acts share one commit at most, so that the first of them does not wait for a crowd."""


@dataclass(slots=True, eq=False)
class Order(Generic[T]):
    """One act that waits for its turn, and where its answer goes."""

    act: Callable[[Tx], T]
    loop: asyncio.AbstractEventLoop
    answer: "asyncio.Future[T]"
    value: T | None = None
    error: BaseException | None = None

    def settle(self) -> None:
        """Give the answer, on the loop that waits for it."""
        if self.answer.done():  # the caller was cancelled
            return
        if isinstance(self.error, StopIteration):  # which no future takes
            self.answer.set_exception(RuntimeError("the act raised StopIteration"))
        elif self.error is not None:
            self.answer.set_exception(self.error)
        else:
            self.answer.set_result(self.value)  # type: ignore[arg-type]  # no error: the act has returned


class Writer:
    """Runs acts one after the other on a thread of its own, many to a commit.

    Whatever goes wrong with the file costs the acts of that moment; the next group opens it anew, as long as it is the file
    of the first opening. `applied` names the migrations that the newest opening brought.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._waiting: queue.SimpleQueue[Order[Any] | None] = queue.SimpleQueue()
        self._file: OpenFile | None = None
        self._identity: tuple[int, int] | None = None
        self.applied: tuple[str, ...] = ()
        self._is_ending = False
        self._thread = threading.Thread(target=self._work, name="hub-writer", daemon=True)

    def start(self) -> None:
        """Begin to work, if that was not done before."""
        if self._thread.ident is None:
            self._thread.start()

    def put(self, order: "Order[Any]") -> None:
        """Queue an act.

        Raises:
            StoreError: the store was closed, or never opened.
        """
        self.see_open()
        self._waiting.put(order)

    def see_open(self) -> None:
        """Do nothing between start and finish.

        Raises:
            StoreError: the store was closed, or never opened.
        """
        if self._is_ending or not self._thread.is_alive():
            raise StoreError(f"{self._path} is not open; nothing was changed")

    def is_lost(self) -> bool:
        """Tell whether the path does not lead to the file of the first opening any more."""
        return self._identity is not None and _identity(self._path) != self._identity

    def finish(self) -> None:
        """Do what was queued, tidy the file up, and end; blocks until that is done."""
        if self._thread.ident is None:
            return
        self._is_ending = True
        self._waiting.put(None)
        self._thread.join()

    def _work(self) -> None:
        is_open = True
        while is_open:
            group, is_open = self._next_group()
            if group:
                self._commit(group)
                _answer(group)
        self._let_go()

    def _next_group(self) -> tuple[list[Order[Any]], bool]:
        """Wait for an act and take all that queued up meanwhile; the second value is False at the end."""
        group: list[Order[Any]] = []
        wanted = self._waiting.get()
        while wanted is not None:
            group.append(wanted)
            if len(group) == LARGEST_GROUP:
                return group, True
            try:
                wanted = self._waiting.get_nowait()
            except queue.Empty:
                return group, True
        return group, False

    def _commit(self, group: Sequence[Order[Any]]) -> None:
        try:
            connection = self._opened()
            with sqlite_file.told(self._path):
                connection.execute("BEGIN IMMEDIATE")
                for order in group:
                    self._attempt(connection, order)
                connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - it is the answer to everybody in the group
            for order in group:
                order.error = order.error or error
        if any(isinstance(order.error, StoreError | sqlite3.Error) for order in group):
            self._drop()

    def _attempt(self, connection: sqlite3.Connection, order: Order[Any]) -> None:
        """Run one act; what it raises undoes what it did and nothing else.

        Raises:
            Exception: the database gave up the whole transaction, as it does on a full disk.
        """
        connection.execute("SAVEPOINT act")
        try:
            order.value = order.act(sqlite_file.SqliteTx(connection, self._path))
        except Exception as error:
            order.error = error
            if not connection.in_transaction:
                raise
            connection.execute("ROLLBACK TO act")
        connection.execute("RELEASE act")

    def _opened(self) -> sqlite3.Connection:
        """Return the connection, a new one when there is none.

        Raises:
            StoreError: another file took the place of the old one, or none; an empty database would be silent about everything.
        """
        if self.is_lost():
            self._drop()
            raise StoreError(
                f"{self._path} was moved away or replaced while it was in use; nothing was changed: begin anew"
            )
        if self._file is None:
            self._file = self._brought_up()
            self._identity = self._file.identity
        return self._file.connection

    def _brought_up(self) -> "OpenFile":
        file = open_file(self._path, create=True)
        try:
            self.applied = sqlite_file.bring_up(file.connection, self._path, self._clock.wall())
        except BaseException:
            file.connection.close()
            raise
        return file

    def _drop(self) -> None:
        if self._file is not None:
            with contextlib.suppress(sqlite3.Error):
                self._file.connection.close()
        self._file = None

    def _let_go(self) -> None:
        """Keep the planner's statistics fresh, fold the log into the file, and close."""
        if self._file is not None:
            with contextlib.suppress(sqlite3.Error):
                self._file.connection.execute("PRAGMA optimize")
                self._file.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._drop()


def _answer(group: Sequence[Order[Any]]) -> None:
    """Wake every loop once, however many of its acts were done."""
    by_loop: dict[asyncio.AbstractEventLoop, list[Order[Any]]] = {}
    for order in group:
        by_loop.setdefault(order.loop, []).append(order)
    for loop, orders in by_loop.items():
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(_settle_all, orders)


def _settle_all(orders: Sequence[Order[Any]]) -> None:
    for order in orders:
        order.settle()


@dataclass(frozen=True, slots=True)
class OpenFile:
    """A connection, and which file it is connected to."""

    connection: sqlite3.Connection
    path: Path
    identity: tuple[int, int]

    def is_in_place(self) -> bool:
        """Tell whether the path still leads to this file: what goes into a deleted one would be lost."""
        return _identity(self.path) == self.identity


def open_file(path: Path, *, create: bool = False) -> OpenFile:
    """Open a database file and remember which one it is.

    Raises:
        StoreError: it cannot be opened.
    """
    connection = sqlite_file.connect(path, create=create)
    return OpenFile(connection, path, _identity(path))


def _identity(path: Path) -> tuple[int, int]:
    try:
        found = os.stat(path)
    except OSError:
        return (0, 0)
    return (found.st_dev, found.st_ino)
