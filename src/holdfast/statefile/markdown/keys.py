"""The `Key: value` lines of a Markdown text: read one, or change its value and no other byte."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from holdfast.statefile.markdown.blocks import (
    Page,
    Section,
    Unfit,
    is_blank,
    last_text,
    read_page,
    split_lines,
    without_mark,
)
from holdfast.statefile.markdown.find import key_form, keys_named, one_key, plain_keys, scope_of
from holdfast.statefile.markdown.splice import (
    DEEPEST,
    Range,
    core_of,
    refuse_side_effects,
    with_core,
)

# Any line with a key, to learn how a text writes them.
_SOME_KEY = re.compile(
    r"(?P<marker>[-*+] {1,4})?(?:(?P<bold>\*\*)[^:*\r\n]+(?P<close>:\*\*|\*\*:)|\w[^:*\r\n]{0,40}:(?![^ \t\r\n]))"
    r"(?P<gap>[ \t]*)[^\r\n]*?(?P<tail>[ \t]*)[\r\n]*\Z"
)


@dataclass(frozen=True, slots=True)
class _Search:
    """The lines of a text and those that hold the key; no page where none was needed."""

    mark: str
    lines: Sequence[str]
    found: tuple[int, ...]
    page: Page | None = None
    scope: Section | None = None


def get_key(text: str, key: str, *, within: str | None = None) -> str:
    """Return the value of the one line that gives the key one, without the spaces around it.

    Raises:
        NoMatch: no line has the key (code, HTML, headings and front matter do not count).
        Ambiguous: more than one has.
    """
    search = _search(text, key, within, plainly=True)
    at = one_key(search.page, search.lines, key, search.scope, search.found)
    found = key_form(key).match(search.lines[at])
    assert found is not None
    return found["value"]


def set_key(
    text: str,
    key: str,
    value: str,
    *,
    within: str | None = None,
    every: bool = False,
    create: bool = False,
) -> str:
    """Return the text with a new value for a key; only that value changes, byte for byte.

    The value is literal, one line, without the spaces around it. `within` names the section to look
    in, `every` allows several lines. `create` adds the line when there is none, below the section's
    own text and written like a key above it; without `within` that is the text above the first
    heading, or under it when the text begins with one.

    Raises:
        NoMatch: no line has the key, or no heading is called `within`.
        Ambiguous: more than one.
        Unfit: the value is no single line, or would make other text code, a comment or a heading.
    """
    value = _one_line(key, value)
    search = _search(text, key, within, plainly="`" not in value and "<" not in value)
    if create and not search.found:
        return _created(text, key, value, within)
    if not (every and search.found):
        one_key(search.page, search.lines, key, search.scope, search.found)
    form, lines = key_form(key), list(search.lines)
    for at in search.found:
        lines[at] = form.sub(lambda found: _valued(found, value), lines[at])
    changed = search.mark + "".join(lines)
    if search.page:
        after = read_page(changed)
        if (search.page.sections, search.page.hidden) != (after.sections, after.hidden):
            raise Unfit(
                f'the value of "{key}" would turn other lines into code, comments or headings'
            )
    return changed


def _one_line(key: str, value: str) -> str:
    if not key or key != key.strip() or any(end in key for end in "\r\n\0"):
        raise Unfit(f"{key!r} cannot be a key: one line, not empty, no space around it")
    if any(end in value for end in "\r\n\0"):
        raise Unfit(
            f'the value of "{key}" should be one line without NUL bytes; longer text goes into a section'
        )
    return value.strip(" \t")


def _search(text: str, key: str, within: str | None, *, plainly: bool) -> _Search:
    if plainly and within is None:
        mark, content = without_mark(text)
        lines = split_lines(content)
        found = plain_keys(lines, key)
        if found:
            return _Search(mark, lines, found)
    page = read_page(text)
    scope = scope_of(page, within)
    return _Search(page.mark, page.lines, keys_named(page, key, scope), page, scope)


def _valued(found: re.Match[str], value: str) -> str:
    is_tight = found["value"] and not found["gap"] and not value.startswith(":")
    gap = "" if is_tight else found["gap"] or " "
    return f"{found['head']}{gap}{value}{found['tail']}{found['end']}"


def _created(text: str, key: str, value: str, within: str | None) -> str:
    page = read_page(text)
    place = _own_text(page, within)
    last = last_text(page.lines, range(place.first, place.end))
    is_text = last >= place.first and last not in page.hidden
    model = _SOME_KEY.match(page.lines[last]) if is_text else None
    line = _written_like(model, key, value)
    above = core_of(page, place)
    gap = page.newline * (1 if model else 2) if above else ""
    changed = with_core(page, place, above + gap + line)
    after = read_page(changed)
    refuse_side_effects(page, after, place, level=DEEPEST)
    if len(keys_named(after, key, scope_of(after, within))) != 1:
        raise Unfit(f'"{line}" would be no line of plain text there')
    return changed


def _own_text(page: Page, within: str | None) -> Range:
    section = scope_of(page, within)
    starts_with_heading = page.sections and all(
        is_blank(line) for line in page.lines[section.body : section.own_end]
    )
    if within is None and starts_with_heading:
        section = page.sections[0]
    return Range(section.body, section.own_end)


def _written_like(model: re.Match[str] | None, key: str, value: str) -> str:
    if model is None:
        return f"{key}: {value}"
    bold = model["bold"] or ""
    name = f"{bold}{key}{model['close'] or ':'}"
    return f"{model['marker'] or ''}{name}{model['gap'] or ' '}{value}{model['tail']}"
