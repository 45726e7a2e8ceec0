"""Which place in a Markdown text a name means: exactly one, or an error that names the lines."""

import re
from collections.abc import Sequence
from dataclasses import replace

from holdfast.statefile.markdown.blocks import (
    Ambiguous,
    NoMatch,
    Page,
    Section,
    front_matter_end,
    is_blank,
)

_LISTED = 8
# Each costs a look at its whole paragraph.
_FEW = 16
# A line that may underline a heading, whatever list or quote it stands in.
_UNDERLINE = re.compile(r"[\s>*+.)\d]*[=-][\s>*+.)\d=-]*\Z")
# Where a fence or an HTML block may begin that reaches a line without indent.
_BLOCKS = re.compile(r"```|~~~|(?:\A|[\r\n]) {0,3}<")


def key_form(key: str) -> re.Pattern[str]:
    """Return the pattern of a line that gives the key a value.

    `Key: value`, `**Key:** value` or `**Key**: value` at the start of a line or of its list item;
    the key stands for itself, case and all. Behind five spaces a list item holds code.
    """
    word = re.escape(key)
    return re.compile(
        rf"(?P<head>(?:[-*+](?: {{1,4}}|\t))?(?:{word}:|\*\*{word}:\*\*|\*\*{word}\*\*:)(?!:))"
        r"(?P<gap>[ \t]*)(?P<value>[^\r\n]*?)(?P<tail>[ \t]*)(?P<end>[\r\n]*)\Z"
    )


def sections_named(page: Page, name: str, within: Section) -> tuple[Section, ...]:
    """Return every section below `within` that the name may mean.

    A name is a heading or the end of its path, `Phase 2/Status`; with a slash in front the path whole.
    """
    wanted = name.strip()
    return tuple(
        section
        for section in page.sections
        if within.body <= section.start < within.end and _is_called(section, wanted)
    )


def _is_called(section: Section, name: str) -> bool:
    tails = ("/".join(section.path[i:]) for i in range(len(section.path)))
    return name in tails or name == "/" + "/".join(section.path)


def scope_of(page: Page, within: str | None) -> Section:
    """Return the one section a search is limited to; without a name the whole text.

    `Title/` is the own text of a section, without its subsections; `/` the text above all headings.
    """
    if within is None:
        return page.root
    name = within.strip()
    if not name.endswith("/") or sections_named(page, name, page.root):
        return the_section(page, name, page.root)
    section = page.root if name == "/" else the_section(page, name[:-1], page.root)
    return replace(section, end=section.own_end)


def the_section(page: Page, name: str, within: Section) -> Section:
    """Return the one section of that name.

    Raises:
        NoMatch: no heading bears the name.
        Ambiguous: more than one does.
    """
    found = sections_named(page, name, within)
    if len(found) == 1:
        return found[0]
    if found:
        places = ", ".join(f"line {s.first_line} ({'/'.join(s.path)})" for s in found)
        raise Ambiguous(
            f'{len(found)} headings are called "{name}": {places}; give the path of one, '
            f'such as "{"/".join(found[-1].path)}", or the section it stands in',
            lines=tuple(section.first_line for section in found),
        )
    raise NoMatch(f'no heading{_scope_words(within)} is called "{name}"; {_headings_words(page)}')


def _scope_words(within: Section) -> str:
    return f' in "{within.title}"' if within.path else ""


def _headings_words(page: Page) -> str:
    if not page.sections:
        return "the text has none"
    names = ", ".join(f'"{"/".join(section.path)}"' for section in page.sections[:_LISTED])
    more = len(page.sections) - _LISTED
    return f"there are {names}" + (f" and {more} more" if more > 0 else "")


def keys_named(page: Page, key: str, within: Section) -> tuple[int, ...]:
    """Return every line within the section that gives the key a value, counted from 0."""
    form = key_form(key)
    return tuple(
        i
        for i in range(within.body, within.end)
        if i not in page.hidden and form.match(page.lines[i])
    )


def plain_keys(lines: Sequence[str], key: str) -> tuple[int, ...] | None:
    """Find the lines of a key without the parser, where that gives provably the same; else None.

    A line without indent is plain text unless it lies in front matter, in a fence or an HTML block
    (each begins on a line of its own, indented by less than four columns: in a list or a quote it
    ends before such a line), is underlined, or lies in a span of its own paragraph.
    """
    form = key_form(key)
    found = tuple(i for i, line in enumerate(lines) if form.match(line))
    if not found:
        return ()
    if len(found) > _FEW or not key[:1].isalnum():
        return None
    if front_matter_end(lines) or _BLOCKS.search("".join(lines)):
        return None
    return found if all(_is_plain(lines, i) for i in found) else None


def _is_plain(lines: Sequence[str], at: int) -> bool:
    first, last = at, at + 1
    while first > 0 and not is_blank(lines[first - 1]):
        first -= 1
    while last < len(lines) and not is_blank(lines[last]):
        last += 1
    return not any(
        "`" in line or "<" in line or _UNDERLINE.match(line) for line in lines[first:last]
    )


def only_keys_say(lines: Sequence[str], name: str, keys: tuple[int, ...]) -> bool:
    """Tell without the parser that no heading can bear the name: it stands nowhere but at its keys.

    A name with a slash is a path, and one with a space may be cut by a line end.
    """
    if (
        not name
        or "/" in name
        or "\ufffd" in name
        or any(character.isspace() for character in name)
    ):
        return False
    return all(i in keys for i, line in enumerate(lines) if name in line)


def one_key(
    page: Page | None,
    lines: Sequence[str],
    key: str,
    within: Section | None,
    found: tuple[int, ...],
) -> int:
    """Return the one line found for a key.

    Raises:
        NoMatch: none was found; says where it stands in vain, in code for instance.
        Ambiguous: more than one was.
    """
    if len(found) == 1:
        return found[0]
    numbers = tuple(i + 1 for i in found)
    scope = _scope_words(within) if within else ""
    if found:
        raise Ambiguous(
            f'the key "{key}" stands {len(found)} times{scope}: on lines '
            f"{', '.join(map(str, numbers))}; name the section it stands in "
            "(a slash behind it leaves out its subsections), or change every one",
            lines=numbers,
        )
    raise NoMatch(f'no line{scope} has the key "{key}"{_in_vain(page, lines, key)}')


def _in_vain(page: Page | None, lines: Sequence[str], key: str) -> str:
    form = key_form(key)
    hidden = page.hidden if page else {}
    vain = [(i + 1, hidden[i]) for i in sorted(hidden) if form.match(lines[i])][:_LISTED]
    return "".join(f"; line {line} does not count: it is {why}" for line, why in vain)
