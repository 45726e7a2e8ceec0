"""Find what happens again and again: count the lines that repeat in the logs of the other daemons."""

from collections import Counter

import memory

from holdfast.client import recent
from holdfast.client.log import Logger

WATCHED = (
    "commit",
    "context",
    "failure-prevention",
    "preference-auto-tracker",
    "session-auto-save",
    "session-pruning",
    "skill-auto-suggester",
)
LINES = 200
OFTEN = 3


class Detector:
    """Counts repeated lines, and tells of an error that repeats once, not at every look."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def look(self, log: Logger) -> float:
        """Bring the patterns up to date and return how many there are."""
        lines = Counter(
            (f"{name}: {line['message']}", line.get("level") in ("ERROR", "CRITICAL"))
            for name in WATCHED
            for line in recent(name, LINES)
            if "message" in line
        )
        patterns = {text: times for (text, _), times in sorted(lines.items()) if times >= OFTEN}
        memory.save(memory.PATTERNS, patterns)
        for (text, is_error), times in lines.items():
            if is_error and times >= OFTEN and text not in self._told:
                self._told.add(text)
                log.health_event("pattern.repeated_error", f"{times} times: {text}", "warning")
        return len(patterns)


if __name__ == "__main__":
    memory.run("pattern-detection", Detector().look)
