"""Who tells a person: the hub, from the journal; after a minute without it the supervisor itself, by the last resort."""

import asyncio
from collections import deque
from collections.abc import Mapping

from holdfast.machine.supervisor.notices import WAITING_AT_MOST, Notices
from holdfast.machine.supervisor.service import Service
from holdfast.model.service import Actual, Desired

HUB = "hub"

AWAY_AFTER = 60.0
"""Seconds without a hub that is ready after which the supervisor speaks itself."""


class StandIn:
    """Hears every event, and watches the hub as an attendant does.

    What is heard while the hub is briefly away is held: it tells of it itself when it comes back in time.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, notices: Notices) -> None:
        self.loop = loop
        self.notices = notices
        self._held: deque[tuple[str, str, Mapping[str, object]]] = deque(maxlen=WAITING_AT_MOST)
        self._timer: asyncio.TimerHandle | None = None
        self._has_hub = False
        self._is_ready = False

    def attend(self, service: Service) -> None:
        """Look at the hub when it has changed."""
        if service.name != HUB:
            return
        self._has_hub = service.spec.enabled and service.state.desired is Desired.UP
        self._is_ready = service.state.actual is Actual.RUNNING
        if self._is_ready:
            self._held.clear()
        if self._is_ready or not self._has_hub:
            self._stop()
            self._speak()
        elif self._timer is None:
            self._timer = self.loop.call_later(AWAY_AFTER, self._speak)

    def forget(self, service: Service) -> None:
        """Go on without a hub."""
        if service.name == HUB:
            self._has_hub = False
            self._stop()
            self._speak()

    def hear(self, kind: str, subject: str, facts: Mapping[str, object]) -> None:
        """Take note of an event that has just been written."""
        if not self._has_hub or self._is_away:
            self.notices.hear(kind, subject, facts)
        elif not self._is_ready:
            self._held.append((kind, subject, dict(facts)))

    @property
    def _is_away(self) -> bool:
        """Tell whether the hub was not ready for so long that its timer came."""
        return (
            not self._is_ready
            and self._timer is not None
            and self._timer.when() <= self.loop.time()
        )

    def _speak(self) -> None:
        while self._held:
            self.notices.hear(*self._held.popleft())

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
