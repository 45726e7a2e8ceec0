"""Decide whether everything a service needs is there, and in which order services leave."""

from collections.abc import Mapping

from holdfast.model.service import Actual, ServiceState
from holdfast.model.spec import Condition, Need, ServiceSpec

_SATISFIED = {
    Condition.STARTED: frozenset({Actual.STARTING, Actual.RUNNING, Actual.DONE}),
    Condition.READY: frozenset({Actual.RUNNING}),
    Condition.COMPLETED: frozenset({Actual.DONE}),
}


def missing(spec: ServiceSpec, states: Mapping[str, ServiceState]) -> tuple[Need, ...]:
    """Return the needs of a service that are not met now; looked at afresh on each start."""
    return tuple(need for need in spec.needs if not is_met(need, states.get(need.name)))


def leaving_order(specs: Mapping[str, ServiceSpec]) -> list[list[str]]:
    """Return the names in rounds: each round is needed by nobody who is still there.

    A circle of needs, which a valid configuration does not have, leaves in one last round.
    """
    remaining = dict(specs)
    rounds = []
    while remaining:
        needed = {need.name for spec in remaining.values() for need in spec.needs}
        free = [name for name in remaining if name not in needed] or list(remaining)
        rounds.append(free)
        for name in free:
            del remaining[name]
    return rounds


def is_met(need: Need, state: ServiceState | None) -> bool:
    """Tell whether what is needed of a service is so now."""
    if state is None:
        return False
    return state.actual in _SATISFIED[need.condition]
