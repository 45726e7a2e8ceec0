"""How a JSON text is laid out, and values laid out like it."""

import json
import math
import re
from typing import NamedTuple

from holdfast.statefile.jsondoc.value import MARK, Literal, NotJson

# The head of a text tells its style; a large one need not be searched to its end.
_HEAD = 1 << 12
_MANY_LINES = re.compile(r"[ \t\r\n]*[\[{][ \t]*(?:\r\n|\n|\r)([ \t]*)")
_TOKEN = re.compile(
    r'"(?:[^"\\]+|\\.)*"([ \t\r\n]*:[ \t\r\n]*)?|([ \t]*,[ \t]*)(\r|\n)?', re.DOTALL
)
_ESCAPED = re.compile(r"(?<!\\)(?:\\\\)*\\u(?!00[01])")
_NEWLINE = re.compile(r"\r\n|\n|\r")

_escaping = json.JSONEncoder(ensure_ascii=True).encode
_literal = json.JSONEncoder(ensure_ascii=False).encode


class Style(NamedTuple):
    """How a text is laid out; `source` is that text, so that what did not change is taken from it as it stands.

    No `indent`: all on one line. `comma` parts what shares a line, `line_comma` ends a line.
    """

    indent: str | None = "  "
    comma: str = ", "
    line_comma: str = ","
    colon: str = ": "
    newline: str = "\n"
    escapes: bool = False
    source: str | None = None


def style_of(text: str) -> Style:
    """Return the style of a text that holds one JSON document."""
    head = text[:_HEAD]
    many = _MANY_LINES.match(head.removeprefix(MARK))
    newline = _NEWLINE.search(head)
    comma, line_comma, colon = _separators(head, on_one_line=newline is None or not many)
    if comma is None:
        comma = "," if colon == ":" else ", "
    return Style(
        indent=many[1] if many else None,
        comma=comma,
        line_comma="," if line_comma is None else line_comma,
        colon=": " if colon is None else colon,
        newline=newline[0] if newline else "\n",
        escapes=head.isascii() and bool(_ESCAPED.search(head)),
        source=text,
    )


def _separators(head: str, *, on_one_line: bool) -> tuple[str | None, str | None, str | None]:
    comma = line_comma = colon = None
    for token in _TOKEN.finditer(head):
        if token[1]:
            colon = colon or token[1]
        elif token[3]:
            line_comma = line_comma or token[2]
        elif token[2]:
            comma = comma or token[2]
        if comma and colon and (line_comma or on_one_line):
            break
    return comma, line_comma, colon


def lay_out(value: object, style: Style, pad: str) -> str:
    """Return a value as text; `pad` is the white space its own line begins with.

    Raises:
        NotJson: it has no JSON form.
    """
    if isinstance(value, dict):
        return _lay_out_object(value, style, pad)
    if isinstance(value, (list, tuple)):
        inner = pad + (style.indent or "")
        return _between("[]", [lay_out(item, style, inner) for item in value], style, pad)
    return scalar(value, style)


def _lay_out_object(value: dict[object, object], style: Style, pad: str) -> str:
    inner = pad + (style.indent or "")
    members = [
        key_text(key, style) + style.colon + lay_out(item, style, inner)
        for key, item in value.items()
    ]
    return _between("{}", members, style, pad)


def _between(brackets: str, items: list[str], style: Style, pad: str) -> str:
    first, last = brackets[0], brackets[1]
    if not items:
        return brackets
    if style.indent is None:
        return first + style.comma.join(items) + last
    line = style.newline + pad
    inner = line + style.indent
    return first + inner + (style.line_comma + inner).join(items) + line + last


def key_text(key: object, style: Style) -> str:
    """Return a key as text.

    Raises:
        NotJson: it is no string; to write 1 as "1" would be to change it.
    """
    if not isinstance(key, str):
        raise NotJson(f"the key {key!r} is a {type(key).__name__}, and only strings can be keys")
    return _string(key, style)


def scalar(value: object, style: Style) -> str:
    """Return a value that holds no others as text.

    Raises:
        NotJson: it has no JSON form.
    """
    if isinstance(value, str):
        return _string(value, style)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return _number(value)
    raise NotJson(f"a {type(value).__name__} has no JSON form")


def _number(value: float) -> str:
    if isinstance(value, Literal):
        return value.text
    if isinstance(value, int):
        try:
            return int.__repr__(value)
        except ValueError as error:
            raise NotJson("a number in it has too many digits") from error
    if not math.isfinite(value):
        raise NotJson(f"{value!r} has no JSON form")
    return float.__repr__(value)


def _string(value: str, style: Style) -> str:
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise NotJson(f"{value!r} holds half a surrogate pair") from error
    return _escaping(value) if style.escapes else _literal(value)
