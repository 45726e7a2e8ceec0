"""A filter gives one value and changes no number unseen, or nothing is changed at all."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.errors import Corrupt, InvalidContent
from holdfast.statefile.jsondoc.jq import filtered
from holdfast.statefile.jsondoc.text import parse, render

pytest.importorskip("jq", reason="filters need jq")

# Seconds no filter here needs; one that shall run out of time gets less.
PATIENCE = 60.0


def run(text: str, program: str, **args: object) -> str:
    value = filtered(text, program, path="STATE.json", args=args, within=PATIENCE)
    return render(value, parse(text).style)


def test_a_filter_changes_one_place_and_no_other_byte() -> None:
    text = '{\n    "entries": [],\n    "price": 1.10, "id": 9007199254740993\n}\n'

    assert run(text, ".entries += [$e]", e={"id": 'a"b\n$(rm -rf /)'}) == text.replace(
        "[]", '[\n        {\n            "id": "a\\"b\\n$(rm -rf /)"\n        }\n    ]'
    )


@pytest.mark.parametrize(
    ("program", "why"),
    [
        ("empty", "gave no value"),
        (".n, .n", "gave 2 values"),
        ("repeat(1)", "gave more than 100 values"),
        ("halt", "gave no value"),
        (".n[", r"jq said: syntax error, unexpected end of file.*\n.*\.n\["),
        ("nope", "jq said: nope/0 is not defined"),
        ('error("boom")', "jq said: boom"),
        ("error({code: 7})", '"code": 7'),
        (".n.x", "jq said: Cannot index number"),
        (".a) | (.b", "jq said: syntax error"),
        ("", "jq said: Top-level program not given"),
        ('import "x" as x; .', "jq said: module not found"),
        (".\0", "NUL"),
        ('"\ud800"', "not valid Unicode"),
        ("[.]", "made an array of an object; .* allow a change of type"),
        ("null", "made null of an object"),
        (".n == 1", "made a boolean of an object"),
    ],
)
def test_a_filter_without_exactly_one_result_of_the_same_type_is_refused(
    program: str, why: str
) -> None:
    with pytest.raises(
        InvalidContent, match=f"(?s)STATE.json was not changed: .*{why}"
    ) as refusal:
        run('{"n": 1}', program)

    assert refusal.value.path == "STATE.json"
    assert "compile error" not in str(refusal.value)


def test_another_type_is_given_when_that_is_wanted() -> None:
    assert filtered('{"n": [1]}', ".n", allow_type_change=True, within=PATIENCE) == [1]


@pytest.mark.parametrize("program", ["def f: f; f", "[range(1e15)] | length", "until(false; .)"])
def test_a_filter_without_end_is_ended(program: str) -> None:
    with pytest.raises(InvalidContent, match=r"did not end within 0\.3 s|too much memory|memory"):
        filtered("{}", program, within=0.3)


@pytest.mark.parametrize("within", [0, -1, float("nan"), float("inf")])
def test_a_time_that_is_none_is_refused(within: float) -> None:
    with pytest.raises(InvalidContent, match="time above zero"):
        filtered("{}", ".", within=within)


def test_a_filter_sees_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "s3cret")

    assert run("{}", ".env = env | .ENV = $ENV") == '{"env": {}, "ENV": {}}'
    assert os.environ["SECRET_TOKEN"] == "s3cret"


@pytest.mark.parametrize(
    ("args", "why"),
    [
        ({"a-b": 1}, "cannot be named 'a-b'"),
        ({"": 1}, "cannot be named ''"),
        ({"a": "\ud800"}, "surrogate"),
        ({"a": float("nan")}, "nan has no JSON form"),
        ({"a": {1, 2}}, "a set has no JSON form"),
    ],
)
def test_an_argument_jq_cannot_take_is_refused(args: dict[str, object], why: str) -> None:
    with pytest.raises(InvalidContent, match=why):
        filtered("{}", ".", args=args, within=PATIENCE)


def test_a_text_that_is_no_json_is_corrupt() -> None:
    with pytest.raises(Corrupt, match=r"STATE\.json should hold one JSON document, but"):
        run('{"a": 1', ".")


NUMBERS = (
    '{"big":9007199254740993,"cents":1.10,"one":1.0,"minus":-0,"exp":1E5,"huge":1e1000,'
    '"tiny":0.12345678901234567890,"id":123456789012345678901234567890}'
)


@pytest.mark.parametrize("program", [".", ".x = 1 | del(.x)", "with_entries(.)"])
def test_numbers_that_are_passed_on_keep_every_digit(program: str) -> None:
    assert run(NUMBERS, program) == NUMBERS


def test_numbers_that_move_keep_every_digit_too() -> None:
    assert run('{"a": [9007199254740993, 1E5, 1.10, -0]}', ".a |= reverse") == (
        '{"a": [-0, 1.10, 1E5, 9007199254740993]}'
    )
    assert run('{"a": 9007199254740993}', ".b = .a") == (
        '{"a": 9007199254740993, "b": 9007199254740993}'
    )


def test_large_numbers_given_by_argument_or_program_are_exact() -> None:
    assert run("{}", ".a = $a", a=9007199254740993) == '{"a": 9007199254740993}'
    assert run("{}", ".a = 9007199254740993") == '{"a": 9007199254740993}'
    assert run("{}", ".a = $a", a=parse("1.10").value) == '{"a": 1.10}'


@pytest.mark.parametrize(
    ("text", "program"),
    [
        ('{"n": 9007199254740993}', ".n += 1"),
        ('{"n": 9007199254740993}', ".n += 2"),
        ('{"n": 9007199254740993}', ".n += 0"),
        ('{"n": [9007199254740993]}', ".n |= map(. + 0)"),
        ('{"n": [9007199254740993]}', ".m = [0, (.n[0] | floor)]"),
        ('{"n": 9007199254740992}', ".n += 2"),
        ('{"n": 0.12345678901234567890}', ".n *= 1"),
        ('{"n": 1e400}', ".n /= 2"),
        ('{"n": 1}', ".n = infinite"),
        ('{"n": 1}', ".n = 9007199254740993 + 0"),
    ],
)
def test_a_number_that_may_have_been_rounded_is_refused_unless_allowed(
    text: str, program: str
) -> None:
    with pytest.raises(InvalidContent, match=r"at /[nm].* may have been rounded"):
        run(text, program)

    filtered(text, program, allow_lossy=True, within=PATIENCE)


@pytest.mark.parametrize(
    ("text", "program", "result"),
    [
        ('{"n": 1}', ".n += 1", '{"n": 2}'),
        ('{"n": 1.0}', ".n += 0", '{"n": 1.0}'),
        ('{"n": 0.1}', ".n += 0.2", '{"n": 0.30000000000000004}'),
        ('{"n": 1.10}', ".n += 1", '{"n": 2.1}'),
        ('{"n": 9007199254740991, "m": 1E5}', ".m = 2", '{"n": 9007199254740991, "m": 2}'),
    ],
)
def test_ordinary_arithmetic_is_free(text: str, program: str, result: str) -> None:
    assert run(text, program) == result


documents = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=6),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(st.characters(exclude_categories=["Cs"]), max_size=4), inner, max_size=4
        )
    ),
    max_leaves=10,
)


@settings(max_examples=25)
@given(value=st.lists(documents, min_size=1, max_size=20))
def test_the_identity_changes_no_document(value: object) -> None:
    text = json.dumps(value)

    assert run(text, ".") == text


@pytest.mark.parametrize("deep", [200, 900])
def test_a_deep_document_is_kept_or_refused(deep: int) -> None:
    text = "[" * deep + "]" * deep
    try:
        result = run(text, ".")
    except (Corrupt, InvalidContent):
        result = text

    assert result == text


@pytest.fixture
def other_thread() -> Iterator[None]:
    over = threading.Event()
    thread = threading.Thread(target=over.wait)
    thread.start()
    yield
    over.set()
    thread.join()


def test_a_process_with_other_threads_gets_the_same(other_thread: None) -> None:
    assert run(NUMBERS, ".a = $a", a="é") == NUMBERS.replace("7890}", '7890,"a":"é"}')


WITHOUT_JQ = """
import sys
sys.modules["jq"] = None
from holdfast.errors import InvalidContent
from holdfast.statefile.jsondoc.jq import filtered
try:
    filtered("{}", ".")
except InvalidContent as error:
    print(error)
"""


def test_without_jq_the_refusal_says_what_to_install(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_JQ],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )

    assert "pip install jq" in done.stdout
    assert done.stderr == ""
