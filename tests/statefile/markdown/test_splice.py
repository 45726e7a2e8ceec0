"""New text takes the place of old; the blank lines, line ends and everything outside stay."""

import pytest

from holdfast.statefile.markdown.blocks import Unfit, read_page
from holdfast.statefile.markdown.splice import (
    Range,
    core_of,
    in_lines_of,
    refuse_side_effects,
    with_core,
    without_lines,
)


@pytest.mark.parametrize(
    ("text", "first", "end", "changed"),
    [
        ("# A\n\nold\n\n# B\n", 1, 4, "# A\n\nnew\n\n# B\n"),
        ("# A\nold\n# B\n", 1, 2, "# A\nnew\n# B\n"),
        ("# A\n \n\nold\n\t\n\n# B\n", 1, 6, "# A\n \n\nnew\n\t\n\n# B\n"),
        ("# A\n# B\n", 1, 1, "# A\n\nnew\n\n# B\n"),
        ("# A\n\n# B\n", 1, 2, "# A\n\nnew\n\n# B\n"),
        ("# A", 1, 1, "# A\n\nnew"),
        ("# A\n", 1, 1, "# A\n\nnew\n"),
        ("# A\n  ", 1, 2, "# A\n  \nnew"),
        ("# A\r\nold", 1, 2, "# A\r\nnew"),
        ("# A\nold\n\n\n", 1, 4, "# A\nnew\n\n\n"),
        ("# A\n\n```\n```\nB\n---\n", 1, 4, "# A\n\nnew\n\nB\n---\n"),
        ("", 0, 0, "new\n"),
        ("\ufeff", 0, 0, "\ufeffnew\n"),
    ],
)
def test_layout_around_new_text_is_kept(text: str, first: int, end: int, changed: str) -> None:
    assert with_core(read_page(text), Range(first, end), "new") == changed


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("# A\n\nold\n\n# B\n", "# A\n\n# B\n"),
        ("# A\nold\n\n# B\n", "# A\n\n# B\n"),
        ("# A\nold\n# B\n", "# A\n# B\n"),
        ("# A\n\nold\n", "# A\n"),
        ("# A\n\n\n# B\n", "# A\n\n\n# B\n"),
    ],
)
def test_an_emptied_section_leaves_one_gap(text: str, changed: str) -> None:
    page = read_page(text)

    assert with_core(page, Range(1, page.sections[0].end), "") == changed


def test_text_that_differs_in_its_line_ends_only_is_no_change() -> None:
    text = "# A\r\na\nb\r"

    assert with_core(read_page(text), Range(1, 3), "a\r\nb") == text


def test_new_text_takes_the_line_ends_of_the_file() -> None:
    page = read_page("# A\r\n")

    assert in_lines_of(page, "\n \n  a\rb\n\nc\r\n\n") == "  a\r\nb\r\n\r\nc"
    with pytest.raises(Unfit, match="NUL"):
        in_lines_of(page, "a\0")


def test_the_core_of_a_range_has_no_blank_lines_around_it() -> None:
    assert core_of(read_page("\n\n a \r\n\n b\n\n"), Range(0, 6)) == " a \r\n\n b"
    assert core_of(read_page("\n\n"), Range(0, 2)) == ""


def test_lines_cut_from_the_end_take_the_gap_above_them_along() -> None:
    assert without_lines(read_page("a\n\n# B\nb\n"), Range(2, 4)) == "a\n"
    assert without_lines(read_page("a\n\n# B\n\n# C\n"), Range(2, 4)) == "a\n\n# C\n"


@pytest.mark.parametrize(
    ("before", "after", "place", "message"),
    [
        ("## A\na\n## B\n", "## A\n# X\n## B\n", Range(1, 2), "would end the section"),
        ("## A\na\n## B\n", "## A\n```\n## B\n", Range(1, 2), "from line 3 on"),
        ("## A\na\n## B\n", "## A\n- a\n  ## B\n", Range(1, 2), "another meaning"),
        ("## A\na\n\n```\n```\n", "## A\n```\n\n```\n```\n", Range(1, 2), "another meaning"),
    ],
)
def test_a_change_that_reaches_outside_is_refused(
    before: str, after: str, place: Range, message: str
) -> None:
    with pytest.raises(Unfit, match=message):
        refuse_side_effects(read_page(before), read_page(after), place, level=2)


def test_a_change_that_stays_inside_is_fit() -> None:
    before, after = "## A\na\n## B\n", "## A\n### X\n\n```\n# y\n```\n## B\n"

    refuse_side_effects(read_page(before), read_page(after), Range(1, 2), level=2)
