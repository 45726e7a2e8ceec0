"""What `status` shows: one shape, whether a supervisor answers or only its files are left."""

import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from holdfast import statefile
from holdfast.clock import boot_id, utc_text
from holdfast.errors import LockHeld, StateError
from holdfast.home import Home
from holdfast.machine.process.identity import Verdict, is_same
from holdfast.machine.supervisor import records, standing
from holdfast.model.service import Actual, Desired, Health, Reason, ServiceState
from holdfast.model.spec import ServiceSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What a service uses now: percent of one core, bytes of resident memory."""

    cpu_percent: float | None = None
    rss_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What the object of `status --json` holds beside the programs that watch."""

    services: list[dict[str, object]]
    health: dict[str, object]
    hub: dict[str, object]
    checks: list[dict[str, object]]


def service_row(
    spec: ServiceSpec, state: ServiceState, use: Use, awaited: Iterable[str] | None = None
) -> dict[str, object]:
    """Return one service as `status --json` shows it; `awaited` are the needs that are not met, all where unknown."""
    last = state.last_exit
    return {
        "name": spec.name,
        "desired": state.desired.value,
        "state": state.actual.value,
        "health": state.health.value,
        "pid": state.process.pid if state.process else None,
        "since": utc_text(state.since),
        "restarts": state.restarts,
        "generation": state.generation,
        "next_start_at": utc_text(state.next_start.at) if state.next_start else None,
        "wait": state.next_start.wait.value if state.next_start else None,
        "why": _row_why(spec, state, awaited),
        "last_exit": {
            "code": last.exit.code,
            "signal": last.exit.signal,
            "reason": last.reason.value,
            "at": utc_text(last.at),
        }
        if last
        else None,
        "adopted": state.adopted,
        "group": spec.group,
        "builtin": spec.builtin,
        "beat": None,
        "cpu_percent": use.cpu_percent,
        "rss_bytes": use.rss_bytes,
    }


def health_of(states: Iterable[ServiceState]) -> dict[str, object]:
    """Return how many of the services that are wanted are healthy, and the share of them in percent."""
    wanted = [state for state in states if state.desired is Desired.UP]
    healthy = sum(is_healthy(state) for state in wanted)
    score = round(100 * healthy / len(wanted), 1) if wanted else 100.0
    return {"score": score, "healthy": healthy, "total": len(wanted)}


def is_healthy(state: ServiceState) -> bool:
    """Tell whether a service does what it is there for."""
    return state.health is Health.OK and state.actual in (Actual.RUNNING, Actual.DONE)


def whole(
    machine: str,
    supervisor: dict[str, object],
    watchdog: Mapping[str, object],
    shown: Shown,
) -> dict[str, Any]:
    """Return the object of `status --json`."""
    return {
        "machine": machine,
        "supervisor": supervisor,
        "watchdog": dict(watchdog),
        "hub": shown.hub,
        "health": shown.health,
        "services": shown.services,
        "checks": shown.checks,
    }


def hub_row(home: Home, state: ServiceState | None) -> dict[str, object]:
    """Return the hub as `status --json` shows it: `url` only while it takes requests there."""
    process = state.process if state else None
    if state is None or process is None:
        starts = state is not None and state.actual in (Actual.BACKOFF, Actual.WAITING)
        return {"pid": None, "state": "starting" if starts else "gone", "url": None}
    told = _HUB_STATES.get(state.actual, "gone")
    url = _table(home.hub_address).get("url") if told == "running" else None
    return {"pid": process.pid, "state": told, "url": url}


_HUB_STATES = {
    Actual.STARTING: "starting",
    Actual.RUNNING: "running",
    Actual.STOPPING: "stopping",
}


def checks(home: Home) -> list[dict[str, object]]:
    """Return the checks as the hub last wrote them down."""
    try:
        found = statefile.read_json(home.checks_summary)
    except (StateError, FileNotFoundError):
        return []
    return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []


def _table(path: Path) -> dict[str, Any]:
    try:
        found = statefile.read_json(path)
    except (StateError, FileNotFoundError):
        return {}
    return found if isinstance(found, dict) else {}


