"""Where everything stands in a Markdown text: its sections, its lists, and the lines that only look like text."""

import re
import sys
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

# Only these end a line in Markdown; str.splitlines also cuts at VT, FF, NEL, U+2028 and others.
_LINE = re.compile(r"[^\r\n]*(?:\r\n?|\n)|[^\r\n]+")
# What may open a span inside a paragraph; an escaped character opens none.
_OPENER = re.compile(r"\\[^\r\n]|`+|<!--")
_TICKS = re.compile(r"`+")
_FRONT_MATTER = {"---": ("---", "..."), "+++": ("+++",)}
_HIDING = {"fence": "in a code block", "code_block": "in a code block", "html_block": "in HTML"}


class MarkdownError(ValueError):
    """A Markdown text was not changed; `lines` names the lines it is about, counted from 1."""

    def __init__(self, message: str, *, lines: tuple[int, ...] = ()) -> None:
        self.lines = lines
        super().__init__(message)


class NoMatch(MarkdownError):
    """Nothing in the text bears the name."""


class Ambiguous(MarkdownError):
    """More than one place in the text bears the name."""


class Unfit(MarkdownError):
    """The new text or value would change more than the place it is meant for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A heading and what belongs to it; lines are counted from 0, ends are exclusive.

    `start` is the line of the heading, `body` the line below it, `own_end` where its own text ends
    (its first subsection, or `end`). The whole text is the section without a path, of level 0.
    """

    path: tuple[str, ...]
    level: int
    start: int
    body: int
    own_end: int
    end: int

    @property
    def title(self) -> str:
        """The text of the heading as it is written, without its marks."""
        return self.path[-1] if self.path else ""

    @property
    def first_line(self) -> int:
        """The line of the heading, counted from 1."""
        return self.start + 1

    @property
    def last_line(self) -> int:
        """The last line that belongs to the section, counted from 1."""
        return self.end


