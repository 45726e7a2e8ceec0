"""Durable pings over HTTP."""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.hub_process import daily, running, settings
from benchmarks.table import draw, number, percentile

CLIENT = Path(__file__).with_name("hub_client.py")
CONNECTIONS = (1, 8, 64)
CHECKS = 100
HEADER = ("asked", "connections", "answers/s", "median ms", "p99 ms")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """What one way of asking reached; ``took`` holds the seconds of each answer."""

    what: str
    connections: int
    within: float
    took: Sequence[float]

    def cells(self) -> tuple[str, ...]:
        """Return the row of the table."""
        return (
            self.what,
            str(self.connections),
            number(len(self.took) / self.within),
            number(percentile(self.took, 50) * 1000),
            number(percentile(self.took, 99) * 1000),
        )

    def as_json(self) -> dict[str, object]:
        """Return the figures."""
        return {
            "what": self.what,
            "connections": self.connections,
            "per_second": len(self.took) / self.within,
            "median_ms": percentile(self.took, 50) * 1000,
            "p99_ms": percentile(self.took, 99) * 1000,
        }


def measure(folder: Path, *, quick: bool, tell: Callable[[str], None]) -> list[Lane]:
    """Ask a hub for what touches no disk, then ping it over ever more connections."""
    seconds = 2.0 if quick else 10.0
    lanes = []
    with running(folder / "pings", settings(checks=daily(CHECKS))) as hub:
        key = hub.ping_key
        pings = [f"/ping/{key}/check-{number}" for number in range(CHECKS)]
        ways = [("healthz, no disk", 8, ["/healthz"])]
        ways += [("ping, on disk", connections, pings) for connections in CONNECTIONS]
        for what, connections, addresses in ways:
            tell(f"{what}, {connections} connections")
            took = _asked(hub.port, connections, seconds, addresses)
            lanes.append(Lane(what=what, connections=connections, within=seconds, took=took))
    return lanes


def _asked(
    port: int, connections: int, seconds: float, addresses: Sequence[str]
) -> Sequence[float]:
    words = [sys.executable, str(CLIENT), str(port), str(connections), str(seconds), *addresses]
    done = subprocess.run(words, stdout=subprocess.PIPE, check=True, timeout=seconds + 60)
    took: list[float] = json.loads(done.stdout)
    return took


def table(lanes: Sequence[Lane]) -> str:
    """Draw the table."""
    return draw("Pings over HTTP, SQLite", HEADER, [lane.cells() for lane in lanes])
