"""Which paths of a project are left out; the same patterns mean the same to every engine."""

import functools
from collections.abc import Sequence
from fnmatch import fnmatchcase

_SPECIAL = "\\*?["


def is_excluded(path: str, patterns: Sequence[str]) -> bool:
    """Tell whether a path below the project is left out; what stands below it is then too.

    A pattern without a slash is for the last part of the path; one with a slash for the whole, `**` being any folders.
    """
    parts = path.split("/")
    for pattern in patterns:
        words = pattern.strip("/").split("/")
        if len(words) == 1 and "/" not in pattern.rstrip("/"):
            if fnmatchcase(parts[-1], words[0]):
                return True
        elif _fits(tuple(words), tuple(parts)):
            return True
    return False


@functools.lru_cache(maxsize=4096)
def _fits(words: tuple[str, ...], parts: tuple[str, ...]) -> bool:
    if not words or not parts:
        return not parts and all(word == "**" for word in words)
    if words[0] == "**":
        return _fits(words[1:], parts) or _fits(words, parts[1:])
    return fnmatchcase(parts[0], words[0]) and _fits(words[1:], parts[1:])


def for_restic(project: str, patterns: Sequence[str]) -> list[str]:
    """Return the patterns in the words of restic, which holds them against absolute paths."""
    root = literal(project).rstrip("/")
    spoken = []
    for pattern in patterns:
        anchored = "/" in pattern.rstrip("/")
        body = pattern.strip("/").replace("[!", "[^")
        spoken.append(f"{root}/{body}" if anchored else body)
    return spoken


def literal(path: str) -> str:
    """Return a pattern that only this path fits."""
    return "".join(f"\\{letter}" if letter in _SPECIAL else letter for letter in path)
