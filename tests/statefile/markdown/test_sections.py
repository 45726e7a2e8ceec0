"""Changing a section changes that section: before and behind it every byte stays, or nothing is done."""

from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.statefile.markdown.blocks import Ambiguous, MarkdownError, NoMatch, Unfit, read_page
from holdfast.statefile.markdown.find import the_section
from holdfast.statefile.markdown.sections import SectionMode, get_section, set_section

PLAN = """# Plan

## Phase 1

text

- a
- b

tail

### Status

one

## Phase 2

two
"""


@pytest.mark.parametrize(
    ("mode", "old", "new"),
    [
        ("replace", "text\n\n- a\n- b\n\ntail\n\n### Status\n\none\n", "NEW\n"),
        ("append", "tail\n\n###", "tail\n\nNEW\n\n###"),
        ("prepend", "text\n", "NEW\n\ntext\n"),
        ("append-item", "- b\n", "- b\n- NEW\n"),
    ],
)
def test_each_mode_changes_its_place(mode: SectionMode, old: str, new: str) -> None:
    assert set_section(PLAN, "Phase 1", "NEW\n", mode=mode) == PLAN.replace(old, new)


def test_a_section_is_deleted_with_its_subsections() -> None:
    assert set_section(PLAN, "Phase 1", "", mode="delete") == "# Plan\n\n## Phase 2\n\ntwo\n"
    assert set_section(PLAN, "Phase 2", "", mode="delete") == PLAN[: PLAN.index("\n## Phase 2")]


def test_a_shallow_change_leaves_subsections_alone() -> None:
    changed = set_section(PLAN, "Phase 1", "NEW", shallow=True)

    assert changed == PLAN.replace("text\n\n- a\n- b\n\ntail\n", "NEW\n")
    assert get_section(changed, "Phase 1", shallow=True) == "NEW"
    with pytest.raises(Unfit, match="has subsections"):
        set_section(PLAN, "Phase 1", "", mode="delete", shallow=True)


def test_a_subsection_is_added_among_the_subsections() -> None:
    new = "### New\n\nx"

    last = set_section(PLAN, "Phase 1", new, mode="append")
    first = set_section(PLAN, "Phase 1", new, mode="prepend")

    assert last == PLAN.replace("one\n", "one\n\n### New\n\nx\n")
    assert first == PLAN.replace("### Status", "### New\n\nx\n\n### Status")


@pytest.mark.parametrize("mode", ["append", "prepend", "append-item"])
def test_nothing_to_add_changes_nothing(mode: SectionMode) -> None:
    assert set_section(PLAN, "Phase 1", " \n\n", mode=mode) == PLAN


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("## A\n", "## A\n\n- x\n  y\n"),
        ("## A\n\ntext\n", "## A\n\ntext\n\n- x\n  y\n"),
        ("## A\n* a\n", "## A\n* a\n* x\n  y\n"),
        ("## A\n9. a\n", "## A\n9. a\n10. x\n    y\n"),
        ("## A\n 1) a\n", "## A\n 1) a\n 2) x\n    y\n"),
        ("## A\n- a\n\n- b\n", "## A\n- a\n\n- b\n\n- x\n  y\n"),
        ("## A\n- a\n  - deep\nlazy\n\nend", "## A\n- a\n  - deep\nlazy\n- x\n  y\n\nend"),
        ("## A\r\n- a", "## A\r\n- a\r\n- x\r\n  y"),
        ("## A\n\n- a\n\ntext\n\n+ b\n", "## A\n\n- a\n\ntext\n\n+ b\n+ x\n  y\n"),
    ],
)
def test_an_item_joins_the_last_list(text: str, changed: str) -> None:
    assert set_section(text, "A", "x\ny\n", mode="append-item") == changed


@pytest.mark.parametrize(
    ("text", "heading", "within", "changed"),
    [
        ("", "A", None, "## A\n\nNEW\n"),
        ("# T\n", "A", None, "# T\n\n## A\n\nNEW\n"),
        ("# T\n# U", "A", None, "# T\n# U\n\n# A\n\nNEW"),
        ("### T\n\nt\n\n", "A", None, "### T\n\nt\n\n### A\n\nNEW\n\n"),
        ("# T\n## B\nb\n## C\n", "A", "B", "# T\n## B\nb\n\n### A\n\nNEW\n## C\n"),
        ("# T\n## B\n## C\n", "B/A", None, "# T\n## B\n\n### A\n\nNEW\n\n## C\n"),
        ("# T\n", "I/O", None, "# T\n\n## I/O\n\nNEW\n"),
        ("---\na: 1\n---\n", "A", None, "---\na: 1\n---\n\n## A\n\nNEW\n"),
        ("\ufefftext\r\n", "A", None, "\ufefftext\r\n\r\n## A\r\n\r\nNEW\r\n"),
    ],
)
def test_a_missing_section_is_added_below_its_like(
    text: str, heading: str, within: str | None, changed: str
) -> None:
    assert set_section(text, heading, "NEW", within=within, create=True) == changed
    assert get_section(changed, heading, within=within) == "NEW"


def test_a_first_item_makes_the_section_and_its_list() -> None:
    changed = set_section("# T\n", "Log", "a\nb", mode="append-item", create=True)

    assert changed == "# T\n\n## Log\n\n- a\n  b\n"


@pytest.mark.parametrize(
    ("text", "heading", "body"),
    [
        ("# T\n", "A\nB", ""),
        ("# T\n", "A ##", ""),
        ("# T\n", "A", "## same level"),
        ("# T\n\n```\n", "A", "in an open fence"),
        ("###### F\n", "F/G", "too deep"),
    ],
)
def test_a_section_that_cannot_stand_is_not_added(text: str, heading: str, body: str) -> None:
    with pytest.raises(Unfit):
        set_section(text, heading, body, create=True)


