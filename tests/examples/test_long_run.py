"""The long run does its plans one after another; a kill at any moment loses nothing and repeats nothing."""

import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from holdfast import statefile

if sys.platform == "win32":
    pytest.skip("the files, links and processes of POSIX", allow_module_level=True)

PROGRAM = "long_run.py"
ORDER = ["1-01", "1-02", "2-01", "10-01"]
ANSWER = "the harbour master"
EX_TEMPFAIL = 75

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def folder(examples: Path) -> Path:
    return examples / "long-run"


@pytest.fixture
def place(folder: Path, tmp_path: Path) -> Path:
    """Return a copy of the demonstration, to which the answer is known."""
    place = tmp_path / "run"
    shutil.copytree(folder / "demo", place)
    (place / "clarifications.md").write_text(f"# Clarifications\n\n- 2-01/1: {ANSWER}\n")
    return place


def finish(process: subprocess.Popen[str]) -> tuple[int, list[str]]:
    """Return the exit code and the tasks that were reported as done."""
    out, _ = process.communicate()
    return process.returncode, re.findall(r"^(\S+/\d+) ", out, re.MULTILINE)


def entries(place: Path) -> list[dict[str, str]]:
    document: Any = statefile.read_json(place / "agent-history.json")
    assert document["version"] == "1.0"
    found: list[dict[str, str]] = document["entries"]
    return found


def of_status(place: Path, status: str) -> list[str]:
    return [entry["plan"] for entry in entries(place) if entry["status"] == status]


def summary(place: Path, plan: str) -> list[str]:
    """Return the tasks and products of a summary."""
    text = (place / "summaries" / f"{plan}-SUMMARY.md").read_text("utf-8")
    return [line for line in text.split("\n") if line.startswith("- ")]


