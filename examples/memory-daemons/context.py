"""Keep an index of the notes: title, size, the words they turn on. Everybody else reads it."""

import hashlib
import re
from collections import Counter
from pathlib import Path
from typing import Any

import memory

from holdfast.client.log import Logger

KEYWORDS = 10
_LONG_WORD = re.compile(r"[^\W\d_]{5,}")


class Index:
    """The index of all notes; a note is read again only when its time or size changed."""

    def __init__(self) -> None:
        self._entries: dict[str, tuple[tuple[int, int], dict[str, Any]]] = {}

    def look(self, log: Logger) -> float:
        """Bring the index up to date and return how many notes it holds."""
        self._entries = {path.name: self._entry(path) for path in memory.notes()}
        index = {name: entry for name, (_, entry) in self._entries.items()}
        if memory.save(memory.CONTEXT, {"notes": index}):
            log.info(
                "indexed", notes=len(index), words=sum(one["words"] for one in index.values())
            )
        return len(index)

    def _entry(self, path: Path) -> tuple[tuple[int, int], dict[str, Any]]:
        found = path.stat()
        stamp = (found.st_mtime_ns, found.st_size)
        known = self._entries.get(path.name)
        return known if known and known[0] == stamp else (stamp, describe(path.read_bytes()))


def describe(content: bytes) -> dict[str, Any]:
    """Return what the index says about one note."""
    text = content.decode("utf-8", "replace")
    words = Counter(_LONG_WORD.findall(text.lower()))
    return {
        "title": next((line.strip("# ") for line in text.splitlines() if line.strip("# ")), ""),
        "words": len(text.split()),
        "keywords": [word for word, _ in words.most_common(KEYWORDS)],
        "sha256": hashlib.sha256(content).hexdigest(),
    }


if __name__ == "__main__":
    memory.run("context", Index().look)
