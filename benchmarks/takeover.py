"""From SIGKILL of a supervisor until a service that dies right after it runs again, and what runs twice by then."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks import processes
from benchmarks.bench import Bench, Launched, UpFailedError
from benchmarks.peers.peer import Peer
from benchmarks.reports import Report
from benchmarks.table import EMPTY, draw, number, percentile

LEAST_LIFE_S = 1.3  # runit and s6 wait for a second after a life of less than one
WITHIN_S = 30.0
DOUBLED_WITHIN_S = 6.0  # runsvdir looks for a dead runsv every five seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeoverPlan:
    """How many services, and how often with each number."""

    rounds: dict[int, int]


@dataclass(slots=True, kw_only=True)
class TakeoverRow:
    """What came of one peer with one number of services."""

    peer: Peer
    services: int
    took_ms: list[float] = field(default_factory=list)
    unwatched: int = 0  # services whose supervisor was killed while they lived, over all rounds
    doubled: int = 0
    replaced: int = 0
    failed: int = 0  # rounds in which the killed service did not come back

    def as_json(self) -> dict[str, object]:
        """Return the row with a unit in each name."""
        return {
            "peer": self.peer.name,
            "label": self.peer.label,
            "services": self.services,
            "kills": len(self.took_ms) + self.failed,
            "p50_ms": percentile(self.took_ms, 50) if self.took_ms else None,
            "p99_ms": percentile(self.took_ms, 99) if self.took_ms else None,
            "not_restarted": self.failed,
            "unwatched": self.unwatched,
            "run_twice": self.doubled,
            "replaced": self.replaced,
        }


def measure(
    bench: Bench, peers: Sequence[Peer], plan: TakeoverPlan
) -> tuple[list[TakeoverRow], dict[str, str]]:
    """Return a row for each peer and number of services, and why some are missing."""
    failed: dict[str, str] = {}
    rows = []
    for services, rounds in plan.rounds.items():
        for peer in peers:
            row = TakeoverRow(peer=peer, services=services)
            try:
                _rounds(bench, row, rounds)
            except (UpFailedError, RuntimeError, TimeoutError) as error:
                failed[f"{peer.name}, supervisor of {services} killed"] = str(error)
            if row.took_ms or row.failed:
                rows.append(row)
    return rows, failed


def _rounds(bench: Bench, row: TakeoverRow, rounds: int) -> None:
    done = 0
    while done < rounds:
        with bench.launched(row.peer, row.services, within=120.0) as launched:
            alive = dict(launched.first)
            is_clean = True
            while done < rounds and is_clean:
                done += 1
                bench.tell(
                    f"takeover: {row.peer.name}, {row.services} services, {done} of {rounds}"
                )
                is_clean = _one_round(launched, alive, row)


def _one_round(launched: Launched, alive: dict[str, Report], row: TakeoverRow) -> bool:
    """Kill once and take down what follows; tell whether another round may follow in this launch."""
    launch = launched.launch
    time.sleep(LEAST_LIFE_S)
    launched.reports.read()
    # The eldest dies: it was not killed in an earlier round as long as there are others.
    victim, beside, *_ = sorted(alive.values(), key=lambda each: each.at_ns)
    supervisors = launch.supervisors_of([victim.pid, beside.pid])
    if not supervisors:
        raise RuntimeError("no supervisor was found")
    unwatched = _unwatched(launched, alive, supervisors) - {victim.name}
    began_ns = time.monotonic_ns()
    for pid in sorted(supervisors):
        processes.kill(pid)
    processes.kill(victim.pid)
    if row.peer.relaunched:
        launch.up_again()
    successor = _successor(launched, victim, began_ns)
    if successor is None:
        row.failed += 1
        return False
    row.took_ms.append((successor.at_ns - began_ns) / 1e6)
    alive[victim.name] = successor
    copies = _copies_after(launched)
    doubled = [name for name in unwatched if copies[name] > 1]
    replaced = [name for name in unwatched if not launched.launch.is_child(alive[name].pid)]
    row.unwatched += len(unwatched)
    row.doubled += len(doubled)
    row.replaced += len(replaced)
    return not doubled and not replaced


def _unwatched(launched: Launched, alive: dict[str, Report], killed: set[int]) -> set[str]:
    if launched.launch.supervises_all:
        return set(alive)
    return {name for name, each in alive.items() if processes.parent_of(each.pid) in killed}


def _successor(launched: Launched, victim: Report, began_ns: int) -> Report | None:
    deadline = time.monotonic() + WITHIN_S
    while (left := deadline - time.monotonic()) > 0:
        for report in launched.reports.read(left):
            if report.name == victim.name and report.at_ns > began_ns:
                return report
    return None


def _copies_after(launched: Launched) -> Counter[str]:
    """Count once a second copy of everything would have come."""
    deadline = time.monotonic() + DOUBLED_WITHIN_S
    while (left := deadline - time.monotonic()) > 0:
        launched.reports.read(left)
    return launched.launch.copies()


def table(rows: Sequence[TakeoverRow]) -> str:
    """Draw the figures; a service is replaced when its first process was ended for a new one."""
    header = ["peer", "services", "p50", "max", "kills", "not restarted", "run twice", "replaced"]
    cells = [
        [
            row.peer.label,
            f"{row.services:,}",
            number(percentile(row.took_ms, 50)) if row.took_ms else EMPTY,
            number(max(row.took_ms)) if row.took_ms else EMPTY,
            str(len(row.took_ms) + row.failed),
            str(row.failed),
            f"{row.doubled} of {row.unwatched}",
            f"{row.replaced} of {row.unwatched}",
        ]
        for row in rows
    ]
    again = sorted({row.peer.label for row in rows if row.peer.relaunched})
    note = f"\nStarted again by hand, at once: {', '.join(again)}.\n" if again else ""
    return (
        draw("kill -9 of the supervisor, then of a child -> it runs again, ms", header, cells)
        + note
    )
