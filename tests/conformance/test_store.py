"""What every store promises; `new_store` makes one over the database of the test."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from holdfast.errors import StoreError
from holdfast.hub.store.interface import Store, Tx

T = TypeVar("T")

WITHIN_S = 30.0


class Unwanted(Exception):
    """What an act of a test raises."""


def put(key: str, value: str) -> Callable[[Tx], int]:
    return lambda tx: tx.run("meta.put", key=key, value=value)


def value_of(key: str) -> Callable[[Tx], str | None]:
    def ask(tx: Tx) -> str | None:
        row = tx.one("meta.value", key=key)
        return None if row is None else str(row["value"])

    return ask


def add_one(tx: Tx) -> int:
    count = int(value_of("count")(tx) or 0) + 1
    tx.run("meta.put", key="count", value=str(count))
    return count


def fail_after(key: str) -> Callable[[Tx], None]:
    def act(tx: Tx) -> None:
        put(key, "half")(tx)
        raise Unwanted(key)

    return act


def over(new_store: Callable[[], Store], act: Callable[[Store], Awaitable[T]]) -> T:
    """Open a store, let the test act on it, and close it."""

    async def whole() -> T:
        store = new_store()
        await store.open()
        try:
            return await asyncio.wait_for(act(store), WITHIN_S)
        finally:
            await store.close()

    return asyncio.run(whole())


def test_what_was_written_is_read_also_by_the_next_store(new_store: Callable[[], Store]) -> None:
    async def act(store: Store) -> str | None:
        assert await store.write(put("a", "1")) == 1
        return await store.read(value_of("a"))

    assert over(new_store, act) == "1"
    assert over(new_store, lambda store: store.read(value_of("a"))) == "1"


def test_a_second_opening_finds_the_tables_up_to_date(new_store: Callable[[], Store]) -> None:
    async def applied() -> tuple[str, ...]:
        store = new_store()
        try:
            return await store.open()
        finally:
            await store.close()

    assert asyncio.run(applied())[0] == "0001_access"
    assert asyncio.run(applied()) == ()


def test_an_exception_undoes_its_own_act_and_none_of_its_neighbours(
    new_store: Callable[[], Store],
) -> None:
    async def act(store: Store) -> list[object]:
        acts: list[Callable[[Tx], object]] = [
            fail_after(str(number)) if number % 3 == 0 else put(str(number), "whole")
            for number in range(60)
        ]
        answers = await asyncio.gather(*map(store.write, acts), return_exceptions=True)
        for number, answer in enumerate(answers):
            assert isinstance(answer, Unwanted) == (number % 3 == 0)
        return [await store.read(value_of(str(number))) for number in range(60)]

    found = over(new_store, act)

    assert found == [None if number % 3 == 0 else "whole" for number in range(60)]


def test_whatever_an_act_raises_comes_back_and_hinders_nobody(
    new_store: Callable[[], Store],
) -> None:
    def run_out(_tx: Tx) -> int:
        return next(iter(()))

    def ask_wrongly(tx: Tx) -> int:
        return tx.run("meta.put", key="a")

    async def act(store: Store) -> list[bool]:
        acts = (run_out, put("a", "1"), ask_wrongly, put("b", "2"))
        answers = await asyncio.gather(*map(store.write, acts), return_exceptions=True)
        return [isinstance(answer, Exception) for answer in answers]

    assert over(new_store, act) == [True, False, True, False]


def test_acts_run_one_after_the_other_in_the_order_they_came(
    new_store: Callable[[], Store],
) -> None:
    async def act(store: Store) -> list[int]:
        return await asyncio.gather(*(store.write(add_one) for _ in range(500)))

    assert over(new_store, act) == list(range(1, 501))


def test_two_stores_of_one_database_lose_nothing_of_each_other(
    new_store: Callable[[], Store],
) -> None:
    async def act(first: Store) -> str | None:
        second = new_store()
        await second.open()
        try:
            await asyncio.gather(*(store.write(add_one) for store in (first, second) * 100))
            return await second.read(value_of("count"))
        finally:
            await second.close()

    assert over(new_store, act) == "200"


def test_a_reader_sees_one_unchanging_view_and_hinders_no_writer(
    new_store: Callable[[], Store],
) -> None:
    has_looked, is_changed = threading.Event(), threading.Event()

    def look_twice(tx: Tx) -> tuple[str | None, str | None]:
        before = value_of("a")(tx)
        has_looked.set()
        assert is_changed.wait(WITHIN_S)
        return before, value_of("a")(tx)

    async def act(store: Store) -> tuple[str | None, str | None]:
        await store.write(put("a", "old"))
        reading = asyncio.ensure_future(store.read(look_twice))
        await asyncio.to_thread(has_looked.wait, WITHIN_S)
        await store.write(put("a", "new"))
        is_changed.set()
        assert await store.read(value_of("a")) == "new"
        return await reading

    assert over(new_store, act) == ("old", "old")


def test_a_reader_changes_nothing(new_store: Callable[[], Store]) -> None:
    async def act(store: Store) -> str | None:
        with pytest.raises(StoreError):
            await store.read(put("a", "1"))
        return await store.read(value_of("a"))

    assert over(new_store, act) is None


def test_a_failing_reader_leaves_the_next_one_unharmed(new_store: Callable[[], Store]) -> None:
    def fail(_tx: Tx) -> None:
        raise Unwanted

    async def act(store: Store) -> list[str | None]:
        await store.write(put("a", "1"))
        for _ in range(20):
            with pytest.raises(Unwanted):
                await store.read(fail)
        return await asyncio.gather(*(store.read(value_of("a")) for _ in range(20)))

    assert over(new_store, act) == ["1"] * 20


def test_statements_answer_with_rows_and_counts(new_store: Callable[[], Store]) -> None:
    def act(tx: Tx) -> None:
        rows = [{"key": str(number), "value": "x"} for number in range(5)]
        assert tx.many("meta.put", rows) == 5
        assert tx.many("meta.put", iter(rows[:2])) == 2
        assert tx.many("meta.put", []) == 0
        assert tx.all("meta.value", key="3") == [{"value": "x"}]
        assert tx.all("meta.value", key="none") == []
        assert tx.one("meta.value", key="none") is None
        assert tx.run("meta.remove", key="3") == 1
        assert tx.run("meta.remove", key="3") == 0
        with pytest.raises(LookupError, match=r"meta\.valeu.*did you mean 'meta\.value'"):
            tx.all("meta.valeu")

    over(new_store, lambda store: store.write(act))


def test_a_caller_who_gives_up_harms_nobody(new_store: Callable[[], Store]) -> None:
    async def act(store: Store) -> str | None:
        leaving = asyncio.ensure_future(store.write(put("a", "1")))
        staying = asyncio.ensure_future(store.write(put("b", "2")))
        await asyncio.sleep(0)
        leaving.cancel()
        await staying
        return await store.read(value_of("b"))

    assert over(new_store, act) == "2"


def test_closing_finishes_what_was_begun_and_takes_nothing_more(
    new_store: Callable[[], Store],
) -> None:
    async def act() -> None:
        store = new_store()
        await store.open()
        begun = [asyncio.ensure_future(store.write(add_one)) for _ in range(300)]
        await asyncio.sleep(0)
        await store.close()
        assert await asyncio.gather(*begun) == list(range(1, 301))
        for ask in (store.write, store.read):
            with pytest.raises(StoreError, match="not open"):
                await ask(add_one)

    asyncio.run(act())


def test_a_copy_is_made_while_others_write_and_tells_how_far_it_is(
    new_store: Callable[[], Store], tmp_path: Path
) -> None:
    told: list[tuple[int, int]] = []

    async def act(store: Store) -> None:
        copying = asyncio.ensure_future(
            store.backup(tmp_path / "copy", lambda done, total: told.append((done, total)))
        )
        while not copying.done():
            await store.write(add_one)
        await copying

    over(new_store, act)

    assert (tmp_path / "copy").stat().st_size > 0
    assert told[-1][0] == told[-1][1] > 0


def test_a_copy_that_cannot_be_written_leaves_what_was_there(
    new_store: Callable[[], Store], tmp_path: Path
) -> None:
    async def act(store: Store) -> None:
        with pytest.raises(StoreError, match=r"missing/copy\.db"):
            await store.backup(tmp_path / "missing" / "copy.db")

    over(new_store, act)
