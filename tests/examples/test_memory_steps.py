"""Each startup step of the memory example does what its name says, prints one line, and may be repeated."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

STEPS = (
    "initialize_context",
    "load_session_state",
    "migrate_local_configuration",
    "register_skills",
    "check_incomplete_work",
    "load_project_context",
)


@pytest.fixture
def folder(examples: Path) -> Path:
    return examples / "memory-daemons"


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    (tmp_path / "data" / "memory" / "notes").mkdir(parents=True)
    (tmp_path / "data" / "memory" / "sessions").mkdir()
    return tmp_path / "data" / "memory"


@pytest.fixture
def step(start: Callable[..., subprocess.Popen[str]]) -> Callable[[str], str]:
    def step(name: str) -> str:
        """Run one step and return the line it printed."""
        process = start("-m", f"steps.{name}")
        output, _ = process.communicate()
        assert process.returncode == 0
        assert output.count("\n") == 1
        return output.strip()

    return step


def put(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value), encoding="utf-8")


@pytest.mark.parametrize("name", STEPS)
def test_a_step_runs_in_a_home_that_is_still_empty_and_again(
    step: Callable[[str], str], name: str
) -> None:
    assert step(name)
    assert step(name)


def test_the_first_step_writes_a_note_only_into_an_empty_folder(
    memory: Path, step: Callable[[str], str]
) -> None:
    assert "wrote" in step("initialize_context")
    assert "prefer: testing" in (memory / "notes" / "welcome.md").read_text("utf-8")

    (memory / "notes" / "welcome.md").write_text("mine")

    assert "notes: 1" in step("initialize_context")
    assert (memory / "notes" / "welcome.md").read_text("utf-8") == "mine"


def test_the_last_session_is_named(memory: Path, step: Callable[[str], str]) -> None:
    put(memory / "sessions" / "000009.json", {"saved_at": "2026-01-01T00:00:00.000Z"})

    assert step("load_session_state") == "session 9, saved 2026-01-01T00:00:00.000Z"


def test_old_preferences_become_a_note_and_nothing_in_it_is_lost(
    memory: Path, step: Callable[[str], str]
) -> None:
    (memory / "preferences.txt").write_text("tabs\n\nsmall steps\n", encoding="utf-8")
    (memory / "notes" / "preferences.md").write_text("# Mine\n\nprefer: tabs\n", encoding="utf-8")

    assert step("migrate_local_configuration").startswith("moved 1 preferences")

    text = (memory / "notes" / "preferences.md").read_text("utf-8")
    assert text == "# Mine\n\nprefer: tabs\nprefer: small steps\n"
    assert not (memory / "preferences.txt").exists()
    assert step("migrate_local_configuration") == "nothing to migrate"


def test_skills_are_added_to_those_a_person_wrote(
    memory: Path, step: Callable[[str], str]
) -> None:
    put(memory / "skills.json", {"testing": ["mine"]})

    assert step("register_skills") == "skills: 4, 3 of them new"

    assert json.loads((memory / "skills.json").read_text("utf-8"))["testing"] == ["mine"]


def test_open_points_are_counted(memory: Path, step: Callable[[str], str]) -> None:
    (memory / "notes" / "a.md").write_text("- [ ] one\n  - [ ] two\n- [x] done\n")
    (memory / "notes" / "b.md").write_text("- [ ] three\n")

    assert step("check_incomplete_work") == "open points: 3, in a.md, b.md"


def test_what_is_known_is_summed_up(memory: Path, step: Callable[[str], str]) -> None:
    put(memory / "context.json", {"notes": {"a.md": {"words": 7}, "b.md": {"words": 5}}})
    put(memory / "preferences.json", {"tabs": 2, "tests": 1})

    assert step("load_project_context") == "notes: 2, words: 12, preferred: tabs, tests"
