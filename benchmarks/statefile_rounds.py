"""Let the peers of a table take turns, and reckon what came out."""

import random
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from benchmarks.statefile_hosts import Hosts, OrderFailedError
from benchmarks.statefile_peers import Host, Peer, Table
from benchmarks.table import draw, number, percentile


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much there is to do at once: bytes, or entries of a folder."""

    amount: int
    label: str
    turns: int  # of each peer in a round


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """In which unit the figures of a table are told."""

    name: str
    ns: float


US = Unit(name="us", ns=1e3)
MS = Unit(name="ms", ns=1e6)
UNITS = {table: MS if table is Table.INSPECT else US for table in Table}


@dataclass(slots=True, kw_only=True)
class Lane:
    """One line of one table: how long each turn of each round took, in ns, by size."""

    peer: Peer
    took_ns: dict[int, list[list[int]]] = field(default_factory=dict)

    def percentile(self, amount: int, percent: float) -> float:
        """Return a percentile over all turns, in ns."""
        return percentile([took for one in self.took_ns[amount] for took in one], percent)

    def times(self, other: "Lane", amount: int) -> float:
        """Return how many times the other's time this one takes: the median over the rounds."""
        rounds = zip(self.took_ns[amount], other.took_ns[amount], strict=True)
        return statistics.median(
            statistics.median(mine) / statistics.median(theirs) for mine, theirs in rounds
        )


class Rounds:
    """Measures the peers of one table after another."""

    def __init__(self, hosts: Hosts, rounds: int, tell: Callable[[str], None]) -> None:
        self.failed: dict[str, str] = {}
        self._hosts = hosts
        self._rounds = rounds
        self._tell = tell

    def measure(self, peers: Sequence[Peer], sizes: Sequence[Size]) -> list[Lane]:
        """Return a lane for each peer that can do all sizes; `failed` says why others cannot."""
        lanes = [Lane(peer=peer) for peer in peers]
        for size in sizes:
            # The first turns make files, import packages and fill caches: they are not counted.
            lanes = [lane for lane in lanes if self._turns(lane, size) is not None]
            self._tell(f"{peers[0].table.name.lower()}: {size.label}")
            for _ in range(self._rounds):
                lanes = self._round(lanes, size)
        return lanes

    def _round(self, lanes: Sequence[Lane], size: Size) -> list[Lane]:
        """Let each take its turns, in a new order; return those that could."""
        able = set()
        for at in random.sample(range(len(lanes)), len(lanes)):
            took = self._turns(lanes[at], size)
            if took is not None:
                lanes[at].took_ns.setdefault(size.amount, []).append(took)
                able.add(at)
        return [lane for at, lane in enumerate(lanes) if at in able]

    def _turns(self, lane: Lane, size: Size) -> list[int] | None:
        try:
            return self._hosts.order(lane.peer, size.amount, size.turns)
        except OrderFailedError as error:
            self.failed[f"{lane.peer.label}, {size.label}"] = str(error)
            return None


def as_json(lanes: Sequence[Lane], sizes: Sequence[Size]) -> list[dict[str, object]]:
    """Return the figures of one table with a unit in each name."""
    limit = _limit(lanes)
    return [
        {
            "name": lane.peer.name,
            "label": lane.peer.label,
            "table": lane.peer.table.name.lower(),
            "size": size.label,
            "turns": sum(map(len, lane.took_ns[size.amount])),
            "p50_us": lane.percentile(size.amount, 50) / US.ns,
            "p90_us": lane.percentile(size.amount, 90) / US.ns,
            "p99_us": lane.percentile(size.amount, 99) / US.ns,
            "times_c": lane.times(limit, size.amount) if limit else None,
        }
        for lane in lanes
        for size in sizes
    ]


def _limit(lanes: Sequence[Lane]) -> Lane | None:
    return next((lane for lane in lanes if lane.peer.host is Host.C), None)


def draw_table(lanes: Sequence[Lane], sizes: Sequence[Size]) -> str:
    """Draw the figures of one table, with the notes of the peers below."""
    table = lanes[0].peer.table
    unit = UNITS[table]
    limit = _limit(lanes)
    beside = "x C" if limit else "p90"
    header = [
        "",
        *(cell for size in sizes for cell in (f"{size.label}, {unit.name}", beside)),
    ]
    rows = [
        [lane.peer.label, *(cell for size in sizes for cell in _cells(lane, limit, size))]
        for lane in lanes
    ]
    notes = [f"\n{lane.peer.label}: {lane.peer.note}.\n" for lane in lanes if lane.peer.note]
    return draw(table.value, header, rows) + "".join(notes)


def _cells(lane: Lane, limit: Lane | None, size: Size) -> tuple[str, str]:
    unit = UNITS[lane.peer.table]
    median = number(lane.percentile(size.amount, 50) / unit.ns)
    if limit is None:
        return median, number(lane.percentile(size.amount, 90) / unit.ns)
    return median, number(lane.times(limit, size.amount))
