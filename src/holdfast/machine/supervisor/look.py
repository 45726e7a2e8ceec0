"""The level-triggered look beside the events: is every service that is wanted really there?"""

from dataclasses import asdict, dataclass
from typing import Any

from holdfast.home import Home
from holdfast.machine.process.identity import Verdict, identify, is_same
from holdfast.machine.supervisor import records, standing, view
from holdfast.model.service import Actual, Desired, Health, ServiceState


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a look says of one service; `is_fault` when it is wanted and not well."""

    name: str
    verdict: str
    why: str
    is_fault: bool


ON_ITS_WAY = frozenset({Actual.WAITING, Actual.STARTING, Actual.STOPPING, Actual.BACKOFF})


def look(home: Home, state: ServiceState) -> Finding:
    """Judge one service by its record, its process and its pid file; changes nothing."""
    if state.desired is Desired.DOWN:
        return _finding(state, "not_wanted", "a person wants it down")
    if state.process is None:
        return _without_process(home, state)
    if is_same(state.process) is not Verdict.SAME:
        return _finding(
            state, "stale_pid", f"pid {state.process.pid} is no longer this service", is_fault=True
        )
    if state.health in (Health.DEGRADED, Health.BAD):
        return _finding(state, state.health.value, view.why(state), is_fault=True)
    recorded = read_pid(home, state.name)
    if recorded is None:
        return _finding(
            state, "no_pid_file", f"it runs as pid {state.process.pid}; its pid file is missing"
        )
    if recorded != state.process.pid:
        return _finding(
            state,
            "wrong_pid_file",
            f"it runs as pid {state.process.pid}, its pid file says {recorded}",
        )
    on_its_way = state.actual in ON_ITS_WAY
    return _finding(
        state, state.actual.value if on_its_way else "healthy", "", is_fault=on_its_way
    )


def _without_process(home: Home, state: ServiceState) -> Finding:
    if state.actual is Actual.DONE:
        return _finding(state, "healthy", "it finished as wanted")
    recorded = read_pid(home, state.name)
    if recorded is not None:
        return _finding(
            state,
            "stale_pid",
            f"its pid file names {recorded}, which is not this service",
            is_fault=True,
        )
    return _finding(state, state.actual.value, view.why(state), is_fault=True)


def read_pid(home: Home, name: str) -> int | None:
    """Return what a pid file says; None when there is none or it holds no number."""
    try:
        return int(home.pid(name).read_text(encoding="ascii").strip())
    except (OSError, ValueError):
        return None


def stale_pid_files(home: Home, states: dict[str, ServiceState]) -> list[str]:
    """Return the names of pid files whose number is no living process of that service."""
    found = []
    for path in sorted(home.pids.glob("*.pid")):
        state = states.get(path.stem)
        process = state.process if state else None
        recorded = read_pid(home, path.stem)
        if process is not None and recorded == process.pid:
            continue
        if state is None and recorded is not None and identify(recorded) is not None:
            continue  # somebody else's file about a living process: not ours to remove
        found.append(path.stem)
    return found


def _finding(state: ServiceState, verdict: str, why: str, *, is_fault: bool = False) -> Finding:
    return Finding(name=state.name, verdict=verdict, why=why, is_fault=is_fault)


def look_from_disk(home: Home) -> dict[str, Any]:
    """Return the same verdicts from the files alone, for when no supervisor answers; changes nothing."""
    jobs = standing.names_of_jobs(home)
    found = [
        look(home, loaded.state)
        for loaded in records.readable(home)
        if loaded.spec.name not in jobs
    ]
    return {
        "healthy": not any(one.is_fault for one in found),
        "findings": [asdict(one) for one in found],
    }
