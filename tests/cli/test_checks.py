from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from holdfast.hub import outbox
from holdfast.model.check import CheckKind, CheckSpec

if TYPE_CHECKING:
    from tests.cli.conftest import Done, Hub

    Run = Callable[..., Done]

NIGHT = CheckSpec(name="night", kind=CheckKind.PING, period=3600.0, grace=60.0)
NOON = CheckSpec(name="noon", kind=CheckKind.PING, period=3600.0, grace=60.0)


@pytest.fixture
def bad(hub: "Hub", run: "Run") -> "Hub":
    """A hub with one check that is well and one that failed and was told of."""
    hub.expect(NIGHT, NOON)
    assert run("ping", "noon").code == 0
    assert run("ping", "night", "3", "-m", "no space").code == 0
    hub.sweep()
    return hub


def test_every_check_is_shown_with_how_it_does(bad: "Hub", run: "Run") -> None:
    rows = {row["name"]: row for row in run("checks", "--json").json}
    assert {name: (row["severity"], row["confirmed"]) for name, row in rows.items()} == {
        "night": ("critical", "critical"),
        "noon": ("ok", "ok"),
    }
    assert rows["noon"]["ping_url"].startswith(bad.parts.condition.url)

    head, *lines = run("checks").lines
    assert head.split()[:3] == ["CHECK", "KIND", "SEVERITY"]
    assert [line.split()[:3] for line in lines] == [
        ["night", "ping", "critical"],
        ["noon", "ping", "ok"],
    ]
    assert "exit code 3" in lines[0]


def test_only_the_checks_that_are_named_are_shown(bad: "Hub", run: "Run") -> None:
    assert [row["name"] for row in run("checks", "noon", "--json").json] == ["noon"]

    wrong = run("checks", "non")
    assert wrong.code == 2
    assert "there is no check 'non'; did you mean noon?" in wrong.err


def test_incidents_are_shown_while_they_are_open_and_afterwards_on_demand(
    bad: "Hub", run: "Run"
) -> None:
    (row,) = run("incidents", "--json").json
    assert (row["check"], row["number"], row["severity"]) == ("night", 1, "critical")
    assert row["closed_at"] is None
    assert ", open" in run("incidents").lines[1]

    run("ping", "night")
    bad.sweep()

    assert run("incidents").lines == ["no incident is open"]
    assert run("incidents", "--json").json == []
    assert ", open" not in run("incidents", "--all").lines[1]


def test_what_there_is_nothing_of_is_said_in_words(hub: "Hub", run: "Run") -> None:
    for words, told in (
        (("checks",), "there are no checks"),
        (("incidents",), "no incident is open"),
        (("incidents", "--all"), "there never was an incident"),
        (("notifications",), "nobody was told anything yet"),
    ):
        assert told in run(*words).out
        assert run(*words, "--quiet").out == ""
        assert run(*words, "--json").json == []


def test_messages_are_shown_with_how_far_they_have_come(hub: "Hub", run: "Run") -> None:
    assert run("alerts", "test", "--json", "none").code == 2
    settings, now = hub.parts.settings, hub.parts.now()
    hub.write(lambda tx: (outbox.test(tx, settings, None, now), outbox.batch(tx, settings, now)))

    (row,) = run("notifications", "--json").json
    assert (row["channel"], row["kind"]) == ("file", "test")
    assert "file" in run("notifications").lines[1]


def test_without_a_hub_the_exit_code_says_so(run: "Run") -> None:
    for words in (("checks",), ("incidents",), ("notifications",)):
        done = run(*words)
        assert done.code == 3
        assert "holdfast up" in done.err
