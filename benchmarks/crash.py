"""From SIGKILL of a child to the first line of its successor."""

import contextlib
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import processes
from benchmarks.bench import Bench, Launched, UpFailedError
from benchmarks.peers.peer import Peer
from benchmarks.reports import Report
from benchmarks.table import draw, number, percentile

SERVICES = 10
SERVICES_KILLED_ONCE = 30
LEAST_LIFE_NS = 1_200_000_000  # runit and s6 wait for a second after a life of less than one
PATIENCE_S = 0.03  # then the next peer is killed; the late report is taken when it comes
LAST_WAIT_S = 40.0
TELL_EVERY_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CrashPlan:
    """How many kills of each peer, and for how long in all."""

    kills: int
    seconds: float


@dataclass(slots=True, kw_only=True)
class Lane:
    """One peer during the rounds: who lives, who was killed, and how long it took."""

    launched: Launched
    child: Path
    kills: int
    alive: dict[str, Report] = field(default_factory=dict)
    killed: tuple[str, int] | None = None
    counts: Counter[str] = field(default_factory=Counter)
    took_ms: list[float] = field(default_factory=list)
    not_before_ns: int = 0

    def victim(self, now_ns: int) -> Report | None:
        """Return the child that has lived longest, if one may be killed now."""
        if (
            self.killed is not None
            or len(self.took_ms) >= self.kills
            or now_ns < self.not_before_ns
        ):
            return None
        most = self.launched.peer.kills_of_one
        able = [
            each for each in self.alive.values() if most is None or self.counts[each.name] < most
        ]
        oldest = min(able, key=lambda each: each.at_ns, default=None)
        return oldest if oldest is not None and now_ns - oldest.at_ns >= LEAST_LIFE_NS else None

    def kill(self, victim: Report) -> None:
        """Kill the child and note the time just before it."""
        if not processes.runs(victim.pid, self.child):
            del self.alive[victim.name]  # gone by itself; its successor reports when there is one
            return
        self.counts[victim.name] += 1
        self.killed = (victim.name, time.monotonic_ns())
        processes.kill(victim.pid)

    def take(self, within: float) -> None:
        """Take the reports that come in time."""
        for report in self.launched.reports.read(within):
            self.alive[report.name] = report
            if self.killed is not None and self.killed[0] == report.name:
                self.took_ms.append((report.at_ns - self.killed[1]) / 1e6)
                # A peer that polls has just polled: the next kill falls anywhere in its period, not at its beginning.
                self.not_before_ns = report.at_ns + int(random.uniform(0, max(self.took_ms)) * 1e6)
                self.killed = None

    @property
    def is_done(self) -> bool:
        """Tell whether nothing more can be measured."""
        most = self.launched.peer.kills_of_one
        used_up = most is not None and len(self.took_ms) >= most * self.launched.count
        return used_up or len(self.took_ms) >= self.kills


def measure(
    bench: Bench, peers: Sequence[Peer], plan: CrashPlan
) -> tuple[list[Lane], dict[str, str]]:
    """Return a measured lane for each peer, and why others have none."""
    failed: dict[str, str] = {}
    with contextlib.ExitStack() as stack:
        lanes = [lane for peer in peers if (lane := _launch(bench, peer, plan, stack, failed))]
        _rounds(bench, lanes, plan)
        bench.tell("crash: ending all")
    for lane in lanes:
        if not lane.took_ms:
            failed[lane.launched.peer.name] = "no child was started again"
    return [lane for lane in lanes if lane.took_ms], failed


def _launch(
    bench: Bench, peer: Peer, plan: CrashPlan, stack: contextlib.ExitStack, failed: dict[str, str]
) -> Lane | None:
    bench.tell(f"crash: launching {peer.name}")
    count = SERVICES if peer.kills_of_one is None else SERVICES_KILLED_ONCE
    try:
        launched = stack.enter_context(bench.launched(peer, count))
    except (UpFailedError, TimeoutError) as error:
        failed[peer.name] = str(error)
        return None
    return Lane(launched=launched, child=bench.child, kills=plan.kills, alive=dict(launched.first))


def _rounds(bench: Bench, lanes: Sequence[Lane], plan: CrashPlan) -> None:
    began = told = now = time.monotonic()
    while now - began < plan.seconds and not all(lane.is_done for lane in lanes):
        if now - told > TELL_EVERY_S:
            bench.tell(
                f"crash: {now - began:.0f} of at most {plan.seconds:.0f} s, {_counts(lanes)}"
            )
            told = now
        _one_round(lanes)
        now = time.monotonic()
    # The slow ones are waited for: to leave them out would make a slow peer look better.
    deadline = now + LAST_WAIT_S
    while time.monotonic() < deadline and (late := [lane for lane in lanes if lane.killed]):
        bench.tell(f"crash: waiting for {', '.join(lane.launched.peer.name for lane in late)}")
        late[0].take(TELL_EVERY_S)


def _one_round(lanes: Sequence[Lane]) -> None:
    for lane in random.sample(lanes, len(lanes)):
        lane.take(0)
        if (victim := lane.victim(time.monotonic_ns())) is not None:
            lane.kill(victim)
            lane.take(PATIENCE_S)
    # A random pause, so that no peer's own period falls into step with the rounds.
    time.sleep(random.uniform(0.0, 0.04))


def _counts(lanes: Sequence[Lane]) -> str:
    fewest = min(lanes, key=lambda lane: len(lane.took_ms))
    most = max(len(lane.took_ms) for lane in lanes)
    return f"{len(fewest.took_ms)} ({fewest.launched.peer.name}) to {most} kills"


def as_json(lane: Lane) -> dict[str, object]:
    """Return the figures of a lane with a unit in each name."""
    return {
        "peer": lane.launched.peer.name,
        "label": lane.launched.peer.label,
        "kills": len(lane.took_ms),
        "p50_ms": percentile(lane.took_ms, 50),
        "p99_ms": percentile(lane.took_ms, 99),
        "max_ms": max(lane.took_ms),
    }


def table(lanes: Sequence[Lane]) -> str:
    """Draw the figures, with the notes of the peers below."""
    cells = [[lane.launched.peer.label, *_figures(lane.took_ms)] for lane in lanes]
    header = ["peer", "p50", "p99", "max", "kills"]
    notes = [
        f"{lane.launched.peer.label}: {lane.launched.peer.note}.\n"
        for lane in lanes
        if lane.launched.peer.note
    ]
    return draw("kill -9 of a child -> new child alive, ms", header, cells) + "".join(
        f"\n{note}" for note in notes
    )


def _figures(took_ms: Sequence[float]) -> list[str]:
    spread = (percentile(took_ms, 50), percentile(took_ms, 99), max(took_ms))
    return [*(number(each) for each in spread), str(len(took_ms))]
