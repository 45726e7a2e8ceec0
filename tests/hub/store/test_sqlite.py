import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from holdfast.clock import SystemClock
from holdfast.errors import StoreError
from holdfast.hub.store.sqlite import SqliteStore

WRITER = """
import asyncio, sys
from pathlib import Path
from holdfast.clock import SystemClock
from holdfast.hub.store.sqlite import SqliteStore

async def main():
    store = SqliteStore(Path(sys.argv[1]), SystemClock())
    await store.open()
    async def client(name):
        for number in range(1_000_000):
            await store.write(lambda tx: tx.run("meta.put", key=f"{name}-{number}", value="x"))
            print(f"{name}-{number}", flush=True)
    await asyncio.gather(*(client(name) for name in "abcdefgh"))

asyncio.run(main())
"""


def test_what_was_acknowledged_is_there_after_the_process_was_killed(tmp_path: Path) -> None:
    path = tmp_path / "hub.db"
    told: list[str] = []
    for _ in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True
        ) as writer:
            assert writer.stdout is not None
            told = [writer.stdout.readline().strip() for _ in range(400)]
            writer.kill()
            told += [line.strip() for line in writer.stdout if line.endswith("\n")]

    async def lost() -> list[str]:
        store = SqliteStore(path, SystemClock())
        await store.open()
        try:
            return await store.read(
                lambda tx: [key for key in told if tx.one("meta.value", key=key) is None]
            )
        finally:
            await store.close()

    assert len(told) >= 400
    assert asyncio.run(lost()) == []


def test_a_store_that_was_never_opened_closes_and_answers_nothing(tmp_path: Path) -> None:
    async def whole() -> None:
        store = SqliteStore(tmp_path / "hub.db", SystemClock())
        with pytest.raises(StoreError, match="is not open"):
            await store.read(lambda tx: tx.all("access.tokens"))
        await store.close()

    asyncio.run(whole())

    assert list(tmp_path.iterdir()) == []
