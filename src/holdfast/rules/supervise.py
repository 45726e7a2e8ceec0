"""The life of one service as one table: (actual, event) -> rule; a cell that is not there changes nothing.

After s6, systemd, Kubernetes and nomad. Every rule takes the spec, the state, the event and the moment, and returns
the new state with the effects to perform, in order, once that state is on disk.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

from holdfast.model.event import (
    Adopted,
    BecameReady,
    Elapsed,
    Exited,
    HealthJudged,
    HistoryLost,
    MainChanged,
    NeedsMet,
    PolicyChanged,
    Prepared,
    PrepareFailed,
    RecordStale,
    RestartOrdered,
    ServiceEvent,
    Spawned,
    SpawnFailed,
    StartOrdered,
    StartUnseen,
    StopOrdered,
    TimeExtended,
    TreeLooked,
    Unproved,
)
from holdfast.model.service import Actual, Now, ServiceState
from holdfast.model.spec import ServiceSpec
from holdfast.rules import care, life, orders, recovery
from holdfast.rules.transitions import Outcome

Rule: TypeAlias = Callable[[ServiceSpec, ServiceState, Any, Now], Outcome]


def step(spec: ServiceSpec, state: ServiceState, event: ServiceEvent, now: Now) -> Outcome:
    """Return what follows when `event` meets a service in `state`."""
    rule = TABLE.get((state.actual, type(event)))
    return rule(spec, state, event, now) if rule else (state, ())


def deadline(state: ServiceState) -> float | None:
    """Return the monotonic moment at which `Elapsed` is due, or None."""
    return state.next_start.mono if state.next_start is not None else state.deadline_mono


def _rows(states: tuple[Actual, ...], event: type, rule: Rule) -> dict[tuple[Actual, type], Rule]:
    return {(actual, event): rule for actual in states}


_ALIVE = (Actual.STARTING, Actual.RUNNING)
_WAITING = (Actual.WAITING, Actual.BACKOFF, Actual.HELD)
_SCHEDULED = (Actual.BACKOFF, Actual.HELD)
_ENDED = (Actual.DOWN, Actual.FAILED, Actual.DONE)
_LEAVING = (Actual.STOPPING, Actual.STUCK)

TABLE: dict[tuple[Actual, type], Rule] = {
    **_rows((*_ENDED, *_SCHEDULED), StartOrdered, orders.start),
    **_rows(_LEAVING, StartOrdered, orders.start_later),
    **_rows((Actual.WAITING,), StartOrdered, orders.start_waiting),
    **_rows((*_ALIVE, Actual.ORPHAN), StartOrdered, orders.keep_wish),
    **_rows(_ALIVE, StopOrdered, orders.stop_running),
    **_rows((Actual.STOPPING,), StopOrdered, orders.stop_stopping),
    **_rows(_WAITING, StopOrdered, orders.stop_waiting),
    **_rows(_ENDED, StopOrdered, orders.stop_ended),
    **_rows((Actual.STUCK, Actual.ORPHAN), StopOrdered, orders.stop_beyond_reach),
    **_rows(_ALIVE, RestartOrdered, orders.restart_running),
    **_rows((*_ENDED, *_WAITING), RestartOrdered, orders.restart_idle),
    **_rows((*_LEAVING, Actual.ORPHAN), RestartOrdered, orders.restart_later),
    **_rows((Actual.WAITING,), NeedsMet, life.needs_met),
    **_rows((Actual.STARTING,), Prepared, life.prepared),
    **_rows((Actual.STARTING,), PrepareFailed, life.prepare_failed),
    **_rows((Actual.STARTING,), Spawned, life.spawned),
    **_rows(_LEAVING, Spawned, life.spawned_late),
    **_rows((Actual.STARTING,), SpawnFailed, life.spawn_failed),
    **_rows(_LEAVING, SpawnFailed, life.spawn_failed_late),
    **_rows((Actual.STARTING,), Elapsed, life.start_judged),
    **_rows((Actual.STARTING,), BecameReady, life.became_ready),
    **_rows((Actual.STARTING, Actual.STOPPING), TimeExtended, care.extended),
    **_rows(_ALIVE, MainChanged, care.main_changed),
    **_rows((Actual.STARTING,), HealthJudged, care.judged_early),
    **_rows((Actual.RUNNING,), HealthJudged, care.judged),
    **_rows((*_ALIVE, Actual.ORPHAN), Exited, life.exited_unasked),
    **_rows(_LEAVING, Exited, life.exited_asked),
    **_rows(_LEAVING, TreeLooked, life.tree_looked),
    **_rows((Actual.STOPPING,), Elapsed, life.stop_too_slow),
    **_rows((Actual.STUCK,), Elapsed, life.still_stuck),
    **_rows(_SCHEDULED, Elapsed, life.start_is_due),
    **_rows((*_ALIVE, *_LEAVING, Actual.ORPHAN, Actual.DOWN), Adopted, recovery.adopted),
    **_rows((*_ALIVE, *_LEAVING), Unproved, recovery.unproved),
    **_rows((*_ALIVE, *_LEAVING, *_WAITING), RecordStale, recovery.record_stale),
    **_rows((Actual.DONE, Actual.ORPHAN), RecordStale, recovery.record_stale),
    **_rows((Actual.STARTING,), StartUnseen, recovery.start_unseen),
    **_rows(_SCHEDULED, PolicyChanged, recovery.policy_changed),
    **_rows((Actual.WAITING,), PolicyChanged, recovery.needs_changed),
    **_rows((Actual.FAILED,), PolicyChanged, recovery.mended),
    **_rows(tuple(Actual), HistoryLost, recovery.history_lost),
}
