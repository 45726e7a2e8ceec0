"""The sections of a Markdown text: read one, or change what stands in it and no byte outside."""

import re
from typing import Literal, TypedDict, Unpack, assert_never

from holdfast.statefile.markdown.blocks import (
    ListBlock,
    NoMatch,
    Page,
    Section,
    Unfit,
    is_blank,
    last_text,
    read_page,
)
from holdfast.statefile.markdown.find import scope_of, sections_named, the_section
from holdfast.statefile.markdown.splice import (
    Range,
    core_of,
    in_lines_of,
    refuse_side_effects,
    with_core,
    without_lines,
)

SectionMode = Literal["replace", "append", "prepend", "delete", "append-item"]

_ITEM = re.compile(r"(?P<indent> {0,3})(?P<mark>[-*+]|(?P<number>\d{1,9})(?P<point>[.)]))[ \t]+")


class SectionOptions(TypedDict, total=False):
    """Where a section is looked for, and how much of it counts.

    within: the section it stands in. create: add it, below that section or at the end of the text,
    when there is none. shallow: its own text only, without its subsections.
    """

    within: str | None
    create: bool
    shallow: bool


def get_section(
    text: str, heading: str, *, within: str | None = None, shallow: bool = False
) -> str:
    """Return what stands below a heading, down to the next of its level or above.

    The blank lines around it and its last line end are left out. `shallow` stops at any heading.

    Raises:
        NoMatch: no heading is called that.
        Ambiguous: more than one is.
    """
    page = read_page(text)
    section = the_section(page, heading, scope_of(page, within))
    return core_of(page, _body(section, shallow=shallow))


def set_section(
    text: str,
    heading: str,
    body: str,
    *,
    mode: SectionMode = "replace",
    **options: Unpack[SectionOptions],
) -> str:
    """Return the text with one section changed; no byte outside that section changes.

    `replace` puts `body` in the place of all below the heading. `append` and `prepend` add it to the
    section's own text; a `body` that begins with a heading becomes its last or first subsection.
    `append-item` adds `body` as one item to the last list of the own text, or as a first list.
    `delete` removes heading and all below, and reads no `body`. New text takes the line ends of the
    file; the blank lines around it stay as they are.

    Raises:
        NoMatch, Ambiguous: `heading` or `within` does not name exactly one section.
        Unfit: `body` has a heading that would end the section, or leaves something open so that text
            outside would no longer mean what it means.
    """
    page = read_page(text)
    scope = scope_of(page, options.get("within"))
    new = in_lines_of(page, body)
    try:
        section = the_section(page, heading, scope)
    except NoMatch:
        if not options.get("create") or mode == "delete":
            raise
        new = in_lines_of(page, f"- {_indented(new, 2)}") if mode == "append-item" else new
        return _created(page, heading, new, scope)
    if mode == "delete":
        return _deleted(page, section, shallow=options.get("shallow", False))
    place, core = _changed(page, section, new, mode, shallow=options.get("shallow", False))
    changed = with_core(page, place, core)
    refuse_side_effects(page, read_page(changed), place, level=section.level)
    return changed


def _body(section: Section, *, shallow: bool = False) -> Range:
    return Range(section.body, section.own_end if shallow else section.end)


def _deleted(page: Page, section: Section, *, shallow: bool) -> str:
    if shallow and section.own_end < section.end:
        raise Unfit(
            f'"{section.title}" has subsections, which would fall to the section above; delete it with '
            "them, or replace its own text only",
            lines=(section.first_line,),
        )
    place = Range(section.start, section.end)
    changed = without_lines(page, place)
    refuse_side_effects(page, read_page(changed), place, level=section.level)
    return changed


def _changed(
    page: Page,
    section: Section,
    new: str,
    mode: Literal["replace", "append", "prepend", "append-item"],
    *,
    shallow: bool,
) -> tuple[Range, str]:
    """Return the lines a change touches, and what stands there afterwards."""
    own = Range(section.body, section.own_end)
    is_subsection = _begins_with_heading(new)
    match mode:
        case "replace":
            return _body(section, shallow=shallow), new
        case "append":
            place = _body(section, shallow=shallow) if is_subsection else own
            return place, _joined(page, core_of(page, place), new)
        case "prepend" if is_subsection:
            return own, _joined(page, core_of(page, own), new)
        case "prepend":
            return own, _joined(page, new, core_of(page, own))
        case "append-item":
            return own, _with_item(page, own, new)
        case _:
            assert_never(mode)


def _begins_with_heading(new: str) -> bool:
    sections = read_page(new).sections
    return bool(sections) and sections[0].start == 0


def _joined(page: Page, above: str, below: str) -> str:
    return (page.newline * 2).join(part for part in (above, below) if part)


def _with_item(page: Page, own: Range, new: str) -> str:
    if not new:
        return core_of(page, own)
    lists = [block for block in page.lists if own.first <= block.start < own.end]
    marked = lists and _ITEM.match(page.lines[lists[-1].items[-1]])
    if not marked:
        return _joined(page, core_of(page, own), f"- {_indented(new, 2)}")
    block = lists[-1]
    number, mark = marked["number"], marked["mark"]
    mark = f"{int(number) + 1}{marked['point']}" if number else mark
    item = f"{marked['indent']}{mark} "
    above = core_of(page, Range(own.first, block.end))
    core = core_of(page, own)
    between = page.newline * (2 if _is_loose(page, block) else 1)
    return above + between + item + _indented(new, len(item)) + core.removeprefix(above)


def _indented(text: str, width: int) -> str:
    """Indent every line but the first, so that all belong to one list item."""
    return re.sub(r"(\r\n?|\n)(?=[^\r\n])", r"\1" + " " * width, text)


def _is_loose(page: Page, block: ListBlock) -> bool:
    return any(is_blank(page.lines[item - 1]) for item in block.items[1:])


def _created(page: Page, heading: str, new: str, scope: Section) -> str:
    parent, title = _parted(page, heading, scope)
    level = parent.level + 1 if parent.path else _top_level(page)
    place = Range(parent.body, parent.end)
    section = _joined(page, f"{'#' * level} {title}", new)
    changed = with_core(page, place, _joined(page, core_of(page, place), section))
    after = read_page(changed)
    added = Range(last_text(page.lines, range(place.first, place.end)) + 1, place.end)
    refuse_side_effects(page, after, added, level=level - 1)
    if not _stands(after, added.first, title, new):
        raise Unfit(
            f'"{title}" cannot be added as a section of level {level}: headings have one line and at most 6 '
            "levels, and those in its text are deeper than its own"
        )
    return changed


def _parted(page: Page, heading: str, scope: Section) -> tuple[Section, str]:
    """Part a path into the section that exists and the title that does not; `I/O` may be a title."""
    above, slash, title = heading.strip().rpartition("/")
    if above and sections_named(page, above, scope):
        return the_section(page, above, scope), title
    return scope, title if slash and not above else heading.strip()


def _top_level(page: Page) -> int:
    """Return the level of the text's sections: below its title, when it has one."""
    levels = [section.level for section in page.sections]
    if not levels or (levels[0] == 1 and levels.count(1) == 1):
        return 2
    return min(levels)


def _stands(after: Page, first: int, title: str, new: str) -> bool:
    added = next((section for section in after.sections if section.start >= first), None)
    return added is not None and (added.title, core_of(after, _body(added))) == (title, new)
