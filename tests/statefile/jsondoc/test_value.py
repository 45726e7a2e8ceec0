"""One document or a refusal, and numbers that stay as they were written."""

import copy
import pickle

import pytest

from holdfast.statefile.jsondoc.value import Literal, NotJson, alike, decode, decode_at


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        (" \n", "empty"),
        ("12 3", "one JSON document"),
        ("{}{}", "one JSON document"),
        ('{"a": 1', "one JSON document"),
        ("[1,]", "one JSON document"),
        ("[01]", "one JSON document"),
        ("'a'", "one JSON document"),
        ('{"a": 1, "b": 2, "a": 3}', 'key "a" stands twice'),
        ('[{"x": {"a": 1, "a": 1}}]', 'key "a" stands twice'),
        ("NaN", "NaN is no JSON"),
        ("[-Infinity]", "-Infinity is no JSON"),
        ('"\0"', "NUL"),
        ("\0\0\0\0", "NUL"),
        (r'"\ud800"', "surrogate"),
        (r'{"\udfff": 1}', "surrogate"),
        ('"\ud800"', "surrogate"),
        ('"tab\tinside"', "one JSON document"),
    ],
)
def test_what_is_not_one_document_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(NotJson, match=why):
        decode(text)


def test_two_halves_of_a_pair_are_one_character() -> None:
    assert decode(r'"\ud83d\ude00 \\ud800"') == "😀 \\ud800"


@pytest.mark.parametrize(
    "text", ["1.10", "1E5", "1e5", "-0", "1e400", "0.10000000000000001", "1e-400", "7" * 5000]
)
def test_a_number_python_would_write_otherwise_remembers_its_text(text: str) -> None:
    value = decode(text)

    assert isinstance(value, Literal)
    assert repr(value) == text
    assert value == float(text)


@pytest.mark.parametrize("text", ["0", "-1", "9007199254740993", "1.0", "-0.0", "0.1", "1e+17"])
def test_a_number_python_writes_alike_is_a_plain_one(text: str) -> None:
    value = decode(text)

    assert type(value) in {int, float}
    assert repr(value) == text


def test_copies_of_a_literal_remember_the_text_too() -> None:
    value = decode("[1.10]")

    assert repr(copy.deepcopy(value)) == "[1.10]"
    assert repr(pickle.loads(pickle.dumps(value))) == "[1.10]"


def test_a_value_is_found_at_an_offset() -> None:
    assert decode_at("  [1, 2.50] ,", 2) == ([1, 2.5], 11)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (1, 1, True),
        (1, 1.0, False),
        (1, True, False),
        (0.0, -0.0, False),
        (None, False, False),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, False),
        ({"a": [1, {"b": 1}]}, {"a": [1, {"b": 1}]}, True),
        ({"a": [1, {"b": 1}]}, {"a": [1, {"b": 1.0}]}, False),
        ((1, 2), [1, 2], True),
        ([1], [1, 1], False),
        (Literal("1.10"), Literal("1.10"), True),
        (Literal("1.10"), Literal("1.1"), False),
        (1.1, Literal("1.10"), False),
        (1.5, Literal("1.5"), True),
    ],
)
def test_alike_is_what_would_be_written_alike(one: object, other: object, *, same: bool) -> None:
    assert alike(one, other) is same
