"""Save the session, which is what all daemons know together, each time it changed."""

from typing import Any

import memory

from holdfast import statefile
from holdfast.client.log import Logger
from holdfast.clock import SystemClock, utc_text

POLICY = "auto-save"


class AutoSave:
    """Writes one numbered file a session; none while the guard says that the disk is in danger."""

    def __init__(self) -> None:
        self._is_held = False

    def look(self, log: Logger) -> float | None:
        """Save the session if it is not the one saved last, and return its number."""
        content = session()
        saved = memory.sessions()
        if saved and memory.load(saved[-1]).get("content") == content:
            return None
        if memory.load(memory.GUARD).get("verdict") == "critical":
            self._hold(log)
            return None
        self._is_held = False
        number = int(saved[-1].stem) + 1 if saved else 1
        statefile.write_json(
            memory.SESSIONS / f"{number:06}.json",
            {"saved_at": utc_text(SystemClock().wall()), "content": content},
            create_only=True,
            mode=0o600,
        )
        log.policy_hit(POLICY, "saved", {"session": number})
        log.info("saved", session=number)
        return number

    def _hold(self, log: Logger) -> None:
        if not self._is_held:
            log.policy_hit(POLICY, "held", {"why": "failure-prevention reports a critical disk"})
        self._is_held = True


def session() -> dict[str, Any]:
    """Return the session as it is now."""
    return {
        "context": memory.load(memory.CONTEXT),
        "preferences": memory.load(memory.PREFERENCES),
        "suggestions": memory.load(memory.SUGGESTIONS),
    }


if __name__ == "__main__":
    memory.run("session-auto-save", AutoSave().look)
