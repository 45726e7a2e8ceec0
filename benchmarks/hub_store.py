"""Durable transactions of the store alone, beside one commit each."""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from benchmarks.table import draw, number, percentile
from holdfast.clock import SystemClock
from holdfast.hub.store import sqlite_file, statements
from holdfast.hub.store.interface import Tx
from holdfast.hub.store.sqlite import SqliteStore

CALLERS = (1, 8, 64)
KEYS = 1000
HEADER = ("way", "callers", "transactions/s", "median ms", "p99 ms")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """What one way reached; ``took`` holds the seconds of each transaction."""

    way: str
    callers: int
    within: float
    took: Sequence[float]

    def cells(self) -> tuple[str, ...]:
        """Return the row of the table."""
        figures = self.as_json()
        return (
            self.way,
            str(self.callers),
            number(figures["per_second"]),
            number(figures["median_ms"]),
            number(figures["p99_ms"]),
        )

    def as_json(self) -> dict[str, float]:
        """Return the figures."""
        return {
            "per_second": len(self.took) / self.within,
            "median_ms": percentile(self.took, 50) * 1000,
            "p99_ms": percentile(self.took, 99) * 1000,
        }


def measure(folder: Path, *, quick: bool, tell: Callable[[str], None]) -> list[Lane]:
    """Measure one commit each, then groups of ever more callers."""
    seconds = 1.0 if quick else 5.0
    tell("one commit each")
    lanes = [_one_commit_each(folder / "plain.db", seconds)]
    for callers in CALLERS:
        tell(f"group commit, {callers} callers")
        lanes.append(asyncio.run(_grouped(folder / f"{callers}.db", callers, seconds)))
    return lanes


def table(lanes: Sequence[Lane]) -> str:
    """Draw the table."""
    return draw("Durable transactions of the hub", HEADER, [lane.cells() for lane in lanes])


def facts(folder: Path) -> dict[str, object]:
    """Return what a reader must know of the disk and the database."""
    return {
        "sqlite": sqlite3.sqlite_version,
        "file system": sqlite_file.file_system_of(folder),
    }


def _one_commit_each(path: Path, seconds: float) -> Lane:
    took: list[float] = []
    with closing(sqlite_file.connect(path, create=True)) as connection:
        sqlite_file.bring_up(connection, path, 0.0)
        statement = statements.text("meta.put")
        end = time.monotonic() + seconds
        while (began := time.monotonic()) < end:
            connection.execute(statement, _row(len(took)))
            took.append(time.monotonic() - began)
    return Lane(way="one commit each", callers=1, within=seconds, took=took)


async def _grouped(path: Path, callers: int, seconds: float) -> Lane:
    store = SqliteStore(path, SystemClock())
    await store.open()
    took: list[float] = []
    end = time.monotonic() + seconds

    async def call() -> None:
        while (began := time.monotonic()) < end:
            await store.write(_saving(len(took)))
            took.append(time.monotonic() - began)

    await asyncio.gather(*(call() for _ in range(callers)))
    await store.close()
    return Lane(way="group commit", callers=callers, within=seconds, took=took)


def _saving(number: int) -> Callable[[Tx], int]:
    return lambda tx: tx.run("meta.put", **_row(number))


def _row(number: int) -> dict[str, str]:
    """Return a row that differs from the one before it: SQLite does not write what is the same."""
    return {"key": str(number % KEYS), "value": f"{number:200}"}
