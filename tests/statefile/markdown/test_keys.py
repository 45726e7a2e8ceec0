"""Setting a key changes the value on its line and no other byte, or refuses and changes nothing."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.statefile.markdown.blocks import Ambiguous, NoMatch, Unfit, read_page
from holdfast.statefile.markdown.keys import get_key, set_key

HOSTILE = [
    *("a/b", "a & b", "\\1 \\g<0> \\n", "$HOME $(id)", "-n", "-e", "'\"", "*", "%s {0}", "a: b"),
    *("`code`", "``", "# no heading", "---", "<b>", "<!-- a -->", "é\u2028\x85\x0b", "a\tb", ""),
]


@pytest.mark.parametrize("value", HOSTILE)
def test_a_value_is_literal(value: str) -> None:
    changed = set_key("# A\n\nStatus: old\nNext: b\n", "Status", value)

    assert changed == f"# A\n\nStatus: {value}\nNext: b\n"
    assert get_key(changed, "Status") == value


@pytest.mark.parametrize("value", ["a\nb", "a\r", "a\r\nb", "\0"])
def test_a_value_of_more_than_one_line_is_refused(value: str) -> None:
    with pytest.raises(Unfit, match="one line"):
        set_key("Status: old\n", "Status", value)


@pytest.mark.parametrize("key", ["", " Status", "Sta\ntus"])
def test_a_key_is_one_line_with_no_space_around_it(key: str) -> None:
    with pytest.raises(Unfit, match="cannot be a key"):
        set_key("Status: old\n", key, "new")


@pytest.mark.parametrize(
    ("line", "changed"),
    [
        ("Status: old", "Status: new"),
        ("Status:old", "Status:new"),
        ("Status:", "Status: new"),
        ("**Status:**old", "**Status:**new"),
        ("Status:\told  \r\n", "Status:\tnew  \r\n"),
        ("- Status: old\r", "- Status: new\r"),
        ("*   Status:  old", "*   Status:  new"),
        ("**Status:** old  \n", "**Status:** new  \n"),
        ("- **Status**: old\n", "- **Status**: new\n"),
        ("\ufeffStatus: old\n", "\ufeffStatus: new\n"),
    ],
)
def test_marker_spacing_and_line_end_are_kept(line: str, changed: str) -> None:
    assert set_key(line, "Status", "new") == changed


def test_a_value_that_begins_with_a_colon_is_still_a_value() -> None:
    changed = set_key("Status:old\n", "Status", ":new")

    assert changed == "Status: :new\n"
    assert get_key(changed, "Status") == ":new"


def test_spaces_around_a_value_are_layout() -> None:
    once = set_key("Status: old  \n", "Status", "  new ")

    assert once == "Status: new  \n"
    assert set_key(once, "Status", "  new ") == once


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("```\nStatus: a\n```\n", "in a code block"),
        ("~~~~\n~~~\nStatus: a\n~~~~\n", "in a code block"),
        ("<!--\nStatus: a\n-->\n", "in HTML"),
        ("text <!--\nStatus: a\n-->\n", "in a code span or a comment"),
        ("---\nStatus: a\n---\n", "in the front matter"),
        ("+++\nStatus: a\n+++\n", "in the front matter"),
        ("Status: a\n---\n", "a heading"),
    ],
)
def test_a_key_that_does_not_count_is_named_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(NoMatch, match=rf"line \d does not count: it is {why}"):
        set_key(text, "Status", "new")

    visible = f"{text}\nStatus: b\n"
    assert set_key(visible, "Status", "new") == f"{text}\nStatus: new\n"


def test_a_key_that_stands_twice_changes_nothing_until_one_is_meant() -> None:
    text = "# T\nStatus: a\n## One\nStatus: b\n## Two\n- Status: c\n"

    with pytest.raises(Ambiguous, match="3 times: on lines 2, 4, 6") as caught:
        set_key(text, "Status", "new")

    assert caught.value.lines == (2, 4, 6)
    assert set_key(text, "Status", "new", within="Two") == text.replace("Status: c", "Status: new")
    assert set_key(text, "Status", "new", within="T/") == text.replace("Status: a", "Status: new")
    with pytest.raises(Ambiguous, match='3 times in "T"'):
        set_key(text, "Status", "new", within="T")


def test_every_changes_every_one_that_counts() -> None:
    text = "Status: a\n\n```\nStatus: b\n```\n\n- Status: c\n"

    changed = set_key(text, "Status", "x", every=True)

    assert changed == "Status: x\n\n```\nStatus: b\n```\n\n- Status: x\n"
    with pytest.raises(NoMatch):
        set_key(text, "Other", "x", every=True)


def test_a_value_that_would_hide_other_text_is_refused() -> None:
    with pytest.raises(Unfit, match="other lines"):
        set_key("Status: a\nNext: b --> c\nLast: d\n", "Status", "<!--")
    with pytest.raises(Unfit, match="other lines"):
        set_key("Status: a\nNext: b\nLast: `d\n", "Status", "`")


@pytest.mark.parametrize(
    ("text", "within", "changed"),
    [
        ("", None, "Key: v\n"),
        ("text\n", None, "text\n\nKey: v\n"),
        ("Status: a\n", None, "Status: a\nKey: v\n"),
        ("Status: a", None, "Status: a\nKey: v"),
        (
            "# T\r\n\r\n- **Status:** a  \r\n",
            None,
            "# T\r\n\r\n- **Status:** a  \r\n- **Key:** v  \r\n",
        ),
        ("# T\n## B\n", None, "# T\n\nKey: v\n\n## B\n"),
        ("a\n# T\n", None, "a\n\nKey: v\n# T\n"),
        ("# T\nS: a\n\n## B\nS: b\n\n# C\n", "B", "# T\nS: a\n\n## B\nS: b\nKey: v\n\n# C\n"),
        ("# T\n## B\nb\n", "T", "# T\n\nKey: v\n\n## B\nb\n"),
        ("---\na: 1\n---\n", None, "---\na: 1\n---\n\nKey: v\n"),
        ("- item\n", None, "- item\n\nKey: v\n"),
    ],
)
def test_a_missing_key_is_added_below_its_like(
    text: str, within: str | None, changed: str
) -> None:
    assert set_key(text, "Key", "v", within=within, create=True) == changed
    assert get_key(changed, "Key", within=within) == "v"


def test_create_changes_the_key_that_is_there() -> None:
    assert set_key("Key: a\n", "Key", "v", create=True) == "Key: v\n"


@pytest.mark.parametrize("text", ["```\nopen\n", "<!-- open\n"])
def test_a_key_is_not_added_where_it_would_not_count(text: str) -> None:
    with pytest.raises(Unfit):
        set_key(text, "Key", "v", create=True)


def test_a_missing_key_is_an_error_that_changes_nothing() -> None:
    with pytest.raises(NoMatch, match='no line has the key "Key"'):
        set_key("Status: a\n", "Key", "v")
    with pytest.raises(NoMatch, match='no line in "A" has the key "Key"'):
        get_key("# A\n", "Key", within="A")


blocks = st.sampled_from(
    [
        *("# H", "## H", "Title\n===", "text\nmore", "- a\n- b", "> Mark: q", "```\nMark: c\n```"),
        *("~~~\n```\nMark: c\n~~~", "<!--\nMark: c\n-->", "    Mark: c", "a\u2028b\x85", "---"),
        *("1. x\n\n   ~~~\n   Mark: c\n   ~~~", "`a\nMark: c\nb`", "x <!--\nMark: c\n--> y"),
    ]
)
values = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0`<>")).map(
    lambda value: value.strip(" \t")
)


@settings(max_examples=200)
@given(
    above=st.lists(blocks, max_size=4),
    below=st.lists(blocks, max_size=4),
    form=st.sampled_from(["Mark: old", "- Mark: old", "**Mark:** old  ", "* **Mark**: old"]),
    value=values,
    end=st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_in_any_text_one_line_changes_and_no_other_byte(
    above: list[str], below: list[str], form: str, value: str, end: str
) -> None:
    text = "\n\n".join(["first", *above, "text", form, *below]).replace("\n", end)

    changed = set_key(text, "Mark", value)

    at = text.index(f"{end}{end}{form}") + len(end) * 2
    assert changed[:at] == text[:at]
    assert changed[at:].startswith(form.replace("old", value))
    assert changed[at + len(form.replace("old", value)) :] == text[at + len(form) :]
    assert get_key(changed, "Mark") == value
    assert read_page(changed).sections == read_page(text).sections
