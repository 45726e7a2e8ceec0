"""A splice changes nothing outside the value it replaces."""

import json

from hypothesis import given
from hypothesis import strategies as st

from holdfast.statefile.jsondoc.layout import style_of
from holdfast.statefile.jsondoc.splice import spliced
from holdfast.statefile.jsondoc.value import decode

space = st.text(" \t\r\n", max_size=3)
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)


@st.composite
def wild_objects(draw: st.DrawFn) -> list[tuple[str, str]]:
    """Members of an object, each as its key and its text with whatever white space around it."""
    keys = draw(st.lists(words, min_size=2, max_size=5, unique=True))
    values = st.sampled_from(
        ["1.10", "-0", '"a, b: c"', "[ 1 ,2.50]", '{"x" :1e5 }', "null", "{}"]
    )
    return [(key, draw(values)) for key in keys]


@given(members=wild_objects(), spaces=st.tuples(space, space, space, space), chosen=st.integers(0))
def test_only_the_changed_member_of_a_wild_object_is_other(
    members: list[tuple[str, str]], spaces: tuple[str, str, str, str], chosen: int
) -> None:
    def text_of(members: list[tuple[str, str]]) -> str:
        comma = f"{spaces[0]},{spaces[1]}"
        body = comma.join(
            f"{json.dumps(key)}{spaces[2]}:{spaces[3]}{text}" for key, text in members
        )
        return f"{spaces[3]}{{{spaces[2]}{body}{spaces[1]}}}{spaces[0]}"

    source = text_of(members)
    value = decode(source)
    assert isinstance(value, dict)
    key = members[chosen % len(members)][0]

    text = spliced(source, {**value, key: "new"}, style_of(source))

    assert text == text_of([(name, '"new"' if name == key else old) for name, old in members])
