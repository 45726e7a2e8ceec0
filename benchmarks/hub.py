"""Measure the store of the hub: durable transactions beside one commit each, the way without a group.

``python benchmarks/hub.py [--quick] [--on FOLDER] [--json FILE]``

Everything in the table comes from one run on one disk, so the ratios count and not the absolute figures. A transaction
saves a row of 200 bytes and is answered once that is on disk (WAL, ``synchronous=FULL``). So many callers ask side by side,
each the next one as soon as the last was answered; times are read by the caller (CLOCK_MONOTONIC). "one commit each" is the
same statement over the same settings in a plain loop of ``sqlite3``: what a store without group commit could reach at most.
"""

import argparse
import asyncio
import json
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.command import (
    Progress,
    add_shared_options,
    leave_on_terminate,
    load,
    machine_facts,
    print_report,
)
from benchmarks.table import draw, number, percentile
from holdfast.clock import SystemClock
from holdfast.hub.store import sqlite_file, statements
from holdfast.hub.store.interface import Tx
from holdfast.hub.store.sqlite import SqliteStore

LINUX_ONLY = "this benchmark reads facts of Linux: it runs on Linux only"
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


def main(words: Sequence[str]) -> int:
    """Measure and print the table; return the exit code."""
    asked = _parser().parse_args(words)
    if sys.platform != "linux":
        sys.stderr.write(f"{LINUX_ONLY}\n")
        return 2
    leave_on_terminate()
    folder = Path(tempfile.mkdtemp(prefix="hfb-", dir=asked.on))
    try:
        return _measure(asked, folder)
    except KeyboardInterrupt:
        return 130
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="hub.py", description="Measure the store of the hub.")
    parser.add_argument("--quick", action="store_true", help="1 second a row instead of 5")
    parser.add_argument(
        "--on",
        type=Path,
        metavar="FOLDER",
        default=tempfile.gettempdir(),
        help="where to write: its disk is measured (%(default)s)",
    )
    add_shared_options(parser)
    return parser


def _measure(asked: argparse.Namespace, folder: Path) -> int:
    seconds = 1.0 if asked.quick else 5.0
    machine = machine_facts() | {
        "sqlite": sqlite3.sqlite_version,
        "file system": sqlite_file.file_system_of(folder),
    }
    progress = Progress()
    progress.tell("one commit each")
    lanes = [_one_commit_each(folder / "plain.db", seconds)]
    for callers in CALLERS:
        progress.tell(f"group commit, {callers} callers")
        lanes.append(asyncio.run(_grouped(folder / f"{callers}.db", callers, seconds)))
    progress.tell("done\n")
    machine["load after"] = load()
    figures: dict[str, object] = {"machine": machine, "versions": {}}
    figures["transactions"] = {f"{lane.way}, {lane.callers}": lane.as_json() for lane in lanes}
    table = draw("Durable transactions of the hub", HEADER, [lane.cells() for lane in lanes])
    print_report([table], figures, {})
    if asked.json:
        asked.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 0


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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
