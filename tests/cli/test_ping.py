import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from holdfast.cli import ask
from holdfast.clock import SystemClock
from holdfast.errors import NotRunning
from holdfast.home import Home
from holdfast.hub import ingest
from holdfast.hub.store import sqlite_file
from holdfast.journal import Journal, read
from holdfast.machine.supervisor import foreign

if TYPE_CHECKING:
    from tests.cli.conftest import Done, Hub

    Run = Callable[..., Done]

RUN = "5a0d0d2e-0f9c-4f6b-9f0d-6f3d4f0f5a11"


class Supervisor:
    """Takes events as the control socket does, and writes them into the journal; or is away."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.is_away = False

    def __call__(self) -> "Supervisor":
        return self

    def __enter__(self) -> "Supervisor":
        if self.is_away:
            raise NotRunning("no supervisor is running; start it with: holdfast up")
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def call(self, method: str, params: dict[str, Any]) -> None:
        assert method == "note"
        journal = Journal(self.home.journal, SystemClock())
        journal.open()
        for event in foreign.read(params):
            journal.append(event.kind, event.subject, dict(event.facts))
        journal.close()


@pytest.fixture
def supervisor(home: Home, monkeypatch: pytest.MonkeyPatch) -> Supervisor:
    made = Supervisor(home)
    monkeypatch.setattr("holdfast.cli.reach.supervisor", made)
    return made


def pings_of(name: str) -> list[dict[str, Any]]:
    pings: list[dict[str, Any]] = ask.get(f"/checks/{name}")["pings"]
    return pings


def take_in(hub: "Hub") -> None:
    told = list(read(hub.parts.home.journal))
    policy, now = hub.parts.settings.policy, hub.parts.now()
    hub.write(lambda tx: ingest.ingest(tx, "box", told, policy, (), now))


@pytest.mark.parametrize(
    ("words", "signal", "code"),
    [
        ((), "success", None),
        (("start",), "start", None),
        (("log",), "log", None),
        (("fail",), "fail", None),
        (("0",), "success", 0),
        (("255",), "fail", 255),
    ],
)
def test_every_word_says_what_it_means(
    hub: "Hub", run: "Run", words: tuple[str, ...], signal: str, code: int | None
) -> None:
    done = run("ping", "night", *words, "--create", "-m", "42 files", "--rid", RUN)

    assert (done.code, done.out) == (0, "")
    (ping,) = pings_of("night")
    assert (ping["signal"], ping["exit_code"], ping["body"]) == (signal, code, "42 files")
    assert ping["run"] == RUN


def test_what_cannot_be_meant_is_refused_before_anybody_is_asked(run: "Run") -> None:
    for words in (("night", "256"), ("night", "done"), ("night", "-1"), ("Night",), ("a/b",)):
        assert run("ping", *words).code == 2, words


def test_a_check_that_is_not_there_is_made_only_on_demand(hub: "Hub", run: "Run") -> None:
    done = run("ping", "night")
    assert done.code != 0
    assert "there is no check 'night'" in done.err

    assert run("ping", "night", "--create", "--json").json["outcome"] == "created"


def test_while_no_hub_lives_a_ping_waits_in_the_journal_with_all_it_says(
    home: Home, supervisor: Supervisor, run: "Run", request: pytest.FixtureRequest
) -> None:
    words = ("ping", "night", "3", "--create", "-m", "caf\udcff", "--rid", RUN)
    done = run(*words)
    assert done.code == 0
    assert "kept in the journal" in done.out
    assert run("ping", "night", "0", "--quiet").out == ""
    assert run("ping", "night", "log", "--json").json == {"name": "night", "kept": True}

    hub = request.getfixturevalue("hub")
    take_in(hub)

    first = pings_of("night")[-1]
    assert (first["signal"], first["exit_code"], first["run"]) == ("fail", 3, RUN)
    assert first["body"] == "caf?"


def test_a_hub_that_cannot_write_leaves_the_ping_to_the_journal(
    hub: "Hub", supervisor: Supervisor, run: "Run", monkeypatch: pytest.MonkeyPatch
) -> None:
    run("ping", "night", "--create")
    with closing(sqlite3.connect(hub.parts.home.hub_db, isolation_level=None)) as other:
        monkeypatch.setattr(sqlite_file, "BUSY_FOR_S", 0.05)
        hub.write(lambda _tx: None)
        other.execute("BEGIN IMMEDIATE")
        assert run("ping", "night", "--json").json == {"name": "night", "kept": True}

        supervisor.is_away = True
        lost = run("ping", "night")
        assert lost.code == 7
        assert "another program holds its lock" in lost.err
        other.execute("ROLLBACK")

    take_in(hub)
    assert len(pings_of("night")) == 2


def test_with_neither_hub_nor_supervisor_the_ping_is_not_said_to_be_kept(
    supervisor: Supervisor, run: "Run"
) -> None:
    supervisor.is_away = True

    done = run("ping", "night")

    assert done.code == 3
    assert "no hub is running" in done.err
