"""The command line of the benchmark of the hub."""

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks import hub_pings, hub_process, hub_store, hub_sweep, hub_telling
from benchmarks.command import (
    Progress,
    add_shared_options,
    chosen,
    leave_on_terminate,
    load,
    machine_facts,
    print_report,
)
from benchmarks.processes import LINUX_ONLY

ROWS = frozenset({"store", "pings", "sweep", "telling", "process"})

MISSING = {
    "Healthchecks": "its server is no package of PyPI, npm or Debian; measured before, on 2 cores: 159-208 pings/s on "
    "SQLite, 93-417 on PostgreSQL; 1,000 checks expiring at once 2.8-4.9 s until all are down, 12-14 s until processed"
}


def main(words: Sequence[str]) -> int:
    """Measure what is asked for and print the tables; return the exit code."""
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
    parser = argparse.ArgumentParser(prog="hub.py", description="Measure the hub.")
    parser.add_argument("--quick", action="store_true", help="shorter and fewer rounds")
    parser.add_argument("--rows", type=_rows, default=ROWS, help="of: " + ",".join(sorted(ROWS)))
    parser.add_argument(
        "--on",
        type=Path,
        metavar="FOLDER",
        default=tempfile.gettempdir(),
        help="where to write: its disk is measured (%(default)s)",
    )
    add_shared_options(parser)
    return parser


def _rows(text: str) -> frozenset[str]:
    return chosen(text, ROWS)


def _measure(asked: argparse.Namespace, folder: Path) -> int:
    machine = machine_facts() | hub_store.facts(folder)
    tell, quick = Progress().tell, asked.quick
    figures: dict[str, object] = {"machine": machine, "versions": {}}
    drawn: list[str] = []
    if "store" in asked.rows:
        lanes = hub_store.measure(folder, quick=quick, tell=tell)
        drawn.append(hub_store.table(lanes))
        figures["store"] = {f"{lane.way}, {lane.callers}": lane.as_json() for lane in lanes}
    if "pings" in asked.rows:
        pinged = hub_pings.measure(folder, quick=quick, tell=tell)
        drawn.append(hub_pings.table(pinged))
        figures["pings"] = [each.as_json() for each in pinged]
    if "sweep" in asked.rows:
        swept = hub_sweep.measure(folder, quick=quick, tell=tell)
        drawn.append(hub_sweep.table(swept))
        figures["sweep"] = [each.as_json() for each in swept]
    if "telling" in asked.rows:
        told = hub_telling.measure(folder, quick=quick, tell=tell)
        drawn.append(hub_telling.table(told))
        figures["telling"] = [each.as_json() for each in told]
    if "process" in asked.rows:
        run = hub_process.measure(folder, quick=quick, tell=tell)
        drawn.append(hub_process.table(run))
        figures["process"] = [each.as_json() for each in run]
    tell("done\n")
    machine["load after"] = load()
    missing = MISSING if asked.rows & {"pings", "telling"} else {}
    print_report(drawn, figures, missing)
    if asked.json:
        asked.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 0
