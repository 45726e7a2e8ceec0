import asyncio
from collections.abc import Sequence
from pathlib import Path

from holdfast.clock import SystemClock
from holdfast.errors import NotRunning, UsageError
from holdfast.home import Home
from holdfast.hub import events
from holdfast.hub.intake import Intake
from holdfast.hub.parts import Parts
from holdfast.hub.store.interface import Store, Tx
from holdfast.journal import Journal, read
from holdfast.model.hub import HubSettings


class Heard(Intake):
    """An intake whose supervisor writes into the journal at once, or is away."""

    journal: Journal
    is_away = False

    def _call(self, told: Sequence[dict[str, object]]) -> None:
        if self.is_away:
            raise NotRunning("nobody listens")
        for row in told:
            facts = row["facts"]
            assert isinstance(facts, dict)
            self.journal.append(str(row["kind"]), str(row["subject"]), facts)


def test_an_event_of_the_hub_is_in_the_journal_once_and_waits_while_nobody_writes_it(
    store: Store, tmp_path: Path
) -> None:
    home = Home(tmp_path)
    home.make()
    clock = SystemClock()
    parts = Parts(
        home=home, clock=clock, store=store, settings=HubSettings(machine="box"), ping_key="key"
    )
    journal = Journal(home.journal, clock)
    journal.open()

    async def act(intake: Heard) -> list[str]:
        intake.journal = journal
        for is_away in (True, False, False, False):
            intake.is_away = is_away
            await intake.act()
        return [event.kind for event in read(home.journal)]

    now = parts.now()
    asyncio.run(store.write(lambda tx: events.note(tx, "alert.allowed", "x", {}, now)))
    assert asyncio.run(act(Heard(parts))) == ["alert.allowed"]
    # Another hub, which knows only what the database says, hands nothing over again.
    assert asyncio.run(act(Heard(parts))) == ["alert.allowed"]
    assert asyncio.run(store.read(events.unforwarded)) == []
    journal.close()


def test_an_event_that_is_refused_holds_up_neither_the_others_nor_the_intake(
    store: Store, tmp_path: Path
) -> None:
    home = Home(tmp_path)
    home.make()
    parts = Parts(
        home=home,
        clock=SystemClock(),
        store=store,
        settings=HubSettings(machine="box"),
        ping_key="key",
    )
    taken: list[str] = []

    class Picky(Intake):
        def _call(self, told: Sequence[dict[str, object]]) -> None:
            if any(row["subject"] == "bad" for row in told):
                raise UsageError("subject expects a name")
            taken.extend(str(row["subject"]) for row in told)

    async def act() -> None:
        now = parts.now()

        def note(tx: Tx) -> None:
            for subject in ("a", "bad", "b"):
                events.note(tx, "alert.allowed", subject, {}, now)

        await store.write(note)
        made = Picky(parts)
        await made.act()
        await made.act()

    asyncio.run(act())
    assert taken == ["a", "b"]
