"""An outbox in memory, with what a test does to it in few words."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import pytest

from holdfast.hub import events, outbox
from holdfast.hub.check import Check
from holdfast.hub.store.interface import Row, Tx
from holdfast.model.alert import AlertState, Tell, Telling
from holdfast.model.check import CheckKind, CheckSpec, Evidence, Look, Severity
from holdfast.model.hub import HubSettings
from holdfast.model.message import Channel, Delivered, Message, Outcome, Travel
from holdfast.model.service import Now

START = 1_767_268_800.0


@dataclass
class Post:
    """One outbox, its settings and its clock."""

    tx: Tx
    settings: HubSettings
    now: Now = field(default_factory=lambda: Now(wall=START, mono=0.0, boot_id="boot"))
    claimed: outbox.Claimed | None = None

    def later(self, seconds: float) -> None:
        """Let time pass."""
        self.now = replace(self.now, wall=self.now.wall + seconds)

    def tell(
        self,
        check: str,
        kind: Telling = Telling.OPEN,
        severity: Severity = Severity.WARNING,
        incident: int = 1,
        **more: Any,
    ) -> tuple[str, ...]:
        """Queue a telling of a check."""
        spec = CheckSpec(name=check, kind=CheckKind.JOB)
        alert = AlertState(incident=incident, opened_at=START)
        row = Check(id=1, uuid="u", spec=spec, evidence=Evidence(first_seen_at=0.0), alert=alert)
        is_over = kind is Telling.RESOLVE
        tell = Tell(kind=kind, severity=severity, to_told=is_over, **more)
        look = Look(
            severity=Severity.OK if is_over else severity, cause="" if is_over else "failed"
        )
        return outbox.enqueue(self.tx, self.settings.channels, row, tell, look, self.now)

    def batch(self) -> float | None:
        """Make messages of what waited long enough."""
        return outbox.batch(self.tx, self.settings, self.now)

    def claim(self, name: str, owner: str = "me/1") -> Message | None:
        """Take the next message of a channel."""
        channel = next(each for each in self.settings.channels if each.name == name)
        self.claimed = outbox.claim(self.tx, owner, channel, self.now)
        return None if self.claimed is None else self.claimed.message

    def mark(self, outcome: Outcome) -> Travel | None:
        """Write down what became of the message that was claimed last."""
        assert self.claimed is not None
        return outbox.mark(self.tx, self.settings, self.claimed, outcome, self.now)

    def arrived(self, name: str) -> list[Message]:
        """Deliver all that may go by a channel now, and return it."""
        found: list[Message] = []
        while message := self.claim(name):
            found.append(message)
            assert self.mark(Delivered()) is Travel.DELIVERED
        return found

    def rows(self, name: str) -> Sequence[Row]:
        """Return the undelivered messages of a channel."""
        return self.tx.all("outbox.undelivered", channel=name)

    def row(self, key: str) -> Row:
        """Return a message as it stands in the database."""
        row = self.tx.one("outbox.by_key", key=key)
        assert row is not None
        return row

    def events(self) -> list[str]:
        """Return the kinds of the events so far."""
        return [each["kind"] for each in events.unforwarded(self.tx)]

    def message(self, row: Row) -> Message:
        """Return the message of a row."""
        return msgspec.json.decode(row["message"], type=Message)


@pytest.fixture(scope="session")
def post(new_tx: Callable[[], Tx]) -> Callable[..., Post]:
    """Return what makes an outbox with the channels of these names."""

    def make(*channels: str | Channel, **settings: Any) -> Post:
        made = tuple(
            Channel(name=each, url=f"file:///tmp/{each}") if isinstance(each, str) else each
            for each in channels
        )
        return Post(new_tx(), HubSettings(channels=made, **settings))

    return make
