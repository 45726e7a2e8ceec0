"""The limits: loops that restart and do nothing else, in C and in Python."""

import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.peers.peer import Plan, Program
from benchmarks.toolbox import HERE, Toolbox


def c_loop(tools: Toolbox, folder: Path, programs: Sequence[Program]) -> Plan:
    """Run the loop in C: pidfd, epoll, posix_spawn."""
    return Plan(launch=[str(tools.compiled("c_loop")), _listing(folder, programs)])


def python_loop(tools: Toolbox, folder: Path, programs: Sequence[Program]) -> Plan:  # noqa: ARG001 (needs no tool)
    """Run the smallest loop in Python, with a selector."""
    return Plan(launch=[sys.executable, str(HERE / "python_loop.py"), _listing(folder, programs)])


def asyncio_loop(tools: Toolbox, folder: Path, programs: Sequence[Program]) -> Plan:  # noqa: ARG001 (needs no tool)
    """Run the smallest loop on asyncio."""
    return Plan(launch=[sys.executable, str(HERE / "asyncio_loop.py"), _listing(folder, programs)])


def _listing(folder: Path, programs: Sequence[Program]) -> str:
    listing = folder / "programs"
    listing.write_text("".join(" ".join(program.command) + "\n" for program in programs))
    return str(listing)
