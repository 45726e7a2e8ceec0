"""What a name means in a text: a key, a section, both or nothing."""

from dataclasses import dataclass

from holdfast.statefile.markdown.blocks import Section, read_page, split_lines, without_mark
from holdfast.statefile.markdown.find import (
    keys_named,
    only_keys_say,
    plain_keys,
    scope_of,
    sections_named,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kinds:
    """What a name means in a text: the lines, counted from 1, on which it is a key, and the sections it heads."""

    keys: tuple[int, ...]
    sections: tuple[Section, ...]


def outline(text: str) -> tuple[Section, ...]:
    """Return the sections of a text in their order; headings in quotes and lists are none."""
    return read_page(text).sections


def kinds(text: str, name: str, *, within: str | None = None) -> Kinds:
    """Tell what a name means, so that a caller can take a key or a heading by one word.

    Raises:
        NoMatch, Ambiguous: `within` does not name exactly one section.
    """
    if within is None:
        lines = split_lines(without_mark(text)[1])
        keys = plain_keys(lines, name)
        if keys and only_keys_say(lines, name, keys):
            return Kinds(keys=tuple(i + 1 for i in keys), sections=())
    page = read_page(text)
    scope = scope_of(page, within)
    return Kinds(
        keys=tuple(i + 1 for i in keys_named(page, name, scope)),
        sections=sections_named(page, name, scope),
    )
