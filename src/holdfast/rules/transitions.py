"""The moves every rule of the service table is made of."""

from dataclasses import replace
from typing import TypeAlias

from holdfast.model.event import (
    AwaitNeeds,
    Effect,
    LookAtTree,
    Prepare,
    Record,
    SignalTree,
    Spawn,
)
from holdfast.model.service import (
    HISTORY_KEPT,
    Actual,
    Exit,
    Health,
    Now,
    Pending,
    Restart,
    ServiceState,
    Start,
    Step,
    Wait,
)
from holdfast.model.spec import RestartPolicy, ServiceSpec

KILL_VERIFIED_WITHIN = 2.0
"""Seconds after KILL in which the whole tree must be gone, else the service is stuck."""

HEALTH = {
    Actual.DOWN: Health.UNKNOWN,
    Actual.WAITING: Health.UNKNOWN,
    Actual.STARTING: Health.UNKNOWN,
    Actual.RUNNING: Health.OK,
    Actual.STOPPING: Health.UNKNOWN,
    Actual.BACKOFF: Health.BAD,
    Actual.HELD: Health.BAD,
    Actual.FAILED: Health.BAD,
    Actual.DONE: Health.OK,
    Actual.STUCK: Health.BAD,
    Actual.ORPHAN: Health.UNKNOWN,
}

Outcome: TypeAlias = tuple[ServiceState, tuple[Effect, ...]]


def enter(state: ServiceState, actual: Actual, now: Now) -> ServiceState:
    """Return the state with `actual` changed and everything that belonged to the old one cleared."""
    return replace(
        state,
        actual=actual,
        health=HEALTH[actual],
        since=now.wall if state.actual is not actual else state.since,
        deadline_mono=None,
        step=None,
        next_start=None,
        judged=(),
    )


def begin(spec: ServiceSpec, state: ServiceState, pending: Pending | None, now: Now) -> Outcome:
    """Start the service as soon as everything it needs is there."""
    if not spec.needs:
        return spawn(spec, state, pending, now)
    state = replace(enter(state, Actual.WAITING, now), pending=pending)
    return state, (AwaitNeeds(),)


def spawn(spec: ServiceSpec, state: ServiceState, pending: Pending | None, now: Now) -> Outcome:
    """Take up the intent: it is on disk, with its history row, before anything is executed."""
    generation = state.generation + 1
    history = state.history
    if pending is not None:
        ended = state.last_exit.exit if state.last_exit else Exit()
        row = Restart(
            at=now.wall,
            mono=now.mono,
            boot_id=now.boot_id,
            reason=pending.reason,
            exit=ended,
            counted=pending.counted,
        )
        history = kept((*history, row), spec.restart)
    state = replace(
        enter(state, Actual.STARTING, now),
        generation=generation,
        instance=f"{state.name}.{generation}.{int(now.wall * 1_000_000):x}",
        process=None,
        last_process=None,
        adopted=False,
        pending=None,
        closing=False,
        started_mono=now.mono,
        ready_mono=None,
        failure="",
        restarts=state.restarts + (pending is not None),
        history=history,
    )
    if spec.hooks.before_start:
        return replace(state, step=Step.PREPARING), (Prepare(),)
    return state, (Spawn(),)


def ask_to_end(spec: ServiceSpec, state: ServiceState, now: Now, *, signal: str = "") -> Outcome:
    """Ask the whole tree to end, and give it the time its stop policy grants."""
    was_preparing = state.step is Step.PREPARING
    if was_preparing:
        state = replace(state, history=finished_row(state.history, pid=None, success=False))
    state = enter(state, Actual.STOPPING, now)
    state = replace(state, step=Step.ASKED, deadline_mono=now.mono + spec.stop.timeout)
    asked = (
        Record(kind="service.stopping", facts=pid_fact(state)),
        SignalTree(signal=signal or spec.stop.signal),
    )
    # No main process will die: what runs before the start is all there is to see the end of.
    return state, (*asked, LookAtTree()) if was_preparing else asked


def kill(state: ServiceState, now: Now) -> Outcome:
    """Kill the whole tree and see to it that nothing is left."""
    state = replace(state, step=Step.KILLED, deadline_mono=now.mono + KILL_VERIFIED_WITHIN)
    return state, (
        Record(kind="service.killed", facts=pid_fact(state)),
        SignalTree(signal="KILL"),
        LookAtTree(),
    )


def set_start(state: ServiceState, start: Start, now: Now, *, why: str = "") -> Outcome:
    """Wait for the moment of the next start, visibly."""
    held = start.wait is Wait.LIMIT
    state = replace(
        enter(state, Actual.HELD if held else Actual.BACKOFF, now), next_start=start, failure=why
    )
    facts: dict[str, object] = {"next_start_at": start.at, "wait": start.wait.value}
    if held:
        facts |= {"severity": "critical", "why": why or "the restart limit is used up"}
    return state, (Record(kind="service.held" if held else "service.backoff", facts=facts),)


def is_due(state: ServiceState, now: Now) -> bool:
    """Tell whether the deadline of this state came."""
    return state.deadline_mono is not None and now.mono >= state.deadline_mono


def finished_row(
    history: tuple[Restart, ...], *, pid: int | None, success: bool
) -> tuple[Restart, ...]:
    """Return the history with the start under way, if any, told to its end."""
    if not history or history[-1].success is not None:
        return history
    return (*history[:-1], replace(history[-1], pid=pid, success=success))


def kept(history: tuple[Restart, ...], policy: RestartPolicy) -> tuple[Restart, ...]:
    """Return the newest rows, with those among the older ones that the limit and the gap still count."""
    surplus = len(history) - HISTORY_KEPT
    if surplus <= 0:
        return history
    counted = [place for place, row in enumerate(history) if row.counted]
    needed = set(counted[-(policy.limit.count if policy.limit else 1) :])
    spare = [place for place in range(len(history) - 1) if place not in needed]
    dropped = set(spare[:surplus])
    return tuple(row for place, row in enumerate(history) if place not in dropped)[-HISTORY_KEPT:]


def pid_fact(state: ServiceState) -> dict[str, object]:
    """Return the pid as a fact for the journal, if there is one."""
    return {"pid": state.process.pid} if state.process else {}