@dataclass(frozen=True, slots=True, kw_only=True)
class ListBlock:
    """A list that stands in no other block: its lines, and the first line of each item."""

    start: int
    end: int
    items: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A Markdown text in lines, each with its end, and what stands on them.

    `hidden` tells for each line that is no plain text why: code, HTML, front matter, a heading.
    """

    mark: str
    lines: tuple[str, ...]
    root: Section
    sections: tuple[Section, ...]
    hidden: dict[int, str]
    lists: tuple[ListBlock, ...]

    @property
    def newline(self) -> str:
        """How the text ends its first line; a text of one open line gets a line feed."""
        return (ending(self.lines[0]) if self.lines else "") or "\n"


def split_lines(text: str) -> list[str]:
    """Cut a text after each line end of Markdown; joined, the lines are the text again."""
    return _LINE.findall(text)


def without_mark(text: str) -> tuple[str, str]:
    """Part a byte order mark from the text behind it."""
    return ("\ufeff", text[1:]) if text.startswith("\ufeff") else ("", text)


def ending(line: str) -> str:
    """Return what ends a line: CR LF, LF, CR, or nothing on the last one."""
    return line[len(line.rstrip("\r\n")) :]


def is_blank(line: str) -> bool:
    """Tell whether a line is empty to Markdown: a form feed or a NEL is text."""
    return not line.strip(" \t\r\n")


def front_matter_end(lines: Sequence[str]) -> int:
    """Return the first line below the front matter; 0 without one, or when it is never closed."""
    closing = _FRONT_MATTER.get(lines[0].rstrip(" \t\r\n")) if lines else None
    if closing is None:
        return 0
    closed = (i for i, line in enumerate(lines[1:], 2) if line.rstrip(" \t\r\n") in closing)
    return next(closed, 0)


def read_page(text: str) -> Page:
    """Find what stands where in a Markdown text (CommonMark, and YAML or TOML front matter).

    Raises:
        MarkdownError: the parser is not installed or gave up.
    """
    mark, content = without_mark(text)
    lines = split_lines(content)
    first = front_matter_end(lines)
    tokens = _parsed("".join(lines[first:]))
    root, sections = _sections(list(_headings(tokens, first)), first, len(lines))
    hidden = dict.fromkeys(range(first), "in the front matter")
    hidden.update(_hidden(tokens, lines, first))
    return Page(
        mark=mark,
        lines=tuple(lines),
        root=root,
        sections=sections,
        hidden=hidden,
        lists=tuple(_lists(tokens, lines, first)),
    )


@cache
def _parser() -> "MarkdownIt":
    """Build the parser once: its import and its rules cost more than most texts."""
    try:
        from markdown_it import MarkdownIt
    except ImportError as error:
        raise MarkdownError(
            "changing Markdown needs the package markdown-it-py: pip install markdown-it-py"
        ) from error
    # Deeper than its limit the parser would skip the rest of the text without a word; without one
    # Python's own limit stops it, and the text is refused.
    parser = MarkdownIt("commonmark", {"maxNesting": sys.maxsize})
    parser.core.ruler.enableOnly(["normalize", "block"])
    return parser


def _parsed(text: str) -> "list[Token]":
    parser = _parser()
    try:
        return parser.parse(text)
    except RecursionError as error:
        raise MarkdownError("the text nests quotes or lists too deeply to be changed") from error
    except (RuntimeError, IndexError) as error:
        raise MarkdownError(f"the text cannot be read as Markdown: {error}") from error


def _lines_of(token: "Token", first: int) -> range:
    start, end = token.map or (0, 0)
    return range(start + first, end + first)


@dataclass(frozen=True, slots=True)
class _Heading:
    level: int
    title: str
    lines: range


def _headings(tokens: "list[Token]", first: int) -> Iterator[_Heading]:
    """Yield the headings of the text itself: one in a quote or a list (level above 0) is no section."""
    for token, inline in pairwise(tokens):
        if token.type == "heading_open" and token.level == 0:
            parts = (part.strip() for part in inline.content.split("\n"))
            title = " ".join(filter(None, parts))
            yield _Heading(int(token.tag[1:]), title, _lines_of(token, first))


def _sections(
    headings: list[_Heading], first: int, eof: int
) -> tuple[Section, tuple[Section, ...]]:
    starts = [heading.lines.start for heading in headings] + [eof]
    ends = [eof] * len(headings)
    paths: list[tuple[str, ...]] = []
    around: list[int] = []
    for i, heading in enumerate(headings):
        while around and headings[around[-1]].level >= heading.level:
            ends[around.pop()] = heading.lines.start
        paths.append((*(paths[around[-1]] if around else ()), heading.title))
        around.append(i)
    root = Section(path=(), level=0, start=first, body=first, own_end=starts[0], end=eof)
    sections = tuple(
        Section(
            path=paths[i],
            level=heading.level,
            start=heading.lines.start,
            body=heading.lines.stop,
            own_end=starts[i + 1],
            end=ends[i],
        )
        for i, heading in enumerate(headings)
    )
    return root, sections


def _hidden(tokens: "list[Token]", lines: list[str], first: int) -> Iterator[tuple[int, str]]:
    for token in tokens:
        place = _lines_of(token, first)
        if token.type in _HIDING:
            yield from ((i, _HIDING[token.type]) for i in place)
        elif token.type == "heading_open":
            yield from ((i, "a heading") for i in place)
        elif token.type == "paragraph_open":
            yield from ((i, "in a code span or a comment") for i in _in_spans(lines, place))


def _in_spans(lines: list[str], place: range) -> Iterator[int]:
    """Yield the lines of a paragraph that begin inside a code span or a comment."""
    paragraph = "".join(lines[place.start : place.stop])
    if len(place) < 2 or not ("`" in paragraph or "<!--" in paragraph):
        return
    starts = list(accumulate((len(lines[i]) for i in place), initial=0))[:-1]
    for opened, closed in _spans(paragraph):
        inside = range(bisect_right(starts, opened), bisect_left(starts, closed))
        yield from (place[i] for i in inside)


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield where each code span and comment of a paragraph begins and ends, in one pass over it."""
    ticks: dict[int, list[int]] = {}
    for run in _TICKS.finditer(text):
        ticks.setdefault(len(run[0]), []).append(run.start())
    last_close = text.rfind("-->")
    at = 0
    while opener := _OPENER.search(text, at):
        mark, at = opener[0], opener.end()
        if mark == "<!--":
            end = text.find("-->", at) + 3 if at <= last_close else 0
        else:
            equal = ticks.get(len(mark), []) if mark[0] == "`" else []
            closing = bisect_left(equal, at)
            end = equal[closing] + len(mark) if closing < len(equal) else 0
        if end:
            yield opener.start(), end
            at = end


def _lists(tokens: "list[Token]", lines: list[str], first: int) -> Iterator[ListBlock]:
    opened: Token | None = None
    items: list[int] = []
    for token in tokens:
        if token.type in ("bullet_list_open", "ordered_list_open") and token.level == 0:
            opened, items = token, []
        elif token.type == "list_item_open" and token.level == 1 and opened:
            items.append(_lines_of(token, first).start)
        elif token.type in ("bullet_list_close", "ordered_list_close") and token.level == 0:
            assert opened is not None
            place = _lines_of(opened, first)
            end = last_text(lines, place) + 1
            yield ListBlock(start=place.start, end=end, items=tuple(items))


def last_text(lines: Sequence[str], place: range) -> int:
    """Return the last line of a range that is not blank; the line before the range when all are."""
    return next((i for i in reversed(place) if not is_blank(lines[i])), place.start - 1)
