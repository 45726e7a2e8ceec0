"""The program that watches files: wishes come as JSON lines on stdin, what changed goes out the same way.

In: {"api": {"paths": [...], "debounce": 0.3, "generation": 7, "started_at": 1.8e9}, ...}, each time all that is to be watched.
Out: {"watching": [names]} after each, {"service", "generation", "changed", "count"}, {"service", "degraded"}.
"""

import contextlib
import json
import queue
import sys
import threading
from typing import Any, TextIO

from holdfast.clock import SystemClock
from holdfast.machine.watch.eyes import Eyes, open_notifier
from holdfast.machine.watch.sights import Sights, Wish

LOOK_EVERY = 0.1
"""Seconds between two looks at what the kernel told: watchfiles collects it, and wakes nobody."""


def run(orders: TextIO, answers: TextIO) -> None:
    """Watch until there are no more orders to come, or nobody reads the answers."""
    eyes = Eyes(open_notifier)
    sights = Sights(eyes, SystemClock())
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(orders, lines), daemon=True).start()
    with contextlib.closing(eyes), contextlib.suppress(BrokenPipeError):
        while True:
            with contextlib.suppress(queue.Empty):
                line = lines.get(timeout=LOOK_EVERY)
                if not line.endswith("\n"):  # its writer is gone, perhaps in the middle of a line
                    return
                wishes = {name: Wish.from_plain(plain) for name, plain in json.loads(line).items()}
                sights.wish(wishes)
                _say(answers, {"watching": sorted(wishes)})
            for report in sights.look():
                _say(answers, report)


def _read(orders: TextIO, lines: "queue.SimpleQueue[str]") -> None:
    for line in orders:
        lines.put(line)
    lines.put("")


def _say(answers: TextIO, report: dict[str, Any]) -> None:
    answers.write(json.dumps(report) + "\n")
    answers.flush()


if __name__ == "__main__":
    run(sys.stdin, sys.stdout)
