"""What a new supervisor or a new configuration does to a service that was there before."""

from dataclasses import replace

from holdfast.model.event import (
    ITS_OWN_WORD,
    Adopted,
    HistoryLost,
    PolicyChanged,
    Record,
    RecordStale,
    StartUnseen,
    Unproved,
)
from holdfast.model.service import (
    Actual,
    Desired,
    Exit,
    Health,
    LastExit,
    Now,
    Pending,
    Reason,
    Restart,
    ServiceState,
    Start,
    Wait,
)
from holdfast.model.spec import ServiceSpec, When
from holdfast.rules import restart
from holdfast.rules.life import start_within
from holdfast.rules.transitions import (
    Outcome,
    ask_to_end,
    begin,
    enter,
    finished_row,
    kept,
    pid_fact,
    set_start,
)

CHANGED_START_WITHIN = 1.0
"""Most seconds a waiting service waits once what it runs was changed."""


def adopted(spec: ServiceSpec, state: ServiceState, event: Adopted, now: Now) -> Outcome:
    """Go on with a process that an earlier supervisor started."""
    was_stopping = state.actual in (Actual.STOPPING, Actual.STUCK)
    state = replace(
        state,
        process=event.identity,
        adopted=True,
        instance=event.instance or state.instance,
        generation=max(event.generation, state.generation),
        history=finished_row(state.history, pid=event.identity.pid, success=True),
    )
    record = Record(kind="service.adopted", facts={"pid": event.identity.pid})
    if was_stopping or state.desired is Desired.DOWN:
        state, effects = ask_to_end(spec, state, now)
        return state, (record, *effects)
    state = replace(state, pending=None, closing=False, failure="")
    if spec.ready is not None and state.ready_mono is None:
        state = enter(state, Actual.STARTING, now)
        return replace(state, deadline_mono=now.mono + start_within(spec)), (record,)
    ready = state.ready_mono if state.ready_mono is not None else now.mono
    again = enter(replace(state, ready_mono=ready), Actual.RUNNING, now)
    return _still_bad(state, again), (record,)


def _still_bad(before: ServiceState, state: ServiceState) -> ServiceState:
    """Keep what the service said of itself: it stays bad until it says otherwise, whoever listens."""
    words = tuple(
        word for word in before.judged if word.by == ITS_OWN_WORD and word.health is Health.BAD
    )
    if not words:
        return state
    return replace(state, health=Health.BAD, failure=words[0].why, judged=words)


def resumes(state: ServiceState) -> bool:
    """Tell whether a service whose record turns out stale was on its feet, and is started again for that.

    Another boot of the machine is no crash.
    """
    was_down = state.actual in (Actual.DOWN, Actual.FAILED)
    return state.desired is Desired.UP and not state.closing and not was_down


def unproved(_spec: ServiceSpec, state: ServiceState, event: Unproved, now: Now) -> Outcome:
    """Leave alone what cannot be proved to be ours: neither started nor signalled."""
    facts: dict[str, object] = {"severity": "critical", "why": event.why, **pid_fact(state)}
    state = replace(enter(state, Actual.ORPHAN, now), failure=event.why)
    return state, (Record(kind="service.orphan", facts=facts),)


def record_stale(
    _spec: ServiceSpec, state: ServiceState, _event: RecordStale, now: Now
) -> Outcome:
    """Forget a process that no longer exists in any sense; it does not count as a crash."""
    history = finished_row(state.history, pid=None, success=False)
    return replace(
        enter(state, Actual.DOWN, now), process=None, pending=None, history=history, level=0
    ), ()


def start_unseen(spec: ServiceSpec, state: ServiceState, _event: StartUnseen, now: Now) -> Outcome:
    """Count a start whose outcome nobody saw as a failed one: it may have run, and the limit must hold.

    What is never started again by itself starts once more, as after another boot: it may not have run at all.
    """
    if state.desired is Desired.DOWN or state.closing or spec.restart.when is When.NEVER:
        return record_stale(spec, state, RecordStale(), now)
    history = finished_row(state.history, pid=None, success=False)
    unseen = LastExit(exit=Exit(), reason=Reason.UNKNOWN, at=now.wall, mono=now.mono)
    state = replace(state, history=history, last_exit=unseen)
    start = restart.next_start(spec.restart, state, now)
    why = "the supervisor died while it started it"
    return set_start(replace(state, level=state.level + 1), start, now, why=why)


def policy_changed(
    spec: ServiceSpec, state: ServiceState, event: PolicyChanged, now: Now
) -> Outcome:
    """Set the next start anew under the new rules."""
    if event.process and state.next_start is not None:
        soonest = min(state.next_start.mono, now.mono + CHANGED_START_WITHIN)
        start = Start(at=now.wall + soonest - now.mono, mono=soonest, wait=Wait.CHANGED)
        return set_start(replace(state, level=0), start, now)
    return _set_anew(spec, state, now)


def needs_changed(
    spec: ServiceSpec, state: ServiceState, _event: PolicyChanged, now: Now
) -> Outcome:
    """Look again whether everything needed is there: what is needed may have changed."""
    return begin(spec, state, state.pending, now)


def mended(spec: ServiceSpec, state: ServiceState, event: PolicyChanged, now: Now) -> Outcome:
    """Try a failed service again once what it runs was changed."""
    if not event.process or state.desired is Desired.DOWN or state.closing:
        return state, ()
    return begin(spec, state, Pending(reason=Reason.MANUAL), now)


def history_lost(spec: ServiceSpec, state: ServiceState, _event: HistoryLost, now: Now) -> Outcome:
    """Fail closed: act as if the limit were used up just now."""
    lost = Restart(
        at=now.wall,
        mono=now.mono,
        boot_id=now.boot_id,
        reason=Reason.UNKNOWN,
        exit=Exit(),
        success=False,
    )
    rows = (lost,) * (spec.restart.limit.count if spec.restart.limit else 1)
    state = replace(state, history=kept(state.history + rows, spec.restart))
    state, effects = _set_anew(spec, state, now)
    facts: dict[str, object] = {"severity": "critical"}
    return state, (Record(kind="service.history_lost", facts=facts), *effects)


def _set_anew(spec: ServiceSpec, state: ServiceState, now: Now) -> Outcome:
    """Reckon a counted start again from the exit it follows; one that is not counted stays as it is."""
    start, last = state.next_start, state.last_exit
    if start is None or start.wait not in restart.COUNTED or last is None:
        return state, ()
    since_exit = replace(now, mono=last.mono, wall=now.wall - (now.mono - last.mono))
    before = replace(state, level=max(0, state.level - 1))
    return set_start(state, restart.next_start(spec.restart, before, since_exit), now)
