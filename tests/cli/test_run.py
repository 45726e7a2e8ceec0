"""`holdfast run --check`: a run of another scheduler is remembered, whatever happens to us."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from holdfast.home import Home

if TYPE_CHECKING:
    from tests.cli.conftest import Done

if sys.platform == "win32":
    pytest.skip("these tests use POSIX signals", allow_module_level=True)

DEADLINE_S = 30.0
HOLDFAST = [sys.executable, "-m", "holdfast"]


def checked(*words: str, name: str = "export") -> "subprocess.CompletedProcess[str]":
    command = [*HOLDFAST, "run", "--check", name, "--", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False)


def runs(home: Home, name: str = "export") -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(home.job(name).read_bytes())["runs"]
    return rows


def test_it_is_as_if_the_command_ran_alone_and_the_run_is_remembered(home: Home) -> None:
    done = checked(sys.executable, "-c", "import sys; print('17 rows'); sys.exit(5)")
    assert (done.returncode, done.stdout, done.stderr) == (5, "17 rows\n", "")
    (run,) = runs(home)
    assert (run["trigger"], run["result"], run["exit_code"]) == ("external", "failed", 5)
    assert run["output_tail"] == "17 rows\n"
    assert run["duration_s"] > 0
    assert run["runner"] is None


def test_a_run_that_goes_well_is_a_success(home: Home) -> None:
    assert checked("true").returncode == 0
    assert [run["result"] for run in runs(home)] == ["success"]


def test_words_behind_the_dashes_are_the_commands_own(home: Home) -> None:
    done = checked("echo", "--json", "-q", "--", "--check", "x")
    assert done.stdout == "--json -q -- --check x\n"


def test_the_dashes_may_be_left_out(home: Home) -> None:
    done = subprocess.run(
        [*HOLDFAST, "run", "--check", "export", "echo", "-n", "a"],
        capture_output=True,
        text=True,
        check=True,
        timeout=DEADLINE_S,
    )
    assert done.stdout == "a"


@pytest.mark.parametrize(("program", "code"), [("no-such-program", 127), ("/", 126)])
def test_a_command_that_cannot_be_executed_is_a_failed_run(
    home: Home, program: str, code: int
) -> None:
    done = checked(program)
    assert done.returncode == code
    assert program in done.stderr
    (run,) = runs(home)
    assert (run["result"], run["exit_code"]) == ("failed", code)
    assert program in run["why"]


def test_a_signal_ends_the_command_and_is_remembered(home: Home) -> None:
    command = [*HOLDFAST, "run", "--check", "export", "--", "sh", "-c", "echo go; exec sleep 7006"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == b"go\n"
        (run,) = runs(home)
        assert (run["result"], run["runner"]["pid"]) == (None, running.pid)
        running.send_signal(signal.SIGTERM)
        assert running.wait(DEADLINE_S) == 128 + 15
    (run,) = runs(home)
    assert (run["result"], run["exit_code"], run["signal"]) == ("failed", None, 15)


def test_a_runner_that_was_killed_leaves_a_run_nobody_knows_the_end_of(
    home: Home, run: "Callable[..., Done]"
) -> None:
    command = [*HOLDFAST, "run", "--check", "export", "--", "sh", "-c", "echo go; exec sleep 7006"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as running:
        assert running.stdout is not None
        running.stdout.readline()
        os.killpg(running.pid, signal.SIGKILL)
    assert [one["result"] for one in run("job", "history", "export", "--json").json] == ["unknown"]
    assert checked("true").returncode == 0
    assert [one["result"] for one in runs(home)] == ["unknown", "success"]


def test_what_cannot_be_remembered_runs_all_the_same(home: Home) -> None:
    home.jobs.rmdir()
    home.jobs.touch()
    done = checked("echo", "17 rows")
    assert (done.returncode, done.stdout) == (0, "17 rows\n")
    assert "this run of export is not remembered" in done.stderr


def test_a_home_that_does_not_exist_yet_is_made(
    tmp_path: Path, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Home(tmp_path / "other")
    monkeypatch.setenv("HOLDFAST_HOME", str(other.root))
    assert checked("true").returncode == 0
    assert [run["result"] for run in runs(other)] == ["success"]


@pytest.mark.parametrize("name", ["", "Export", "../x", "hub"])
def test_a_bad_name_is_refused_before_anything_runs(
    home: Home, run: "Callable[..., Done]", name: str
) -> None:
    done = run("run", f"--check={name}", "--", "touch", "ran")
    assert done.code == 2
    assert "cannot be the name of a check" in done.err
    assert not Path("ran").exists()


def test_nothing_to_run_is_refused(run: "Callable[..., Done]") -> None:
    assert run("run", "--check", "export").code == 2
    assert run("run", "--check", "export", "--").code == 2


def test_two_runs_at_once_are_two_rows(home: Home) -> None:
    command = [*HOLDFAST, "run", "--check", "export", "--", "true"]
    for one in [subprocess.Popen(command) for _ in range(4)]:
        assert one.wait(DEADLINE_S) == 0
    assert [run["result"] for run in runs(home)] == ["success"] * 4
    assert len({run["id"] for run in runs(home)}) == 4
