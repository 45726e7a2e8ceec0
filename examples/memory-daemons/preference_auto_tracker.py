"""Learn what a person prefers: count the lines `prefer: THING` in all notes."""

import re
from collections import Counter
from typing import Any

import memory

from holdfast.client.log import Logger

_PREFER = re.compile(r"^\s*(?:[-*]\s*)?prefer:\s*(.+?)\s*$", re.IGNORECASE | re.MULTILINE)


class Tracker:
    """Reads the notes again only when the index says that one changed."""

    def __init__(self) -> None:
        self._seen: dict[str, Any] | None = None

    def look(self, log: Logger) -> float | None:
        """Bring the preferences up to date and return how many there are."""
        index = memory.load(memory.CONTEXT)
        if index == self._seen:
            return None
        preferences = count_preferences()
        if memory.save(memory.PREFERENCES, preferences):
            log.info("learned", preferences=preferences)
        self._seen = index
        return len(preferences)


def count_preferences() -> dict[str, Any]:
    """Return how often each thing is preferred, most wanted first."""
    found = Counter(
        thing.lower()
        for path in memory.notes()
        for thing in _PREFER.findall(path.read_text(encoding="utf-8", errors="replace"))
    )
    return dict(found.most_common())


if __name__ == "__main__":
    memory.run("preference-auto-tracker", Tracker().look)
