"""Put new text in the place of old, keep the blank lines around it, and prove that the rest still means the same."""

from dataclasses import dataclass

from holdfast.statefile.markdown.blocks import (
    Page,
    Unfit,
    ending,
    is_blank,
    last_text,
    split_lines,
)

DEEPEST = 6


@dataclass(frozen=True, slots=True)
class Range:
    """Lines of a page, counted from 0, the end exclusive."""

    first: int
    end: int


@dataclass(frozen=True, slots=True)
class _Parts:
    """What stands in a range: blank lines, the text without its last line end, that line end, blank lines."""

    lead: str
    core: str
    eol: str
    trail: str


def core_of(page: Page, place: Range) -> str:
    """Return the text of a range without the blank lines around it and without its last line end."""
    return _parts(page, place).core


def _parts(page: Page, place: Range) -> _Parts:
    lines = page.lines[place.first : place.end]
    stop = last_text(lines, range(len(lines))) + 1
    start = next((i for i, line in enumerate(lines) if not is_blank(line)), len(lines))
    text = "".join(lines[start:stop])
    eol = ending(text)
    return _Parts(
        "".join(lines[:start]), text.removesuffix(eol), eol, "".join(lines[max(start, stop) :])
    )


def in_lines_of(page: Page, text: str) -> str:
    """Return new text with the page's line ends, without blank lines around it and a line end behind it.

    Raises:
        Unfit: it holds NUL bytes.
    """
    if "\0" in text:
        raise Unfit("the new text holds NUL bytes, which no text file should")
    lines = split_lines(text)
    while lines and is_blank(lines[0]):
        del lines[0]
    while lines and is_blank(lines[-1]):
        del lines[-1]
    return page.newline.join(_bare(lines))


def _bare(lines: list[str]) -> list[str]:
    return [line.removesuffix(ending(line)) for line in lines]


def with_core(page: Page, place: Range, core: str) -> str:
    """Return the whole text with another core in a range; all bytes outside the range stay.

    What differs in its line ends only is no change: text that was read and put back leaves the file alone.
    """
    before = "".join(page.lines[: place.first])
    after = "".join(page.lines[place.end :])
    parts, newline = _parts(page, place), page.newline
    if _bare(split_lines(core)) == _bare(split_lines(parts.core)):
        return page.mark + "".join(page.lines)
    if not core:
        middle = "" if place.end == len(page.lines) else parts.lead or parts.trail
    elif not parts.core:
        middle = _first_core(page, place, parts.lead, core)
    else:
        gap = newline if not parts.trail and _is_underlined(page, place.end) else parts.trail
        middle = parts.lead + core + parts.eol + gap
    return page.mark + before + middle + after


def _first_core(page: Page, place: Range, lead: str, core: str) -> str:
    """Lay out text where none was: a blank line above and below; the file's last line ends as before."""
    newline = page.newline
    is_last = place.end == len(page.lines)
    closed = not page.lines or bool(ending(page.lines[-1]))
    if place.first and not ending(page.lines[place.first - 1]):
        lead = newline * 2
    elif place.first and not lead:
        lead = newline
    elif lead and not ending(lead):
        lead += newline
    if is_last:
        return lead + core + (newline if closed else "")
    return lead + core + newline * 2


def _is_underlined(page: Page, at: int) -> bool:
    """Tell whether a heading begins there that a paragraph right above it would become part of."""
    return any(
        section.start == at and not page.lines[at].lstrip(" ").startswith("#")
        for section in page.sections
    )


def without_lines(page: Page, place: Range) -> str:
    """Return the whole text without a range; at the end of the text without the blank lines above it either."""
    first = place.first
    if place.end == len(page.lines):
        while first > page.root.body and is_blank(page.lines[first - 1]):
            first -= 1
    return page.mark + "".join(page.lines[:first]) + "".join(page.lines[place.end :])


def refuse_side_effects(before: Page, after: Page, place: Range, *, level: int) -> None:
    """Compare what stands outside a range before and after; inside only headings below `level` are fit.

    Raises:
        Unfit: a new heading is not deeper, or headings, code or comments elsewhere changed.
    """
    shift = len(after.lines) - len(before.lines)
    end = place.end + shift
    for section in after.sections:
        if place.first <= section.start < end and section.level <= level:
            raise Unfit(
                f'the new text has the heading "{section.title}" of level {section.level}, which would end '
                f"the section it stands in (level {level}); use more # marks, or change the other section itself",
            )
    old, new = (
        _outside(before, place.first, place.end, shift),
        _outside(after, place.first, end, 0),
    )
    if old != new:
        changed = sorted(line + 1 - shift for line in {entry[0] for entry in old ^ new})
        raise Unfit(
            f"the change would give other text another meaning, from line {max(1, changed[0])} on: a fence, "
            "comment or HTML block is left open, or a heading would become part of what stands above it",
            lines=tuple(line for line in changed if line > 0),
        )


def _outside(page: Page, first: int, end: int, shift: int) -> set[tuple[int, object]]:
    places: list[tuple[int, object]] = [(s.start, (s.path, s.level)) for s in page.sections]
    places += page.hidden.items()
    return {
        (at if at < first else at + shift, what) for at, what in places if not first <= at < end
    }
