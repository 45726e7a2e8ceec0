from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Done

State = Callable[..., "Done"]

OLD = """# Plan

Status: waiting
Owner: ann

## Phase 1

Status: done

## Notes

old note

```
Status: in a fence
# Notes
```

## Owner

somebody
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "STATE.md"
    path.write_text(OLD, encoding="utf-8")
    return path


def test_a_heading_gets_another_text(state: State, file: Path) -> None:
    assert state("section", str(file), "Phase 1", stdin="new\n").code == 0
    assert file.read_text(encoding="utf-8") == OLD.replace("Status: done", "new")


def test_a_key_gets_another_value_without_the_line_end_of_echo(state: State, file: Path) -> None:
    for text in ("busy", "busy\n", "busy\r\n"):
        file.write_text(OLD, encoding="utf-8")
        assert state("section", str(file), "Status", "--in", "Phase 1", stdin=text).code == 0
        assert file.read_text(encoding="utf-8") == OLD.replace("Status: done", "Status: busy")


@pytest.mark.parametrize("value", ["a/b & c \\1 \\0 $HOME `id`", "-n", "-e", "s/x/y/", "\u2028 x"])
def test_a_value_is_literal(state: State, file: Path, value: str) -> None:
    assert state("section", str(file), "Status", "--in", "Phase 1", stdin=value).code == 0
    changed = OLD.replace("Status: done", f"Status: {value}")
    assert file.read_text(encoding="utf-8") == changed


def test_a_name_that_is_a_key_and_a_heading_must_be_told_which(state: State, file: Path) -> None:
    done = state("section", str(file), "Owner", stdin="bob")
    assert (done.code, file.read_text(encoding="utf-8")) == (4, OLD)
    assert "--key or --heading" in done.err

    assert state("section", str(file), "Owner", "--key", stdin="bob").code == 0
    assert state("section", str(file), "Owner", "--heading", stdin="nobody").code == 0
    changed = OLD.replace("Owner: ann", "Owner: bob").replace("somebody", "nobody")
    assert file.read_text(encoding="utf-8") == changed


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("Status",), "x"),
        (("Nobody",), "x"),
        (("Nobody", "--key"), "x"),
        (("Nobody", "--heading"), "x"),
        (("Nobody", "--delete"), ""),
        (("Status", "--in", "Nobody"), "x"),
        (("Status", "--in", "Phase 1"), "two\nlines"),
        (("Phase 1",), "# A heading above"),
        (("Phase 1",), b"\xff"),
        (("Phase 1",), "```\nnever closed"),
    ],
)
def test_no_match_several_and_what_does_not_fit_change_nothing(
    state: State, file: Path, words: tuple[str, ...], text: str | bytes
) -> None:
    done = state("section", str(file), *words, stdin=text)
    assert (done.code, done.out) == (4, "")
    assert len(done.err.splitlines()) == 1
    assert file.read_text(encoding="utf-8") == OLD


def test_all_lines_with_a_key_are_changed_on_purpose(state: State, file: Path) -> None:
    assert state("section", str(file), "Status", "--all", stdin="held").code == 0
    text = file.read_text(encoding="utf-8")
    assert text == OLD.replace("waiting", "held").replace("Status: done", "Status: held")


@pytest.mark.parametrize(
    ("mode", "body"),
    [
        ("--append", "old note\n\nnew"),
        ("--prepend", "new\n\nold note"),
        ("--append-item", "old note\n\n- new"),
    ],
)
def test_a_section_grows(state: State, tmp_path: Path, mode: str, body: str) -> None:
    path = tmp_path / "a.md"
    path.write_text("## Notes\n\nold note\n\n## Next\n", encoding="utf-8")
    assert state("section", str(path), "Notes", mode, stdin="new\n").code == 0
    assert path.read_text(encoding="utf-8") == f"## Notes\n\n{body}\n\n## Next\n"


def test_a_section_is_deleted_without_reading_stdin(
    state: State, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert state("section", str(file), "Phase 1", "--delete", stdin=b"\xff").code == 0
    assert file.read_text(encoding="utf-8") == OLD.replace("## Phase 1\n\nStatus: done\n\n", "")


def test_what_is_not_there_is_added_on_purpose(state: State, file: Path) -> None:
    words = ("section", str(file), "Blockers", "--create")
    assert state(*words, stdin="none").code == 2
    assert state(*words, "--heading", stdin="none").code == 0
    assert file.read_text(encoding="utf-8") == f"{OLD}\n## Blockers\n\nnone\n"
    assert state("section", str(file), "Since", "--create", "--key", stdin="today").code == 0
    assert "Owner: ann\nSince: today\n" in file.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "words",
    [
        ("--key", "--heading"),
        ("--key", "--append"),
        ("--all", "--heading"),
        ("--all", "--delete"),
        ("--append", "--delete"),
    ],
)
def test_what_does_not_go_together_is_wrong_use(
    state: State, file: Path, words: tuple[str, ...]
) -> None:
    assert state("section", str(file), "Status", *words, stdin="x").code == 2
    assert file.read_text(encoding="utf-8") == OLD


def test_a_json_file_has_no_sections(state: State, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}")
    assert state("section", str(tmp_path / "a.json"), "a", stdin="x").code == 2


def test_a_missing_file_is_not_invented(state: State, tmp_path: Path) -> None:
    assert (
        state("section", str(tmp_path / "none.md"), "a", "--key", "--create", stdin="x").code == 7
    )
    assert not (tmp_path / "none.md").exists()


def test_a_dry_run_shows_only_the_lines_that_would_change(state: State, file: Path) -> None:
    done = state("section", str(file), "Phase 1", "--dry-run", stdin="new")
    assert done.code == 0
    assert [line for line in done.lines[2:] if line[0] in "+-"] == ["-Status: done", "+new"]
    assert file.read_text(encoding="utf-8") == OLD


@pytest.mark.parametrize(
    "words",
    [("Notes",), ("Notes", "--append"), ("Owner", "--key"), ("New", "--heading", "--create")],
)
def test_an_empty_stdin_as_of_a_command_that_failed_is_refused(
    state: State, file: Path, words: tuple[str, ...]
) -> None:
    done = state("section", str(file), *words)
    assert (done.code, done.out, len(done.err.splitlines())) == (4, "", 1)
    assert "--allow-empty" in done.err
    assert file.read_text(encoding="utf-8") == OLD


def test_an_empty_stdin_that_is_meant_is_taken(state: State, file: Path) -> None:
    assert state("section", str(file), "Owner", "--key", "--allow-empty").code == 0
    assert file.read_text(encoding="utf-8") == OLD.replace("Owner: ann", "Owner: ")
    assert state("section", str(file), "Phase 1", "--allow-empty").code == 0
    assert "Status: done" not in file.read_text(encoding="utf-8")
