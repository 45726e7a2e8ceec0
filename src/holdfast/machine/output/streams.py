"""One pipe on its way into a log, a bounded piece at a time: as it comes, or as JSON."""

from collections.abc import Callable
from typing import Protocol

from holdfast.machine.output.jsonlog import encode_lines, encode_part, whole_characters
from holdfast.machine.output.pace import FULL_TICK_S, TICK_S, Paced
from holdfast.machine.output.sink import Sink
from holdfast.machine.output.tap import Tap

TEXT_TURN_BYTES = 1 << 20
JSON_TURN_BYTES = 1 << 17
"""A byte costs some twenty times more here."""

QUIET_S = 1.0
"""How long the end of a line is waited for."""


class Stream(Paced, Protocol):
    """A pipe that is being emptied."""

    tap: Tap

    def finish(self) -> None:
        """Move all that stands in the pipe now, the beginning of a line too."""


class TextStream:
    """Bytes as they come."""

    def __init__(self, tap: Tap, sink: Sink) -> None:
        self.tap = tap
        self._sink = sink

    @property
    def fd(self) -> int:
        """Return the descriptor of the pipe."""
        return self.tap.fifo.fd

    def turn(self) -> float:
        """Move up to 1 MiB; return after how many seconds another look is worth it."""
        return _wait_after(self.tap, self._turn())

    def lingers(self) -> bool:
        """Tell whether the tap holds bytes of which the pipe knows nothing any more."""
        return self.tap.held() > 0

    def finish(self) -> None:
        """Move all that stands in the pipe now, and not what a grandchild goes on writing."""
        _finish(self.tap, self._turn)

    def _turn(self) -> int:
        if self._sink.is_blocked:
            return _throw_away(self.tap, self._sink, TEXT_TURN_BYTES)
        try:
            return self._sink.log.take(self.tap, TEXT_TURN_BYTES)
        except OSError as error:
            self._sink.fail(error)
            return _throw_away(self.tap, self._sink, TEXT_TURN_BYTES)


class JsonStream:
    """Whole lines as objects; a line without its end waits in the pipe, where a kill does not reach it.

    Lines are consumed after they were written: a kill in between repeats them.
    """

    def __init__(self, tap: Tap, sink: Sink, label: str) -> None:
        self.tap = tap
        self._sink = sink
        self._label = label
        self._left = 0
        self._part_at = 0.0

    @property
    def fd(self) -> int:
        """Return the descriptor of the pipe."""
        return self.tap.fifo.fd

    def turn(self) -> float:
        """Write up to 128 KiB of lines; return after how many seconds another look is worth it."""
        if self._left and self._waiting() == self._left:
            if self._sink.clock.monotonic() >= self._part_at:
                self._write_part(self._left)
            return TICK_S
        moved = self._turn()
        # The other end of what did not fit into the turn is there already.
        return 0.0 if moved * 2 > JSON_TURN_BYTES else _wait_after(self.tap, moved)

    def lingers(self) -> bool:
        """Tell whether a line without its end stands in the pipe."""
        return self._left > 0

    def finish(self) -> None:
        """Write all that stands in the pipe now; what has no line end as a part."""
        _finish(self.tap, self._turn)
        if self._left:
            self._write_part(self._left)

    def _turn(self) -> int:
        self._left = 0
        if self._sink.is_blocked:
            return _throw_away(self.tap, self._sink, JSON_TURN_BYTES)
        piece = self.tap.peek(JSON_TURN_BYTES)
        end = piece.rfind(b"\n") + 1
        if end:
            written = self._deliver(
                encode_lines(piece[:end], self._label, self._sink.now()), piece
            )
            if written < end or self._sink.is_blocked:
                return written
        self._left = len(piece) - end
        self._part_at = self._sink.clock.monotonic() + QUIET_S
        if self._left >= min(self.tap.fifo.capacity // 2, JSON_TURN_BYTES):
            return end + self._write_part(whole_characters(piece[end:]))
        return end

    def _write_part(self, count: int) -> int:
        part = self.tap.peek(count)
        self._left = 0
        return self._deliver([encode_part(part, self._label, self._sink.now())], part)

    def _deliver(self, lines: list[bytes], piece: bytes) -> int:
        """Write the objects that stand for the lines of `piece`, then consume these; return how many bytes they are."""
        try:
            taken = self._sink.log.append(lines)
        except OSError as error:
            self._sink.fail(error)
            return _throw_away(self.tap, self._sink, JSON_TURN_BYTES)
        if taken == len(lines):
            return self.tap.skip(piece.rfind(b"\n") + 1 or len(piece))
        return self.tap.skip(_length_of(piece, taken))

    def _waiting(self) -> int:
        return self.tap.fifo.waiting() + self.tap.held()


def _finish(tap: Tap, turn: Callable[[], int]) -> None:
    left = tap.fifo.waiting() + tap.held()
    while left > 0:
        moved = turn()
        if not moved:
            return
        left -= moved


def _length_of(piece: bytes, lines: int) -> int:
    """Return how many bytes the first lines of a piece are."""
    end = 0
    for _ in range(lines):
        end = piece.index(b"\n", end) + 1
    return end


def _wait_after(tap: Tap, moved: int) -> float:
    if moved * 2 < tap.fifo.capacity:
        return TICK_S
    tap.fifo.grow()
    return FULL_TICK_S


def _throw_away(tap: Tap, sink: Sink, most: int) -> int:
    lost = tap.skip(most)
    sink.lose(lost)
    return lost
