"""Decide whether the content of a file is whole, as far as the kind of the file tells."""

import enum
import json
from typing import Never

_MARK = b"\xef\xbb\xbf"
# What ends a document by itself: a number does not, `12` may be what is left of `123`.
_CLOSING = frozenset(b'}]"')


class Kind(enum.Enum):
    """What a file should hold."""

    JSON = "json"
    LINES = "lines"
    TEXT = "text"
    OTHER = "other"


_KINDS = {
    "jsonl": Kind.LINES,
    "ndjson": Kind.LINES,
    "json": Kind.JSON,
    "md": Kind.TEXT,
    "markdown": Kind.TEXT,
    "txt": Kind.TEXT,
}
# `x.json.gz` has to do with JSON, but does not hold it.
_PACKED = frozenset(
    {"asc", "bz2", "gpg", "gz", "lock", "lz4", "sig", "swo", "swp", "xz", "zip", "zst"}
)


def kind_of(name: str) -> Kind:
    """Return the kind by a name: `x.json`, and also `x.json.bak` and `x.json.tmp.123`, are JSON."""
    parts = name.lower().split(".")
    if len(parts) == 2 and parts[1] in _KINDS:
        return _KINDS[parts[1]]  # nearly all of them
    words = [_word(part) for part in parts[1:]]
    if not words or words[-1] in _PACKED:
        return Kind.OTHER
    return next((kind for word, kind in _KINDS.items() if word in words), Kind.OTHER)


def _word(part: str) -> str:
    """Return what stands before a mark: `json` of `json~` and of `json-old`."""
    if part.isalnum():
        return part
    end = next((at for at, character in enumerate(part) if not character.isalnum()), len(part))
    return part[:end]


def fault(content: bytes, kind: Kind) -> str | None:
    """Return None for a whole content, else why it is not, in words that follow "but"."""
    if not content:
        return "it is empty"
    if kind is Kind.OTHER:
        return None if content.strip(b"\0") else "it holds nothing but NUL bytes"
    if content == _MARK:
        return "it holds a byte order mark and nothing else"
    try:
        if kind is Kind.JSON:
            _refuse_bad_document(content)
        elif kind is Kind.LINES:
            _refuse_bad_lines(content)
        else:
            _text(content)
    except ValueError as error:
        return str(error)
    return None


def _refuse_bad_document(content: bytes) -> None:
    """Judge as those do who change a document: a key twice cannot be kept, a long number can."""
    from holdfast.statefile.jsondoc.value import MARK, NotJson, decode

    try:
        decode(_text(content).removeprefix(MARK))
    except NotJson as error:
        json_value(content)  # says it in better words where it refuses too
        raise ValueError(f"it cannot be changed without loss: {error}") from error


def _refuse_constant(name: str) -> Never:
    raise ValueError(f"{name} is no JSON")


# Built once: json.loads with options builds a decoder for every call.
_decode = json.JSONDecoder(parse_constant=_refuse_constant).decode


def json_value(content: bytes) -> object:
    """Return the one JSON document a content holds.

    Raises:
        ValueError: it holds none, or more; the message follows "but".
    """
    text = _text(content)
    try:
        # A mark before the first byte is what some editors leave; it is no part of the document.
        return _decode(text.removeprefix("\ufeff"))
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    except json.JSONDecodeError as error:
        raise ValueError(_in_words(error, text)) from error
    except ValueError as error:
        raise ValueError(f"it is no JSON: {error}") from error


def _in_words(error: json.JSONDecodeError, text: str) -> str:
    if not text.removeprefix("\ufeff").strip():
        return "it is empty" if not text else "it holds no document, only white space"
    where = f"line {error.lineno}, column {error.colno}"
    if error.msg == "Extra data":
        return f"it holds more than one document: another begins at {where}"
    return f"it is no JSON: {error.msg} at {where}"


def _text(content: bytes) -> str:
    if b"\0" in content:
        raise ValueError("it holds NUL bytes, as a power cut leaves them")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not UTF-8: byte {error.start} is {error.reason}") from error


def _refuse_bad_lines(content: bytes) -> None:
    lines = content.split(b"\n")
    last = lines.pop()
    for number, line in enumerate(lines, start=1):
        _refuse_bad_line(line, number)
    if last:
        _refuse_bad_line(last, len(lines) + 1)
        if last.rstrip()[-1] not in _CLOSING:
            raise ValueError(f"line {len(lines) + 1} is cut: it has no end")


def _refuse_bad_line(line: bytes, number: int) -> None:
    try:
        json_value(line)
    except ValueError as error:
        raise ValueError(f"line {number} is bad: {error}") from error
