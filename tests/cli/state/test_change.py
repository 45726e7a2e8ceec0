import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Done

State = Callable[..., "Done"]
# One a parser might take for something else, or a shell, or a filter.
HOSTILE = [
    "-n",
    "-e",
    "--",
    "--json",
    "a/b & c \\1 $HOME",
    "x\ny",
    '"; .n = 9 #',
    "",
    " ",
    "\u00e4\u2028",
]
OLD = '{"n": 1, "price": 1.10, "list": [1, 2], "big": 9007199254740993}\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.json"
    path.write_text(OLD)
    return path


def test_a_value_is_set_and_nothing_else_changes(state: State, file: Path) -> None:
    assert state("set", str(file), "/n", "2").code == 0
    assert file.read_text() == OLD.replace('"n": 1', '"n": 2')


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("5", 5),
        ("-5", -5),
        ("true", True),
        ("null", None),
        ('"text"', "text"),
        ('{"a": [1]}', {"a": [1]}),
        ("done", "done"),
        ("1.2.3", "1.2.3"),
        ("{cut", "{cut"),
        ("NaN", "NaN"),
        ("", ""),
    ],
)
def test_a_value_is_json_when_it_is_one_document_else_text(
    state: State, file: Path, word: str, value: object
) -> None:
    assert state("set", str(file), "new", word).code == 0
    assert json.loads(file.read_text())["new"] == value


@pytest.mark.parametrize("word", [*HOSTILE, "5", "true", "null", '{"a": 1}'])
def test_with_string_a_value_is_the_text_whatever_it_says(
    state: State, file: Path, word: str
) -> None:
    assert state("set", str(file), "new", "--string", "--", word).code == 0
    assert json.loads(file.read_text())["new"] == word


@pytest.mark.parametrize("word", HOSTILE)
def test_the_values_of_a_filter_are_never_part_of_it(state: State, file: Path, word: str) -> None:
    assert state("json", str(file), ".new = $v", "--arg", "v", word).code == 0
    assert json.loads(file.read_text()) == {**json.loads(OLD), "new": word}


def test_objects_on_the_way_are_made(state: State, file: Path) -> None:
    assert state("set", str(file), "/a/b/c", "1").code == 0
    assert json.loads(file.read_text())["a"] == {"b": {"c": 1}}


def test_a_value_is_appended(state: State, file: Path) -> None:
    assert state("append", str(file), "list", '{"plan": "18-01"}').code == 0
    assert json.loads(file.read_text())["list"] == [1, 2, {"plan": "18-01"}]


def test_a_value_is_deleted(state: State, file: Path) -> None:
    assert state("delete", str(file), "/list/0").code == 0
    assert json.loads(file.read_text())["list"] == [2]


def test_a_patch_is_merged(state: State, file: Path) -> None:
    assert state("merge", str(file), stdin='{"n": null, "m": {"x": 1}}').code == 0
    assert json.loads(file.read_text()) == {
        "price": 1.10,
        "list": [1, 2],
        "big": 9007199254740993,
        "m": {"x": 1},
    }


def test_a_filter_changes_what_it_says_and_no_number_besides(state: State, file: Path) -> None:
    assert state("json", str(file), ".n += 1").code == 0
    assert file.read_text() == OLD.replace('"n": 1', '"n": 2')


def test_a_filter_knows_json_values(state: State, file: Path) -> None:
    words = ("--argjson", "e", '{"id": 5}', "--arg", "s", "5")
    assert state("json", str(file), ".list += [$e, $s]", *words).code == 0
    assert json.loads(file.read_text())["list"] == [1, 2, {"id": 5}, "5"]


@pytest.mark.parametrize(
    "words",
    [
        ("json", ".n +"),
        ("json", "empty"),
        ("json", ".list[]"),
        ("json", 'error("no")'),
        ("json", ".price.x"),
        ("json", ".list"),
        ("json", ".n = $nobody"),
        ("json", ".n = $v", "--argjson", "v", "{"),
        ("set", "/n/x", "1"),
        ("set", "/list/9", "1"),
        ("append", "n", "1"),
        ("append", "nobody", "1"),
        ("delete", "nobody"),
    ],
)
def test_what_cannot_be_done_leaves_the_bytes_as_they_were(
    state: State, file: Path, words: tuple[str, ...]
) -> None:
    verb, *rest = words
    done = state(verb, str(file), *rest)

    assert (done.code, done.out) == (4, "")
    assert "a.json" in done.err
    assert "Traceback" not in done.err
    assert file.read_text() == OLD


def test_another_type_of_document_is_made_only_on_purpose(state: State, file: Path) -> None:
    assert state("json", str(file), ".list", "--allow-type-change").code == 0
    assert json.loads(file.read_text()) == [1, 2]


@pytest.mark.parametrize("patch", [b"", b"{", b"\xff", b"{}{}"])
def test_a_patch_that_is_no_document_changes_nothing(
    state: State, file: Path, patch: bytes
) -> None:
    assert state("merge", str(file), stdin=patch).code == 4
    assert file.read_text() == OLD


