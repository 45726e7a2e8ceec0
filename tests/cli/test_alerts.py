import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from holdfast.cli import alerts, ask
from holdfast.hub.notify.channel import sending_by
from holdfast.hub.notify.sender import Means, Sender
from holdfast.model.check import CheckKind, CheckSpec
from holdfast.model.message import Channel

if TYPE_CHECKING:
    from tests.cli.conftest import Done, Hub

    Run = Callable[..., Done]

NIGHT = CheckSpec(name="night", kind=CheckKind.PING, period=3600.0, grace=60.0)


@pytest.fixture
def bad(hub: "Hub", run: "Run") -> "Hub":
    """A hub with an open incident."""
    hub.expect(NIGHT)
    assert run("ping", "night", "fail").code == 0
    hub.sweep()
    return hub


def test_who_acknowledges_an_incident_stands_beside_it(bad: "Hub", run: "Run") -> None:
    done = run("alerts", "ack", "night", "--by", "ann", "--note", "on it", "--for", "1h")
    assert (done.code, done.out) == (0, "acknowledged: night\n")
    assert run("incidents", "--json").json[0]["acknowledged_by"] == "ann"

    (again,) = run("alerts", "ack", "night", "--by", "bob", "--sticky", "--json").json
    assert (again["check"], again["number"], again["acknowledged_by"]) == ("night", 1, "bob")
    assert run("alerts", "ack", "night", "--quiet").out == ""


def test_what_has_no_incident_cannot_be_acknowledged(bad: "Hub", run: "Run") -> None:
    for name in ("none", "a b/c", "ä"):
        done = run("alerts", "ack", name)
        assert done.code in (2, 4), done
        assert name in done.err


def test_a_silence_is_made_shown_and_ended(hub: "Hub", run: "Run") -> None:
    assert run("alerts", "list").out == "nothing is silenced\n"

    made = run("alerts", "silence", "backup-*", "--for", "2h", "--by", "ann", "--json").json
    assert (made["pattern"], made["by"], made["maintenance"]) == ("backup-*", "ann", False)
    told = run("alerts", "maintenance", "*", "--for", "30m", "--note", "new kernel")
    assert "to end it before: holdfast alerts end 2" in told.out

    rows = run("alerts", "list", "--json").json
    assert [(row["id"], row["maintenance"]) for row in rows] == [(1, False), (2, True)]
    assert "new kernel" in run("alerts", "list").lines[2]

    assert run("alerts", "end", "1").out == "silence 1 is over\n"
    assert run("alerts", "end", "1").code != 0
    assert [row["id"] for row in run("alerts", "list", "--json").json] == [2]


def test_a_duration_that_is_none_is_refused(hub: "Hub", run: "Run") -> None:
    for span in ("soon", "-1h", "99999999d"):
        assert run("alerts", "silence", "*", f"--for={span}").code == 2
    assert run("alerts", "list", "--json").json == []


def test_a_test_message_that_arrives_is_waited_for(hub: "Hub", run: "Run", tmp_path: Path) -> None:
    parts, path = hub.parts, tmp_path / "told.jsonl"
    parts.settings = replace(
        parts.settings, channels=(Channel(name="file", url=f"file://{path}"),)
    )
    means = Means(
        store=parts.store,
        send=sending_by(parts.clock),
        now=parts.now,
        settings=lambda: parts.settings,
        news=parts.bells.outbox,
        owner="box:1",
        owners="box:",
    )
    sending = asyncio.run_coroutine_threadsafe(Sender(means).run(), hub.loop)

    done = run("alerts", "test")
    assert (done.code, done.out) == (0, "file: delivered\n")
    assert '"kind":"test"' in path.read_text().replace(" ", "")
    (row,) = run("alerts", "test", "file", "--json").json
    assert row["state"] == "delivered"

    sending.cancel()


def test_a_test_message_that_does_not_arrive_in_time_fails_the_command(
    hub: "Hub", run: "Run", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerts, "TEST_WITHIN", 0.0)

    undone = run("alerts", "test", "file")

    assert (undone.code, undone.out) == (1, "file: pending\n")
    assert "no channel" in run("alerts", "test", "none").err


def test_a_slow_channel_is_waited_for_longer_than_any_other_answer(
    monkeypatch: pytest.MonkeyPatch, run: "Run"
) -> None:
    waited: list[float] = []

    def post(path: str, body: dict[str, object], *, within: float) -> list[dict[str, object]]:
        assert isinstance(body["wait_s"], float)
        waited.append(within - body["wait_s"])
        return [{"channel": "file", "state": "dead", "last_error": "refused"}]

    monkeypatch.setattr(ask, "post", post)

    done = run("alerts", "test")
    assert (done.code, done.out) == (1, "file: dead: refused\n")
    assert waited[0] >= 5.0
