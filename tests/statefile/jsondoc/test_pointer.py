"""A place is found by its path or named in the refusal; changes are made on a copy."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.statefile.jsondoc.pointer import (
    BadPath,
    NoPlace,
    Path,
    append,
    get,
    parse_path,
    pointer,
    put,
    remove,
)

# The example of RFC 6901, section 5.
RFC = {
    "foo": ["bar", "baz"],
    "": 0,
    "a/b": 1,
    "c%d": 2,
    "e^f": 3,
    "g|h": 4,
    "i\\j": 5,
    'k"l': 6,
    " ": 7,
    "m~n": 8,
}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", RFC),
        ("/foo", ["bar", "baz"]),
        ("/foo/0", "bar"),
        ("/", 0),
        ("/a~1b", 1),
        ("/c%d", 2),
        ("/e^f", 3),
        ("/g|h", 4),
        ("/i\\j", 5),
        ('/k"l', 6),
        ("/ ", 7),
        ("/m~0n", 8),
    ],
)
def test_the_examples_of_rfc_6901_are_found(text: str, found: object) -> None:
    assert get(RFC, parse_path(text)) == found
    assert pointer(parse_path(text)) == text


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (".", ()),
        ("a", ("a",)),
        ("a.b.0", ("a", "b", "0")),
        (".a.b[0]", ("a", "b", 0)),
        ("[0][12].x", (0, 12, "x")),
        ('a["b.c"]["d\\"e"]', ("a", "b.c", 'd"e')),
        ("entries.-", ("entries", "-")),
        ("18-01.next step", ("18-01", "next step")),
        ("/~01", ("~1",)),
        ("/a//b", ("a", "", "b")),
    ],
)
def test_a_path_is_read(text: str, path: Path) -> None:
    assert parse_path(text) == path


@pytest.mark.parametrize(
    "text",
    ["a..b", "a.", "..a", "a[", "a[01]", "a[-1]", "a[x]", "a[0]b", "a]", '["\\x"]', "/a~2", "/~"],
)
def test_what_is_no_path_is_refused(text: str) -> None:
    with pytest.raises(BadPath, match="is no path"):
        parse_path(text)


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/nope", "the document has no 'nope'; it has 'foo'"),
        ("/foo/2", "/foo has 2 items and no index 2"),
        ("/foo/01", "/foo is an array; '01' is no index"),
        ("/foo/x", "'x' is no index"),
        ("/foo/-", "'-' is no index"),
        ("/foo/0/x", "/foo/0 is a string"),
        ("//x", "/ is a number"),
        ("[0]", "the document has no 0"),
    ],
)
def test_a_place_that_is_not_there_is_named(path: str, why: str) -> None:
    with pytest.raises(NoPlace, match=why):
        get(RFC, parse_path(path))


@pytest.mark.parametrize(
    ("path", "result"),
    [
        ("", "new"),
        ("/a", {"a": "new", "l": [1, {"x": 2}], "n": None}),
        ("/b/c/0", {"a": 1, "l": [1, {"x": 2}], "n": None, "b": {"c": {"0": "new"}}}),
        ("/l/0", {"a": 1, "l": ["new", {"x": 2}], "n": None}),
        ("/l/-", {"a": 1, "l": [1, {"x": 2}, "new"], "n": None}),
        (".l[1].x", {"a": 1, "l": [1, {"x": "new"}], "n": None}),
        ("/l/1/-", {"a": 1, "l": [1, {"x": 2, "-": "new"}], "n": None}),
    ],
)
def test_a_value_is_put_on_a_copy(path: str, result: object) -> None:
    value = {"a": 1, "l": [1, {"x": 2}], "n": None}
    before = copy.deepcopy(value)

    assert put(value, parse_path(path), "new") == result
    assert value == before


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/a/b", "/a is a number"),
        ("/n/b", "/n is null"),
        ("/t/b/c", "/t is true"),
        ("/l/1", "/l has 1 items and no index 1; append with '-'"),
        ("/l/x", "'x' is no index"),
        ("/l/-/x", "'-' is no index"),
        (".o[0]", "/o is an object and has no index 0"),
        ("/new/-", "/new does not exist"),
        (".new[0]", "/new does not exist"),
        (".new.x[0]", "/new/x does not exist"),
    ],
)
def test_nothing_is_put_where_nothing_can_be(path: str, why: str) -> None:
    value = {"a": 1, "l": [1], "n": None, "t": True, "o": {}}

    with pytest.raises(NoPlace, match=why):
        put(value, parse_path(path), "new")


def test_a_place_is_removed_from_a_copy() -> None:
    value = {"a": {"b": 1, "c": 2}, "l": [1, 2, 3]}

    assert remove(value, ("a", "b")) == {"a": {"c": 2}, "l": [1, 2, 3]}
    assert remove(value, ("l", "1")) == {"a": {"b": 1, "c": 2}, "l": [1, 3]}
    assert remove(value, ("l", 0)) == {"a": {"b": 1, "c": 2}, "l": [2, 3]}
    assert value == {"a": {"b": 1, "c": 2}, "l": [1, 2, 3]}


@pytest.mark.parametrize("path", ["", "/x", "/l/3", "/l/-", "/l/0/x"])
def test_what_is_not_there_cannot_be_removed(path: str) -> None:
    with pytest.raises(NoPlace):
        remove({"a": 1, "l": [1, 2, 3]}, parse_path(path))


def test_an_array_grows_at_its_end_and_nothing_else_does() -> None:
    value = {"l": [[1]], "s": "text"}

    assert append(value, ("l",), 2) == {"l": [[1], 2], "s": "text"}
    assert append(value, ("l", 0), 2) == {"l": [[1, 2]], "s": "text"}
    assert append([], (), 1) == [1]
    with pytest.raises(NoPlace, match="/s is a string, not an array"):
        append(value, ("s",), 2)
    with pytest.raises(NoPlace, match="no 'x'"):
        append(value, ("x",), 2)


keys = st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
values = st.recursive(
    st.none() | st.integers() | keys,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
)


@given(path=st.lists(keys, max_size=6))
def test_every_pointer_leads_back_to_its_path(path: list[str]) -> None:
    assert parse_path(pointer(tuple(path))) == tuple(path)


@given(value=st.dictionaries(keys, values), path=st.lists(keys, min_size=1), new=values)
def test_what_was_put_is_found_and_removed_again(
    value: dict[str, object], path: list[str], new: object
) -> None:
    before = copy.deepcopy(value)
    place = tuple(path)
    try:
        changed = put(value, place, new)
    except NoPlace:
        return

    assert get(changed, place) == new
    assert put(changed, place, new) == changed
    assert value == before


@given(value=st.dictionaries(keys, values, min_size=1), new=values)
def test_what_is_put_anew_can_be_removed_without_a_trace(
    value: dict[str, object], new: object
) -> None:
    place = ("".join(value) + "x", "y")

    changed = put(value, place, new)

    assert remove(remove(changed, place), place[:1]) == value
