"""What goes to disk when: before an act, at the end of a turn, or quietly within a second."""

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from holdfast.clock import boot_id
from holdfast.errors import StateError, StateIOError
from holdfast.journal import Journal
from holdfast.machine.supervisor.keeper import (
    SETTLE_AFTER,
    SETTLE_EVERY,
    SETTLE_SLICE,
    Keeper,
)
from holdfast.machine.supervisor.records import Records, load
from holdfast.machine.supervisor.service import Service
from holdfast.model.service import (
    Actual,
    Desired,
    Exit,
    Identity,
    Reason,
    Restart,
    ServiceState,
    Step,
)
from holdfast.model.spec import ServiceSpec
from holdfast.statefile import Durability

if TYPE_CHECKING:
    from tests.machine.supervisor.conftest import Play, Stage

ATOMIC, FILE = Durability.ATOMIC, Durability.FILE
PROCESS = Identity(pid=4_000_000, start_ticks=1, boot_id="b")


class Disk(Records):
    """Records that remember what was asked of them, on a disk that may be full."""

    is_full = False

    def __init__(self, stage: "Stage") -> None:
        super().__init__(stage.home, boot_id())
        self.asked: list[tuple[str, Durability]] = []

    def save(self, spec: ServiceSpec, state: ServiceState, durability: Durability) -> None:
        self.asked.append((spec.name, durability))
        if self.is_full:
            raise StateIOError("no space", path=spec.name, errno_name="ENOSPC")
        super().save(spec, state, durability)


class Desk:
    """A keeper with its disk, and services whose state changes by hand."""

    def __init__(self, stage: "Stage") -> None:
        self.stage = stage
        self.disk = Disk(stage)
        self.keeper = Keeper(stage.loop, self.disk, stage.notes, stage.journal)

    def service(self, name: str = "api", **state: object) -> Service:
        spec = self.stage.spec(name)
        now = replace(ServiceState(name=name), **state)  # type: ignore[arg-type]  # fields by name
        return Service(spec=spec, state=now)

    def change(self, service: Service, **fields: object) -> None:
        before = service.state
        service.state = replace(before, **fields)  # type: ignore[arg-type]  # fields by name
        self.keeper.note(service, before)

    def asked(self) -> list[tuple[str, Durability]]:
        asked, self.disk.asked = self.disk.asked, []
        return asked


@pytest.mark.parametrize(
    "change",
    [
        {"actual": Actual.BACKOFF},
        {"actual": Actual.FAILED},
        {"actual": Actual.DONE},
        {"actual": Actual.WAITING},
        {"actual": Actual.STOPPING, "step": Step.ASKED},
        {"closing": True},
        {"process": PROCESS},
    ],
    ids=str,
)
def test_what_a_new_supervisor_could_not_find_out_is_written_at_the_end_of_the_turn(
    play: "Play", change: dict[str, object]
) -> None:
    async def scene(stage: "Stage") -> None:
        desk = Desk(stage)
        desk.change(desk.service(actual=Actual.STARTING), **change)
        assert desk.asked() == []
        desk.keeper.end_turn()
        assert desk.asked() == [("api", ATOMIC)]
        await stage.skip(SETTLE_AFTER)
        assert desk.asked() == [("api", FILE)]

    play(scene)


@pytest.mark.parametrize(
    "change",
    [{"actual": Actual.RUNNING}, {"actual": Actual.STOPPING}, {"process": None}, {"level": 1}],
    ids=str,
)
def test_the_rest_follows_quietly_within_a_second(play: "Play", change: dict[str, object]) -> None:
    async def scene(stage: "Stage") -> None:
        desk = Desk(stage)
        desk.change(desk.service(actual=Actual.STARTING, process=PROCESS), **change)
        desk.keeper.end_turn()
        assert desk.asked() == []
        await stage.skip(SETTLE_AFTER)
        assert desk.asked() == [("api", FILE)]

    play(scene)


