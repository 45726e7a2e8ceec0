import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Done

State = Callable[..., "Done"]

JSON = '{"n": 1.10, "text": "a\\nb", "list": [{"x": null}], "big": 9007199254740993}\n'
PAGE = "# Plan\n\nStatus: waiting\n\n## Phase 1\n\nStatus: done\r\n\n## Notes\n\none\n\ntwo"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "a.json").write_text(JSON)
    (folder / "a.md").write_bytes(PAGE.encode())
    return folder


@pytest.mark.parametrize(
    ("at", "said"),
    [
        ("n", "1.10\n"),
        ("/text", "a\nb\n"),
        ("list[0]", '{\n  "x": null\n}\n'),
        ("/list/0/x", "null\n"),
        ("big", "9007199254740993\n"),
    ],
)
def test_a_value_is_printed_text_as_it_is_and_the_rest_as_json(
    state: State, folder: Path, at: str, said: str
) -> None:
    done = state("get", str(folder / "a.json"), at)
    assert (done.code, done.out, done.err) == (0, said, "")


def test_as_json_a_text_is_json_too(state: State, folder: Path) -> None:
    assert state("get", str(folder / "a.json"), "text", "--json").out == '"a\\nb"\n'
    words = ("--key", "Status", "--in", "Phase 1", "--json")
    assert state("get", str(folder / "a.md"), *words).out == '"done"\n'


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--key", "Status", "--in", "Phase 1"), "done\n"),
        (("--section", "Notes"), "one\n\ntwo\n"),
        (("--section", "Plan/Notes"), "one\n\ntwo\n"),
    ],
)
def test_a_key_and_a_section_are_printed(
    state: State, folder: Path, words: tuple[str, ...], said: str
) -> None:
    assert state("get", str(folder / "a.md"), *words).out == said


def test_a_whole_file_is_printed_as_it_stands(state: State, folder: Path) -> None:
    assert state("get", str(folder / "a.md")).out == PAGE
    assert state("get", str(folder / "a.json")).out == JSON


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a.json", ("nobody",)),
        ("a.json", ("list/7",)),
        ("a.md", ("--key", "Status")),
        ("a.md", ("--key", "Nobody")),
        ("a.md", ("--section", "Nobody")),
        ("a.md", ("--key", "Status", "--in", "Nobody")),
    ],
)
def test_what_is_not_there_once_is_refused(
    state: State, folder: Path, name: str, words: tuple[str, ...]
) -> None:
    done = state("get", str(folder / name), *words)
    assert (done.code, done.out) == (4, "")
    assert name in done.err


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a.json", ("--key", "n")),
        ("a.md", ("Status",)),
        ("a.json", ("n", "--key", "n")),
        ("a.md", ("--in", "Phase 1")),
        ("a.md", ("--key", "a", "--section", "b")),
    ],
)
def test_what_does_not_go_together_is_wrong_use(
    state: State, folder: Path, name: str, words: tuple[str, ...]
) -> None:
    assert state("get", str(folder / name), *words).code == 2


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("b.json", b""),
        ("b.json", b"{"),
        ("b.json", b"{}{}"),
        ("b.md", b""),
        ("b.md", b"a\0b"),
        ("b.md", b"\xff"),
        ("b.jsonl", b'{}\n{"a":'),
    ],
)
def test_what_is_not_whole_is_not_printed(
    state: State, folder: Path, name: str, content: bytes
) -> None:
    (folder / name).write_bytes(content)
    done = state("get", str(folder / name))
    assert (done.code, done.out) == (6, "")
    assert "holdfast state" in done.err


def test_a_missing_file_and_a_folder_are_refused(state: State, folder: Path) -> None:
    assert state("get", str(folder / "none.json")).code == 7
    assert state("get", str(folder)).code == 7


def test_nothing_is_left_beside_a_file_that_was_read(state: State, folder: Path) -> None:
    state("get", str(folder / "a.json"), "n")
    state("get", str(folder / "a.md"), "--section", "Notes")
    assert sorted(path.name for path in folder.iterdir()) == ["a.json", "a.md"]


@pytest.mark.parametrize("words", [("/k",), ("/k", "--json")])
def test_a_value_nested_deeper_than_can_be_printed_is_one_message(
    state: State, folder: Path, words: tuple[str, ...]
) -> None:
    for depth in (400, 500, 700, 900, 980, 5000):
        (folder / "d.json").write_text(f'{{"k": {"[" * depth}{"]" * depth}}}')
        done = state("get", str(folder / "d.json"), *words)
        assert done.code in (0, 4, 6)
        assert len(done.err.splitlines()) == (done.code != 0)
        assert depth != 900 or done.code == 4


@pytest.mark.parametrize("words", [("--key", "a"), ("--section", "A"), ()])
def test_text_is_printed_in_its_own_bytes_whatever_the_terminal_speaks(
    state: State, folder: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    text = "a: \u00e4\u20ac\n\n# A\n\n\u00e4\u20ac\n"
    (folder / "b.md").write_text(text, encoding="utf-8")
    out = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(out, encoding="latin-1"))
    assert state("get", str(folder / "b.md"), *words).code == 0
    shown = {"--key": "\u00e4\u20ac\n", "--section": "\u00e4\u20ac\n"}
    assert out.getvalue().decode() == (shown[words[0]] if words else text)


@pytest.mark.parametrize("option", ["--key", "--section", "--in"])
def test_a_name_may_be_two_dashes(state: State, folder: Path, option: str) -> None:
    words = [f"{option}=--", *(["--key", "Status"] if option == "--in" else [])]
    done = state("get", str(folder / "a.md"), *words)
    assert (done.code, len(done.err.splitlines())) == (4, 1)
    assert '"--"' in done.err
