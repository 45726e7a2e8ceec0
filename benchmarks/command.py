"""What the command lines of the benchmarks share: options, facts about the machine, the printed report."""

import argparse
import os
import platform
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

from benchmarks.processes import LINUX_ONLY


class Progress:
    """A line on stderr that tells how far a benchmark is, and since when it runs."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def tell(self, what: str) -> None:
        """Say what is being done; on a terminal the line is written over."""
        line = f"[{time.monotonic() - self._began:5.0f} s] {what}"
        if sys.stderr.isatty():
            sys.stderr.write(f"\r\x1b[K{line}")
        else:
            sys.stderr.write(f"{line}\n")
        sys.stderr.flush()


def add_shared_options(parser: argparse.ArgumentParser) -> None:
    """Add what every benchmark takes."""
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "holdfast-benchmarks"
    parser.add_argument(
        "--cache", type=Path, default=cache, help="where peers are installed (%(default)s)"
    )


def chosen(text: str, known: frozenset[str]) -> frozenset[str]:
    """Return the words between the commas; raise ArgumentTypeError for one that is not known."""
    words = frozenset(text.split(","))
    if unknown := sorted(words - known):
        raise argparse.ArgumentTypeError(
            f"unknown: {', '.join(unknown)}; known: {', '.join(sorted(known))}"
        )
    return words


def leave_on_terminate() -> None:
    """Have SIGTERM clean up as Ctrl-C does."""
    signal.signal(signal.SIGTERM, _leave)


def _leave(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def machine_facts() -> dict[str, object]:
    """Return what a reader must know to compare figures."""
    if sys.platform != "linux":
        raise OSError(LINUX_ONLY)
    return {
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "load before": load(),
    }


def load() -> float:
    """Return the load average of the last minute."""
    if sys.platform == "win32":
        raise OSError(LINUX_ONLY)
    return round(os.getloadavg()[0], 1)


def print_report(
    drawn: Sequence[str], figures: Mapping[str, object], missing: Mapping[str, str]
) -> None:
    """Print the tables, the machine, the versions of what was measured, and what was not."""
    for one in drawn:
        print(one)
    for title in ("machine", "versions"):
        facts = figures[title]
        assert isinstance(facts, dict)
        if facts:
            print(f"{title}: " + ", ".join(f"{name} {value}" for name, value in facts.items()))
    if missing:
        print("\nNot measured:")
        for name, why in missing.items():
            print(f"- {name}: {why}")