def test_a_heading_that_is_not_there_or_stands_twice_changes_nothing() -> None:
    with pytest.raises(NoMatch, match='no heading is called "Phase 3"'):
        set_section(PLAN, "Phase 3", "x")
    with pytest.raises(NoMatch):
        set_section(PLAN, "Phase 3", "", mode="delete", create=True)
    with pytest.raises(NoMatch, match='called "Phase 9"'):
        set_section(PLAN, "Status", "x", within="Phase 9", create=True)
    with pytest.raises(Ambiguous, match="2 headings"):
        set_section("## A\n\n## A\n", "A", "x")


@pytest.mark.parametrize(
    "body",
    ["# A", "## B", "B\n---", "```\nopen", "~~~\n```", "<!-- open", "<pre>\nopen"],
)
def test_a_body_that_would_reach_outside_is_refused(body: str) -> None:
    with pytest.raises(Unfit):
        set_section(PLAN, "Phase 1", body)


@pytest.mark.parametrize(
    "body",
    [
        "### Deeper\n\nx",
        "```\n# no\n```",
        "> # no",
        "<!-- # no -->",
        "---\n\nx",
        "Status: x",
        "&\\1/$ -n",
    ],
)
def test_a_body_is_literal(body: str) -> None:
    changed = set_section(PLAN, "Phase 1", body)

    assert get_section(changed, "Phase 1") == body
    assert get_section(changed, "Phase 2") == "two"


def test_a_paragraph_does_not_become_part_of_an_underlined_heading() -> None:
    changed = set_section("## A\n```\n```\nB\n---\nb\n", "A", "text")

    assert changed == "## A\ntext\n\nB\n---\nb\n"


@pytest.mark.parametrize(
    "section",
    [
        "```\n## B\n```\n",
        "````\n```\n## B\n```\n````\n",
        "> ## B\n",
        "- ## B\n",
        "<!--\n## B\n-->\n",
        "    ## B\n",
        "a\x85## B\u2028## B\x0b## B\n",
    ],
)
def test_what_looks_like_a_heading_is_part_of_the_section(section: str) -> None:
    text = f"---\nB: 1\n---\n## A\n\n{section}\n## C\nc"

    changed = set_section(text, "A", "new")

    assert changed == "---\nB: 1\n---\n## A\n\nnew\n\n## C\nc"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_are_those_of_the_file(end: str) -> None:
    text = PLAN.replace("\n", end)

    changed = set_section(text, "Phase 2", "x\ny\r\nz")

    assert changed == text.replace("two", end.join("xyz"))


blocks = st.sampled_from(
    [
        *("text\nmore", "- a\n- b", "> quote\n> # q", "```\n# c\n```", "~~~\n```\n# c\n~~~"),
        *("<!--\n## c\n-->", "    # c", "a\u2028# b\x85", "---", "1. x\n\n   # y", "Key: v  "),
        *(
            "### Sub",
            "### Sub\n\nof it",
            "#### Deep",
            "| a |\n|---|",
            "<div>\n\n</div>",
            "a\x0c# b",
        ),
    ]
)
bodies = st.lists(blocks, max_size=4).map("\n\n".join)
headings = st.sampled_from(["## {}", " ## {} ##", "{}\n---"])


@settings(max_examples=300)
@given(
    parts=st.lists(st.tuples(headings, bodies), min_size=1, max_size=4),
    body=bodies,
    mode=st.sampled_from(get_args(SectionMode)),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    at=st.integers(0, 3),
    closed=st.booleans(),
)
def test_in_any_text_only_the_section_changes(
    parts: list[tuple[str, str]], body: str, mode: SectionMode, end: str, at: int, closed: bool
) -> None:
    text = "\n\n".join(
        f"{heading.format(f'S{i}')}\n\n{own}".rstrip("\n")
        for i, (heading, own) in enumerate(parts)
    )
    text = (text + "\n" * closed).replace("\n", end)
    name = f"S{at % len(parts)}"
    page = read_page(text)
    section = the_section(page, name, page.root)
    above, below = "".join(page.lines[: section.start]), "".join(page.lines[section.end :])

    try:
        changed = set_section(text, name, body, mode=mode)
    except MarkdownError:
        return

    assert changed.endswith(below)
    assert changed.startswith(above.rstrip("\r\n") if mode == "delete" else above)
    kept = [
        s.title for s in page.sections if s.level == 2 and (s.title != name or mode != "delete")
    ]
    assert [s.title for s in read_page(changed).sections if s.level == 2] == kept
    if mode == "replace":
        assert get_section(changed, name) == body.replace("\n", page.newline)
        assert set_section(changed, name, body) == changed


@settings(max_examples=200)
@given(
    parts=st.lists(st.tuples(headings, bodies), min_size=1, max_size=3),
    ends=st.lists(st.sampled_from(["\n", "\r\n", "\r"]), min_size=1),
)
def test_putting_back_what_was_read_changes_nothing(
    parts: list[tuple[str, str]], ends: list[str]
) -> None:
    plain = "\n".join(
        f"{heading.format(f'S{i}')}\n{own}" for i, (heading, own) in enumerate(parts)
    )
    lines = plain.split("\n")
    text = "".join(line + ends[i % len(ends)] for i, line in enumerate(lines))

    for section in read_page(text).sections:
        name = "/".join(section.path)
        try:
            body = get_section(text, name)
        except Ambiguous:
            continue
        assert set_section(text, name, body) == text
