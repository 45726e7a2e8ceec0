"""`holdfast down`: when it returns, nothing is left."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from holdfast import statefile
from holdfast.cli import down, ending, reach
from holdfast.home import Home
from holdfast.machine.process.identity import identify, stat
from holdfast.machine.process.wait import reap_strangers

if TYPE_CHECKING:
    from tests.cli.conftest import Done

    Run = Callable[..., Done]

if sys.platform != "linux":
    pytest.skip("these tests look into /proc", allow_module_level=True)


@pytest.fixture(autouse=True)
def _down(run: "Run") -> Iterator[None]:
    yield
    run("down", "--timeout", "5s")
    reap_strangers(frozenset())


@pytest.fixture
def brought_up(
    run: "Run", tmp_path: Path, own_pids: Callable[[], dict[str, int]]
) -> dict[str, int]:
    """Return the pids of two services, the supervisor and the watchdog."""
    text = "".join(f'[service.{name}]\ncommand = ["sleep", "8002"]\n' for name in "ab")
    (tmp_path / "holdfast.toml").write_text(text, encoding="utf-8")
    assert run("up", "--no-hub", "--no-wait").code == 0
    services = run("status", "--json").json["services"]
    return {row["name"]: row["pid"] for row in services} | own_pids()


class Answers:
    """A supervisor that answers as a test wants."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers

    def __enter__(self) -> "Answers":
        return self

    def __exit__(self, *exception: object) -> None:
        return None

    def call(self, method: str, *_params: Any, **_more: Any) -> Any:
        return self.answers[method]


def test_it_stops_everything_and_returns_once_nothing_is_left(
    run: "Run", brought_up: dict[str, int]
) -> None:
    done = run("down")
    assert (done.code, done.out) == (0, "2 services stopped; Holdfast ended\n")
    assert [identify(pid) for pid in brought_up.values()] == [None] * 4
    assert run("status").code == 3


def test_it_tells_whom_it_stopped(run: "Run", brought_up: dict[str, int]) -> None:
    told = run("down", "--json").json["services"]
    assert {row["name"]: row["result"] for row in told} == {"a": "stopped", "b": "stopped"}


def test_services_may_be_kept(run: "Run", brought_up: dict[str, int]) -> None:
    done = run("down", "--keep-services")
    assert done.code == 0
    assert "the services live on" in done.out
    assert identify(brought_up["supervisor"]) is None
    assert identify(brought_up["watchdog"]) is None
    assert identify(brought_up["a"]) is not None
    again = run("down")
    assert again.code == 3
    assert "these services live on: a, b; run `holdfast up`" in again.err
    assert run("up", "--no-hub", "--no-wait").code == 0


def test_services_that_outlived_their_supervisor_are_not_passed_over(
    run: "Run", brought_up: dict[str, int]
) -> None:
    own = [brought_up[name] for name in ("watchdog", "supervisor")]
    with ending.Programs(own) as programs:
        for pid in own:  # or the one that is killed last might replace the other
            os.kill(pid, signal.SIGSTOP)
            while (found := stat(pid)) is not None and found.state not in "TZX":
                pass
        for pid in own:
            os.kill(pid, signal.SIGKILL)
        assert programs.left() == []
    assert run("down").code == 3
    assert run("up", "--no-hub", "--no-wait").code == 0
    assert run("down").code == 0
    assert identify(brought_up["a"]) is None


def test_where_nothing_runs_there_is_nothing_to_do(run: "Run", home: Home) -> None:
    done = run("down")
    assert (done.code, done.out) == (0, "nothing is running\n")
    assert run("down", "--json").json == {"services": []}
    assert run("down", "-q").out == ""


def test_a_supervisor_that_is_just_being_replaced_is_waited_for(
    run: "Run", brought_up: dict[str, int]
) -> None:
    os.kill(brought_up["supervisor"], signal.SIGKILL)
    done = run("down")
    assert (done.code, done.out) == (0, "2 services stopped; Holdfast ended\n")
    assert [identify(pid) for pid in brought_up.values()] == [None] * 4


def test_who_runs_and_does_not_answer_is_named(
    run: "Run", home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(down, "PATIENCE", 0.0)
    with statefile.hold(home.watchdog_lock):
        done = run("down")
    assert done.code == 1
    assert f"(pid {os.getpid()}) and does not answer" in done.err


def test_own_processes_that_do_not_end_are_named(
    run: "Run", monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = Answers(ping={"pid": os.getpid()}, shutdown={"services": []})
    with monkeypatch.context() as patch:
        patch.setattr(reach, "supervisor", lambda **_: answers)
        patch.setattr(ending, "END_WITHIN", 0.0)
        done = run("down")
    assert done.code == 1
    assert f"Holdfast itself (pid {os.getpid()}) has not ended yet" in done.err


def test_a_time_nobody_can_read_is_wrong_use(run: "Run", brought_up: dict[str, int]) -> None:
    assert run("down", "--timeout", "soon").code == 2
    assert identify(brought_up["a"]) is not None


def test_what_could_not_be_ended_is_told_and_fails(
    run: "Run", monkeypatch: pytest.MonkeyPatch
) -> None:
    row = {
        "name": "a",
        "state": "stuck",
        "pid": 4_194_000,
        "result": "stuck",
        "why": "in the kernel",
    }
    answers = Answers(ping={"pid": 4_194_000}, shutdown={"services": [row]})
    with monkeypatch.context() as patch:
        patch.setattr(reach, "supervisor", lambda **_: answers)
        done = run("down")
        quiet = run("down", "-q")
    assert (done.code, quiet.code) == (1, 1)
    assert done.err == quiet.err == "holdfast: a could not be ended: in the kernel\n"
    assert quiet.out == ""
