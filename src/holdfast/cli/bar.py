"""How far a backup is, in one line of a terminal that is written over and over."""

import os
import sys
import threading
from collections.abc import Mapping

from holdfast.cli import render
from holdfast.home import Home

DRAW_EVERY = 0.2
"""Seconds between two looks at how far it is."""

WIDTH = 24

NARROW = 80
"""Columns of a terminal that does not say how many it has."""


class Bar:
    """Shows the progress of one project while the block runs; nothing where nobody would see it."""

    def __init__(self, home: Home, name: str, *, is_wanted: bool) -> None:
        self.home = home
        self.name = name
        self.is_wanted = is_wanted and sys.stderr.isatty()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._draw, daemon=True)
        self._width = 0
        self._lock = threading.Lock()

    def __enter__(self) -> "Bar":
        """Begin to look."""
        if self.is_wanted:
            self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        """Wipe the line."""
        if self.is_wanted:
            self._is_over.set()
            self._thread.join()
            self._wipe()

    def show(self, facts: Mapping[str, object]) -> None:
        """Draw this."""
        if self.is_wanted:
            with self._lock:
                self._print(line(self.name, facts))

    def say(self, text: str) -> None:
        """Print a line that stays, in the place of the one that is written over."""
        with self._lock:
            self._wipe()
            print(text, flush=True)

    def _wipe(self) -> None:
        if self.is_wanted:
            self._print("")
            print("\r", end="", file=sys.stderr, flush=True)

    def _draw(self) -> None:
        from holdfast.machine.backup import progress

        while not self._is_over.wait(DRAW_EVERY):
            facts = progress.read(self.home, self.name)
            if facts is not None:
                self.show(facts)

    def _print(self, text: str) -> None:
        # A line that reaches the edge would begin a new one, and stay.
        text = text[: _columns() - 1]
        print("\r" + text.ljust(self._width), end="", file=sys.stderr, flush=True)
        self._width = len(text)


def _columns() -> int:
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or NARROW
    except OSError:
        return NARROW


def line(name: str, facts: Mapping[str, object]) -> str:
    """Return one line that tells how far it is."""
    percent, eta = facts.get("percent"), facts.get("eta_s")
    parts = [f"{name}: {facts.get('phase')}"]
    if isinstance(percent, int | float):
        full = min(WIDTH, max(0, round(WIDTH * percent / 100)))
        parts.append(f"[{'#' * full}{'.' * (WIDTH - full)}] {percent:3.0f}%")
    parts.append(f"{facts.get('files') or 0} files")
    found = facts.get("bytes")
    if isinstance(found, int | float) and found:
        parts.append(render.size(found))
    if isinstance(eta, int | float):
        parts.append(f"{render.duration(eta)} left")
    return "  ".join(parts)
