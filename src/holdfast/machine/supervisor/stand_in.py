"""Who tells a person: the hub, from the journal; after a minute without it the supervisor itself, by the last resort."""

import asyncio
from collections import deque
from collections.abc import Mapping

from holdfast.machine.supervisor.notices import WAITING_AT_MOST, Notices
from holdfast.machine.supervisor.service import Service
from holdfast.model.service import Actual, Desired

HUB = "hub"

AWAY_AFTER = 60.0
"""Seconds without a hub that does its work after which the supervisor speaks itself."""

STEADY_AFTER = 10.0
"""Seconds a hub must stay ready to count as there: one that dies again and again tells nobody anything."""


class StandIn:
    """Hears every event, and watches the hub as an attendant does.

    What is heard while the hub is briefly away is held: it tells of it itself when it comes back in time. `has_hub` says
    whether one belongs to this home, before it was looked at.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, notices: Notices, *, has_hub: bool
    ) -> None:
        self.loop = loop
        self.notices = notices
        self._has_hub = has_hub
        self._is_ready = False
        self._is_away = False
        self._held: deque[tuple[str, str, Mapping[str, object]]] = deque(maxlen=WAITING_AT_MOST)
        self._patience = loop.call_later(AWAY_AFTER, self._miss) if has_hub else None
        self._trial: asyncio.TimerHandle | None = None

    def attend(self, service: Service) -> None:
        """Look at the hub when it has changed."""
        if service.name != HUB:
            return
        if not service.spec.enabled or service.state.desired is Desired.DOWN:
            self._part()
            return
        was_ready, self._is_ready = self._is_ready, service.state.actual is Actual.RUNNING
        self._has_hub = True
        if self._is_ready and not was_ready:
            self._trial = self.loop.call_later(STEADY_AFTER, self._trust)
        elif not self._is_ready:
            self._stop_trial()
            if self._patience is None and not self._is_away:
                self._patience = self.loop.call_later(AWAY_AFTER, self._miss)

    def forget(self, service: Service) -> None:
        """Go on without a hub."""
        if service.name == HUB:
            self._part()

    def hear(self, kind: str, subject: str, facts: Mapping[str, object]) -> None:
        """Take note of an event that has just been written."""
        if not self._has_hub or self._is_away:
            self.notices.hear(kind, subject, facts)
        elif self._patience is not None or self._trial is not None:
            self._held.append((kind, subject, dict(facts)))

    def _miss(self) -> None:
        """Speak from now on: the hub was away for too long."""
        self._patience, self._is_away = None, True
        self._speak()

    def _trust(self) -> None:
        """Leave it to the hub: it has stayed, and reads all of it in the journal."""
        self._trial, self._is_away = None, False
        self._stop_patience()
        self._held.clear()

    def _part(self) -> None:
        """Speak for good: there is no hub any more."""
        self._has_hub = self._is_ready = self._is_away = False
        self._stop_patience()
        self._stop_trial()
        self._speak()

    def _speak(self) -> None:
        while self._held:
            self.notices.hear(*self._held.popleft())

    def _stop_patience(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _stop_trial(self) -> None:
        if self._trial is not None:
            self._trial.cancel()
            self._trial = None
