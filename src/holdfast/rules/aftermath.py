"""Which hooks the end of a service calls for, and what they are told of it."""

from dataclasses import dataclass

from holdfast.model.service import Actual, LastExit, Reason, ServiceState
from holdfast.model.spec import Hooks

_FAULTS = frozenset({Reason.LEASE, Reason.PROGRESS, Reason.ERROR, Reason.PROBE})
"""Ends that were ordered because the service did not do its work: a failure whatever the exit."""

_UNASKED = frozenset(
    {
        Reason.EXIT,
        Reason.SIGNAL,
        Reason.ADOPTED_EXIT,
        Reason.STALE_PID,
        Reason.NO_PID_FILE,
        Reason.UNKNOWN,
    }
)

_UNSETTLED = frozenset({Actual.STOPPING, Actual.STUCK, Actual.ORPHAN})


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """One end of a service, told apart from every other by `mark`: generation and monotonic moment."""

    mark: tuple[int, float]
    generation: int
    at: float
    reason: str
    exit_code: int | None = None
    exit_signal: int | None = None
    is_failure: bool = False
    has_run: bool = True


def end_of(state: ServiceState) -> End | None:
    """Return the latest end of a service of which nothing is left; None while something is, and before the first."""
    if state.actual in _UNSETTLED:
        return None
    if state.actual is Actual.FAILED and _never_ran(state):
        mark = (state.generation, state.started_mono or 0.0)
        return End(
            mark=mark,
            generation=state.generation,
            at=state.since,
            reason="start",
            is_failure=True,
            has_run=False,
        )
    last = state.last_exit
    if last is None:
        return None
    generation = state.generation - _began_since(state, last)
    return End(
        mark=(generation, last.mono),
        generation=generation,
        at=last.at,
        reason=last.reason.value,
        exit_code=last.exit.code,
        exit_signal=last.exit.signal,
        is_failure=is_failure(last),
    )


def is_failure(last: LastExit) -> bool:
    """Tell whether an end was a failure: ordered for a fault, or unasked and not a success."""
    return last.reason in _FAULTS or (last.reason in _UNASKED and not last.exit.is_success)


def due(hooks: Hooks, end: End) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return the hooks an end calls for, by name, in their order."""
    wanted = (
        ("after_stop", hooks.after_stop, end.has_run),
        ("on_failure", hooks.on_failure, end.is_failure),
    )
    return tuple((name, command) for name, command, is_due in wanted if command and is_due)


def variables(end: End) -> dict[str, str]:
    """Return what a hook finds in its environment; a code or signal nobody could learn is empty."""
    return {
        "HOLDFAST_GENERATION": str(end.generation),
        "HOLDFAST_EXIT_CODE": "" if end.exit_code is None else str(end.exit_code),
        "HOLDFAST_EXIT_SIGNAL": "" if end.exit_signal is None else str(end.exit_signal),
        "HOLDFAST_REASON": end.reason,
    }


def _never_ran(state: ServiceState) -> bool:
    """Tell whether the latest start failed before the program ran."""
    if state.started_mono is None:
        return False
    return state.last_exit is None or state.last_exit.mono < state.started_mono


def _began_since(state: ServiceState, last: LastExit) -> int:
    return int(state.started_mono is not None and state.started_mono > last.mono)
