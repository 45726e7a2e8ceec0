"""Every trap of Markdown is seen where CommonMark sees it, and every byte is accounted for."""

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.statefile.markdown.blocks import (
    MarkdownError,
    front_matter_end,
    read_page,
    split_lines,
)

PIECES = [
    *("# A", "## B", "### B", " ## C", "A\n---", "B\n===", "Status: x", "- Status: y", "* a"),
    *("-     Status: x", "**Status:** v  ", "> # q", "- # l", "```", "~~~", "````", "    # c"),
    *("<!--", "-->", "<div>", "<pre>", "a <!-- b", "c --> d", "`", "``", "`a", "---", "+++"),
    *("...", "1. a", "  - n", "[a]: /u 'b", "'", "", " ", "\x0b", "\x0c", "\x85", "\u2028"),
    *("\x1c", "\0", "\ufeff", "text", "| a |", ">"),
]
texts = st.lists(
    st.tuples(st.sampled_from(PIECES), st.sampled_from(["\n", "\n", "\r\n", "\r", ""])),
    max_size=12,
).map(lambda lines: "".join(piece + end for piece, end in lines))


@settings(max_examples=200)
@given(text=texts)
def test_the_lines_of_a_page_are_the_text(text: str) -> None:
    page = read_page(text)

    assert page.mark + "".join(page.lines) == text
    for section in page.sections:
        assert section.start < section.body <= section.own_end <= section.end <= len(page.lines)
        assert all(page.hidden[i] == "a heading" for i in range(section.start, section.body))


@pytest.mark.parametrize("odd", ["\v", "\f", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"])
def test_only_cr_and_lf_end_a_line(odd: str) -> None:
    text = f"a{odd}b\n## H\nc\n"

    assert split_lines(text) == [f"a{odd}b\n", "## H\n", "c\n"]
    assert [s.first_line for s in read_page(text).sections] == [2]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_each_line_end_of_markdown_is_one(end: str) -> None:
    page = read_page(end.join(["# A", "", "## B", "text"]))

    assert [(s.path, s.first_line, s.last_line) for s in page.sections] == [
        (("A",), 1, 4),
        (("A", "B"), 3, 4),
    ]
    assert page.newline == end


def test_a_text_of_one_open_line_gets_line_feeds() -> None:
    assert read_page("# A").newline == "\n"
    assert read_page("").newline == "\n"


@pytest.mark.parametrize(
    "text",
    [
        "```\n# no\n```\n",
        "````\n```\n# no\n```\n````\n",
        "~~~\n```\n# no\n~~~\n",
        "```\n# no\n",
        "    # no\n",
        "\t# no\n",
        "<!--\n# no\n-->\n",
        "<div>\n# no\n</div>\n",
        "<pre>\n\n# no\n</pre>\n",
        "> # no\n",
        "- # no\n",
        "- a\n\n  # no\n",
        "1. a\n   ---\n",
        "---\nno: 1\n---\n",
        "---\n# no\n...\n",
        "+++\n# no\n+++\n",
        "\ufeff---\nno: 1\n---\n",
        "#no\n",
        "\\# no\n",
        "####### no\n",
        "text\n\n---\n",
    ],
)
def test_what_only_looks_like_a_heading_is_none(text: str) -> None:
    assert read_page(text).sections == ()


@pytest.mark.parametrize(
    ("text", "level", "title"),
    [
        ("# A\n", 1, "A"),
        ("   ###   A b  ##  \n", 3, "A b"),
        ("A\n===\n", 1, "A"),
        ("A\nb\n---\n", 2, "A b"),
        ("##\n", 2, ""),
        ("\ufeff# A\n", 1, "A"),
        ("# **A** `b`\n", 1, "**A** `b`"),
        ("text\n# A\n", 1, "A"),
        ("- item\n# A\n", 1, "A"),
        ("---\na: 1\n---\n# A", 1, "A"),
    ],
)
def test_a_heading_has_its_level_and_its_words(text: str, level: int, title: str) -> None:
    (section,) = read_page(text).sections

    assert (section.level, section.title) == (level, title)


def test_a_section_ends_at_the_next_heading_of_its_level_or_above() -> None:
    page = read_page("# A\n## B\n#### C\nc\n### D\n## E\n# F\n")

    assert [(s.path, s.start, s.own_end, s.end) for s in page.sections] == [
        (("A",), 0, 1, 6),
        (("A", "B"), 1, 2, 5),
        (("A", "B", "C"), 2, 4, 4),
        (("A", "B", "D"), 4, 5, 5),
        (("A", "E"), 5, 6, 6),
        (("F",), 6, 7, 7),
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("---\nx\n---\n", "in the front matter"),
        ("```\nx\n```\n", "in a code block"),
        ("a\n\n    x\n", "in a code block"),
        ("- a\n\n  ~~~\n  x\n  ~~~\n", "in a code block"),
        ("<!--\nx\n-->\n", "in HTML"),
        ("a <!--\nx\n--> b\n", "in a code span or a comment"),
        ("a `b\nx\nc` d\n", "in a code span or a comment"),
        ("a ``b ` c\nx\n`` d\n", "in a code span or a comment"),
        ("x\n===\n", "a heading"),
        ("> x\n> ---\n", "a heading"),
    ],
)
def test_a_line_that_is_no_plain_text_says_why(text: str, why: str) -> None:
    page = read_page(text)

    (at,) = (i for i, line in enumerate(page.lines) if "x" in line)
    assert page.hidden[at] == why


@pytest.mark.parametrize(
    "text",
    [
        "a <!--\nx\n",
        "a `b\nx\n",
        "a \\`b\nx `\n",
        "a `b`\nx\n`c`\n",
        "a `b\n\nx\n\nc`\n",
        "a ``b\nx`\n",
        "`<!--`\nx\n`-->`\n",
        "---\nx: never closed\n",
    ],
)
def test_what_is_never_closed_hides_nothing(text: str) -> None:
    page = read_page(text)

    (at,) = (i for i, line in enumerate(page.lines) if "x" in line)
    assert at not in page.hidden


def test_front_matter_stands_at_the_very_beginning() -> None:
    assert front_matter_end(["---\n", "a: 1\n", "---\n", "b\n"]) == 3
    assert front_matter_end(["+++  \n", "+++"]) == 2
    assert front_matter_end(["\n", "---\n", "---\n"]) == 0
    assert front_matter_end(["---\n", "+++\n"]) == 0
    assert front_matter_end([]) == 0


def test_lists_are_known_by_their_items() -> None:
    page = read_page("- a\n  - deep\n- b\n\n\ntext\n\n7) x\n\n> - quoted\n")

    assert [(block.start, block.end, block.items) for block in page.lists] == [
        (0, 3, (0, 2)),
        (7, 8, (7,)),
    ]


def test_deep_nesting_hides_nothing_that_follows() -> None:
    nested = "".join("  " * depth + "- a\n" for depth in range(30))

    assert [s.title for s in read_page(f"{nested}\n# H\n").sections] == ["H"]
    with pytest.raises(MarkdownError, match="too deeply"):
        read_page(">" * 100_000 + "\n# H\n")


def test_without_its_parser_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    from holdfast.statefile.markdown import blocks

    blocks._parser.cache_clear()
    monkeypatch.setitem(sys.modules, "markdown_it", None)

    with pytest.raises(MarkdownError, match="pip install markdown-it-py"):
        read_page("# A\n")
