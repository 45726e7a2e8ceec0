"""How long one sweep takes: 10,000 checks that are due, well and not, and 100,000 on file of which none is due.

Each figure is one transaction in SQLite on disk as the hub runs it, commit included, seen from the caller.
Run `python benchmarks/hub_sweep.py`; `--json` prints rows for a program.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from holdfast.clock import SystemClock
from holdfast.hub import check
from holdfast.hub.check import Check
from holdfast.hub.store.interface import Tx
from holdfast.hub.store.sqlite import SqliteStore
from holdfast.hub.sweep import sweep
from holdfast.model.alert import AlertPolicy
from holdfast.model.check import CheckKind, CheckSpec, Evidence
from holdfast.model.hub import HubSettings
from holdfast.model.message import Channel
from holdfast.model.service import Now
from holdfast.rules import freshness
from holdfast.rules.ticking import Tick

START = 1_750_000_000.0
HOUR = 3600.0
ROUNDS = 5
DUE, FILED = 10_000, 100_000

SETTINGS = HubSettings(
    machine="bench",
    policy=AlertPolicy(),
    channels=(Channel(name="ops", url="webhook+http://127.0.0.1:1/"),),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """So many checks on file, of which a share is due and a share of those is stale."""

    name: str
    checks: int
    due: int
    stale_percent: float = 0.0
    age: float = HOUR


CASES = (
    Case(name="10,000 due, all well", checks=DUE, due=DUE),
    Case(name="10,000 due, 1 % stale and counting", checks=DUE, due=DUE, stale_percent=1),
    Case(name="10,000 due, 20 % stale and counting", checks=DUE, due=DUE, stale_percent=20),
    Case(name="10,000 due, all stale and counting", checks=DUE, due=DUE, stale_percent=100),
    Case(name="100,000 on file, 100 due", checks=FILED, due=100),
    Case(name="100,000 on file, none due", checks=FILED, due=0),
)


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--json", action="store_true")
    rows = [_row(case) for case in CASES]
    if options.parse_args().json:
        print(json.dumps(rows))
        return 0
    for row in rows:
        print(
            f"{row['case']:40} median {row['median_ms']:8.2f} ms   best {row['best_ms']:8.2f} ms"
        )
    return 0


def _row(case: Case) -> dict[str, object]:
    times = [asyncio.run(_measured(case)) * 1000 for _ in range(ROUNDS)]
    return {
        "case": case.name,
        "median_ms": round(statistics.median(times), 2),
        "best_ms": round(min(times), 2),
    }


async def _measured(case: Case) -> float:
    clock = SystemClock()
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteStore(Path(folder) / "hub.db", clock)
        await store.open()
        await store.write(lambda tx: _fill(tx, case))
        await store.write(_at(START, _swept))
        await store.write(lambda tx: _due_again(tx, case))
        began = clock.monotonic()
        looked = await store.write(_at(START + 150, _swept))
        took = clock.monotonic() - began
        await store.close()
    assert looked == case.due, looked
    return took


def _at(wall: float, act: Callable[[Tx, Now], int]) -> Callable[[Tx], int]:
    return lambda tx: act(tx, Now(wall=wall, mono=wall - START, boot_id="bench"))


def _swept(tx: Tx, now: Now) -> int:
    tick = Tick(wall=now.wall, mono=now.mono, boottime=now.mono, boot_id=now.boot_id, run="1")
    return sweep(tx, SETTINGS, now, tick).looked


def _fill(tx: Tx, case: Case) -> None:
    stale = case.due * case.stale_percent / 100
    rows = []
    for number in range(case.checks):
        is_due = number < case.due
        age = 25 * HOUR if number < stale else HOUR
        rows.append(_check(number, age, START if is_due else START + HOUR))
    tx.many("checks.insert", [check.to_row(each) for each in rows])


def _due_again(tx: Tx, case: Case) -> None:
    """Bring back what the first sweep found, so that the second one is as any other of a hub that runs."""
    tx.many("alerts.put_off", [{"id": id_, "look_at": START} for id_ in range(1, case.due + 1)])


def _check(number: int, age: float, look_at: float) -> Check:
    spec = CheckSpec(
        name=f"job-{number}", kind=CheckKind.JOB, period=24 * HOUR - 600, grace=600.0, timeout=HOUR
    )
    evidence = Evidence(first_seen_at=START - 30 * 24 * HOUR)
    evidence = freshness.succeeded(spec, evidence, START - age, START)
    return Check(id=0, uuid=f"{number:032x}", spec=spec, evidence=evidence, look_at=look_at)


if __name__ == "__main__":
    sys.exit(main())
