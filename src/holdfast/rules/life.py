"""What the life of a process does to its service: spawned, ready, exited, drained, killed."""

import itertools
from dataclasses import replace

from holdfast.model.event import (
    BecameReady,
    Elapsed,
    Exited,
    LookAtTree,
    NeedsMet,
    Prepared,
    PrepareFailed,
    Record,
    SignalTree,
    Spawn,
    Spawned,
    SpawnFailed,
    TreeLooked,
)
from holdfast.model.service import (
    Actual,
    Desired,
    Exit,
    LastExit,
    Now,
    Pending,
    Reason,
    Restart,
    ServiceState,
    Start,
    Step,
    Wait,
)
from holdfast.model.spec import ServiceSpec, When
from holdfast.rules import restart
from holdfast.rules.transitions import (
    Outcome,
    ask_to_end,
    begin,
    enter,
    finished_row,
    is_due,
    kill,
    pid_fact,
    set_start,
    spawn,
)

READY_AFTER = 1.0
"""Seconds a service without a readiness probe must live before it counts as ready (Supervisor's startsecs)."""

DRAIN_WITHIN = 2.0
"""Seconds the children of a service that died may take to end before they are killed."""

_CONDEMNED = frozenset({Reason.LEASE, Reason.PROGRESS, Reason.ERROR, Reason.PROBE})

STUCK_LOOK_EVERY = 1.0
"""Seconds between two looks at a service that survived KILL."""


def needs_met(spec: ServiceSpec, state: ServiceState, _event: NeedsMet, now: Now) -> Outcome:
    """Start, now that everything needed is there."""
    return spawn(spec, state, state.pending, now)


def prepared(_spec: ServiceSpec, state: ServiceState, _event: Prepared, _now: Now) -> Outcome:
    """Execute the program: what runs before it went well."""
    if state.step is not Step.PREPARING:
        return state, ()
    return replace(state, step=None), (Spawn(),)


def prepare_failed(
    spec: ServiceSpec, state: ServiceState, event: PrepareFailed, now: Now
) -> Outcome:
    """Count a failed preparation as a failed start: the restart rules say when the next one is."""
    if state.step is not Step.PREPARING:
        return state, ()
    told = Record(kind="service.prepare_failed", facts={"severity": "warning", "why": event.why})
    history = finished_row(state.history, pid=None, success=False)
    start = restart.next_start(spec.restart, replace(state, history=history), now)
    state = replace(state, history=history, level=state.level + 1)
    state, effects = set_start(state, start, now, why=event.why)
    return state, (told, *effects)


def spawned(spec: ServiceSpec, state: ServiceState, event: Spawned, now: Now) -> Outcome:
    """Take down which process it is."""
    pid = event.identity.pid
    started = Record(kind="service.started", facts={"pid": pid, "generation": state.generation})
    again = _restart_record(state, pid)
    state = replace(
        state,
        process=event.identity,
        deadline_mono=now.mono + start_within(spec),
        history=finished_row(state.history, pid=pid, success=True),
    )
    return state, (started, *again)


def spawn_failed(spec: ServiceSpec, state: ServiceState, event: SpawnFailed, now: Now) -> Outcome:
    """Give up on what a retry cannot mend; wait out a shortage without counting it."""
    if state.process is not None:
        return state, ()
    if event.permanent:
        history = finished_row(state.history, pid=None, success=False)
        state = replace(enter(state, Actual.FAILED, now), failure=event.why, history=history)
        facts: dict[str, object] = {"severity": "critical", "why": event.why}
        return state, (Record(kind="service.failed", facts=facts),)
    wait = restart.delay_for(spec.restart, _failed_in_a_row(state.history), now.draw)
    start = Start(at=now.wall + wait, mono=now.mono + wait, wait=Wait.SHORTAGE)
    history = finished_row(_uncounted(state.history), pid=None, success=False)
    return set_start(replace(state, history=history), start, now, why=event.why)


def spawned_late(spec: ServiceSpec, state: ServiceState, event: Spawned, now: Now) -> Outcome:
    """End at once what came to life after its stop was ordered."""
    step, within = state.step, state.deadline_mono
    state, effects = spawned(spec, state, event, now)
    signal = "KILL" if step is Step.KILLED else spec.stop.signal
    return replace(state, deadline_mono=within), (*effects, SignalTree(signal=signal))


