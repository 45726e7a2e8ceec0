import asyncio
import os
import sqlite3
import threading
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest

from holdfast.clock import SystemClock
from holdfast.errors import StoreError
from holdfast.hub.store import sqlite_file
from holdfast.hub.store.interface import Tx
from holdfast.hub.store.sqlite import SqliteStore

WITHIN_S = 30.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "hub.db"


@pytest.fixture
def commits(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect the commits of every connection that is opened."""
    said: list[str] = []
    opening = sqlite_file.connect

    def connect(path: Path, *, create: bool = False) -> sqlite3.Connection:
        connection = opening(path, create=create)
        connection.set_trace_callback(
            lambda sql: said.append(sql) if sql.startswith("COMMIT") else None
        )
        return connection

    monkeypatch.setattr(sqlite_file, "connect", connect)
    return said


def put(key: str) -> Callable[[Tx], int]:
    return lambda tx: tx.run("meta.put", key=key, value="x")


def has(key: str) -> Callable[[Tx], bool]:
    return lambda tx: tx.one("meta.value", key=key) is not None


def over(path: Path, act: Callable[[SqliteStore], Awaitable[None]]) -> None:
    async def whole() -> None:
        store = SqliteStore(path, SystemClock())
        await store.open()
        try:
            await asyncio.wait_for(act(store), WITHIN_S)
        finally:
            await store.close()

    asyncio.run(whole())


def test_what_waits_while_a_commit_is_under_way_shares_the_next_one(
    path: Path, commits: list[str]
) -> None:
    is_held = threading.Event()

    def hold(_tx: Tx) -> int:
        assert is_held.wait(WITHIN_S)
        return 0

    async def act(store: SqliteStore) -> None:
        before = len(commits)
        waiting = [asyncio.ensure_future(store.write(each)) for each in (hold, hold)]
        waiting += [asyncio.ensure_future(store.write(put(str(n)))) for n in range(100)]
        await asyncio.sleep(0)
        is_held.set()
        await asyncio.gather(*waiting)
        assert 1 <= len(commits) - before <= 3

    over(path, act)


def test_a_lock_of_another_program_fails_those_who_wait_and_nobody_after(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_file, "BUSY_FOR_S", 0.05)

    async def act(store: SqliteStore) -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            for key in ("a", "b"):
                with pytest.raises(StoreError, match="another program holds its lock"):
                    await store.write(put(key))
            assert not await store.read(has("a"))
            other.execute("ROLLBACK")
        await store.write(put("c"))
        assert [await store.read(has(key)) for key in "abc"] == [False, False, True]

    over(path, act)


def test_a_full_disk_fails_everybody_of_that_commit_and_nobody_after(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[sqlite3.Connection] = []
    opening = sqlite_file.connect

    def connect(path: Path, *, create: bool = False) -> sqlite3.Connection:
        opened.append(opening(path, create=create))
        return opened[-1]

    monkeypatch.setattr(sqlite_file, "connect", connect)

    def fill(tx: Tx) -> int:
        return tx.run("meta.put", key="big", value="x" * 1_000_000)

    async def act(store: SqliteStore) -> None:
        (pages,) = opened[0].execute("PRAGMA page_count").fetchone().values()
        opened[0].execute(f"PRAGMA max_page_count = {pages}")
        answers = await asyncio.gather(
            *(store.write(each) for each in (put("a"), fill, put("b"))), return_exceptions=True
        )
        assert any("the disk is full" in str(answer) for answer in answers)
        kept = [await store.read(has(key)) for key in ("a", "big", "b")]
        assert kept == [not isinstance(answer, Exception) for answer in answers]
        await store.write(fill)
        assert await store.read(has("big"))

    over(path, act)


def test_nothing_goes_into_a_file_that_took_the_place_of_the_one_that_was_opened(
    path: Path,
) -> None:
    aside = path.with_name("elsewhere.db")

    async def act(store: SqliteStore) -> None:
        await store.write(put("a"))
        os.rename(path, aside)
        for _ in range(2):
            with pytest.raises(StoreError, match="moved away or replaced"):
                await store.write(put("b"))
        os.close(os.open(path, os.O_CREAT | os.O_EXCL))  # it was not made anew
        with pytest.raises(StoreError, match="moved away or replaced"):
            await store.write(put("b"))
        assert store.is_lost()
        os.rename(aside, path)
        assert not store.is_lost()
        await store.write(put("c"))
        assert [await store.read(has(key)) for key in "abc"] == [True, False, True]

    over(path, act)


def test_a_file_whose_tables_could_not_be_brought_up_is_not_written_to(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> tuple[str, ...]:
        raise ValueError("no")

    async def whole() -> None:
        store = SqliteStore(path, SystemClock())
        with monkeypatch.context() as broken:
            broken.setattr(sqlite_file, "bring_up", refuse)
            for _ in range(2):
                with pytest.raises(ValueError, match="no"):
                    await store.open()
        assert await store.open()
        await store.write(put("a"))
        await store.close()

    asyncio.run(whole())


def test_a_store_whose_folder_was_missing_opens_once_it_is_there(tmp_path: Path) -> None:
    folder = tmp_path / "later"

    async def whole() -> None:
        store = SqliteStore(folder / "hub.db", SystemClock())
        with pytest.raises(StoreError, match=r"later/hub\.db cannot be opened: No such file"):
            await store.open()
        folder.mkdir()
        assert await store.open()
        await store.write(put("a"))
        await store.close()

    asyncio.run(whole())


def test_closing_leaves_one_file_with_everything_in_it(path: Path) -> None:
    async def act(store: SqliteStore) -> None:
        await store.write(put("a"))

    over(path, act)

    assert [each.name for each in path.parent.iterdir()] == ["hub.db"]
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("SELECT COUNT(*) FROM meta").fetchone() == (1,)
