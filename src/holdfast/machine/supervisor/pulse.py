"""The supervisor's own heartbeat: what the watchdog, and whoever looks from outside, judges it by."""

import asyncio
import os
from collections.abc import Callable, Mapping

from holdfast import statefile
from holdfast.clock import boot_id
from holdfast.errors import StateError
from holdfast.machine.supervisor.parts import Parts
from holdfast.machine.supervisor.standing import STALE_AFTER
from holdfast.statefile import Durability

BEAT_EVERY = 60.0
"""Seconds between two beats where the watchdog does not ask for more."""

BEATS_UNTIL_STALE = 5
"""Beats at least within that time: one late or lost one is no sign of death."""


class Pulse:
    """Writes `heartbeats/supervisor.json` again and again; `count` tells how many services are watched over.

    `send` gets every beat too: a disk that refuses the file must not pass for a death.
    """

    def __init__(
        self, parts: Parts, send: Callable[[Mapping[str, object]], None], count: Callable[[], int]
    ) -> None:
        self.parts = parts
        self.send = send
        self.count = count
        self.stale_after = STALE_AFTER
        self._counted = 0
        self._timer: asyncio.TimerHandle | None = None

    def beat(self) -> None:
        """Write a beat now, and the next one in time."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.parts.loop.call_later(self.every, self.beat)
        self._write()

    @property
    def every(self) -> float:
        """Return the seconds between two beats."""
        return min(BEAT_EVERY, self.stale_after / BEATS_UNTIL_STALE)

    def obey(self, stale_after: float) -> None:
        """Beat often enough for a watchdog that calls a beat of this age stale."""
        if stale_after != self.stale_after:
            self.stale_after = stale_after
            self.beat()

    def recount(self) -> None:
        """Beat now if another number of services is watched over than the last beat said."""
        if self.count() != self._counted:
            self.beat()

    def stop(self) -> None:
        """Beat no more, and take the last beat away: an end in order is no death."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.parts.home.heartbeat("supervisor").unlink(missing_ok=True)

    def _write(self) -> None:
        now = self.parts.clock.wall()
        self._counted = self.count()
        beat = {
            "timestamp": now,
            "pid": os.getpid(),
            "status": "running",
            "interval": self.every,
            "expires_at": now + self.stale_after,
            "generation": 1,
            "boot_id": boot_id(),
            "error": None,
            "mono": self.parts.clock.monotonic(),
            "services": self._counted,
        }
        self.send(beat)
        try:
            statefile.write_json(
                self.parts.home.heartbeat("supervisor"),
                beat,
                durability=Durability.ATOMIC,
                mode=0o600,
            )
        except StateError as error:
            self.parts.notes.disk_refused("supervisor", str(error))
        else:
            self.parts.notes.disk_accepted("supervisor")