def spawn_failed_late(
    spec: ServiceSpec, state: ServiceState, event: SpawnFailed, now: Now
) -> Outcome:
    """Go on: the process whose end is awaited never was."""
    if state.process is not None:
        return state, ()
    history = finished_row(state.history, pid=None, success=False)
    return _settle(spec, replace(state, failure=event.why, history=history), now)


def start_within(spec: ServiceSpec) -> float:
    """Return the seconds after which a start is judged: as ready without a probe, as failed with one."""
    return READY_AFTER if spec.ready is None else spec.ready.timeout


def start_judged(spec: ServiceSpec, state: ServiceState, _event: Elapsed, now: Now) -> Outcome:
    """Call the service running for its age, or give up on one that should have become ready by now."""
    if not is_due(state, now) or state.process is None:
        return state, ()
    if spec.ready is None:
        return _ready(state, now)
    seen = f": {state.failure}" if state.failure else ""
    why = f"it did not become ready within {spec.ready.timeout:g} s{seen}"
    facts: dict[str, object] = {"severity": "warning", "why": why, **pid_fact(state)}
    state = replace(state, failure=why, pending=Pending(reason=Reason.PROBE, counted=True))
    state, effects = ask_to_end(spec, state, now)
    return state, (Record(kind="service.not_ready", facts=facts), *effects)


def became_ready(spec: ServiceSpec, state: ServiceState, _event: BecameReady, now: Now) -> Outcome:
    """Call the service running: it said so, or a probe saw it."""
    if state.process is None or spec.ready is None:
        return state, ()
    return _ready(state, now)


def exited_unasked(spec: ServiceSpec, state: ServiceState, event: Exited, now: Now) -> Outcome:
    """Take note of a death nobody ordered, and look for what it left behind."""
    if event.identity != state.process:
        return state, ()
    level = restart.level_after(spec.restart, state, now)
    state = replace(
        enter(_ended(state, event, now), Actual.STOPPING, now),
        level=level,
        step=Step.DRAINING,
        deadline_mono=now.mono + DRAIN_WITHIN,
    )
    return state, (_exit_record(event), LookAtTree())


def exited_asked(_spec: ServiceSpec, state: ServiceState, event: Exited, now: Now) -> Outcome:
    """Take note of an end that was asked for: whatever its code, it is no failure."""
    if event.identity != state.process:
        return state, ()
    ended = replace(event, reason=state.pending.reason if state.pending else Reason.MANUAL)
    return _ended(state, ended, now), (_exit_record(ended), LookAtTree())


def tree_looked(spec: ServiceSpec, state: ServiceState, event: TreeLooked, now: Now) -> Outcome:
    """Go on once nothing is left; ask the children of a dead service to end."""
    if state.process is not None:
        return state, ()
    if event.left == 0:
        return _settle(spec, state, now)
    if state.step is not Step.DRAINING:
        return state, ()
    left: dict[str, object] = {"left": event.left}
    return replace(state, step=Step.ASKED), (
        Record(kind="service.left_children", facts=left),
        SignalTree(signal=spec.stop.signal),
        LookAtTree(),
    )


def stop_too_slow(_spec: ServiceSpec, state: ServiceState, _event: Elapsed, now: Now) -> Outcome:
    """Kill what did not end in time; call stuck what survives that."""
    if not is_due(state, now):
        return state, ()
    if state.step is not Step.KILLED:
        return kill(state, now)
    state = replace(
        enter(state, Actual.STUCK, now),
        step=Step.KILLED,
        deadline_mono=now.mono + STUCK_LOOK_EVERY,
    )
    facts: dict[str, object] = {"severity": "critical", **pid_fact(state)}
    return state, (Record(kind="service.stuck", facts=facts), LookAtTree())


def still_stuck(_spec: ServiceSpec, state: ServiceState, _event: Elapsed, now: Now) -> Outcome:
    """Try again to kill, and never start a second copy."""
    if not is_due(state, now):
        return state, ()
    state = replace(state, deadline_mono=now.mono + STUCK_LOOK_EVERY)
    return state, (SignalTree(signal="KILL"), LookAtTree())


