import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest

from holdfast.clock import SystemClock
from holdfast.errors import HoldfastError
from holdfast.home import Home
from holdfast.hub import views, watch_itself
from holdfast.hub.parts import Parts
from holdfast.hub.probes.fetch import Answer
from holdfast.hub.store.interface import Store
from holdfast.model.hub import HubSettings


@pytest.fixture
def parts(store: Store, tmp_path: Path) -> Parts:
    home = Home(tmp_path / "home")
    home.make()
    return Parts(
        home=home,
        clock=SystemClock(),
        store=store,
        settings=HubSettings(machine="box", dead_man_url="http://127.0.0.1:1/x"),
        ping_key="key",
    )


def asked(parts: Parts, monkeypatch: pytest.MonkeyPatch, answer: Answer) -> list[str]:
    urls: list[str] = []

    def fetch(url: str, within: float) -> Answer:
        urls.append(url)
        return answer

    monkeypatch.setattr(watch_itself, "fetch", fetch)
    return urls


def test_the_outside_hears_of_a_hub_only_while_it_does_its_work(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    urls = asked(parts, monkeypatch, Answer(200))

    def tell() -> int:
        assert asyncio.run(watch_itself.tell_the_outside(parts)) == 60.0
        return len(urls)

    assert tell() == 0  # nothing was swept yet
    parts.condition.swept_mono = parts.clock.monotonic()
    assert tell() == 1
    parts.condition.faults["send"] = "the disk is full"
    assert tell() == 1
    parts.condition.faults = {"probe": "one of them"}
    assert tell() == 2
    parts.condition.swept_mono = parts.clock.monotonic() - 901.0
    assert tell() == 2
    parts.settings = replace(parts.settings, dead_man_url=None)
    assert tell() == 2


def test_an_outside_that_cannot_be_told_is_a_fault(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts.condition.swept_mono = parts.clock.monotonic()
    for answer in (Answer(0, "x: no answer in time"), Answer(404)):
        asked(parts, monkeypatch, answer)
        with pytest.raises(HoldfastError, match="dead man"):
            asyncio.run(watch_itself.tell_the_outside(parts))


def test_the_age_of_the_supervisors_heartbeat_is_that_of_its_file(parts: Parts) -> None:
    path = parts.home.heartbeat("supervisor")
    assert watch_itself.beat_age(parts) is None

    beat = {"timestamp": parts.clock.wall() - 100.0, "status": "healthy"}
    path.write_text(json.dumps(beat))
    age = watch_itself.beat_age(parts)
    assert age is not None
    assert age >= 100.0

    for text in ("{", "[]", json.dumps({**beat, "status": "stopped"}), '{"timestamp": null}'):
        path.write_text(text)
        assert watch_itself.beat_age(parts) is None


def test_the_hub_keeps_checks_on_itself(parts: Parts) -> None:
    assert asyncio.run(watch_itself.look_at_itself(parts)) == 60.0

    rows = asyncio.run(
        parts.store.read(lambda tx: views.checks(tx, parts.settings.policy, parts.now()))
    )
    assert {row["kind"] for row in rows} == {"machine"}
