"""What one line of a log says: when it was written, on which stream, and how a person reads it."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from holdfast.clock import wall_from_text

LEVEL_COLOURS = {"DEBUG": "grey", "WARNING": "yellow", "ERROR": "red", "CRITICAL": "red"}

_STAMP = re.compile(
    r"\W?(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))?\s?(Z|[+-]\d\d:?\d\d)?(?!\d)"
)

_STYLE = re.compile(r"\x1b\[[0-9;:]*m")

# Control characters, and those that turn the direction of writing: both make a line look like what it is not.
_UNSAFE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line: its text, and the JSON object it is if it is one."""

    text: str
    record: dict[str, Any] | None = None

    @property
    def at(self) -> float | None:
        """Return its own time in seconds since the epoch, where it bears one."""
        return _time_in(self.text) if self.record is None else _time_of(self.record)

    @property
    def stream(self) -> str | None:
        """Return stdout or stderr, where the log tells them apart."""
        found = None if self.record is None else self.record.get("stream")
        return found if isinstance(found, str) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Readable:
    """A line for people: its row, the rows of a trace below it, and the colour that tells how serious it is."""

    rows: tuple[str, ...]
    colour: str | None = None


def parse(raw: bytes) -> Line:
    """Read one line of a log, whatever bytes it holds."""
    text = raw.decode("utf-8", "backslashreplace").removesuffix("\r")
    return Line(text=text, record=_record(text))


def _record(text: str) -> dict[str, Any] | None:
    if not text.startswith("{"):
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _time_of(record: dict[str, Any]) -> float | None:
    try:
        return wall_from_text(record["at"])
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def _time_in(text: str) -> float | None:
    """Return the time a line begins with; one without a zone is local time."""
    found = _STAMP.match(text)
    if found is None:
        return None
    day, time, fraction, zone = found.groups()
    try:
        written = f"{day}T{time}.{(fraction or '0')[:6].ljust(6, '0')}{zone or ''}"
        return datetime.fromisoformat(written).timestamp()
    except (ValueError, OverflowError):
        return None


def as_json(line: Line, name: str | None) -> str:
    """Return a line as one JSON object; an object stays as it is unless a name is to stand in it."""
    if line.record is not None and name is None:
        return line.text
    named = {} if name is None else {"name": name}
    return json.dumps({**named, **(line.record or {"line": line.text})}, ensure_ascii=False)


def readable(line: Line, log: str) -> Readable:
    """Return a line of the log called `log` as a person reads it."""
    record = line.record or {}
    text = record.get("line")
    if isinstance(text, str) and line.stream is not None:
        # What a program logged as JSON tells its own time.
        inner = parse(text.encode("utf-8", "backslashreplace"))
        if _is_told(inner.record or {}):
            return readable(inner, log)
        colour = "yellow" if line.stream == "stderr" else None
        return Readable(rows=_rows(f"{record.get('at', '')} {text}".lstrip()), colour=colour)
    if _is_told(record):
        return _told(record, log)
    return Readable(rows=(line.text,))


def _is_told(record: dict[str, Any]) -> bool:
    return "message" in record and "level" in record


def _told(record: dict[str, Any], log: str) -> Readable:
    level = str(record["level"])
    service = record.get("service", log)
    whose = "" if service == log else f"{service}: "
    head = f"{record.get('at', '')} {level:8} {whose}{record['message']}".lstrip()
    told = " ".join((head, *_facts(record)))
    trace = str(record.get("trace") or "")
    return Readable(
        rows=_rows("\n".join((told, *trace.splitlines()))), colour=LEVEL_COLOURS.get(level)
    )


def _rows(text: str) -> tuple[str, ...]:
    first, *below = text.split("\n")
    return (first, *(f"    {row}" for row in below))


def _facts(record: dict[str, Any]) -> Iterator[str]:
    for key, value in record.items():
        if key not in ("at", "level", "service", "message", "trace"):
            yield f"{key}={fact(value)}"


def fact(value: object) -> str:
    """Return a fact beside its name: a plain word as it is, anything else as JSON."""
    if isinstance(value, str) and value and not re.search(r'[\s"=]', value):
        return value
    return json.dumps(value, ensure_ascii=False)


def harmless(text: str) -> str:
    """Return text that a terminal only prints: no escape sequence, nothing that moves the cursor or turns the writing."""
    return _UNSAFE.sub(lambda found: _escaped(found[0]), _STYLE.sub("", text))


def _escaped(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
