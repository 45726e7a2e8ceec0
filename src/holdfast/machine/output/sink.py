"""Where the output of one service goes: its log while that can be written, else a count of what was lost."""

import os
from collections.abc import Callable

from holdfast.clock import Clock, utc_text
from holdfast.machine.output.jsonlog import encode_lines
from holdfast.machine.output.logfile import LogFile
from holdfast.model.spec import LogFormat

OnLoss = Callable[[str, int, str], None]
"""Called with name, bytes and reason: with 0 bytes when a loss begins, with their number when it is over."""


class Sink:
    """A log, and the gap that is open in it while the disk takes nothing."""

    def __init__(self, name: str, log: LogFile, clock: Clock, on_loss: OnLoss) -> None:
        self.name = name
        self.log = log
        self.clock = clock
        self._on_loss = on_loss
        self._lost = 0
        self._reason: str | None = None

    @property
    def is_blocked(self) -> bool:
        """Tell whether output is thrown away, because a service never waits for a disk."""
        return self._reason is not None

    def fail(self, error: OSError) -> None:
        """Open a gap, unless one is open: from here on output is counted and thrown away."""
        if self._reason is not None:
            return
        self._reason = os.strerror(error.errno) if error.errno else str(error)
        self._lost = 0
        self.log.release()
        self._on_loss(self.name, 0, self._reason)

    def lose(self, count: int) -> None:
        """Count bytes that were thrown away."""
        self._lost += count

    def mend(self) -> bool:
        """Mark the gap in the log if it can be written again; tell whether it can."""
        if self._reason is None:
            return True
        mark = f"[holdfast: {self._lost} bytes of output lost: {self._reason}]\n".encode()
        if self.log.policy.format is LogFormat.JSON:
            (mark,) = encode_lines(mark, "stderr", self.now())
        try:
            self.log.append([mark])
        except OSError:
            self.log.release()
            return False
        lost, reason = self._lost, self._reason
        self._reason = None
        self._on_loss(self.name, lost, reason)
        return True

    def give_up(self) -> None:
        """Report the gap that is open, if one is, because nobody will come back to it."""
        if self._reason is not None:
            self._on_loss(self.name, self._lost, self._reason)
            self._reason = None

    def now(self) -> str:
        """Return the time that lines written now bear."""
        return utc_text(self.clock.wall())
