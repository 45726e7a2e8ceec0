"""How the watchdog stands: whether one guards the supervisor, and what it last said."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from holdfast import statefile
from holdfast.cli import ending
from holdfast.cli.checkups.finding import Finding, failure, warning, well
from holdfast.clock import SystemClock
from holdfast.errors import StateError
from holdfast.home import Home


def watchdog(place: Home) -> Iterator[Finding]:
    """Look whether a running supervisor has a watchdog, and whether that one says that all is well."""
    pid = ending.holder(place.watchdog_lock)
    if pid is None:
        if ending.holder(place.supervisor_lock) is None:
            yield well("watchdog", "not running")
        else:
            told = "none runs; the supervisor starts one within seconds"
            yield warning("watchdog", told, f"look again; see {place.log('supervisor')}")
        return
    yield of_status(pid, _status(place), SystemClock().wall())


def of_status(pid: int, status: dict[str, Any], now: float) -> Finding:
    """Judge what a living watchdog says in `watchdog.status`."""
    said = str(status.get("status", "nothing"))
    if status.get("pid") != pid:
        return warning("watchdog", f"running, pid {pid}; it has said nothing yet", "look again")
    age = now - float(status.get("last_check", now))
    told = f"running, pid {pid}, {said}, last look {max(0.0, age):.0f} s ago"
    if said == "error":
        return failure("watchdog", told, "the supervisor cannot be started; see logs/watchdog.log")
    if said == "warning":
        return warning("watchdog", told, "the supervisor is starting, or its heartbeat is late")
    return well("watchdog", told)


def _status(place: Home) -> dict[str, Any]:
    with suppress(StateError, FileNotFoundError):
        found = statefile.read_json(place.watchdog_status)
        return found if isinstance(found, dict) else {}
    return {}
