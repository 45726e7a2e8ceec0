"""Search text with a pattern that a person wrote, and never for longer than a moment."""

import contextlib
import re
import signal
import sys
from collections.abc import Iterator

MOST_CPU_S = 0.05
"""Seconds of processor time one search may take."""


class TooCostly(Exception):
    """The pattern backtracks too much for this text."""


def occurs(pattern: re.Pattern[str], text: str) -> bool:
    """Tell whether the pattern occurs in the text. Call it from the main thread.

    The engine looks for signals while it backtracks; a timer of the processor time this process spends sends one.
    Windows has no such timer: there only the length of the text is a limit.

    Raises:
        TooCostly: the limit of processor time was reached.
    """
    with _limited(MOST_CPU_S):
        return pattern.search(text) is not None


if sys.platform == "win32":

    @contextlib.contextmanager
    def _limited(_seconds: float) -> Iterator[None]:
        yield

else:

    @contextlib.contextmanager
    def _limited(seconds: float) -> Iterator[None]:
        is_armed = True

        def ring(_signum: int, _frame: object) -> None:
            # A late ring must not strike what runs after the search.
            if is_armed:
                raise TooCostly

        before = signal.signal(signal.SIGVTALRM, ring)
        try:
            signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
            yield
        finally:
            is_armed = False
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            signal.signal(signal.SIGVTALRM, before)
