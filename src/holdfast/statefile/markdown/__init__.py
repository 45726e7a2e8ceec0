"""Markdown as a state file: pure functions that change the one key or section a name means, and no other byte."""

from holdfast.statefile.markdown.blocks import (
    Ambiguous,
    MarkdownError,
    NoMatch,
    Section,
    Unfit,
)
from holdfast.statefile.markdown.keys import get_key, set_key
from holdfast.statefile.markdown.names import Kinds, kinds, outline
from holdfast.statefile.markdown.sections import (
    SectionMode,
    SectionOptions,
    get_section,
    set_section,
)

__all__ = [
    "Ambiguous",
    "Kinds",
    "MarkdownError",
    "NoMatch",
    "Section",
    "SectionMode",
    "SectionOptions",
    "Unfit",
    "get_key",
    "get_section",
    "kinds",
    "outline",
    "set_key",
    "set_section",
]
