"""The process in which everything in Python is measured.

``statefile_worker.py FOLDER``. One order a line on stdin: ``TASK SIZE COUNT``; the answer is COUNT times in ns, or ``!``
and why there are none.
"""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.statefile_tasks import TASKS, Turn


class Worker:
    """Does what it is told below one folder, each task and size in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._turns: dict[tuple[str, int], Iterator[Turn]] = {}

    def obey(self, name: str, size: int, count: int) -> list[int]:
        """Return how long each of so many turns took, in ns."""
        turns = self._turns.get((name, size)) or self._prepared(name, size)
        took = []
        for _ in range(count):
            turn = next(turns)
            began = time.monotonic_ns()
            turn()
            took.append(time.monotonic_ns() - began)
        return took

    def _prepared(self, name: str, size: int) -> Iterator[Turn]:
        folder = self._folder / f"{name}-{size}"
        folder.mkdir()
        turns = self._turns[name, size] = TASKS[name](folder, size)
        return turns


def main(folder: Path) -> None:
    """Obey until stdin ends."""
    worker = Worker(folder)
    for line in sys.stdin:
        name, size, count = line.split()
        try:
            answer = " ".join(map(str, worker.obey(name, int(size), int(count))))
        except Exception as error:  # noqa: BLE001 - whatever a peer raises is told below the tables
            answer = f"! {type(error).__name__}: {error}".replace("\n", " ")
        print(answer, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
