"""Replace values in a JSON text and leave every byte of the others as it stands."""

import re
from typing import NamedTuple

from holdfast.statefile.jsondoc.layout import Style, key_text, lay_out
from holdfast.statefile.jsondoc.value import MARK, alike, decode_at

_SPACE = re.compile(r"[ \t\r\n]*")


def spliced(source: str, value: object, style: Style) -> str:
    """Return the source with another value, `style` being its own.

    Raises:
        NotJson: the value has no JSON form.
    """
    start = _skip(source, len(MARK) if source.startswith(MARK) else 0)
    # Decoded anew, since the caller may have changed in place the one it was given.
    old, end = decode_at(source, start)
    whole = _Item("", "", "", old, start, end)
    return source[:start] + _Splice(source, style).replaced(whole, value, "") + source[end:]


class _Item(NamedTuple):
    """A value inside an object or array; `before` parts it from the item before it, `label` is its key and colon."""

    before: str
    key: str
    label: str
    value: object
    start: int
    end: int


class _Inside(NamedTuple):
    """What stands between two brackets; `first` and `last` are the white space at both ends."""

    first: str
    items: list[_Item]
    last: str


class _Splice:
    __slots__ = ("_source", "_style")

    def __init__(self, source: str, style: Style) -> None:
        self._source = source
        self._style = style

    def replaced(self, old: _Item, value: object, pad: str) -> str:
        """Return the text of a value that stands where an old one stood."""
        if alike(value, old.value):
            return self._source[old.start : old.end]
        if value and old.value:
            if isinstance(value, dict) and isinstance(old.value, dict):
                return self._object(old, value, pad)
            if isinstance(value, (list, tuple)) and isinstance(old.value, list):
                return self._array(old, list(value), pad)
        return lay_out(value, self._style, pad)

    def _object(self, old: _Item, value: dict[object, object], pad: str) -> str:
        inside = _inside(self._source, old.start)
        within, inner = self._within(inside, pad)
        known: dict[object, _Item] = {item.key: item for item in inside.items}
        parts: list[tuple[str, str]] = []
        for key, new in value.items():
            item = known.get(key)
            if item is None:
                label = key_text(key, self._style) + self._style.colon
                parts.append(("", label + lay_out(new, within._style, inner)))
            else:
                parts.append((item.before, item.label + within.replaced(item, new, inner)))
        return "{" + self._joined(inside, parts) + "}"

    def _array(self, old: _Item, value: list[object], pad: str) -> str:
        inside = _inside(self._source, old.start)
        within, inner = self._within(inside, pad)
        pairs = _paired(inside.items, value)
        parts = [
            ("", lay_out(new, within._style, inner))
            if item is None
            else (item.before, within.replaced(item, new, inner))
            for item, new in pairs
        ]
        return "[" + self._joined(inside, parts) + "]"

    def _within(self, inside: _Inside, pad: str) -> tuple["_Splice", str]:
        """Return how the inside of a container is laid out; what shares one line goes on doing so."""
        if "\n" in inside.first or "\r" in inside.first:
            return self, _last_line(inside.first)
        return _Splice(self._source, self._style._replace(indent=None)), pad

    def _joined(self, inside: _Inside, parts: list[tuple[str, str]]) -> str:
        if len(inside.items) > 1:
            usual = inside.items[1].before
        elif "\n" in inside.first or "\r" in inside.first:
            usual = self._style.line_comma + inside.first
        else:
            usual = self._style.comma
        text = [inside.first, parts[0][1]]
        for before, part in parts[1:]:
            text += (before or usual, part)
        return "".join([*text, inside.last])


def _paired(items: list[_Item], value: list[object]) -> list[tuple[_Item | None, object]]:
    """Pair new values with old items: those alike from both ends, then the rest in their order."""
    shorter = min(len(items), len(value))
    head = 0
    while head < shorter and alike(value[head], items[head].value):
        head += 1
    tail = 0
    while tail < shorter - head and alike(value[-1 - tail], items[-1 - tail].value):
        tail += 1
    changed: list[_Item | None] = [*items[head : len(items) - tail]]
    room = len(value) - head - tail
    changed = changed[:room] + [None] * (room - len(changed))
    return list(zip([*items[:head], *changed, *items[len(items) - tail :]], value, strict=True))


def _inside(source: str, start: int) -> _Inside:
    """Return what stands between the brackets that begin at an offset; they are not empty."""
    named = source[start] == "{"
    at = _skip(source, start + 1)
    first, before = source[start + 1 : at], ""
    items: list[_Item] = []
    while True:
        key, label = "", ""
        if named:
            found, after_key = decode_at(source, at)
            value_at = _skip(source, _skip(source, after_key) + 1)
            key, label, at = str(found), source[at:value_at], value_at
        value, end = decode_at(source, at)
        items.append(_Item(before, key, label, value, at, end))
        after = _skip(source, end)
        if source[after] != ",":
            return _Inside(first, items, source[end:after])
        at = _skip(source, after + 1)
        before = source[end:at]


def _skip(source: str, at: int) -> int:
    found = _SPACE.match(source, at)
    return found.end() if found else at


def _last_line(space: str) -> str:
    return re.split(r"[\r\n]", space)[-1]
