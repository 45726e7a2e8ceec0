"""What the rooms of a running hub share: its home, its database, what it is told to do, and how one wakes the other."""

import asyncio
import secrets
from dataclasses import dataclass, field

from holdfast.clock import Clock, boot_id
from holdfast.home import Home
from holdfast.hub.store.interface import Store
from holdfast.model.hub import HubSettings
from holdfast.model.service import Now

DRAWS = 1 << 53
"""How many different draws there are; as many as a float holds."""

ESSENTIAL = frozenset({"take in", "sweep", "send"})
"""The rounds without which nobody is told of anything."""


class OutboxBell(asyncio.Event):
    """Rung when the outbox got something, and by the sender after each try; `next` lets others wait for that beside it."""

    def __init__(self, also: asyncio.Event) -> None:
        super().__init__()
        self._also = also
        self._next = asyncio.Event()

    def set(self) -> None:
        """Ring; what was noted on the way is to be handed over, too."""
        super().set()
        self._also.set()
        rung, self._next = self._next, asyncio.Event()
        rung.set()

    def next(self) -> asyncio.Event:
        """Return what is set by the next ring; take it before looking, so that no ring falls in between."""
        return self._next


@dataclass(slots=True, eq=False)
class Bells:
    """Rung by whoever left work for another room; each room waits for its own."""

    intake: asyncio.Event = field(default_factory=asyncio.Event)
    sweep: asyncio.Event = field(default_factory=asyncio.Event)
    outbox: OutboxBell = field(init=False)
    probes: asyncio.Event = field(default_factory=asyncio.Event)
    summary: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.outbox = OutboxBell(self.intake)

    def checks_changed(self) -> None:
        """Have what was changed about checks looked at, probed, told and shown at once."""
        for bell in (self.sweep, self.probes, self.intake, self.summary):
            bell.set()


@dataclass(slots=True, eq=False)
class Condition:
    """How the hub itself does: which rounds cannot do their work and why, and when the newest sweep was made (monotonic)."""

    url: str = ""
    started_at: float = 0.0
    is_open: bool = False
    faults: dict[str, str] = field(default_factory=dict)
    failures: dict[str, int] = field(default_factory=dict)
    pings: int = 0
    swept_mono: float | None = None

    @property
    def stuck(self) -> list[str]:
        """Return the rounds that fail and without which nobody is told of anything."""
        return sorted(ESSENTIAL & self.faults.keys())


@dataclass(slots=True, eq=False, kw_only=True)
class Parts:
    """Everything a room of the hub needs; `settings` is replaced as a whole when they are read again."""

    home: Home
    clock: Clock
    store: Store
    settings: HubSettings
    ping_key: str
    bells: Bells = field(default_factory=Bells)
    condition: Condition = field(default_factory=Condition)

    def now(self) -> Now:
        """Return the moment of one decision, with a draw of its own."""
        return Now(
            wall=self.clock.wall(),
            mono=self.clock.monotonic(),
            boot_id=boot_id(),
            draw=secrets.randbelow(DRAWS) / DRAWS,
        )
