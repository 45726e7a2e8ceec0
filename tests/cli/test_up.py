"""`holdfast up` with a real supervisor: steps, outcome, exit code."""

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import holdfast
from holdfast.cli import up
from holdfast.home import Home
from holdfast.machine.process.identity import identify
from holdfast.machine.process.wait import reap_strangers

if TYPE_CHECKING:
    from tests.cli.conftest import Done
    from tests.conftest import Machine

    Run = Callable[..., Done]


@pytest.fixture(autouse=True)
def _down(run: "Run") -> Iterator[None]:
    yield
    run("down", "--timeout", "5s")
    reap_strangers(frozenset())


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], None]:
    def write(text: str) -> None:
        (tmp_path / "holdfast.toml").write_text(text, encoding="utf-8")

    return write


def service(name: str, command: str = '"sleep", "8001"', more: str = "") -> str:
    return f"[service.{name}]\ncommand = [{command}]\n{more}\n"


HOLD = """
import signal, sys
from holdfast import statefile
with statefile.hold(sys.argv[1]):
    print("held", flush=True)
    signal.pause()
"""

FAILS = '"/no/such/program"'


def rows(run: "Run") -> dict[str, dict[str, object]]:
    return {row["name"]: row for row in run("status", "--json").json["services"]}


def test_it_starts_everything_in_numbered_steps_and_touches_nothing_the_second_time(
    run: "Run", write: Callable[[str], None]
) -> None:
    write(service("a") + service("b"))
    first = run("up", "--no-hub")
    assert first.code == 0
    assert [line.split(" ... ")[0] for line in first.lines[:4]] == [
        "[1/4] Start the supervisor",
        "[2/4] Clean up stale state",
        "[3/4] Start services",
        "[4/4] Verify health",
    ]
    assert "2 started" in first.out
    assert "2/2 healthy in " in first.out
    before = {name: row["pid"] for name, row in rows(run).items()}
    second = run("up", "--no-hub", "--json")
    assert second.code == 0
    assert "2 already running" in second.json["steps"][2]["says"]
    assert second.json["health"] == {"score": 100.0, "healthy": 2, "total": 2}
    assert {name: row["pid"] for name, row in rows(run).items()} == before
    assert run("up", "--no-hub", "-q").out == ""


def test_what_fails_is_named_with_its_reason_and_the_rest_runs(
    run: "Run", write: Callable[[str], None]
) -> None:
    write(service("bad", FAILS) + service("good") + service("waits", more='needs = ["bad"]'))
    done = run("up", "--no-hub")
    assert done.code == 1
    assert "bad: failed: '/no/such/program' cannot be started" in done.out
    assert "1/3 healthy" in done.out
    states = {name: row["state"] for name, row in rows(run).items()}
    assert states == {"bad": "failed", "good": "running", "waits": "waiting"}


def test_of_many_that_fail_the_first_are_named(run: "Run", write: Callable[[str], None]) -> None:
    write("".join(service(f"s{number}", FAILS) for number in range(up.LISTED + 2)))
    done = run("up", "--no-hub")
    assert done.code == 1
    assert "and 2 more; see: holdfast status" in done.out
    assert f"s{up.LISTED}:" not in done.out


def test_steps_of_the_configuration_run_before_and_after_and_may_fail(
    run: "Run", write: Callable[[str], None], tmp_path: Path
) -> None:
    write(f"""
[startup]
steps = [
    {{ name = "Prepare", command = [{sys.executable!r}, "-S", "-c", "import os; print(os.getcwd(), os.environ['HOLDFAST_HOME'])"] }},
    {{ name = "Greet", command = ["false"], at = "after" }},
]
""")
    done = run("up", "--no-hub")
    assert done.code == 1
    assert [line.split(" ... ")[0] for line in done.lines if line.startswith("[")] == [
        "[1/6] Prepare",
        "[2/6] Start the supervisor",
        "[3/6] Clean up stale state",
        "[4/6] Start services",
        "[5/6] Verify health",
        "[6/6] Greet",
    ]
    assert f"({tmp_path} {tmp_path}/home)" in done.lines[0]
    assert "ended with exit code 1" in done.out
    assert "0/0 healthy" in done.out


def test_only_the_services_named_are_started(run: "Run", write: Callable[[str], None]) -> None:
    write(service("a") + service("b"))
    assert run("up", "--no-hub", "a", "--no-wait").code == 0
    assert {name: row["pid"] is not None for name, row in rows(run).items()} == {
        "a": True,
        "b": False,
    }
    assert run("up", "--no-hub", "nobody").code != 0


def test_without_waiting_it_returns_once_everything_is_ordered(
    run: "Run", write: Callable[[str], None]
) -> None:
    write(service("a"))
    done = run("up", "--no-hub", "--no-wait")
    assert done.code == 0
    assert "1 ordered" in done.out


def test_a_wrong_configuration_tells_all_and_starts_nothing(
    run: "Run", write: Callable[[str], None], home: Home
) -> None:
    write(service("a", '""', "comand = 5") + "[service.Bad]\n")
    done = run("up", "--no-hub")
    assert done.code == 2
    assert "nothing was changed" in done.err
    assert len(done.err.splitlines()) > 3
    assert run("status").code == 3
    assert not home.supervisor_lock.exists()


