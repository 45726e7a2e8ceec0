"""Changed files restart a service, as planned and not in circles."""

import asyncio
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from holdfast.machine.supervisor.care.watch import (
    FIRST_BACKOFF,
    LONGEST_BACKOFF,
    WatchCare,
    WatchParts,
)
from holdfast.machine.supervisor.care.watch_child import Ended, Heard, WatchChild
from holdfast.model.event import RestartOrdered
from holdfast.model.service import Reason
from holdfast.model.spec import Watch
from holdfast.rules.watching import FIRST_PAUSE_S, MOST_RESTARTS

if TYPE_CHECKING:
    from holdfast.machine.supervisor.service import Service
    from tests.machine.supervisor.conftest import Play, Stage


class Child:
    """A watching program that the test plays."""

    def __init__(self, heard: Heard, ended: Ended) -> None:
        self.heard = heard
        self.ended = ended
        self.sent: list[Mapping[str, Any]] = []
        self.is_closed = False

    def send(self, wishes: Mapping[str, Any]) -> None:
        self.sent.append(wishes)

    def close(self) -> None:
        self.is_closed = True


class Scene:
    """The care for watched files over children that the test plays."""

    def __init__(self, stage: "Stage") -> None:
        self.stage = stage
        self.children: list[Child] = []
        self.refuses = False
        parts = WatchParts(
            loop=stage.loop,
            now=stage.supervisor.now,
            notes=stage.notes,
            tell=stage.supervisor.tell,
            start=self.start,
        )
        self.care = WatchCare(parts)
        stage.supervisor.attendants.append(self.care)

    def start(self, _loop: asyncio.AbstractEventLoop, heard: Heard, ended: Ended) -> Child:
        if self.refuses:
            raise OSError("no descriptor is free")
        self.children.append(Child(heard, ended))
        return self.children[-1]

    @property
    def wishes(self) -> Mapping[str, Any]:
        return self.children[-1].sent[-1]

    def changed(self, service: "Service", generation: int | None = None) -> None:
        """Report a change of the files of a service."""
        report = {
            "service": service.name,
            "generation": generation or service.state.generation,
            "changed": ["/src/app.py"],
            "count": 1,
        }
        self.children[-1].heard(report)

    async def restarted(self, service: "Service") -> None:
        """Report a change and wait for the restart that follows."""
        before = service.state.generation
        self.changed(service)
        await self.stage.until(service, lambda state: state.generation == before + 1)


def watched(stage: "Stage", name: str = "api", **more: Any) -> Any:
    return stage.spec(name, watch=Watch(paths=("/src",), debounce=0.5), **more)