def start_is_due(spec: ServiceSpec, state: ServiceState, _event: Elapsed, now: Now) -> Outcome:
    """Start again: the moment has come."""
    if state.next_start is None or now.mono < state.next_start.mono:
        return state, ()
    reason = state.last_exit.reason if state.last_exit else Reason.UNKNOWN
    counted = state.next_start.wait in restart.COUNTED
    return begin(spec, state, Pending(reason=reason, counted=counted), now)


def _ready(state: ServiceState, now: Now) -> Outcome:
    state = replace(enter(state, Actual.RUNNING, now), ready_mono=now.mono, failure="")
    return state, (Record(kind="service.ready", facts=pid_fact(state)),)


def _settle(spec: ServiceSpec, state: ServiceState, now: Now) -> Outcome:
    """Decide what follows, now that nothing of the old process is left."""
    if state.desired is Desired.DOWN or state.closing:
        return enter(replace(state, pending=None), Actual.DOWN, now), (
            Record(kind="service.stopped"),
        )
    if state.pending is not None and not state.pending.counted:
        return begin(spec, state, state.pending, now)
    ended = state.last_exit.exit if state.last_exit else Exit()
    if not _is_wanted_again(spec, state, ended):
        return _rest(state, ended, now)
    start = restart.next_start(spec.restart, state, now)
    why = state.failure if _was_condemned(state) else ""
    return set_start(replace(state, level=state.level + 1, pending=None), start, now, why=why)


def _is_wanted_again(spec: ServiceSpec, state: ServiceState, ended: Exit) -> bool:
    """Tell whether the policy starts it again; what was ended for a fault has failed, whatever it exited with."""
    if state.pending is not None:
        return spec.restart.when is not When.NEVER
    return restart.is_wanted(spec.restart, ended)


def _was_condemned(state: ServiceState) -> bool:
    """Tell whether it was ended for what was found amiss with it, and not by itself."""
    return state.last_exit is not None and state.last_exit.reason in _CONDEMNED


def _rest(state: ServiceState, ended: Exit, now: Now) -> Outcome:
    if ended.is_success and state.pending is None:
        return enter(state, Actual.DONE, now), (Record(kind="service.done"),)
    found = f": {state.failure}" if _was_condemned(state) and state.failure else ""
    why = f"the restart policy does not start it again after this exit{found}"
    facts: dict[str, object] = {"severity": "critical", "why": why}
    return replace(enter(state, Actual.FAILED, now), failure=why, pending=None), (
        Record(kind="service.failed", facts=facts),
    )


def _ended(state: ServiceState, event: Exited, now: Now) -> ServiceState:
    last = LastExit(exit=event.exit, reason=event.reason, at=now.wall, mono=now.mono)
    first = state.last_process or event.identity
    return replace(state, process=None, last_process=first, adopted=False, last_exit=last)


def _uncounted(history: tuple[Restart, ...]) -> tuple[Restart, ...]:
    """Return the history with the start under way, if it has a row, counted for nothing."""
    if not history or history[-1].success is not None:
        return history
    return (*history[:-1], replace(history[-1], counted=False))


def _failed_in_a_row(history: tuple[Restart, ...]) -> int:
    told = [row for row in history if row.success is not None]
    return sum(1 for _ in itertools.takewhile(lambda row: not row.success, reversed(told)))


def _restart_record(state: ServiceState, pid: int) -> tuple[Record, ...]:
    if not state.history or state.history[-1].success is not None:
        return ()
    row = state.history[-1]
    facts: dict[str, object] = {
        "pid": pid,
        "reason": row.reason.value,
        "exit_code": row.exit.code,
        "signal": row.exit.signal,
    }
    return (Record(kind="service.restarted", facts=facts),)


def _exit_record(event: Exited) -> Record:
    ended = event.exit
    facts: dict[str, object] = {
        "pid": event.identity.pid,
        "exit_code": ended.code,
        "signal": ended.signal,
        "core": ended.core,
        "reason": event.reason.value,
    }
    return Record(kind="service.exited", facts=facts)
