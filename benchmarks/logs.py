"""What capturing output costs, with every line counted afterwards."""

import contextlib
import functools
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import processes
from benchmarks.bench import Bench, Launched, Script, UpFailedError
from benchmarks.peers.peer import Peer
from benchmarks.processes import LINUX_ONLY
from benchmarks.table import draw, number

LINE_BYTES = 100
WITHIN_S = 300.0
LOOK_EVERY_S = 0.002
_LINE = re.compile(rb"(s\d+) (\d{9}) \.+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What is written: by how many children, how many lines each, how many of them a write, how many a second."""

    title: str
    children: int
    lines: int
    burst: int
    rate: int = 0
    log_bytes: int

    @property
    def written_bytes(self) -> int:
        """Return what all children write together."""
        return self.children * self.lines * LINE_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRow:
    """What became of the lines of one load with one peer."""

    peer: Peer
    load: Load
    seconds: float
    cpu_s: float
    lost: int
    repeated: int
    broken: int

    def as_json(self) -> dict[str, object]:
        """Return the row with a unit in each name."""
        return {
            "peer": self.peer.name,
            "label": self.peer.label,
            "load": self.load.title,
            "seconds": self.seconds,
            "mb_per_s": self.mb_per_s,
            "cpu_s": self.cpu_s,
            "cpu_s_per_gb": self.cpu_s_per_gb,
            "lines_lost": self.lost,
            "lines_repeated": self.repeated,
            "lines_broken": self.broken,
        }

    @property
    def mb_per_s(self) -> float:
        """Return the millions of bytes a second until the last line stood in the log."""
        return self.load.written_bytes / 1e6 / self.seconds

    @property
    def cpu_s_per_gb(self) -> float:
        """Return the processor seconds of the peer for a billion bytes."""
        return self.cpu_s / (self.load.written_bytes / 1e9)


def loads(*, quick: bool) -> list[Load]:
    """Return what is measured."""
    lines, children, seconds = (300_000, 20, 3) if quick else (2_000_000, 50, 10)
    size = 1 << 24
    return [
        Load(title="one write a line", children=1, lines=lines, burst=1, log_bytes=size),
        Load(title="40 lines a write", children=1, lines=lines, burst=40, log_bytes=size),
        Load(
            title=f"{children} children, 1,000 lines/s each, {seconds} s",
            children=children,
            lines=1000 * seconds,
            burst=1,
            rate=1000,
            log_bytes=100_000 * seconds // 4,
        ),
    ]


def measure(
    bench: Bench, peers: Sequence[Peer], planned: Sequence[Load]
) -> tuple[list[LogRow], dict[str, str]]:
    """Return a row for each peer and load, and why some are missing."""
    program = bench.tools.compiled("writer")
    failed: dict[str, str] = {}
    rows = []
    for load in planned:
        for peer in peers:
            bench.tell(f"logs: {peer.name}, {load.title}")
            script = Script(
                program=program,
                words=functools.partial(_words, load=load),
                log_bytes=load.log_bytes,
            )
            try:
                with bench.launched(peer, load.children, script=script) as launched:
                    rows.append(_one(launched, load))
            except (UpFailedError, RuntimeError, TimeoutError) as error:
                failed[f"{peer.name}, {load.title}"] = str(error)
    return rows, failed


def _words(folder: Path, load: Load) -> tuple[str, ...]:
    go = folder / "go"
    if not go.exists():
        _make_fifo(go)
    return (str(go), str(load.lines), str(load.burst), str(load.rate))


def _make_fifo(path: Path) -> None:
    if sys.platform == "win32":
        raise OSError(LINUX_ONLY)
    os.mkfifo(path, 0o600)


def _one(launched: Launched, load: Load) -> LogRow:
    own = launched.launch.pids_of_own_processes()
    before = processes.cpu_seconds(own)
    with _gate_open(launched):
        began = time.monotonic()
        ended = launched.reports.wait_for_ends(load.children, WITHIN_S)
        if len(ended) < load.children:
            raise TimeoutError(f"{len(ended)} of {load.children} had written all they should")
        until = _all_there(launched, load)
    cpu_s = processes.cpu_seconds(own) - before
    lost, repeated, broken = _counted(launched, load)
    return LogRow(
        peer=launched.peer,
        load=load,
        seconds=until - began,
        cpu_s=cpu_s,
        lost=lost,
        repeated=repeated,
        broken=broken,
    )


@contextlib.contextmanager
def _gate_open(launched: Launched) -> Iterator[None]:
    # Whoever waits in open(2) goes on once somebody could write.
    time.sleep(0.5)
    go = os.open(launched.launch.folder / "go", os.O_RDWR)
    try:
        yield
    finally:
        os.close(go)


def _all_there(launched: Launched, load: Load) -> float:
    """Wait until the logs have the size of what was written, or do not grow any more; return when that was."""
    size, at = -1, time.monotonic()
    while time.monotonic() - at < 2.0:
        found = sum(
            _size(log) for n in range(load.children) for log in launched.launch.log_files(f"s{n}")
        )
        if found != size:
            size, at = found, time.monotonic()
        if found >= load.written_bytes:
            break
        time.sleep(LOOK_EVERY_S)
    return at


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # renamed meanwhile
        return 0


def _counted(launched: Launched, load: Load) -> tuple[int, int, int]:
    lost = repeated = broken = 0
    for n in range(load.children):
        seen: Counter[int] = Counter()
        for log in launched.launch.log_files(f"s{n}"):
            for line in log.read_bytes().split(b"\n"):
                found = _LINE.fullmatch(line)
                if found is not None and len(line) == LINE_BYTES - 1:
                    seen[int(found[2])] += 1
                elif line:
                    broken += 1
        lost += load.lines - len(seen)
        repeated += seen.total() - len(seen)
    return lost, repeated, broken


def table(rows: Sequence[LogRow]) -> str:
    """Draw one table for each load; a broken line is one that was cut, or ran into another."""
    header = ["peer", "MB/s", "CPU s", "CPU s/GB", "lost", "repeated", "broken"]
    drawn = []
    for title in dict.fromkeys(row.load.title for row in rows):
        cells = [
            [
                row.peer.label,
                number(row.mb_per_s),
                number(row.cpu_s),
                number(row.cpu_s_per_gb),
                *(f"{count:,}" for count in (row.lost, row.repeated, row.broken)),
            ]
            for row in rows
            if row.load.title == title
        ]
        drawn.append(draw(f"captured log, lines of 100 bytes: {title}", header, cells))
    return "\n".join(drawn)
