"""JSON text in and out: what did not change keeps its very bytes, what is new is laid out like the rest."""

from typing import NamedTuple

from holdfast.statefile.jsondoc.layout import Style, lay_out, style_of
from holdfast.statefile.jsondoc.splice import spliced
from holdfast.statefile.jsondoc.value import MARK, Literal, NotJson, decode

__all__ = ["COMPACT", "READABLE", "Document", "Literal", "NotJson", "Style", "parse", "render"]

READABLE = Style()
COMPACT = Style(indent=None, comma=",", colon=":")


class Document(NamedTuple):
    """The one value of a text, and how that text is laid out."""

    value: object
    style: Style


def parse(text: str) -> Document:
    """Return the value of a text and its style; a byte order mark before it belongs to the style.

    Decode the bytes as "utf-8", not "utf-8-sig", or the mark is lost.

    Raises:
        NotJson: as `decode`.
    """
    return Document(decode(text.removeprefix(MARK)), style_of(text))


def render(value: object, style: Style = READABLE) -> str:
    """Return a value as text; the style of a parsed text brings that text along, with all that did not change.

    Any other style gives a new text with one newline at its end. The value of a parsed text may
    have been changed in place.

    Raises:
        NotJson: the value has no JSON form: NaN, a set, a key that is no string, a circle.
    """
    try:
        if style.source is None:
            return lay_out(value, style, "") + style.newline
        return spliced(style.source, value, style)
    except RecursionError as error:
        raise NotJson("it is nested too deeply, or holds itself") from error
