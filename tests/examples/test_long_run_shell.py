"""The shell functions do with `holdfast state` what their namesakes promise, and the shell runner what the other one does."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from holdfast import statefile

if sys.platform == "win32":
    pytest.skip("the files, links and processes of POSIX", allow_module_level=True)
if shutil.which("bash") is None:
    pytest.skip("there is no bash here", allow_module_level=True)

ORDER = ["1-01", "1-02", "2-01", "10-01"]
HOSTILE = [
    "done",
    "/ & \\ $HOME `id` \\1 | #",
    "-n",
    "-e",
    "--help",
    'it\'s "quoted"',
    "größer",
    "* [x] _y_",
]


@pytest.fixture
def folder(examples: Path) -> Path:
    return examples / "long-run"


class Shell:
    """A bash that has the functions of state.sh and works in a folder of its own."""

    def __init__(self, functions: Path, place: Path) -> None:
        self.place = place
        self._functions = functions

    def __call__(self, script: str, *facts: str) -> subprocess.CompletedProcess[str]:
        """Run a script whose `$1`, `$2` ... are the facts, literally."""
        return subprocess.run(
            ["bash", "-c", f'. "$0"\n{script}', str(self._functions), *facts],
            cwd=self.place,
            env={"PATH": path(), "HOME": str(self.place), "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def text(self, name: str) -> str:
        return (self.place / name).read_text("utf-8")

    def names(self) -> set[str]:
        return {name for name in os.listdir(self.place) if not name.startswith(".")}


def path() -> str:
    return os.pathsep.join([str(Path(sys.executable).parent), os.defpath])


@pytest.fixture
def shell(folder: Path, tmp_path: Path) -> Shell:
    place = tmp_path / "state"
    place.mkdir()
    return Shell(folder / "state.sh", place)


@pytest.mark.parametrize("function", ["write_atomic", "safe_atomic_write"])
@pytest.mark.parametrize("content", HOSTILE)
def test_a_write_takes_its_content_literally(shell: Shell, function: str, content: str) -> None:
    done = shell(f'{function} "STATE.md" "$1"', content)

    assert done.returncode == 0, done.stderr
    assert shell.text("STATE.md") == f"{content}\n"
    assert shell.names() == {"STATE.md"}


def test_a_write_makes_the_folder_and_takes_options(shell: Shell) -> None:
    done = shell("safe_atomic_write new/deep/STATE.md text --durability atomic")

    assert done.returncode == 0, done.stderr
    assert shell.text("new/deep/STATE.md") == "text\n"


def test_a_write_that_fails_says_why_and_changes_nothing(shell: Shell) -> None:
    (shell.place / "history.json").write_text('{"entries": []}\n')

    done = shell("write_atomic history.json '{cut'")

    assert done.returncode == 4
    assert "history.json" in done.stderr
    assert shell.text("history.json") == '{"entries": []}\n'


@pytest.mark.parametrize("value", HOSTILE)
def test_a_json_update_appends_the_entry_of_the_document(shell: Shell, value: str) -> None:
    pytest.importorskip("jq")
    (shell.place / "history.json").write_text('{"entries": []}\n')

    done = shell(
        "update_json_atomic history.json '.entries += [{agent_id: $id, status: \"spawned\"}]' "
        '--arg id "$1"',
        value,
    )

    assert done.returncode == 0, done.stderr
    assert json.loads(shell.text("history.json")) == {
        "entries": [{"agent_id": value, "status": "spawned"}]
    }


@pytest.mark.parametrize(
    "program", [".entries +=", "empty", ".entries[]", "error", ".a.b.c |= 1/0"]
)
def test_a_filter_that_fails_leaves_every_byte(shell: Shell, program: str) -> None:
    pytest.importorskip("jq")
    before = '{ "entries" : [1.10, 9007199254740993] }'
    (shell.place / "history.json").write_text(before)

    done = shell('update_json_atomic history.json "$1"', program)

    assert done.returncode == 4, done.stdout
    assert shell.text("history.json") == before


@pytest.mark.parametrize("value", HOSTILE)
def test_a_markdown_update_changes_its_line_and_no_other(shell: Shell, value: str) -> None:
    pytest.importorskip("markdown_it")
    text = "# State\n\nStatus: {}\nPlan: 1\n\n```\nStatus: an example\n```\n"
    (shell.place / "STATE.md").write_text(text.format("running"))

    done = shell('update_markdown_section STATE.md Status "$1"', value)

    assert done.returncode == 0, done.stderr
    assert shell.text("STATE.md") == text.format(value)


def test_a_markdown_update_without_its_key_is_refused(shell: Shell) -> None:
    pytest.importorskip("markdown_it")
    (shell.place / "STATE.md").write_text("# State\n")

    assert shell("update_markdown_section STATE.md Status done").returncode == 4
    assert shell.text("STATE.md") == "# State\n"


def test_a_left_temp_is_reported_and_never_taken_over_newer_content(shell: Shell) -> None:
    (shell.place / "STATE.md").write_text("newer\n")
    assert shell("check_for_corruption STATE.md").returncode == 0
    left = shell.place / "STATE.md.tmp.123"
    left.write_text("older\n")

    found = shell("check_for_corruption STATE.md")
    assert found.returncode == 1
    assert "STATE.md.tmp.123" in found.stdout

    assert shell("recover_from_corruption STATE.md").returncode == 0
    assert shell.text("STATE.md") == "newer\n"
    assert left.exists()
    assert shell("recover_from_corruption STATE.md --foreign").returncode == 0
    assert shell.names() == {"STATE.md"}


@pytest.mark.parametrize(
    ("name", "content", "is_valid"),
    [
        ("a.json", '{"a": 1}\n', True),
        ("a.json", "", False),
        ("a.json", "{cut", False),
        ("a.json.bak", "{}{}", False),
        ("a.md", "# A\n", True),
        ("a.md", "", False),
    ],
)
def test_a_file_is_valid_if_it_is_what_its_name_says(
    shell: Shell, name: str, content: str, is_valid: bool
) -> None:
    (shell.place / name).write_text(content)

    assert (shell(f"validate_file {name}").returncode == 0) is is_valid
    assert shell.text(name) == content


def test_a_lost_history_is_made_anew_from_the_summaries(shell: Shell) -> None:
    (shell.place / "summaries").mkdir()
    for plan in ["18-10", "18-02", "2-01", 'a "quoted" one']:
        (shell.place / "summaries" / f"{plan}-SUMMARY.md").touch()

    done = shell("reinitialize_from_summaries .")

    assert done.returncode == 0, done.stderr
    assert "4" in done.stdout
    history: Any = statefile.read_json(shell.place / "agent-history.json")
    assert [entry["plan"] for entry in history["entries"]] == [
        *("2-01", "18-02", "18-10"),
        'a "quoted" one',
    ]
    assert shell("reinitialize_from_summaries .").returncode == 4


class Runner:
    """The shell runner on a copy of the demonstration, to which the answer is known."""

    def __init__(self, program: Path, place: Path) -> None:
        self.place = place
        self._program = program
        self.running: list[subprocess.Popen[str]] = []

    def start(self) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            ["bash", str(self._program), str(self.place)],
            env={"PATH": path(), "HOME": str(self.place)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.running.append(process)
        return process

    def finish(self) -> tuple[int, str, str]:
        process = self.start()
        out, err = process.communicate()
        return process.returncode, out, err

    def history(self) -> list[dict[str, str]]:
        document: Any = statefile.read_json(self.place / "agent-history.json")
        found: list[dict[str, str]] = document["entries"]
        return found


@pytest.fixture
def runner(folder: Path, tmp_path: Path) -> Iterator[Runner]:
    for tool in ("jq", "flock"):
        if shutil.which(tool, path=path()) is None:
            pytest.skip(f"there is no {tool} here")
    pytest.importorskip("jq")
    place = tmp_path / "run"
    shutil.copytree(folder / "demo", place)
    (place / "clarifications.md").write_text("# Clarifications\n\n- 2-01/1: nobody\n")
    runner = Runner(folder / "run.sh", place)
    yield runner
    for process in runner.running:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def test_the_shell_runner_leaves_what_the_other_one_leaves(
    runner: Runner, folder: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(runner.place, other)
    said = subprocess.check_output(
        [sys.executable, "-B", "long_run.py", other], cwd=folder, text=True
    )

    assert runner.finish() == (0, said, "")
    for name in ["ISSUES.md", *(f"summaries/{plan}-SUMMARY.md" for plan in ORDER)]:
        assert without_agent(runner.place / name) == without_agent(other / name)
    assert without_agent(runner.place / "STATE.md") == without_agent(other / "STATE.md")
    assert [(entry["plan"], entry["status"]) for entry in runner.history()] == [
        (plan, "completed") for plan in ORDER
    ]
    assert not (runner.place / "current-agent-id.txt").exists()


def without_agent(path: Path) -> list[str]:
    lines = path.read_text("utf-8").split("\n")
    return [line for line in lines if not line.lower().startswith("agent: ")]


def test_the_two_runners_exclude_each_other(runner: Runner) -> None:
    with statefile.hold(runner.place / "executor.lock"):
        code, _, err = runner.finish()

    assert code == 4
    assert "another executor" in err
    assert not (runner.place / "agent-history.json").exists()


@pytest.mark.timeout(300)
def test_a_killed_shell_runner_is_followed_by_one_that_repeats_no_task(runner: Runner) -> None:
    reported: list[str] = []
    for _ in range(6):
        process = runner.start()
        assert process.stdout is not None
        for line in process.stdout:  # as soon as one more task is done
            reported.append(line.strip())
            break
        process.kill()
        process.wait()
        # What it started holds the lock until it has ended too.
        subprocess.run(["flock", runner.place / "executor.lock", "true"], check=True)

    code, out, err = runner.finish()

    assert (code, err) == (0, "")
    tasks = [line for line in [*reported, *out.split("\n")] if "/" in line]
    assert len(tasks) == len(set(tasks))
    assert [entry["plan"] for entry in runner.history() if entry["status"] == "completed"] == ORDER
    assert (runner.place / "ISSUES.md").read_text("utf-8").count("fog.txt") == 1
    assert not (runner.place / "current-agent-id.txt").exists()
