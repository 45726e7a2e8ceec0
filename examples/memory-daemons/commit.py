"""Record what changed: a commit holds the hash of every file, and names those that differ from the last."""

import hashlib
from typing import Any

import memory

from holdfast.client.log import Logger
from holdfast.clock import SystemClock, utc_text

KEPT = 100


def look(log: Logger) -> float:
    """Add a commit if a file changed, and return the number of the newest one."""
    commits: list[dict[str, Any]] = memory.load(memory.COMMITS).get("commits", [])
    last: dict[str, Any] = commits[-1] if commits else {"number": 0, "files": {}}
    files = hashes()
    changed = sorted(
        name for name in files.keys() | last["files"] if files.get(name) != last["files"].get(name)
    )
    if not changed:
        return float(last["number"])
    number = last["number"] + 1
    commit = {
        "number": number,
        "at": utc_text(SystemClock().wall()),
        "changed": changed,
        "files": files,
    }
    memory.save(memory.COMMITS, {"commits": [*commits, commit][-KEPT:]})
    log.info("committed", commit=number, changed=changed)
    return float(number)


def hashes() -> dict[str, str]:
    """Return the SHA-256 of the notes and of what was learned from them."""
    learned = [path for path in (memory.PREFERENCES, memory.SUGGESTIONS) if path.exists()]
    return {
        path.relative_to(memory.FOLDER).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (*memory.notes(), *learned)
    }


if __name__ == "__main__":
    memory.run("commit", look)
