"""How long one sweep takes: 10,000 checks that are due, well and not, and 100,000 on file of which none is due."""

import asyncio
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.table import draw, number, percentile
from holdfast.clock import SystemClock
from holdfast.hub import check
from holdfast.hub.check import Check
from holdfast.hub.store.interface import Tx
from holdfast.hub.store.sqlite import SqliteStore
from holdfast.hub.sweep import sweep
from holdfast.model.alert import AlertPolicy, Situation
from holdfast.model.check import CheckKind, CheckSpec, Evidence
from holdfast.model.hub import HubSettings
from holdfast.model.message import Channel
from holdfast.model.service import Now
from holdfast.rules import alerting, freshness
from holdfast.rules.ticking import Tick

START = 1_750_000_000.0
HOUR = 3600.0
DUE, FILED = 10_000, 100_000
BY_RULES = "10,000 evaluated, in memory: no database"
HEADER = ("checks", "median ms", "best ms")

SETTINGS = HubSettings(
    machine="bench",
    policy=AlertPolicy(),
    channels=(Channel(name="ops", url="webhook+http://127.0.0.1:1/"),),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """So many checks on file, of which a share is due and a share of those is stale.

    `warm` sweeps, `every` seconds apart on the hub's clock, go before those that are measured.
    """

    name: str
    checks: int
    due: int
    stale_percent: float = 0.0
    every: float = 1.0
    warm: int = 1


CASES = (
    Case(name="10,000 due, all well", checks=DUE, due=DUE),
    Case(name="10,000 due, 1 % stale and counting", checks=DUE, due=DUE, stale_percent=1),
    Case(name="10,000 due, 20 % stale and counting", checks=DUE, due=DUE, stale_percent=20),
    Case(name="10,000 due, all stale and counting", checks=DUE, due=DUE, stale_percent=100),
    Case(
        name="10,000 due, all stale, told and in cooldown",
        checks=DUE,
        due=DUE,
        stale_percent=100,
        every=150.0,
        warm=8,
    ),
    Case(name="100,000 on file, 100 due", checks=FILED, due=100),
    Case(name="100,000 on file, none due", checks=FILED, due=0),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """What the sweeps of one case took, in seconds."""

    case: Case
    took: Sequence[float]

    def cells(self) -> tuple[str, ...]:
        """Return the row of the table."""
        return (
            self.case.name,
            number(percentile(self.took, 50) * 1000),
            number(min(self.took) * 1000),
        )

    def as_json(self) -> dict[str, object]:
        """Return the figures."""
        return {
            "case": self.case.name,
            "median_ms": percentile(self.took, 50) * 1000,
            "best_ms": min(self.took) * 1000,
        }


def measure(folder: Path, *, quick: bool, tell: Callable[[str], None]) -> list[Lane]:
    """Sweep each case several times over one database."""
    rounds = 3 if quick else 15
    tell("sweep: the rules alone")
    lanes = [Lane(case=Case(name=BY_RULES, checks=DUE, due=DUE), took=_evaluated(rounds))]
    for case in CASES:
        tell(f"sweep: {case.name}")
        with tempfile.TemporaryDirectory(dir=folder) as own:
            took = asyncio.run(_measured(Path(own), case, rounds))
        lanes.append(Lane(case=case, took=took))
    return lanes


def table(lanes: Sequence[Lane]) -> str:
    """Draw the table."""
    return draw("One sweep", HEADER, [lane.cells() for lane in lanes])


def _evaluated(rounds: int) -> list[float]:
    """Time what the rules take alone: a look at each check, and what follows from it."""
    clock, took = SystemClock(), []
    now = Now(wall=START, mono=0.0, boot_id="bench")
    checks = [_check(place, HOUR, START) for place in range(DUE)]
    for _ in range(rounds):
        began = clock.monotonic()
        for each in checks:
            look = freshness.look(each.spec, SETTINGS.policy, each.evidence, now.wall)
            alerting.step(SETTINGS.policy, each.spec, each.alert, Situation(look=look), now)
        took.append(clock.monotonic() - began)
    return took


async def _measured(folder: Path, case: Case, rounds: int) -> list[float]:
    clock, took = SystemClock(), []
    store = SqliteStore(folder / "hub.db", clock)
    await store.open()
    await store.write(lambda tx: _fill(tx, case))
    for turn in range(case.warm + rounds):
        await store.write(lambda tx: _due_again(tx, case))
        began = clock.monotonic()
        looked = await store.write(_at(START + turn * case.every, _swept))
        took.append(clock.monotonic() - began)
        assert looked == case.due, looked
    await store.close()
    return took[case.warm :]


def _at(wall: float, act: Callable[[Tx, Now], int]) -> Callable[[Tx], int]:
    return lambda tx: act(tx, Now(wall=wall, mono=wall - START, boot_id="bench"))


def _swept(tx: Tx, now: Now) -> int:
    tick = Tick(wall=now.wall, mono=now.mono, boottime=now.mono, boot_id=now.boot_id, run="1")
    return sweep(tx, SETTINGS, now, tick).looked


def _fill(tx: Tx, case: Case) -> None:
    stale = case.due * case.stale_percent / 100
    rows = []
    for place in range(case.checks):
        is_due = place < case.due
        age = 25 * HOUR if place < stale else HOUR
        rows.append(_check(place, age, START if is_due else START + HOUR))
    tx.many("checks.insert", [check.to_row(each) for each in rows])


def _due_again(tx: Tx, case: Case) -> None:
    """Bring back what the first sweep found, so that the second one is as any other of a hub that runs."""
    tx.many("alerts.put_off", [{"id": id_, "look_at": START} for id_ in range(1, case.due + 1)])


def _check(place: int, age: float, look_at: float) -> Check:
    spec = CheckSpec(
        name=f"job-{place}", kind=CheckKind.JOB, period=24 * HOUR - 600, grace=600.0, timeout=HOUR
    )
    evidence = Evidence(first_seen_at=START - 30 * 24 * HOUR)
    evidence = freshness.succeeded(spec, evidence, START - age, START)
    return Check(id=0, uuid=f"{place:032x}", spec=spec, evidence=evidence, look_at=look_at)
