"""`holdfast hub serve|migrate|backup`: the hub in front, and its database."""

import argparse
import asyncio
import os
import subprocess
import sys
from pathlib import Path

from holdfast.cli import database, reach, render
from holdfast.errors import StoreError

PROGRAM = (sys.executable, "-P", "-m", "holdfast.assemble", "hub")


def run(options: argparse.Namespace) -> int:
    """Do what the verb says."""
    acts = {"serve": _serve, "migrate": _migrate, "backup": _backup}
    return acts[options.verb](options)


def _serve(_options: argparse.Namespace) -> int:
    """Become the hub, so that every signal is its own."""
    reach.home().make()
    if sys.platform != "win32":
        os.execv(PROGRAM[0], PROGRAM)
    return subprocess.call(PROGRAM)


def _migrate(options: argparse.Namespace) -> int:
    """Bring the tables up to date and say what that took."""
    reach.home().make()
    applied = asyncio.run(_open())
    if options.json:
        render.print_json({"applied": list(applied)})
    elif not options.quiet:
        print("\n".join(f"applied {name}" for name in applied) or "the tables are up to date")
    return 0


async def _open() -> tuple[str, ...]:
    store = database.chosen()
    try:
        return await store.open()
    finally:
        await store.close()


def _backup(options: argparse.Namespace) -> int:
    """Copy the database and show how far it is."""
    target = Path(options.target)
    if not target.parent.is_dir():
        raise StoreError(f"{target.parent} is no folder; make it first, then name a file in it")
    bar = _Bar(is_shown=sys.stderr.isatty() and not (options.quiet or options.json))
    asyncio.run(database.chosen().backup(target, bar.show))
    bar.clear()
    size = target.stat().st_size
    if options.json:
        render.print_json({"path": str(target.resolve()), "bytes": size})
    elif not options.quiet:
        print(f"{target}: {render.size(size)}")
    return 0


class _Bar:
    """One line on the terminal that says how much is done."""

    def __init__(self, *, is_shown: bool) -> None:
        self._is_shown = is_shown

    def show(self, done: int, total: int) -> None:
        """Show how many of the pages are copied."""
        if self._is_shown:
            percent = 100 * done // max(1, total)
            print(f"\rcopying {percent:3d} %", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Take the line away."""
        if self._is_shown:
            print("\r" + " " * 14 + "\r", end="", file=sys.stderr, flush=True)
