"""A JSON text that is changed keeps every byte of what was not."""

import copy
import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.statefile.jsondoc.text import (
    COMPACT,
    READABLE,
    Literal,
    NotJson,
    Style,
    parse,
    render,
)

MIXED = (
    '\ufeff\r\n{\r\n\t"n" : 1.10,\r\n\t"tags": ["x", "y"],\r\n\t"deep": {"k":9007199254740993 },\r\n'
    '\r\n\t"list": [\r\n\t\t1E5\r\n\t],\r\n\t"none": {}\r\n}\r\n\r\n'
)


def changed(text: str, change: Callable[[dict[str, object]], object]) -> str:
    document = parse(text)
    value = copy.deepcopy(document.value)
    assert isinstance(value, dict)
    change(value)
    return render(value, document.style)


def without_surrogates() -> st.SearchStrategy[str]:
    return st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


documents = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | without_surrogates(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(without_surrogates(), inner, max_size=4)
    ),
    max_leaves=12,
)
indents = st.none() | st.integers(0, 5) | st.sampled_from(["\t", "\t\t", " "])
separators = st.sampled_from([(",", ":"), (", ", ": "), (",", ": "), (" , ", " : ")])


@given(value=documents, indent=indents, separators=separators, escapes=st.booleans())
def test_what_was_not_changed_is_rendered_byte_for_byte(
    value: object, indent: int | str | None, separators: tuple[str, str], *, escapes: bool
) -> None:
    text = json.dumps(value, indent=indent, separators=separators, ensure_ascii=escapes)

    document = parse(text)

    assert document.value == value
    assert render(document.value, document.style) == text


@given(value=documents, indent=indents, separators=separators, escapes=st.booleans())
def test_new_values_are_laid_out_like_the_old_ones(
    value: object, indent: int | str | None, separators: tuple[str, str], *, escapes: bool
) -> None:
    def text_of(value: object) -> str:
        return json.dumps(value, indent=indent, separators=separators, ensure_ascii=escapes)

    style = parse(text_of({"old": [1, "é"], "two": {"a": 1, "b": 2}})).style

    assert render({"new": value, "list": [value, value]}, style) == text_of(
        {"new": value, "list": [value, value]}
    )


@given(old=documents, new=documents, indent=indents, escapes=st.booleans())
def test_whatever_is_put_in_is_read_again(
    old: object, new: object, indent: int | str | None, *, escapes: bool
) -> None:
    style = parse(json.dumps(old, indent=indent, ensure_ascii=escapes)).style

    text = render(new, style)

    assert json.dumps(parse(text).value) == json.dumps(new)


def test_a_byte_order_mark_odd_lines_and_white_space_stay() -> None:
    document = parse(MIXED)

    assert render(document.value, document.style) == MIXED


def test_a_change_touches_only_its_own_place() -> None:
    def change(value: dict[str, object]) -> None:
        value["deep"] = {"k": 5, "new": ["a"]}

    assert changed(MIXED, change) == MIXED.replace(
        '{"k":9007199254740993 }', '{"k":5, "new" : ["a"] }'
    )


def test_one_line_inside_many_stays_one_line() -> None:
    def change(value: dict[str, object]) -> None:
        value["tags"] = ["x", "y", {"z": [1]}]

    assert changed(MIXED, change) == MIXED.replace('"y"]', '"y", {"z" : [1]}]')


def test_a_new_key_goes_to_the_end_on_a_line_of_its_own() -> None:
    def change(value: dict[str, object]) -> None:
        value["é"] = {"a": [1, {}]}

    text = '{\n    "a": 1\n}\n'

    assert changed(text, change) == (
        '{\n    "a": 1,\n    "é": {\n        "a": [\n            1,\n            {}\n        ]\n    }\n}\n'
    )


def test_a_key_may_go_and_the_rest_stays() -> None:
    assert changed(MIXED, lambda value: value.pop("list")) == MIXED.replace(
        '\r\n\r\n\t"list": [\r\n\t\t1E5\r\n\t],', ""
    ).replace("},\r\n\t", "},\r\n\t")
    assert changed('{"a": 1,\n "b": 2}', lambda value: value.pop("a")) == '{"b": 2}'
    assert changed('{"a": 1}\n', lambda value: value.clear()) == "{}\n"


