"""Look for trouble before it comes: a full disk, a folder that cannot be written. Others obey the verdict."""

import os
import shutil

import memory

from holdfast import statefile
from holdfast.client.log import Logger
from holdfast.errors import StateError

WARN_BELOW = float(os.environ.get("DISK_WARN_BELOW") or 10)
STOP_BELOW = float(os.environ.get("DISK_STOP_BELOW") or 2)
"""Percent of the disk that should be free."""

PROBE = memory.FOLDER / "probe.json"


class Guard:
    """Tells about a verdict once, when it changes; where it stands on disk a restart tells nothing twice."""

    def __init__(self) -> None:
        self._verdict: str | None = None

    def look(self, log: Logger) -> None:
        """Judge disk and folder, and write the verdict for the others."""
        disk = shutil.disk_usage(memory.FOLDER)
        verdict, why = judge(100 * disk.free / disk.total)
        before = self._verdict or memory.load(memory.GUARD).get("verdict", "ok")
        self._verdict = verdict
        # Told before it is saved: in the worst case the verdict cannot be saved.
        if verdict != before:
            tell(verdict, why, log)
        memory.save(memory.GUARD, {"verdict": verdict})


def tell(verdict: str, why: str, log: Logger) -> None:
    """Write the new verdict into the health log, the policy log and this daemon's own."""
    log.health_event("disk.judged", why, verdict)
    log.policy_hit("disk-guard", "lifted" if verdict == "ok" else verdict, {"why": why})
    log.info("judged", verdict=verdict, why=why)


def judge(percent_free: float) -> tuple[str, str]:
    """Return ok, warning or critical, and why."""
    why = f"{percent_free:.0f} % of the disk is free"
    try:
        statefile.write_json(PROBE, {}, durability=statefile.Durability.ATOMIC)
    except StateError as error:
        return "critical", str(error)
    if percent_free < STOP_BELOW:
        return "critical", why
    return ("warning" if percent_free < WARN_BELOW else "ok"), why


if __name__ == "__main__":
    memory.run("failure-prevention", Guard().look)
