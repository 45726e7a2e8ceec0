"""What one JSON document means: its values, and the numbers Python alone could not give back as they stood."""

import json
import re
from typing import Never

MARK = "\ufeff"  # what some editors leave before the first character; no part of the document

# An escaped half of a surrogate pair; whether its other half follows, the strings themselves tell.
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_DIGITS_AT_MOST = 4300  # what int() takes by default (sys.get_int_max_str_digits)


class NotJson(ValueError):
    """A text is not exactly one JSON document, or a value has no JSON form; the message follows "but"."""


class Literal(float):
    """A number that remembers how it was written: 1.10, 1E5, -0, 1e400 or 5,000 digits.

    It calculates as the nearest float. Made by `decode` only where Python would write another text.
    """

    __slots__ = ("text",)

    text: str

    def __new__(cls, text: str) -> "Literal":
        """Return the nearest float of a text; infinite where no float is near."""
        literal = super().__new__(cls, text)
        literal.text = text
        return literal

    def __getnewargs__(self) -> tuple[str]:  # type: ignore[override]  # a copy is made from the text
        return (self.text,)

    def __repr__(self) -> str:
        return self.text


def decode(text: str) -> object:
    """Return the value of a text without a byte order mark.

    Raises:
        NotJson: it is empty, cut, nested too deeply, holds more than one document, a key twice, NaN,
            Infinity, NUL or half a surrogate pair.
    """
    if "\0" in text:
        raise NotJson("it holds NUL characters")
    if not text.strip():
        raise NotJson("it is empty")
    try:
        value: object = _decoder.decode(text)
        if _SURROGATE.search(text) or not text.isascii():
            _refuse_surrogates(value)
    except RecursionError as error:
        raise NotJson("it is nested too deeply") from error
    except NotJson:
        raise
    except ValueError as error:
        raise NotJson(f"it is not one JSON document: {error}") from error
    return value


def decode_at(text: str, at: int) -> tuple[object, int]:
    """Return the value that begins at an offset of a text `decode` took, and where it ends."""
    return _decoder.raw_decode(text, at)


def alike(one: object, other: object) -> bool:
    """Return whether both would be written alike, so that 1, 1.0 and true differ, and keys in another order."""
    if repr(one) == repr(
        other
    ):  # tells all of them apart, at the speed of C; a tuple from a list too
        return True
    if isinstance(one, dict) and isinstance(other, dict):
        return (
            len(one) == len(other)
            and list(one) == list(other)
            and all(map(alike, one.values(), other.values()))
        )
    if isinstance(one, (list, tuple)) and isinstance(other, list):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return repr(one) == repr(other)
    return type(one) is type(other) and one == other


def _refuse_surrogates(value: object) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise NotJson("a string in it holds half a surrogate pair") from error


def _integer(text: str) -> int | Literal:
    return Literal(text) if text == "-0" or len(text) > _DIGITS_AT_MOST else int(text)


def _real(text: str) -> float:
    value = float(text)
    return value if repr(value) == text else Literal(text)


def _constant(name: str) -> Never:
    raise NotJson(f"{name} is no JSON")


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise NotJson(f"the key {json.dumps(key)} stands twice in one object")
            seen.add(key)
    return members


# Built once: json.loads with hooks builds a decoder for every call.
_decoder = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=_real, parse_int=_integer, parse_constant=_constant
)
