"""`holdfast start|stop|restart|signal`: one line of answer each, and an exit code scripts can rely on."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from holdfast.cli import reach
from holdfast.machine.process.wait import reap_strangers

if TYPE_CHECKING:
    from tests.cli.conftest import Done

    Run = Callable[..., Done]

CONFIG = """
[service.a]
command = ["sleep", "8003"]
[service.idle]
command = ["sleep", "8004"]
autostart = false
[service.bad]
command = ["/no/such/program"]
autostart = false
"""


@pytest.fixture
def up(run: "Run", tmp_path: Path) -> Iterator[None]:
    """Bring a real supervisor up, and down again."""
    (tmp_path / "holdfast.toml").write_text(CONFIG, encoding="utf-8")
    assert run("up", "--no-hub", "--no-wait").code == 0
    yield
    run("down", "--timeout", "5s")
    reap_strangers(frozenset())


class Answers:
    """A supervisor that answers every order with the same rows."""

    def __init__(self, *rows: dict[str, Any]) -> None:
        self.rows = list(rows)
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def __enter__(self) -> "Answers":
        return self

    def __exit__(self, *exception: object) -> None:
        return None

    def call(self, method: str, params: dict[str, Any]) -> Any:
        self.asked.append((method, params))
        return {"services": self.rows}


def answering(monkeypatch: pytest.MonkeyPatch, *results: str) -> Answers:
    answers = Answers(
        *(
            {
                "name": f"s{at}",
                "pid": 7,
                "result": result,
                "why": "because" * (result in ["failed", "stuck", "waiting"]),
            }
            for at, result in enumerate(results)
        )
    )
    monkeypatch.setattr(reach, "supervisor", lambda **_: answers)
    return answers


def test_orders_carry_a_service_through_its_life(run: "Run", up: None) -> None:
    started = run("start", "idle", "--no-wait", "--json")
    assert started.code == 0
    (row,) = started.json["services"]
    assert row["result"] == "starting"
    signalled = run("signal", "URG", "idle")
    assert (signalled.code, signalled.out) == (0, f"idle signalled (pid {row['pid']})\n")
    assert run("restart", "idle", "--no-wait").code == 0
    stopped = run("stop", "idle", "a")
    assert (stopped.code, stopped.out) == (0, "a stopped\nidle stopped\n")
    again = run("stop", "idle", "--kill")
    assert (again.code, again.out) == (0, "idle not running\n")


def test_what_cannot_be_started_fails_with_its_reason(run: "Run", up: None) -> None:
    done = run("start", "bad", "-q")
    assert done.code == 1
    assert done.out == ""
    assert "bad failed: '/no/such/program' cannot be started" in done.err


def test_a_signal_to_what_does_not_run_fails(run: "Run", up: None) -> None:
    for words in (("signal", "HUP", "idle"), ("reload", "idle")):
        done = run(*words)
        assert (done.code, done.out) == (1, "idle not running\n")


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("start",), "no service was named"),
        (("stop", "idel"), "did you mean 'idle'?"),
        (("restart", "q*"), "no service matches 'q*'"),
        (("signal", "NOPE", "a"), "there is no signal 'NOPE'"),
        (("reload", "group:web"), "no service is in 'group:web'"),
    ],
)
def test_wrong_use_is_answered_with_advice(
    run: "Run", up: None, words: tuple[str, ...], complaint: str
) -> None:
    done = run(*words)
    assert done.code == 2
    assert complaint in done.err


@pytest.mark.parametrize("words", [("start", "a"), ("stop", "--all"), ("signal", "HUP", "a")])
def test_where_nobody_runs_the_exit_code_says_so(run: "Run", words: tuple[str, ...]) -> None:
    done = run(*words)
    assert done.code == 3
    assert "start one with: holdfast up" in done.err


@pytest.mark.parametrize(
    ("result", "code"),
    [
        ("started", 0),
        ("already_running", 0),
        ("restarted", 0),
        ("waiting", 0),
        ("stopped", 0),
        ("not_running", 0),
        ("failed", 1),
        ("stuck", 1),
    ],
)
def test_one_bad_outcome_among_many_is_the_outcome(
    run: "Run", monkeypatch: pytest.MonkeyPatch, result: str, code: int
) -> None:
    answering(monkeypatch, "started", result)
    assert run("start", "--all").code == code


def test_a_line_says_what_came_of_each(run: "Run", monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, "already_running", "waiting", "stuck")
    done = run("stop", "--all")
    assert done.lines == ["s0 already running (pid 7)", "s1 waiting (pid 7): because"]
    assert done.err == "holdfast: s2 stuck: because\n"
    assert run("stop", "--all", "-q").out == ""


@pytest.mark.parametrize(
    ("words", "method", "asked"),
    [
        (("start", "a", "b*"), "start", {"select": ["a", "b*"], "all": False, "wait": True}),
        (("start", "--all", "--no-wait"), "start", {"select": [], "all": True, "wait": False}),
        (("stop", "a", "--kill"), "stop", {"select": ["a"], "all": False, "kill": True}),
        (("restart", "a"), "restart", {"select": ["a"], "all": False, "wait": True}),
        (("signal", "HUP", "a"), "signal", {"select": ["a"], "all": False, "signal": "HUP"}),
        (("reload", "a"), "reload_services", {"select": ["a"], "all": False}),
    ],
)
def test_what_is_typed_is_what_is_asked(
    run: "Run",
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    method: str,
    asked: dict[str, Any],
) -> None:
    answers = answering(monkeypatch, "started")
    assert run(*words).code == 0
    assert answers.asked == [(method, asked)]
