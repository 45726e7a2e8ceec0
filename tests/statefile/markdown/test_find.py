"""A name means exactly one place, or the error says which lines it might mean."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.statefile.markdown.blocks import Ambiguous, NoMatch, read_page, split_lines
from holdfast.statefile.markdown.find import (
    key_form,
    keys_named,
    only_keys_say,
    plain_keys,
    scope_of,
    the_section,
)

PLAN = read_page(
    "Status: above\n# Plan\nStatus: of the plan\n## Phase 1\n### Status\na\n## Phase 2\n### Status\nb\n## I/O\n"
)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("Plan", 2),
        ("Phase 1", 4),
        ("Phase 1/Status", 5),
        ("Plan/Phase 2/Status", 8),
        ("/Plan/Phase 2/Status", 8),
        (" Phase 2/Status ", 8),
        ("I/O", 10),
        ("Plan/I/O", 10),
    ],
)
def test_a_heading_is_named_by_its_words_or_the_end_of_its_path(name: str, line: int) -> None:
    assert the_section(PLAN, name, PLAN.root).first_line == line


@pytest.mark.parametrize("name", ["phase 1", "Phase", "Plan/Status", "/Phase 1", "## Phase 1", ""])
def test_a_name_is_literal(name: str) -> None:
    with pytest.raises(NoMatch, match='"Plan/Phase 1"'):
        the_section(PLAN, name, PLAN.root)


def test_a_heading_that_stands_twice_is_ambiguous_until_its_section_is_named() -> None:
    with pytest.raises(Ambiguous, match=r"line 5 \(Plan/Phase 1/Status\), line 8") as caught:
        the_section(PLAN, "Status", PLAN.root)

    assert caught.value.lines == (5, 8)
    assert the_section(PLAN, "Status", scope_of(PLAN, "Phase 2")).first_line == 8


def test_a_heading_is_not_inside_itself() -> None:
    with pytest.raises(NoMatch, match='no heading in "Phase 2" is called "Phase 2"'):
        the_section(PLAN, "Phase 2", scope_of(PLAN, "Phase 2"))


@pytest.mark.parametrize(
    ("within", "lines"), [(None, (0, 2)), ("/", (0,)), ("Plan", (2,)), ("Phase 1", ())]
)
def test_keys_are_looked_for_within_a_section(within: str | None, lines: tuple[int, ...]) -> None:
    assert keys_named(PLAN, "Status", scope_of(PLAN, within)) == lines


def test_a_slash_behind_a_section_leaves_out_its_subsections() -> None:
    page = read_page("# A\nK: 1\n## B\nK: 2\n## C/\nK: 3\n")

    assert keys_named(page, "K", scope_of(page, "A/")) == (1,)
    assert keys_named(page, "K", scope_of(page, "C/")) == (5,)
    with pytest.raises(NoMatch, match='is called "D"'):
        scope_of(page, "D/")


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("Key: a b  ", "a b"),
        ("Key:a", "a"),
        ("Key:", ""),
        ("- Key: a", "a"),
        ("*\tKey: a", "a"),
        ("+ **Key:** a", "a"),
        ("**Key**: a", "a"),
        ("Key: a\u2028b", "a\u2028b"),
        ("Key: a:b", "a:b"),
    ],
)
def test_a_line_gives_a_key_its_value(line: str, value: str) -> None:
    found = key_form("Key").match(line + "\r\n")

    assert found is not None
    assert found["value"] == value


@pytest.mark.parametrize(
    "line",
    [
        *("key: a", " Key: a", "My Key: a", "Key : a", "Key:: a", "> Key: a", "Keys: a"),
        *("-     Key: a", "**Key: a**", "1. Key: a", "`Key:` a", "| Key: a |"),
    ],
)
def test_a_line_that_is_not_the_key_is_left_alone(line: str) -> None:
    assert key_form("Key").match(line) is None


def test_a_key_is_no_pattern() -> None:
    assert key_form("a.b[1]*").match("a.b[1]*: x")
    assert not key_form("a.b").match("axb: x")


PIECES = [
    *("Key: x", "Key:", "- Key: x", "-  Key: x", "**Key:** y  ", "* **Key**: z", "text", "# Key"),
    *("Key\n---", "===", "---", "- - -", "  ---", "```", "~~~", "> ```", "- ```", "  ```", "<!--"),
    *("-->", " <div>", "> <pre>", "a <!-- b", "`", "`a", "``", "+++", "...", "1. a", "", "", " "),
    *("    Key: x", "[a]: /u 'b", "'", "\x0b", "\x85", ">", "> a", "- a", "2024-01-02", "\0"),
]
texts = st.lists(
    st.tuples(st.sampled_from(PIECES), st.sampled_from(["\n", "\n", "\n", "\r\n", "\r"])),
    max_size=10,
).map(lambda lines: "".join(piece + end for piece, end in lines))


@settings(max_examples=300)
@given(text=texts)
def test_what_is_found_without_the_parser_is_what_the_parser_finds(text: str) -> None:
    found = plain_keys(split_lines(text), "Key")

    page = read_page(text)
    if found is not None:
        assert found == keys_named(page, "Key", page.root)
        if only_keys_say(page.lines, "Key", found):
            assert not any("Key" in section.path for section in page.sections)


@pytest.mark.parametrize(
    "text",
    [
        "# T\n\nKey: x\n\n- a `code`\n",
        "Key: x\nOther: y\n",
        "> quote\n\n- Key: x\n",
        "a\n\n---\n\nKey: x",
    ],
)
def test_common_texts_need_no_parser(text: str) -> None:
    assert plain_keys(split_lines(text), "Key")


@pytest.mark.parametrize("name", ["", "a b", "a/b", "\ufffd"])
def test_a_name_that_a_heading_may_write_otherwise_needs_the_parser(name: str) -> None:
    assert not only_keys_say((f"{name}: 1\n",), name, (0,))
