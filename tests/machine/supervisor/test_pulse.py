"""The supervisor's own heartbeat."""

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from holdfast import statefile
from holdfast.clock import boot_id
from holdfast.errors import StateError
from holdfast.machine.supervisor.pulse import BEAT_EVERY, BEATS_UNTIL_STALE, Pulse
from holdfast.machine.supervisor.standing import STALE_AFTER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.machine.supervisor.conftest import Play, Stage


class Heart:
    """A pulse of a stage, with what it sent."""

    def __init__(self, stage: "Stage") -> None:
        self.stage = stage
        self.sent: list[Mapping[str, object]] = []
        self.pulse = Pulse(stage.parts(), self.sent.append, lambda: 3)

    def written(self) -> Any:
        return json.loads(self.stage.home.heartbeat("supervisor").read_text())


def test_a_beat_says_who_lives_how_long_it_is_believed_and_over_how_many(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        heart = Heart(stage)
        heart.pulse.beat()
        beat = heart.written()
        assert (beat["pid"], beat["status"], beat["services"]) == (os.getpid(), "running", 3)
        assert (beat["boot_id"], beat["interval"]) == (boot_id(), BEAT_EVERY)
        assert beat["expires_at"] - beat["timestamp"] == pytest.approx(STALE_AFTER)
        assert [dict(one) for one in heart.sent] == [beat]
        heart.pulse.stop()
        assert not stage.home.heartbeat("supervisor").exists()

    play(scene)


def test_it_beats_often_enough_for_a_watchdog_that_is_soon_worried(play: "Play") -> None:
    async def scene(stage: "Stage") -> None:
        stage.clock.stand()
        heart = Heart(stage)
        heart.pulse.beat()
        heart.pulse.obey(5.0)
        assert heart.written()["interval"] == 5.0 / BEATS_UNTIL_STALE
        heart.pulse.obey(5.0)
        assert len(heart.sent) == 2
        await stage.skip(1.0)
        assert len(heart.sent) == 3
        heart.pulse.stop()

    play(scene)


def test_a_disk_that_refuses_the_file_is_told_and_the_beat_still_sent(
    play: "Play", monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: object, **_options: object) -> None:
        raise StateError("no space left", path="heartbeats/supervisor.json")

    async def scene(stage: "Stage") -> None:
        heart = Heart(stage)
        monkeypatch.setattr(statefile, "write_json", refuse)
        heart.pulse.beat()
        assert len(heart.sent) == 1
        assert [event.subject for event in stage.events("state.write_failed")] == ["supervisor"]
        heart.pulse.stop()

    play(scene)