@pytest.mark.parametrize(
    ("new", "text"),
    [
        ([1.5, Literal("2.50")], "[1.5,  2.50 ]"),
        ([0, Literal("1.50"), Literal("2.50"), 3], "[0,  1.50,  2.50,  3 ]"),
        ([Literal("2.50")], "[2.50 ]"),
    ],
)
def test_an_array_keeps_its_spacing(new: list[object], text: str) -> None:
    assert render(new, parse("[1.50,  2.50 ]").style) == text


def test_an_item_may_leave_the_middle_of_an_array() -> None:
    style = parse(
        "[\n  1.50,\n  {\n    'x'\n  },\n  2\n]".replace("'", '"').replace('"x"', '"x": 1')
    ).style

    assert render([Literal("1.50"), 2], style) == "[\n  1.50,\n  2\n]"


def test_a_value_changed_in_place_is_seen() -> None:
    document = parse('{"a": [1, 2]}')
    assert isinstance(document.value, dict)

    document.value["a"].append(3)

    assert render(document.value, document.style) == '{"a": [1, 2, 3]}'


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ('{"a": 1}', {"a": True}, '{"a": true}'),
        ('{"a": 1}', {"a": 1.0}, '{"a": 1.0}'),
        ('{"a": true}', {"a": 1}, '{"a": 1}'),
        ('{"a":1}', {"a": 1, "b": [1, 2]}, '{"a":1,"b":[1,2]}'),
        ('{"a": 1}', {"a": 1, "b": [1, 2]}, '{"a": 1, "b": [1, 2]}'),
        ('{ "a": 1 }', {"a": 1, "b": 2}, '{ "a": 1, "b": 2 }'),
        ("{}", {"a": [1]}, '{"a": [1]}'),
        ("5\n", {"a": 1}, '{"a": 1}\n'),
        (r'{"a": "\u00e9"}', {"a": "\x7f"}, r'{"a": "\u007f"}'),
        (r'{"a": "\u00e9"}', {"a": "ü"}, r'{"a": "\u00fc"}'),
        ('{"a": "é"}', {"a": "ü"}, '{"a": "ü"}'),
        ('{"b": 1, "a": 2}', {"a": 2, "b": 1}, '{"a": 2, "b": 1}'),
    ],
)
def test_small_changes_look_like_their_neighbours(old: str, new: object, text: str) -> None:
    assert render(new, parse(old).style) == text


def test_a_new_text_is_readable_or_compact() -> None:
    value = {"a": [1, {"é": None}], "b": (), "n": Literal("1.10")}

    assert (
        render(value)
        == render(value, READABLE)
        == (
            '{\n  "a": [\n    1,\n    {\n      "é": null\n    }\n  ],\n  "b": [],\n  "n": 1.10\n}\n'
        )
    )
    assert render(value, COMPACT) == '{"a":[1,{"é":null}],"b":[],"n":1.10}\n'


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("-inf"), {1, 2}, b"a", {1: 2}, {None: 1}, "\ud800", {"\udfff": 1}],
)
def test_what_has_no_json_form_is_refused(value: object) -> None:
    for style in (COMPACT, Style(escapes=True), parse('{"a": 1}').style):
        with pytest.raises(NotJson):
            render({"a": [value]}, style)


def test_a_circle_is_refused() -> None:
    circle: list[object] = []
    circle.append(circle)

    for style in (COMPACT, parse("[1]").style, parse("[[[]]]").style):
        with pytest.raises(NotJson, match="too deeply"):
            render(circle, style)


@pytest.mark.parametrize("deep", [2000, 100_000])
def test_a_deep_document_is_kept_or_refused(deep: int) -> None:
    text = "[" * deep + "]" * deep

    refusal = ""
    rendered = text
    try:
        rendered = render(parse(text).value, parse(text).style)
    except NotJson as error:
        refusal = str(error)

    assert rendered == text
    assert refusal in {"", "it is nested too deeply", "it is nested too deeply, or holds itself"}
