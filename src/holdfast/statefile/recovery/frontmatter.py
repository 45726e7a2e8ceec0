"""The status in the YAML front matter of a summary, read without a YAML library."""

import re

_FENCE = re.compile(r"---[ \t]*\Z")
_END = re.compile(r"(?:---|\.\.\.)[ \t]*\Z")
_STATUS = re.compile(r"(?:status|\"status\"|'status')[ \t]*:(?:[ \t]+(.*))?\Z")
_DOUBLE_QUOTED = re.compile(r'"([^"\\]*)"[ \t]*(?:[ \t]#.*)?\Z')
_SINGLE_QUOTED = re.compile(r"'((?:[^']|'')*)'[ \t]*(?:[ \t]#.*)?\Z")
_COMMENT = re.compile(r"(?:\A|[ \t])#.*")
# What YAML 1.2 (section 5.3) lets no plain word begin with.
_INDICATORS = frozenset("-?:,[]{}#&*!|>'\"%@`")
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})


class NotOneWord(ValueError):
    """The status is a list, an object, a text over several lines, or stands there twice."""


def status_of(text: str) -> str | None:
    """Return the value of the top-level key `status`, without quotes and comment; None without one.

    Front matter begins in the first line with `---` and ends with `---` or `...`; without an end
    there is none. A value may hold spaces.

    Raises:
        NotOneWord: the value is no plain or quoted text on one line.
    """
    lines = _front_matter(text)
    found = [at for at, line in enumerate(lines) if _STATUS.match(line)]
    if not found:
        return None
    if len(found) > 1:
        raise NotOneWord("it has more than one")
    at = found[0]
    if any(line[:1] in (" ", "\t") for line in _next_line(lines[at + 1 :])):
        raise NotOneWord("it goes over several lines")
    match = _STATUS.match(lines[at])
    return _scalar((match and match[1]) or "")


def _front_matter(text: str) -> list[str]:
    # Not splitlines(), which also splits where YAML and Markdown do not, as at U+2028.
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if not _FENCE.match(lines[0]):
        return []
    for at, line in enumerate(lines[1:], 1):
        if _END.match(line):
            return lines[1:at]
    return []


def _next_line(lines: list[str]) -> list[str]:
    """Return the next line that is neither blank nor a comment, if there is one."""
    said = (line for line in lines if line.strip() and not line.lstrip().startswith("#"))
    return [line for _, line in zip(range(1), said, strict=False)]


def _scalar(written: str) -> str | None:
    written = written.strip(" \t")
    if written.startswith('"'):
        quoted = _DOUBLE_QUOTED.match(written)
        if quoted:
            return quoted[1]
    elif written.startswith("'"):
        quoted = _SINGLE_QUOTED.match(written)
        if quoted:
            return quoted[1].replace("''", "'")
    plain = _COMMENT.sub("", written, count=1).strip(" \t")
    if plain in _NULLS:
        return None
    if plain[0] in _INDICATORS or ": " in plain or plain.endswith(":"):
        raise NotOneWord(f"it is {written!r}")
    return plain
