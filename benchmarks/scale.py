"""What many children cost: until they are up, in memory, while idle, and to ask about."""

import itertools
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks import processes
from benchmarks.bench import Bench, Launched, UpFailedError
from benchmarks.peers.peer import Peer
from benchmarks.table import draw, number

IDLE_SHOWN_S = 20.0
MANY = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalePlan:
    """How many children, how often, and for how long."""

    sizes: tuple[int, ...]
    starts: int
    settle_s: float
    idle_s: float
    asks: int
    rows: frozenset[str]


@dataclass(slots=True, kw_only=True)
class ScaleRow:
    """The figures of one peer; what was not measured is missing."""

    peer: Peer
    start_s: dict[int, list[float]]
    pss_mib: dict[int, float]
    idle_cpu_s: float | None = None
    status_ms: float | None = None
    status_json_ms: float | None = None

    def median_start_s(self, size: int) -> float | None:
        """Return the median of the starts with so many children."""
        return statistics.median(self.start_s[size]) if size in self.start_s else None

    def as_json(self) -> dict[str, object]:
        """Return the row with a unit in each name."""
        return {
            "peer": self.peer.name,
            "label": self.peer.label,
            "start_s": {size: self.median_start_s(size) for size in self.start_s},
            "pss_mib": self.pss_mib,
            "idle_cpu_s_per_20_s": self.idle_cpu_s,
            "status_ms": self.status_ms,
            "status_json_ms": self.status_json_ms,
        }


def measure(
    bench: Bench, peers: Sequence[Peer], plan: ScalePlan
) -> tuple[list[ScaleRow], dict[str, str]]:
    """Return the figures of each peer and why some are missing."""
    rows = [ScaleRow(peer=peer, start_s={}, pss_mib={}) for peer in peers]
    failed: dict[str, str] = {}
    for size in _sizes(plan):
        times = plan.starts if size == MANY and "start" in plan.rows else 1
        for turn, row in itertools.product(range(times), rows):
            bench.tell(f"{size} children: {row.peer.name}, start {turn + 1} of {times}")
            try:
                with bench.launched(row.peer, size) as launched:
                    row.start_s.setdefault(size, []).append(launched.seconds_until_up)
                    if turn == 0:
                        _look(launched, row, plan)
            except (UpFailedError, RuntimeError, TimeoutError) as error:
                failed[f"{row.peer.name}, {size} children"] = str(error)
    return rows, failed


def _sizes(plan: ScalePlan) -> list[int]:
    if plan.rows == {"status"}:
        return [MANY]
    return [size for size in plan.sizes if size > 1 or "memory" in plan.rows]


def _look(launched: Launched, row: ScaleRow, plan: ScalePlan) -> None:
    if plan.rows == {"start"}:
        return
    time.sleep(plan.settle_s)
    if "memory" in plan.rows:
        own = launched.launch.pids_of_own_processes()
        row.pss_mib[launched.count] = processes.pss_mib(own)
        if launched.count == MANY:
            row.idle_cpu_s = _idle_cpu(own, plan.idle_s)
    if "status" in plan.rows and launched.count == MANY:
        row.status_ms = _ask(launched, launched.launch.status_command(), plan.asks)
        row.status_json_ms = _ask(launched, launched.launch.status_json_command(), plan.asks)


def _idle_cpu(own: set[int], seconds: float) -> float:
    before = processes.cpu_seconds(own)
    time.sleep(seconds)
    return (processes.cpu_seconds(own) - before) * IDLE_SHOWN_S / seconds


def _ask(launched: Launched, command: Sequence[str] | None, asks: int) -> float | None:
    if command is None:
        return None
    return statistics.median(launched.launch.ask(command) for _ in range(asks))


def tables(rows: Sequence[ScaleRow], plan: ScalePlan) -> list[str]:
    """Draw one table for each set of figures asked for."""
    drawn = []
    many = [size for size in plan.sizes if size > 1]
    if "start" in plan.rows:
        header = ["peer", *(f"{size:,}" for size in many)]
        cells = [
            [row.peer.label, *(number(row.median_start_s(size)) for size in many)] for row in rows
        ]
        drawn.append(draw("launch -> all children up, s", header, cells))
    if "memory" in plan.rows:
        header = ["peer", *(f"{size:,}" for size in plan.sizes), "idle CPU s per 20 s at 100"]
        cells = [
            [
                row.peer.label,
                *(number(row.pss_mib.get(size)) for size in plan.sizes),
                number(row.idle_cpu_s),
            ]
            for row in rows
        ]
        drawn.append(draw("PSS of own processes, MiB, by number of children", header, cells))
    asked = [row for row in rows if row.status_ms is not None]
    if "status" in plan.rows and asked:
        header = ["peer", "for people", "JSON"]
        cells = [
            [row.peer.label, number(row.status_ms), number(row.status_json_ms)] for row in asked
        ]
        drawn.append(draw("status command with 100 services, ms p50", header, cells))
    return drawn
