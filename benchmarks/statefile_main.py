"""The command line of the benchmark of state files."""

import argparse
import json
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.command import (
    Progress,
    add_shared_options,
    chosen,
    leave_on_terminate,
    load,
    machine_facts,
    print_report,
)
from benchmarks.statefile_hosts import Hosts, Installed
from benchmarks.statefile_peers import NAMES, PEERS, Table
from benchmarks.statefile_rounds import Rounds, Size, as_json, draw_table
from benchmarks.toolbox import Toolbox

LINUX_ONLY = "this benchmark compares with the system calls of Linux: it runs on Linux only"
MOUNTS = Path("/proc/self/mounts")
ALL_TABLES = frozenset(table.name.lower() for table in Table)
SMALL = Size(amount=200, label="200 B", turns=10)
MEDIUM = Size(amount=10_000, label="10 kB", turns=10)
LARGE = Size(amount=1_000_000, label="1 MB", turns=4)
ENTRIES = Size(amount=1000, label="1,000 entries", turns=3)
SIZES = {
    Table.FULL: (SMALL, MEDIUM, LARGE),
    Table.FILE: (SMALL, MEDIUM, LARGE),
    Table.ATOMIC: (SMALL, MEDIUM, LARGE),
    Table.UPDATE: (SMALL, MEDIUM),
    Table.INSPECT: (ENTRIES,),
}
QUICK_ROUNDS = 15
FULL_ROUNDS = 80


def main(words: Sequence[str]) -> int:
    """Measure what is asked for and print the tables; return the exit code."""
    asked = _parser().parse_args(words)
    if sys.platform != "linux":
        sys.stderr.write(f"{LINUX_ONLY}\n")
        return 2
    leave_on_terminate()
    try:
        folder = Path(tempfile.mkdtemp(prefix="hfb-", dir=asked.on))
    except OSError as error:
        sys.stderr.write(f"No folder can be made in {asked.on}: {error.strerror}\n")
        return 2
    try:
        return _measure(asked, folder)
    except KeyboardInterrupt:
        return 130
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="statefile.py", description="Measure state files of Holdfast beside other ways."
    )
    parser.add_argument(
        "--quick", action="store_true", help=f"{QUICK_ROUNDS} rounds instead of {FULL_ROUNDS}"
    )
    parser.add_argument("--only", type=_names, default=NAMES, help="of: " + ",".join(NAMES))
    parser.add_argument(
        "--tables", type=_tables, default=ALL_TABLES, help="of: " + ",".join(sorted(ALL_TABLES))
    )
    parser.add_argument(
        "--on",
        type=Path,
        metavar="FOLDER",
        default=tempfile.gettempdir(),
        help="where to write: its disk is measured (%(default)s)",
    )
    add_shared_options(parser)
    return parser


def _names(text: str) -> frozenset[str]:
    return chosen(text, frozenset(NAMES))


def _tables(text: str) -> frozenset[str]:
    return chosen(text, ALL_TABLES)


def _measure(asked: argparse.Namespace, folder: Path) -> int:
    machine = machine_facts() | {
        "sqlite": sqlite3.sqlite_version,
        "file system": _file_system(folder),
    }
    progress = Progress()
    (folder / "bin").mkdir()
    tools = Toolbox(cache=asked.cache, built=folder / "bin")
    installed = Installed(tools)
    for peer in PEERS:
        if peer.name in asked.only and peer.table.name.lower() in asked.tables:
            if peer.packages:
                progress.tell(f"looking for {', '.join(peer.packages)}")
            installed.add(peer)
    figures: dict[str, object] = {"machine": machine, "versions": tools.versions}
    drawn: list[str] = []
    with Hosts(installed, folder) as hosts:
        rounds = Rounds(hosts, QUICK_ROUNDS if asked.quick else FULL_ROUNDS, progress.tell)
        for table, sizes in SIZES.items():
            peers = [peer for peer in installed.peers if peer.table is table]
            name = table.name.lower()
            if peers and (lanes := rounds.measure(peers, sizes)):
                drawn.append(draw_table(lanes, sizes))
                figures[name] = as_json(lanes, sizes)
    progress.tell("done\n")
    machine["load after"] = load()
    missing = figures["missing"] = installed.missing | rounds.failed
    print_report(drawn, figures, missing)
    if asked.json:
        asked.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 0


def _file_system(folder: Path) -> str:
    """Return the type of the file system a folder stands in: on tmpfs, syncs cost nothing."""
    found = {}
    for line in MOUNTS.read_text().splitlines():
        _, place, kind, *_ = line.split(" ")
        if folder.is_relative_to(place):
            found[place] = kind
    return found[max(found, key=len)]