@pytest.mark.parametrize(
    "words", [("json", "."), ("set", "n", "1"), ("append", "list", "1"), ("delete", "n")]
)
def test_a_missing_file_is_not_invented(
    state: State, tmp_path: Path, words: tuple[str, ...]
) -> None:
    verb, *rest = words
    done = state(verb, str(tmp_path / "none.json"), *rest)
    assert done.code == 7
    assert "holdfast state write" in done.err
    assert not (tmp_path / "none.json").exists()


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"{}{}", b'{"a": 1, "a": 2}'])
def test_a_corrupt_file_is_left_as_it_is(state: State, file: Path, content: bytes) -> None:
    file.write_bytes(content)
    for words in (("set", str(file), "n", "1"), ("json", str(file), ".n = 1")):
        done = state(*words)
        assert done.code == 6
        assert "holdfast state" in done.err or "left as it is" in done.err
        assert file.read_bytes() == content


def test_a_file_of_another_kind_is_wrong_use(state: State, tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("{}")
    assert state("set", str(tmp_path / "a.md"), "n", "1").code == 2
    assert (tmp_path / "a.md").read_text() == "{}"


def test_a_name_that_says_nothing_may_hold_json(state: State, tmp_path: Path) -> None:
    (tmp_path / "state").write_text("{}")
    assert state("set", str(tmp_path / "state"), "n", "1").code == 0
    assert json.loads((tmp_path / "state").read_text()) == {"n": 1}


def test_what_is_so_already_is_not_written(state: State, file: Path) -> None:
    before = file.stat()
    done = state("set", str(file), "n", "1")
    assert (done.code, " unchanged (" in done.out) == (0, True)
    assert file.stat().st_ino == before.st_ino


@pytest.mark.parametrize(
    "words",
    [
        ("json", ".n += 1"),
        ("set", "n", "2"),
        ("append", "list", "3"),
        ("delete", "n"),
    ],
)
def test_a_dry_run_shows_the_difference_and_changes_nothing(
    state: State, file: Path, words: tuple[str, ...]
) -> None:
    verb, *rest = words
    done = state(verb, str(file), *rest, "--dry-run")
    assert done.code == 0
    assert done.lines[3] == f"-{OLD.rstrip()}"
    assert done.lines[4].startswith("+{")
    assert file.read_text() == OLD

    facts = state(verb, str(file), *rest, "--dry-run", "--json").json
    assert (facts["written"], facts["dry_run"]) == (False, True)
    assert facts["diff"].splitlines() == done.lines


def test_only_the_expected_content_is_changed(state: State, file: Path) -> None:
    known = state("set", str(file), "n", "2", "--json").json["sha256"]
    assert state("set", str(file), "n", "3", "--expect", known).code == 0
    done = state("set", str(file), "n", "4", "--expect", known)
    assert done.code == 4
    assert json.loads(file.read_text())["n"] == 3


def test_options_may_stand_before_and_behind_the_verb(state: State, file: Path) -> None:
    for words in (
        ("-q", "set", str(file), "n", "2"),
        ("set", "-q", str(file), "n", "3"),
        ("set", str(file), "n", "4", "-q"),
    ):
        assert state(*words).out == ""
    assert json.loads(file.read_text())["n"] == 4


@pytest.mark.parametrize("at", ["", "."])
@pytest.mark.parametrize("words", [("set", "5"), ("set", "{}"), ("delete",)])
def test_a_path_that_is_the_whole_document_is_refused(
    state: State, file: Path, words: tuple[str, ...], at: str
) -> None:
    verb, *value = words
    done = state(verb, str(file), at, *value)
    assert (done.code, len(done.err.splitlines())) == (4, 1)
    assert file.read_text() == OLD


def test_a_whole_document_is_set_where_that_is_meant(state: State, file: Path) -> None:
    assert state("set", str(file), "", "5", "--allow-type-change").code == 0
    assert json.loads(file.read_text()) == 5


@pytest.mark.parametrize("patch", ["null", "5", "true", '"text"', "[]"])
def test_a_patch_that_changes_the_type_of_the_document_is_refused(
    state: State, file: Path, patch: str
) -> None:
    done = state("merge", str(file), stdin=patch)
    assert (done.code, len(done.err.splitlines())) == (4, 1)
    assert "--allow-type-change" in done.err
    assert file.read_text() == OLD
    assert state("merge", str(file), "--allow-type-change", stdin=patch).code == 0
    assert json.loads(file.read_text()) == json.loads(patch)


def test_an_object_is_no_patch_of_an_array(state: State, file: Path) -> None:
    file.write_text("[1]\n")
    assert state("merge", str(file), stdin='{"a": 1}').code == 4
    assert file.read_text() == "[1]\n"


@pytest.mark.parametrize("word", ["-h", "--help", "-n", "--x", "-n5", "-hello", "--", "-"])
@pytest.mark.parametrize("verb", ["set", "append"])
def test_a_value_that_looks_like_an_unknown_option_is_a_value(
    state: State, file: Path, verb: str, word: str
) -> None:
    words = ["--", word] if word == "--" else [word]
    done = state(verb, str(file), "/list/0" if verb == "set" else "list", "--string", *words)
    assert (done.code, done.err) == (0, "")
    assert json.loads(file.read_text())["list"] == ([word, 2] if verb == "set" else [1, 2, word])


@pytest.mark.parametrize("word", ["--json", "-q", "-qv", "--durability=atomic", "--expect", "--"])
def test_a_value_that_is_an_option_is_missed_and_not_taken_for_one(
    state: State, file: Path, word: str
) -> None:
    assert state("set", str(file), "note", "--string", word).code == 2
    assert file.read_text() == OLD
