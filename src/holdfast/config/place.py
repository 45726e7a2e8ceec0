"""On which line of a TOML text each key stands."""

import bisect
import contextlib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field

KeyPath = tuple[str | int, ...]
"""Keys from the outermost table inwards; numbers count the items of a list from 0."""

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_INLINE_BLANK = re.compile(r"[ \t]*")
_KEY = re.compile(r"""[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'""")
_SCALAR = re.compile(
    r'"{3}(?:\\[\s\S]|[^\\])*?"{3,5}'
    r"|'{3}[\s\S]*?'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'"
    r"|[^,\]}\n#]+"
)
_ERROR_AT = re.compile(r"(.*?) \(at (?:line (\d+), column (\d+)|end of document)\)", re.DOTALL)


def key_lines(text: str) -> Mapping[KeyPath, int]:
    """Return the line, from 1, of every table and key of a TOML text that parses.

    Where the text is too nested or too strange to follow, what was found so far is returned.
    """
    scanner = _Scanner(text)
    with contextlib.suppress(_Lost, RecursionError, tomllib.TOMLDecodeError):
        scanner.document()
    return scanner.lines


def line_of(lines: Mapping[KeyPath, int], path: KeyPath) -> int | None:
    """Return the line of `path`, else of the nearest table around it."""
    for length in range(len(path), 0, -1):
        line = lines.get(path[:length])
        if line is not None:
            return line
    return None


def syntax_fault(text: str, error: ValueError) -> tuple[int, str]:
    """Return line and reason of what tomllib said about `text`."""
    found = _ERROR_AT.fullmatch(str(error))
    if found is None:
        return 1, str(error)
    reason, line, column = found.groups()
    if line is None:
        return max(1, len(text.splitlines())), f"{reason} at the end of the file"
    return int(line), f"{reason} at column {column}"


class _Lost(Exception):
    """The scanner met something it does not follow."""


@dataclass(slots=True)
class _Scanner:
    text: str
    at: int = 0
    lines: dict[KeyPath, int] = field(default_factory=dict)
    counts: dict[KeyPath, int] = field(default_factory=dict)
    ends: list[int] = field(default_factory=list)

    def document(self) -> None:
        self.ends = [found.start() for found in re.finditer("\n", self.text)]
        table: KeyPath = ()
        while self._skip(_BLANK):
            if self._peek("["):
                table = self._header()
            else:
                self._pair(table)

    def _header(self) -> KeyPath:
        brackets = 2 if self._peek("[[") else 1
        self.at += brackets
        start = self.at
        path = self._indexed(self._keys())
        self._take("]" * brackets)
        for length in range(1, len(path)):
            self._note(path[:length], start)
        if brackets == 2:
            index = self.counts.get(path, 0)
            self.counts[path] = index + 1
            self._note(path, start)
            path = (*path, index)
        self._note(path, start)
        return path

    def _indexed(self, keys: tuple[str, ...]) -> KeyPath:
        """Return the keys with the number of the last item behind each list of tables on the way."""
        path: KeyPath = ()
        for key in keys[:-1]:
            path = (*path, key)
            if path in self.counts:
                path = (*path, self.counts[path] - 1)
        return (*path, keys[-1])

    def _pair(self, table: KeyPath) -> None:
        self._skip(_INLINE_BLANK)
        start = self.at
        path = table
        for key in self._keys():
            path = (*path, key)
            self._note(path, start)
        self._take("=")
        self._value(path)

    def _keys(self) -> tuple[str, ...]:
        keys = [self._key()]
        while self._peek("."):
            self.at += 1
            keys.append(self._key())
        return tuple(keys)

    def _key(self) -> str:
        self._skip(_INLINE_BLANK)
        found = _KEY.match(self.text, self.at)
        if found is None:
            raise _Lost
        self.at = found.end()
        self._skip(_INLINE_BLANK)
        if found[0].startswith(("'", '"')):
            return str(tomllib.loads(f"key = {found[0]}")["key"])
        return found[0]

    def _value(self, path: KeyPath) -> None:
        self._skip(_INLINE_BLANK)
        if self._peek("{"):
            self._items(path, "}")
        elif self._peek("["):
            self._items(path, "]")
        else:
            found = _SCALAR.match(self.text, self.at)
            if found is None:
                raise _Lost
            self.at = found.end()

    def _items(self, path: KeyPath, end: str) -> None:
        self.at += 1
        index = 0
        while self._skip(_BLANK) and not self._peek(end):
            if end == "}":
                self._pair(path)
            else:
                self._note((*path, index), self.at)
                self._value((*path, index))
            index += 1
            self._skip(_BLANK)
            if self._peek(","):
                self.at += 1
        self._take(end)

    def _skip(self, blank: re.Pattern[str]) -> bool:
        """Move behind `blank`; tell whether anything is left."""
        found = blank.match(self.text, self.at)
        self.at = found.end() if found else self.at
        return self.at < len(self.text)

    def _peek(self, token: str) -> bool:
        return self.text.startswith(token, self.at)

    def _take(self, token: str) -> None:
        if not self._peek(token):
            raise _Lost
        self.at += len(token)

    def _note(self, path: KeyPath, at: int) -> None:
        self.lines.setdefault(path, bisect.bisect_left(self.ends, at) + 1)
