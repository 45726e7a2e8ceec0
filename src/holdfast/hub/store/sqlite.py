"""The store on one SQLite file: a thread that writes, and threads that read."""

import asyncio
import queue
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from holdfast.clock import Clock
from holdfast.hub.store import sqlite_copy, sqlite_file
from holdfast.hub.store.interface import Progress, Tx
from holdfast.hub.store.sqlite_writer import OpenFile, Order, Writer, open_file

T = TypeVar("T")

READERS = 2


class SqliteStore:
    """A database file of the hub; see `Store` for what its methods promise."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._writer = Writer(path, clock)
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="hub-reader")
        self._idle: queue.SimpleQueue[OpenFile] = queue.SimpleQueue()

    async def open(self) -> tuple[str, ...]:
        """Bring the tables up to date, begin, and return the names of the migrations that were applied."""
        self._writer.start()
        await self.write(_nothing)
        return self._writer.applied

    async def write(self, act: Callable[[Tx], T]) -> T:
        """Run `act` in a transaction and return its answer once that is on disk."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()
        self._writer.put(Order(act, loop, answer))
        return await answer

    async def read(self, act: Callable[[Tx], T]) -> T:
        """Run `act` over one unchanging view of the database."""
        self._writer.see_open()
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._look, act)

    async def backup(self, target: Path, progress: Progress | None = None) -> None:
        """Write a consistent copy while everything goes on; the store need not be open."""
        await asyncio.to_thread(sqlite_copy.copy, self._path, target, progress)

    def is_lost(self) -> bool:
        """Tell whether the file that was opened is gone, or another one took its place."""
        return self._writer.is_lost()

    async def close(self) -> None:
        """Finish what was begun and let go."""
        await asyncio.to_thread(self._end)

    def _look(self, act: Callable[[Tx], T]) -> T:
        file = self._reader()
        try:
            with sqlite_file.told(self._path):
                file.connection.execute("BEGIN")
                answer = act(sqlite_file.SqliteTx(file.connection, self._path))
                file.connection.execute("ROLLBACK")
        except BaseException:
            file.connection.close()
            raise
        self._idle.put(file)
        return answer

    def _reader(self) -> OpenFile:
        try:
            file = self._idle.get_nowait()
        except queue.Empty:
            return self._new_reader()
        if file.is_in_place():
            return file
        file.connection.close()
        return self._new_reader()

    def _new_reader(self) -> OpenFile:
        file = open_file(self._path)
        file.connection.execute("PRAGMA query_only = ON")
        return file

    def _end(self) -> None:
        self._readers.shutdown()
        while not self._idle.empty():
            self._idle.get().connection.close()
        self._writer.finish()


def _nothing(_tx: Tx) -> None:
    """Ask nothing: the writer opens the file for it all the same."""