def leftovers(place: Path) -> list[Path]:
    """Return the temps and journals that are left when what crashes left is mended."""
    command = [sys.executable, "-B", "-m", "holdfast", "state", "recover", str(place)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return [path for path in place.rglob("*") if path.name.endswith(".tmp") or ".txn" in path.name]


def is_whole(name: str, content: str) -> bool:
    """Tell whether a state file is one that a run may show at any instant."""
    if name.endswith(".json"):
        return isinstance(json.loads(content), dict)
    if name == "current-agent-id.txt":
        return bool(re.fullmatch(r"[0-9a-f]{8}\n", content))
    heads = {"STATE.md": "# State\n", "ISSUES.md": "# Issues\n", "clarifications.md": "# Clar"}
    return content.endswith("\n") and content.startswith(heads.get(name, "---\nplan: "))


def state_files(place: Path) -> dict[str, str]:
    """Return what a reader sees now, without any lock."""
    found = {}
    for path in [*place.iterdir(), *place.glob("summaries/*")]:
        if path.suffix in (".md", ".json", ".txt") and not path.name.startswith("."):
            try:
                found[path.name] = path.read_text("utf-8")
            except FileNotFoundError:
                continue
    return found


def assert_complete(place: Path) -> None:
    assert of_status(place, "completed") == ORDER
    assert {entry["status"] for entry in entries(place)} <= {"completed", "interrupted"}
    assert [len(summary(place, plan)) for plan in ORDER] == [3, 4, 1, 5]
    assert summary(place, "1-01")[-1] == '- total: -> {"total":27}'
    assert summary(place, "10-01")[-1] == '- total: -> {"total":52}'
    assert ANSWER in summary(place, "2-01")[0]
    issues = (place / "ISSUES.md").read_text("utf-8")
    assert issues == "# Issues\n\n- 1-02: fog.txt holds no word\n"
    assert "Done: 4 of 4" in (place / "STATE.md").read_text("utf-8")
    assert not (place / "current-agent-id.txt").exists()
    assert leftovers(place) == []


def test_plans_run_in_natural_order_and_each_task_once(place: Path, start: Start) -> None:
    code, tasks = finish(start(PROGRAM, str(place)))

    assert code == 0
    assert tasks == [
        *("1-01/1", "1-01/2", "1-01/3"),
        *("1-02/1", "1-02/2", "1-02/3", "1-02/4"),
        "2-01/1",
        *("10-01/1", "10-01/2", "10-01/3", "10-01/4", "10-01/5"),
    ]
    assert_complete(place)
    spawned = [entry["spawned_at"] for entry in entries(place)]
    ended = [entry["ended_at"] for entry in entries(place)]
    assert all(end <= begin for end, begin in zip(ended, spawned[1:], strict=False))


def test_a_finished_run_does_nothing_more(place: Path, start: Start) -> None:
    finish(start(PROGRAM, str(place)))
    before = state_files(place)

    assert finish(start(PROGRAM, str(place))) == (0, [])
    assert state_files(place) == before


def test_a_question_stops_the_run_until_somebody_answers(place: Path, start: Start) -> None:
    (place / "clarifications.md").unlink()

    code, tasks = finish(start(PROGRAM, str(place)))
    assert (code, tasks[-1]) == (EX_TEMPFAIL, "1-02/4")
    assert "Status: waiting for an answer to 2-01/1" in state_files(place)["STATE.md"]
    assert not (place / "current-agent-id.txt").exists()

    assert finish(start(PROGRAM, str(place), "--answer", "2-01/1", "nobody"))[0] == 0
    assert finish(start(PROGRAM, str(place), "--answer", "2-01/1", ANSWER))[0] == 0
    assert state_files(place)["clarifications.md"] == f"# Clarifications\n\n- 2-01/1: {ANSWER}\n"
    code, tasks = finish(start(PROGRAM, str(place)))
    assert (code, tasks[0]) == (0, "2-01/1")
    assert of_status(place, "completed") == ORDER


def test_a_failed_plan_holds_up_the_later_ones_and_goes_on_where_it_failed(
    place: Path, start: Start
) -> None:
    (place / "texts" / "calm.txt").rename(place / "calm")

    code, tasks = finish(start(PROGRAM, str(place)))
    assert (code, tasks[-1]) == (1, "1-02/1")
    assert of_status(place, "failed") == ["1-02"]
    assert state_files(place)["1-02-SUMMARY.md"].startswith("---\nplan: 1-02\nstatus: failed\n")

    (place / "calm").rename(place / "texts" / "calm.txt")
    code, tasks = finish(start(PROGRAM, str(place)))
    assert (code, tasks[0]) == (0, "1-02/2")
    assert of_status(place, "completed") == ORDER


class Paused:
    """A run that stands in the middle of a task: the text it reads is a pipe nobody writes to."""

    def __init__(self, place: Path, start: Start, text: str) -> None:
        self._path = place / "texts" / text
        self._content = self._path.read_bytes()
        self._path.unlink()
        os.mkfifo(self._path)
        self.process = start(PROGRAM, str(place))
        self._writer = self._opened()

    def _opened(self) -> int:
        """Open the pipe once the task reads it; before that, the system refuses to."""
        while self.process.poll() is None:
            with suppress(OSError):
                return os.open(self._path, os.O_WRONLY | os.O_NONBLOCK)
            time.sleep(0.001)
        raise AssertionError("the run ended before it read the text")

    def go_on(self) -> None:
        os.write(self._writer, self._content)
        self.mend()

    def mend(self) -> None:
        os.close(self._writer)
        self._path.unlink()
        self._path.write_bytes(self._content)


def test_only_one_executor_works_in_a_folder(place: Path, start: Start) -> None:
    paused = Paused(place, start, "harbour.txt")
    before = state_files(place)

    for extra in ([], ["--answer", "2-01/1", "me"]):
        second = start(PROGRAM, str(place), *extra)
        assert finish(second) == (4, [])
    assert state_files(place) == before
    assert statefile.holder(place / "executor.lock") == paused.process.pid

    paused.go_on()
    assert finish(paused.process)[0] == 0
    assert_complete(place)


def test_the_current_agent_is_named_only_while_it_executes(place: Path, start: Start) -> None:
    paused = Paused(place, start, "storm.txt")

    named = (place / "current-agent-id.txt").read_text("utf-8").strip()
    assert [entry["agent_id"] for entry in entries(place) if entry["status"] == "spawned"] == [
        named
    ]
    assert entries(place)[-1]["plan"] == "1-02"
    paused.go_on()
    finish(paused.process)

    assert not (place / "current-agent-id.txt").exists()


@pytest.mark.parametrize("asked", [signal.SIGTERM, signal.SIGINT])
def test_an_end_that_is_asked_for_leaves_no_current_agent(
    place: Path, start: Start, asked: signal.Signals
) -> None:
    paused = Paused(place, start, "storm.txt")

    paused.process.send_signal(asked)
    code, _ = finish(paused.process)
    paused.mend()

    assert code == 128 + asked
    assert not (place / "current-agent-id.txt").exists()
    assert finish(start(PROGRAM, str(place)))[1][0] == "1-02/1"
    assert_complete(place)
    assert of_status(place, "interrupted") == ["1-02"]


def test_after_a_kill_the_next_run_clears_the_dead_agent_and_goes_on(
    place: Path, start: Start
) -> None:
    paused = Paused(place, start, "calm.txt")
    paused.process.kill()
    finish(paused.process)
    paused.mend()
    assert (place / "current-agent-id.txt").exists()

    code, tasks = finish(start(PROGRAM, str(place)))

    assert (code, tasks[0]) == (0, "1-02/2")
    assert of_status(place, "interrupted") == ["1-02"]
    assert_complete(place)


def test_a_history_that_the_disk_has_lost_is_rebuilt_from_the_summaries(
    place: Path, start: Start
) -> None:
    finish(start(PROGRAM, str(place)))
    (place / "agent-history.json").write_bytes(b'{"version": "1.0", "entr')

    assert finish(start(PROGRAM, str(place))) == (0, [])

    assert [(entry["plan"], entry["status"]) for entry in entries(place)] == [
        (plan, "completed") for plan in ORDER
    ]
    assert len(list(place.glob("agent-history.json.corrupt-*"))) == 1


def add_plans(place: Path) -> int:
    """Add plans that take some time, and return how many tasks there are in all."""
    for number in range(4):
        tasks = "- count: calm.txt\n- count: fog.txt\n" * 8
        (place / "plans" / f"9-{number:02}-PLAN.md").write_text(f"# Again\n\n{tasks}")
    return 13 + 4 * 16


def look(place: Path, process: subprocess.Popen[str], times: int) -> None:
    """Read all state files, over and over, from when the run has begun: each is whole at every instant."""
    while process.poll() is None and times:
        for name, content in state_files(place).items():
            assert is_whole(name, content), name
        times -= statefile.holder(place / "executor.lock") is not None


@pytest.mark.timeout(300)
def test_kills_at_random_moments_lose_no_task_and_repeat_none(place: Path, start: Start) -> None:
    total = add_plans(place)
    reported: list[str] = []
    kills, code = 0, None
    while code != 0:
        process = start(PROGRAM, str(place))
        if kills < 15:
            look(place, process, secrets.randbelow(secrets.choice([30, 100, 300])))
            process.kill()
        code, tasks = finish(process)
        reported += tasks
        kills += code == -signal.SIGKILL
        assert code in (0, -signal.SIGKILL)

    assert len(reported) == len(set(reported))
    added = [f"9-{number:02}" for number in range(4)]
    assert of_status(place, "completed") == [*ORDER[:3], *added, ORDER[3]]
    assert sum(len(summary(place, plan)) for plan in [*ORDER, *added]) == total
    issues = state_files(place)["ISSUES.md"].split("\n")[2:-1]
    assert issues == [f"- {plan}: fog.txt holds no word" for plan in ["1-02", *sorted(added * 8)]]
    assert len(of_status(place, "interrupted")) <= kills
    assert not (place / "current-agent-id.txt").exists()
    assert leftovers(place) == []


DRIVER = """
import contextlib, io, json, os, shutil, signal, sys
from pathlib import Path
sys.path.insert(0, os.getcwd())
import long_run
from holdfast import statefile
from holdfast.statefile.system.this import SYSTEM

CHANGES = ("open", "write", "truncate", "replace", "link", "unlink")


def dies_before(at):
    made = 0
    def watched(name, call):
        def before(*facts, **named):
            nonlocal made
            made += name != "open" or bool(facts[2] & os.O_CREAT)
            if made == at:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*facts, **named)
        return before
    for name in CHANGES:
        setattr(SYSTEM, name, watched(name, getattr(SYSTEM, name)))


def run(place, at=0):
    pid = os.fork()
    if pid == 0:
        code = 99
        try:
            dies_before(at)
            with contextlib.redirect_stdout(io.StringIO()):
                code = long_run.run(place)
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def seen(place):
    kept = (path for path in place.rglob("*") if path.parent.name not in ("plans", "texts"))
    return {path.name: path.read_text() for path in kept if path.is_file()}


original, at, code = Path(sys.argv[1]), 0, -signal.SIGKILL
while code == -signal.SIGKILL:
    at += 1
    place = original.with_name("killed")
    shutil.copytree(original, place)
    code = run(place, at)
    died = seen(place)
    again = run(place)
    statefile.recover(place)
    print(json.dumps({"at": at, "codes": [code, again], "died": died, "mended": seen(place)}))
    shutil.rmtree(place)
"""


@pytest.mark.timeout(300)
def test_death_before_any_change_on_disk_is_mended_by_the_next_run(
    place: Path, start: Start
) -> None:
    for plan in ORDER[2:]:
        (place / "plans" / f"{plan}-PLAN.md").unlink()
    (place / "plans" / "1-01-PLAN.md").write_text("# One\n\n- count: fog.txt\n- count: calm.txt\n")
    (place / "plans" / "1-02-PLAN.md").write_text("# Two\n\n- count: calm.txt\n")

    out, _ = start("-c", DRIVER, str(place)).communicate()

    lives = [json.loads(line) for line in out.split("\n") if line]
    assert len(lives) > 50
    assert {tuple(life["codes"]) for life in lives} == {(-signal.SIGKILL, 0), (0, 0)}
    for life in lives:
        hidden = {name for name in life["died"] if name.startswith(".") or name.endswith(".lock")}
        for name in life["died"].keys() - hidden:
            assert is_whole(name, life["died"][name]), (life["at"], name)
        mended = life["mended"]
        ended = [
            (entry["plan"], entry["status"])
            for entry in json.loads(mended["agent-history.json"])["entries"]
        ]
        assert [plan for plan, status in ended if status == "completed"] == ["1-01", "1-02"]
        assert len(ended) <= 3, life["at"]
        assert mended["ISSUES.md"] == "# Issues\n\n- 1-01: fog.txt holds no word\n", life["at"]
        assert '- count: calm.txt -> {"words":9}\n' in mended["1-01-SUMMARY.md"]
        assert "Done: 2 of 2" in mended["STATE.md"], life["at"]
        assert "current-agent-id.txt" not in mended
        assert not [name for name in mended if name.endswith(".tmp") or ".txn" in name], life["at"]