def from_disk(home: Home) -> dict[str, Any]:
    """Return the same shape from the files alone, for when no supervisor answers; changes nothing."""
    jobs = standing.names_of_jobs(home)
    found = [
        (loaded.spec, _as_it_is(loaded))
        for loaded in records.readable(home)
        if loaded.spec.name not in jobs
    ]
    rows = [service_row(spec, state, Use()) for spec, state in found]
    holder = _holder(home.supervisor_lock)
    supervisor: dict[str, object] = {
        "pid": holder,
        "state": _state_of(home, holder),
        "since": None,
    }
    watchdog = {"pid": (pid := _holder(home.watchdog_lock)), "state": "running" if pid else "gone"}
    hub = next((state for spec, state in found if spec.name == "hub" and spec.builtin), None)
    shown = Shown(
        services=rows,
        health=health_of(state for spec, state in found if not spec.builtin),
        hub=hub_row(home, hub),
        checks=checks(home) if hub else [],
    )
    return whole(machine_name(home), supervisor, {**watchdog, "since": None}, shown)


def _state_of(home: Home, holder: int | None) -> str:
    """Return how far a supervisor has come that does not answer: it beats once it knows every service again."""
    if holder is None:
        return "gone"
    try:
        beat = statefile.read_json(home.heartbeat("supervisor"))
    except (StateError, FileNotFoundError):
        return "starting"
    return "running" if isinstance(beat, dict) and beat.get("pid") == holder else "starting"


def _holder(lock: Path) -> int | None:
    """Return the pid of a program that runs and cannot be asked."""
    try:
        return statefile.holder(lock)
    except (LockHeld, StateError):
        return None


def machine_name(home: Home) -> str:
    """Return the name this machine was given in its configuration, else its host name."""
    return str(standing.remembered(home).get("machine") or socket.gethostname())


def _as_it_is(loaded: records.Loaded) -> ServiceState:
    """Return the recorded state, corrected by whether the recorded process still lives."""
    state = loaded.state
    lives = (
        loaded.boot_id == boot_id()
        and state.process is not None
        and is_same(state.process) is Verdict.SAME
    )
    if lives or state.actual not in (
        Actual.STARTING,
        Actual.RUNNING,
        Actual.STOPPING,
        Actual.STUCK,
    ):
        return state
    return ServiceState(
        name=state.name,
        desired=state.desired,
        since=state.since,
        restarts=state.restarts,
        generation=state.generation,
        history=state.history,
        last_exit=state.last_exit,
    )


def _row_why(spec: ServiceSpec, state: ServiceState, awaited: Iterable[str] | None) -> str:
    """Return why a wanted service does not run; nothing where all is as it should be."""
    if state.actual is Actual.WAITING:
        names = [need.name for need in spec.needs] if awaited is None else awaited
        return f"waits for {', '.join(names)}"
    is_ill = state.health in (Health.DEGRADED, Health.BAD)
    return why(state) if is_ill or state.actual in _AILING else ""


_AILING = frozenset({Actual.BACKOFF, Actual.HELD, Actual.FAILED, Actual.STUCK, Actual.ORPHAN})


_ENDED_FOR = {
    Reason.LEASE: "it was ended because no beat came in time",
    Reason.PROGRESS: "it was ended because it made no progress",
    Reason.ERROR: "it was ended because it kept reporting errors",
    Reason.PROBE: "it was ended because a probe failed",
}
"""Why it was ended, where the signal that did it says nothing."""


def why(state: ServiceState) -> str:
    """Return in a few words why a service is not simply running."""
    if state.failure:
        return state.failure
    if state.actual is Actual.WAITING:
        return "what it needs is not there yet"
    last = state.last_exit
    if last is None or state.actual in (Actual.DOWN, Actual.STOPPING):
        return f"it is {state.actual.value}"
    if last.reason in _ENDED_FOR:
        return _ENDED_FOR[last.reason]
    if last.exit.signal is not None:
        return f"it was ended by signal {last.exit.signal}"
    return (
        f"it ended with exit code {last.exit.code}"
        if last.exit.code is not None
        else "how it ended is not known"
    )