def test_one_child_is_told_what_all_living_services_want(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        scene = Scene(stage)
        stage.start(watched(stage, "a"))
        stage.start(watched(stage, "b"))
        stage.start(stage.spec("c"))
        await asyncio.sleep(0)
        assert [len(child.sent) for child in scene.children] == [1]
        assert scene.wishes.keys() == {"a", "b"}
        wish = dict(scene.wishes["a"])
        assert wish.pop("started_at") <= stage.clock.wall()
        assert wish == {"paths": ("/src",), "debounce": 0.5, "generation": 1}

    play(scene)


def test_nothing_is_started_where_nothing_is_watched(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        scene = Scene(stage)
        await stage.run(stage.spec())
        assert scene.children == []

    play(scene)


def test_a_change_restarts_the_service_as_planned(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        scene = Scene(stage)
        service = await stage.run(watched(stage))
        await scene.restarted(service)
        (row,) = service.state.history
        assert (row.reason, row.counted) == (Reason.WATCH, False)
        (event,) = stage.events("watch.changed")
        assert event.facts["changed"] == ["/src/app.py"]
        await asyncio.sleep(0)
        assert scene.wishes["api"]["generation"] == 2
        assert len(scene.children) == 1

    play(scene)


def test_a_change_an_older_process_missed_restarts_nothing(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        scene = Scene(stage)
        service = await stage.run(watched(stage))
        await scene.restarted(service)
        scene.changed(service, generation=1)
        scene.children[-1].heard({"service": "nobody", "generation": 1})
        scene.children[-1].heard({"watching": ["api"]})
        assert service.state.pending is None

    play(scene)


def test_too_many_changes_pause_the_restarts_and_one_follows_the_pause(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        scene = Scene(stage)
        service = await stage.run(watched(stage))
        for _ in range(MOST_RESTARTS):
            await scene.restarted(service)
        for _ in range(3):
            scene.changed(service)
        assert service.state.pending is None
        (event,) = stage.events("watch.paused")
        assert (event.facts["severity"], event.facts["pause_s"]) == ("warning", FIRST_PAUSE_S)
        await stage.skip(FIRST_PAUSE_S + 1)
        await stage.until(service, lambda state: state.generation == MOST_RESTARTS + 2)
        assert len(stage.events("watch.paused")) == 1

    play(scene)


def test_a_process_started_during_a_pause_by_other_means_needs_no_restart(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        scene = Scene(stage)
        service = await stage.run(watched(stage))
        for _ in range(MOST_RESTARTS):
            await scene.restarted(service)
        scene.changed(service)
        generation = service.state.generation + 1
        stage.supervisor.tell(service, RestartOrdered())
        await stage.until(service, lambda state: state.generation == generation)
        await stage.skip(FIRST_PAUSE_S + 1)
        assert (service.state.generation, service.state.pending) == (generation, None)
        scene.changed(service)
        assert service.state.pending is not None

    play(scene)


def test_the_child_ends_with_the_last_watched_service(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        scene = Scene(stage)
        a = await stage.run(watched(stage, "a"))
        b = await stage.run(watched(stage, "b"))
        await stage.stop(a)
        await asyncio.sleep(0)
        assert scene.wishes.keys() == {"b"}
        b.spec = stage.spec("b")
        stage.supervisor.attend(b)
        assert scene.children[-1].is_closed
        stage.supervisor.attend(b)
        b.spec = watched(stage, "b")
        stage.supervisor.attend(b)
        await asyncio.sleep(0)
        assert len(scene.children) == 2
        scene.care.forget(b)
        assert scene.children[-1].is_closed

    play(scene)


def test_a_child_that_dies_is_replaced_ever_more_slowly(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        scene = Scene(stage)
        await stage.run(watched(stage))
        waits = [FIRST_BACKOFF, 2 * FIRST_BACKOFF, 4 * FIRST_BACKOFF]
        for number, wait in enumerate(waits, start=1):
            scene.children[-1].ended()
            await stage.skip(wait)
            assert len(scene.children) == number + 1
            assert scene.wishes.keys() == {"api"}
        await stage.skip(LONGEST_BACKOFF + 1)
        scene.children[-1].ended()
        told = [event.facts["again_in_s"] for event in stage.events("watch.ended")]
        assert told == [*waits, FIRST_BACKOFF]

    play(scene)


def test_a_child_that_cannot_be_started_is_tried_again(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        scene = Scene(stage)
        scene.refuses = True
        await stage.run(watched(stage))
        assert "no descriptor" in str(stage.events("watch.ended")[0].facts["why"])
        scene.refuses = False
        await stage.skip(LONGEST_BACKOFF)
        assert scene.wishes.keys() == {"api"}

    play(scene)


def test_what_cannot_be_watched_is_told_and_so_is_its_end(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        scene = Scene(stage)
        await stage.run(watched(stage))
        scene.children[-1].heard({"service": "api", "degraded": "/src does not exist"})
        scene.children[-1].heard({"service": "api", "degraded": None})
        (event,) = stage.events("watch.degraded")
        assert event.facts == {"severity": "warning", "why": "/src does not exist"}
        assert len(stage.events("watch.restored")) == 1

    play(scene)


def test_real_files_restart_a_real_service(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        parts = WatchParts(
            loop=stage.loop,
            now=stage.supervisor.now,
            notes=stage.notes,
            tell=stage.supervisor.tell,
            start=WatchChild,
        )
        care = WatchCare(parts)
        stage.supervisor.attendants.append(care)
        source = stage.folder / "src"
        os.mkdir(source)
        spec = stage.spec(watch=Watch(paths=(str(source),), debounce=0.05))
        service = stage.start(spec)
        for _ in range(2):
            before = service.state.generation
            (source / "app.py").write_text("x")  # while nobody watches yet
            await stage.until(service, lambda state: state.generation > before)  # noqa: B023
        care.forget(service)

    play(scene)