def test_a_wish_is_written_at_once_and_made_durable_within_a_second(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        desk = Desk(stage)
        desk.change(desk.service(), desired=Desired.UP)
        desk.keeper.end_turn()
        assert desk.asked() == [("api", ATOMIC)]
        await stage.skip(SETTLE_AFTER)
        assert desk.asked() == [("api", FILE)]

    play(scene)


def test_history_is_made_durable(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        desk = Desk(stage)
        row = Restart(at=1.0, mono=1.0, boot_id="b", reason=Reason.EXIT, exit=Exit(code=1))
        desk.change(desk.service(), history=(row,))
        await stage.skip(SETTLE_AFTER)
        assert desk.asked() == [("api", FILE)]

    play(scene)


def test_an_intent_is_written_before_the_act_and_only_once(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        desk = Desk(stage)
        service = desk.service()
        desk.change(service, actual=Actual.STARTING)
        assert desk.keeper.write(service)
        desk.keeper.end_turn()
        assert desk.asked() == [("api", ATOMIC)]

    play(scene)


def test_what_was_written_before_an_act_is_made_durable_once_afterwards(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        desk = Desk(stage)
        service = desk.service()
        desk.change(service, level=1)
        assert desk.keeper.write(service)
        for _ in range(3):
            await stage.skip(SETTLE_AFTER)
        assert desk.asked() == [("api", ATOMIC), ("api", FILE)]

    play(scene)


def test_a_thousand_quiet_records_never_hold_up_the_loop(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        stage.clock.stand()
        desk = Desk(stage)
        names = [f"a{number}" for number in range(3 * SETTLE_SLICE)]
        for name in names:
            desk.change(desk.service(name), level=1)
        await stage.skip(SETTLE_AFTER)
        written = []
        while asked := desk.asked():
            assert len(asked) == SETTLE_SLICE
            written += [name for name, _ in asked]
            await stage.skip(SETTLE_EVERY)
        assert written == names

    play(scene)


def test_a_refused_record_is_told_once_and_tried_again_every_second(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        stage.clock.stand()
        desk = Desk(stage)
        service = desk.service()
        desk.disk.is_full = True
        desk.change(service, actual=Actual.STARTING)
        assert not desk.keeper.write(service)
        for _ in range(3):
            desk.asked()
            await stage.skip(SETTLE_AFTER)
            assert desk.asked() == [("api", FILE)]
        desk.disk.is_full = False
        await stage.skip(SETTLE_AFTER)
        assert load(stage.home, "api").state == service.state
        kinds = [event.kind for event in stage.events()]
        assert kinds == ["state.write_failed", "state.write_recovered"]

    play(scene)


def test_one_refused_record_does_not_keep_the_others_from_the_disk(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        desk = Desk(stage)
        stage.home.service("a0").mkdir()
        for number in range(SETTLE_SLICE + 1):
            desk.change(desk.service(f"a{number}"), level=1)
        await stage.skip(SETTLE_AFTER)
        await stage.skip(SETTLE_AFTER)
        assert load(stage.home, f"a{SETTLE_SLICE}").state.level == 1

    play(scene)


def test_a_wish_told_to_a_person_is_durable_before_the_answer(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        desk = Desk(stage)
        service = desk.service()
        desk.change(service, desired=Desired.UP)
        desk.keeper.make_durable(service)
        assert desk.asked() == [("api", FILE)]
        await stage.skip(SETTLE_AFTER)
        assert desk.asked() == []

    play(scene)


def test_a_wish_the_disk_refused_is_told_to_the_person_and_tried_again(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        desk = Desk(stage)
        service = desk.service()
        desk.disk.is_full = True
        desk.change(service, desired=Desired.UP)
        with pytest.raises(StateError):
            desk.keeper.make_durable(service)
        desk.disk.is_full = False
        await stage.skip(SETTLE_AFTER)
        assert load(stage.home, "api").state.desired is Desired.UP

    play(scene)


def test_finishing_writes_all_that_is_left(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        desk = Desk(stage)
        desk.change(desk.service("a"), level=1)
        desk.change(desk.service("b"), desired=Desired.UP)
        desk.keeper.finish()
        assert sorted(desk.asked(), key=str) == [("a", FILE), ("b", FILE)]
        await stage.skip(SETTLE_AFTER)
        assert desk.asked() == []

    play(scene)


def test_finishing_on_a_full_disk_comes_to_its_end(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        desk = Desk(stage)
        desk.disk.is_full = True
        desk.change(desk.service("a"), level=1)
        desk.change(desk.service("b"), desired=Desired.UP)
        desk.keeper.finish()
        assert {name for name, _ in desk.asked()} == {"a", "b"}

    play(scene)


def test_a_forgotten_service_is_not_written_again(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        desk = Desk(stage)
        service = desk.service()
        desk.change(service, desired=Desired.UP)
        desk.keeper.end_turn()
        desk.keeper.forget(service)
        await stage.skip(SETTLE_AFTER)
        assert not stage.home.service("api").exists()

    play(scene)


class Sinking(Journal):
    """A journal on a disk that refuses or grants durability."""

    is_refused = False
    syncs = 0

    def sync(self) -> None:
        self.syncs += 1
        if self.is_refused:
            raise OSError("no space")


def test_the_journal_is_made_durable_before_the_records(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        journal = Sinking(stage.home.journal, stage.clock)
        keeper = Keeper(stage.loop, stage.records, stage.notes, journal)
        desk = Desk(stage)
        keeper.note(desk.service(), ServiceState(name="api"))
        await stage.skip(SETTLE_AFTER)
        assert journal.syncs == 1

    play(scene)


def test_a_journal_that_cannot_be_made_durable_is_told_and_holds_up_no_record(
    play: "Play",
) -> None:
    async def scene(stage: "Stage") -> None:
        journal = Sinking(stage.home.journal, stage.clock)
        keeper = Keeper(stage.loop, stage.records, stage.notes, journal)
        service = Desk(stage).service(level=1)
        for is_refused in (True, False):
            journal.is_refused = is_refused
            keeper.note(service, ServiceState(name="api"))
            await stage.skip(SETTLE_AFTER)
        assert load(stage.home, "api").state.level == 1
        told = [(event.kind, event.subject) for event in stage.events()]
        assert told == [("state.write_failed", "journal"), ("state.write_recovered", "journal")]

    play(scene)