def test_without_a_configuration_it_says_where_it_looked(run: "Run") -> None:
    done = run("up", "--no-hub")
    assert done.code == 2
    assert "holdfast.toml" in done.err


def test_the_file_it_was_brought_up_with_is_remembered(
    run: "Run", write: Callable[[str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(service("a", more="autostart = false"))
    assert run("up", "--no-hub").code == 0
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert run("up", "--no-hub").code == 0


def test_stale_pid_files_are_cleaned_up_and_told(
    run: "Run", write: Callable[[str], None], home: Home
) -> None:
    write(service("a", more="autostart = false"))
    for name in ("a", "b"):
        home.pid(name).write_text("4194000\n")
    assert "(2 stale pid files removed: a, b)" in run("up", "--no-hub").out
    assert not any(home.pid(name).exists() for name in ("a", "b"))


def test_a_supervisor_that_holds_the_lock_and_does_not_answer_is_told(
    run: "Run",
    write: Callable[[str], None],
    home: Home,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(up, "PATIENCE", 0.0)
    write(service("a"))
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(home.supervisor_lock)], stdout=subprocess.PIPE
    ) as holding:
        assert holding.stdout is not None
        assert holding.stdout.readline() == b"held\n"
        done = run("up", "--no-hub")
        holding.kill()
    assert done.code == 4
    assert str(holding.pid) in done.err
    assert "supervisor.log" in done.err


def test_another_version_is_replaced_and_the_services_live_on(
    run: "Run",
    write: Callable[[str], None],
    own_pids: Callable[[], dict[str, int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write(service("a"))
    assert run("up", "--no-hub").code == 0
    before, service_before = own_pids(), rows(run)["a"]["pid"]
    monkeypatch.setattr(holdfast, "__version__", "0.0.0+next")
    done = run("up", "--no-hub")
    assert done.code == 0
    assert "in place of version" in done.lines[0]
    assert "the services went on" in done.lines[0]
    after = own_pids()
    assert rows(run)["a"]["pid"] == service_before
    assert after["supervisor"] != before["supervisor"]
    assert after["watchdog"] != before["watchdog"]
    assert identify(before["watchdog"]) is None


def test_several_at_once_end_with_one_supervisor_and_one_watchdog(
    new_machine: "Callable[[], Machine]",
) -> None:
    machine = new_machine()
    machine.config(service("a"))
    started = [machine.beside("up", "-c", str(machine.file)) for _ in range(4)]
    for one in started:
        machine.finished(one)
    assert len(machine.copies("a")) == 1
    own = {machine.supervisor(), machine.watchdog()}
    assert set(machine.living()) == own | {machine.pid("a")}


def test_a_state_folder_nobody_can_use_is_told(
    run: "Run", write: Callable[[str], None], home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(service("a"))
    (home.root / "file").write_text("")
    monkeypatch.setenv("HOLDFAST_HOME", str(home.root / "file"))
    done = run("up", "--no-hub")
    assert done.code == 1
    assert "cannot be used" in done.err


def test_on_a_terminal_the_services_that_are_there_are_counted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    with up._Progress(is_wanted=True) as progress:
        for _ in range(10):
            progress.seen({})
    assert capsys.readouterr().out.split("\b") == [*"123456789", "10", "", "  ", "", ""]
    with up._Progress(is_wanted=False) as progress:
        progress.seen({})
    assert capsys.readouterr().out == ""


def test_a_hub_whose_address_is_taken_says_so_where_the_order_was_given(
    run: "Run", write: Callable[[str], None]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        write(f'[hub]\nlisten = "127.0.0.1:{port}"\n' + service("a"))

        done = run("up")

    assert done.code == 1
    assert f"the hub cannot listen on 127.0.0.1:{port}: Address already in use" in done.out
    assert rows(run)["a"]["state"] == "running"
    assert rows(run)["hub"]["builtin"] is True
    assert run("health", "--score").out == "100\n"


def test_what_holdfast_runs_for_itself_is_meant_by_no_pattern(
    run: "Run", write: Callable[[str], None]
) -> None:
    write('[hub]\nlisten = "127.0.0.1:0"\n' + service("a"))

    assert "1 started" in run("up").out
    before = rows(run)["hub"]["pid"]
    assert run("stop", "--all").code == run("restart", "*").code == 0
    assert rows(run)["hub"]["pid"] == before

    assert run("restart", "hub").code == 0
    again = rows(run)
    assert again["hub"]["pid"] not in (None, before)
    assert run("up", "--no-hub").code == 0
    assert set(rows(run)) == {"a"}


def test_what_holdfast_runs_for_itself_goes_with_it(
    run: "Run", write: Callable[[str], None]
) -> None:
    write('[hub]\nlisten = "127.0.0.1:0"\n' + service("a"))
    assert run("up").code == 0
    before = rows(run)

    assert run("down", "--keep-services").code == 0
    left = {row["name"]: row["pid"] for row in run("status", "--json").json["services"]}
    assert left == {"a": before["a"]["pid"], "hub": None}

    assert run("up").code == 0
    assert rows(run)["a"]["pid"] == before["a"]["pid"]
    assert rows(run)["hub"]["state"] == "running"
