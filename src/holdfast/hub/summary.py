"""How every check does, left in a file for those who cannot or need not ask the hub."""

import asyncio
from typing import Any

from holdfast import statefile
from holdfast.hub import views
from holdfast.hub.parts import Parts
from holdfast.hub.web.checks import with_address

LEAST_PAUSE = 1.0
"""Seconds between two versions of the file."""

SHARE = 20.0
"""How many times as long as it took to make one version is waited before the next, so that many checks do not wear it out."""

OF_THE_MOMENT = frozenset({"age_s", "due"})
"""What changes with every second, and so has no place in a file."""


class Summary:
    """Writes the file when it would say something else than before."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self._left: object = None

    async def act(self) -> float | None:
        """Write the file where that is due, and leave it alone for a while, whatever rings."""
        parts = self.parts
        began = parts.clock.monotonic()
        now, policy = parts.now(), parts.settings.policy
        rows = await parts.store.read(lambda tx: views.checks(tx, policy, now))
        await asyncio.to_thread(self._leave, rows)
        await asyncio.sleep(max(LEAST_PAUSE, SHARE * (parts.clock.monotonic() - began)))
        return None

    def _leave(self, rows: list[dict[str, Any]]) -> None:
        shown = [
            {name: value for name, value in row.items() if name not in OF_THE_MOMENT}
            for row in (with_address(row, self.parts) for row in rows)
        ]
        if shown == self._left:
            return
        path = self.parts.home.checks_summary
        statefile.write_json(path, shown, durability=statefile.Durability.ATOMIC, mode=0o600)
        self._left = shown
