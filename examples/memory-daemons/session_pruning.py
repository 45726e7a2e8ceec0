"""Keep only the newest sessions."""

import os
from pathlib import Path

import memory

from holdfast.client.log import Logger

KEPT = int(os.environ.get("SESSIONS_KEPT") or 20)


def look(log: Logger) -> float:
    """Delete the oldest sessions beyond those to keep, and return how many are left."""
    saved = memory.sessions()
    surplus = saved[: max(0, len(saved) - KEPT)]
    for path in surplus:
        delete(path)
    if surplus:
        log.policy_hit(f"keep-{KEPT}-sessions", "deleted", [path.name for path in surplus])
        log.info("pruned", deleted=len(surplus), left=len(saved) - len(surplus))
    return len(saved) - len(surplus)


def delete(path: Path) -> None:
    """Delete one session, and the lock beside it: its number is never given again."""
    path.with_name(f".{path.name}.lock").unlink(missing_ok=True)
    path.unlink(missing_ok=True)


if __name__ == "__main__":
    memory.run("session-pruning", look)
