"""When pipes are looked at: at once after a silence, and every few milliseconds while output keeps coming."""

import asyncio
import contextlib
import selectors
import sys
from collections import deque
from collections.abc import Callable
from typing import Protocol

from holdfast.clock import Clock

TICK_S = 0.010
"""How long busy pipes may fill: a look at a pipe costs the same for one line as for a thousand."""

FULL_TICK_S = 0.004
"""The same for a pipe that was found half full: its writer would soon stand still."""

ROUND_TURNS = 64
"""Turns before the rest of the loop is served; one that moved much counts for sixteen."""

REST_EVERY_S = 1.0
"""How often what is open is let go even if output never stops: so a log that was removed is made anew."""


class Paced(Protocol):
    """One pipe, as far as its time is concerned."""

    @property
    def fd(self) -> int:
        """Return the descriptor to watch."""

    def turn(self) -> float:
        """Move a bounded amount; return after how many seconds another look is worth it."""

    def lingers(self) -> bool:
        """Tell whether something was left on purpose, so that being readable says nothing new."""


class Pace:
    """One selector of its own for all pipes, of which the event loop sees one descriptor.

    While output keeps coming the loop does not even see that, and one timer asks which pipes have something: so a busy
    fleet of services costs one wake-up a tick, and an idle one none. `at_rest` is called when nothing comes any more.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, clock: Clock, at_rest: Callable[[], None]
    ) -> None:
        self._loop = loop
        self._clock = clock
        self._at_rest = at_rest
        self._selector = selectors.DefaultSelector()
        self._queue: deque[Paced] = deque()
        self._watched: set[Paced] = set()
        self._lingering: dict[int, Paced] = {}
        self._timer: asyncio.Handle | None = None
        self._looked_at = float("-inf")
        self._rested_at = float("-inf")
        self._wait = TICK_S
        self._is_seen = False

    def add(self, stream: Paced) -> None:
        """Watch a pipe from now on."""
        self._watched.add(stream)
        self._selector.register(stream.fd, selectors.EVENT_READ, stream)
        if self._timer is None:
            self._show()

    def remove(self, stream: Paced) -> None:
        """Watch it no more; before its descriptor is closed."""
        self._watched.discard(stream)
        if self._lingering.pop(stream.fd, None) is None:
            self._selector.unregister(stream.fd)
        with contextlib.suppress(ValueError):
            self._queue.remove(stream)

    def close(self) -> None:
        """Stop watching altogether."""
        if self._timer is not None:
            self._timer.cancel()
        self._hide()
        self._selector.close()

    def _show(self) -> None:
        if sys.platform != "win32" and not self._is_seen:
            self._loop.add_reader(self._selector.fileno(), self._readable)
            self._is_seen = True

    def _hide(self) -> None:
        if sys.platform != "win32" and self._is_seen:
            self._loop.remove_reader(self._selector.fileno())
            self._is_seen = False

    def _readable(self) -> None:
        now = self._clock.monotonic()
        comes_often = now - self._looked_at < TICK_S
        self._looked_at = self._rested_at = now
        try:
            self._look()
        finally:
            if comes_often or self._is_busy():
                self._hide()
                self._set_timer()
            else:
                self._at_rest()

    def _tick(self) -> None:
        self._timer = None
        found = True
        try:
            found = self._look()
        finally:
            if found or self._is_busy():
                self._rest_now_and_then()
                self._set_timer()
            else:
                self._looked_at = float("-inf")
                self._show()
                self._at_rest()

    def _rest_now_and_then(self) -> None:
        now = self._clock.monotonic()
        if now - self._rested_at >= REST_EVERY_S:
            self._rested_at = now
            self._at_rest()

    def _set_timer(self) -> None:
        if self._queue:
            self._timer = self._loop.call_soon(self._tick)
        else:
            self._timer = self._loop.call_later(self._wait, self._tick)

    def _is_busy(self) -> bool:
        return bool(self._queue or self._lingering)

    def _look(self) -> bool:
        """Serve some of those that have something, in turn; tell whether there were any."""
        if not self._queue:
            self._wait = TICK_S
            self._queue.extend(key.data for key, _ in self._selector.select(0))
            self._queue.extend(self._lingering.values())
        found = bool(self._queue)
        turns = ROUND_TURNS
        while self._queue and turns > 0:
            turns -= self._serve(self._queue.popleft())
        return found

    def _serve(self, stream: Paced) -> int:
        """Give one pipe its turn; return for how many turns that counts."""
        try:
            wait = stream.turn()
        finally:
            self._note(stream)
        self._wait = min(self._wait, wait)
        return 1 if wait >= TICK_S else 16

    def _note(self, stream: Paced) -> None:
        lingers = stream.lingers()
        if stream not in self._watched or lingers == (stream.fd in self._lingering):
            return
        if lingers:
            self._selector.unregister(stream.fd)
            self._lingering[stream.fd] = stream
        else:
            del self._lingering[stream.fd]
            self._selector.register(stream.fd, selectors.EVENT_READ, stream)
