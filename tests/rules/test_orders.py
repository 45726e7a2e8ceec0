"""What a person's orders do to a service."""

from dataclasses import replace
from typing import Any

import pytest

from holdfast.model.event import (
    AwaitNeeds,
    Effect,
    Elapsed,
    Exited,
    LookAtTree,
    PolicyChanged,
    Record,
    RestartOrdered,
    SignalTree,
    Spawn,
    StartOrdered,
    StopOrdered,
    TreeLooked,
)
from holdfast.model.service import (
    Actual,
    Desired,
    Exit,
    Identity,
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
from holdfast.model.spec import Need, ServiceSpec
from holdfast.rules.supervise import deadline, step

SPEC = ServiceSpec(name="api", command=("api",), cwd="/")
MAIN = Identity(pid=41, start_ticks=7, boot_id="boot-1")
NOW = Now(wall=1e9, mono=1000.0, boot_id="boot-1", draw=0.5)
UP = StartOrdered(forgive=False)
CRASH = LastExit(exit=Exit(code=1), reason=Reason.EXIT, at=1e9, mono=999.0)
LATER = Start(at=1e9 + 60, mono=1060.0, wait=Wait.MIN_GAP)
CRASH_ROW = Restart(
    at=1e9, mono=990.0, boot_id="boot-1", reason=Reason.EXIT, exit=Exit(code=1), success=True
)


def service(actual: Actual, **facts: Any) -> ServiceState:
    return ServiceState(**{"name": "api", "desired": Desired.UP, "actual": actual, **facts})


def stopping(actual: Actual = Actual.STOPPING, **facts: Any) -> ServiceState:
    return service(
        actual,
        **{"process": MAIN, "step": Step.ASKED, "deadline_mono": 1010.0, **facts},
    )


def backoff(actual: Actual = Actual.BACKOFF, **facts: Any) -> ServiceState:
    return service(
        actual,
        **{"last_exit": CRASH, "next_start": LATER, "level": 3, "history": (CRASH_ROW,), **facts},
    )


def acts(effects: tuple[Effect, ...]) -> tuple[Effect, ...]:
    return tuple(effect for effect in effects if not isinstance(effect, Record))


def finish(state: ServiceState) -> tuple[ServiceState, tuple[Effect, ...]]:
    """Let the process of a stopping service end with nothing left behind."""
    if state.process is not None:
        ended = Exited(identity=state.process, exit=Exit(signal=15), reason=Reason.SIGNAL)
        state, _ = step(SPEC, state, ended, NOW)
    return step(SPEC, state, TreeLooked(left=0), NOW)


@pytest.mark.parametrize("order", [StartOrdered(), UP, RestartOrdered()], ids=str)
def test_an_order_starts_what_is_down(order: StartOrdered | RestartOrdered) -> None:
    state, effects = step(SPEC, service(Actual.DOWN, desired=Desired.DOWN), order, NOW)

    assert (state.actual, state.desired, effects) == (Actual.STARTING, Desired.UP, (Spawn(),))


@pytest.mark.parametrize("actual", [Actual.BACKOFF, Actual.HELD, Actual.FAILED, Actual.DONE])
def test_a_manual_start_waits_for_nothing_and_resets_the_limit(actual: Actual) -> None:
    waiting = backoff(actual=actual)

    state, effects = step(SPEC, waiting, StartOrdered(), NOW)

    assert (state.actual, state.level, effects) == (Actual.STARTING, 0, (Spawn(),))
    assert [one.counted for one in state.history] == [False, False]
    assert state.history[-1].reason is Reason.MANUAL


@pytest.mark.parametrize("actual", [Actual.BACKOFF, Actual.HELD, Actual.DONE])
def test_up_leaves_alone_what_waits_for_its_moment_or_is_done(actual: Actual) -> None:
    waiting = backoff(actual=actual)

    assert step(SPEC, waiting, UP, NOW) == (waiting, ())


def test_up_tries_a_failed_service_again() -> None:
    assert step(SPEC, service(Actual.FAILED), UP, NOW)[1] == (Spawn(),)


def test_up_forgives_nothing() -> None:
    state, _ = step(SPEC, service(Actual.FAILED, level=3, history=(CRASH_ROW,)), UP, NOW)

    assert (state.level, [one.counted for one in state.history]) == (3, [True, False])


@pytest.mark.parametrize("actual", [Actual.STARTING, Actual.RUNNING])
@pytest.mark.parametrize("order", [StartOrdered(), UP], ids=str)
def test_a_start_of_what_runs_starts_nothing(actual: Actual, order: StartOrdered) -> None:
    alive = service(actual, process=MAIN)

    assert step(SPEC, alive, order, NOW) == (alive, ())


def test_a_second_start_while_needs_are_missing_looks_again_and_starts_nothing_itself() -> None:
    needy = replace(SPEC, needs=(Need(name="db"),))
    waiting = service(Actual.WAITING, pending=Pending(reason=Reason.EXIT, counted=True))

    state, effects = step(needy, waiting, UP, NOW)

    assert (state, effects) == (waiting, (AwaitNeeds(),))


@pytest.mark.parametrize("actual", [Actual.STOPPING, Actual.STUCK])
@pytest.mark.parametrize("order", [StartOrdered(), UP, RestartOrdered()], ids=str)
def test_a_start_during_a_slow_stop_waits_so_that_there_are_never_two_copies(
    actual: Actual, order: StartOrdered | RestartOrdered
) -> None:
    leaving = stopping(actual=actual, desired=Desired.DOWN)

    ordered, nothing = step(SPEC, leaving, order, NOW)
    started, effects = finish(ordered)

    assert (ordered.actual, ordered.desired, acts(nothing)) == (actual, Desired.UP, ())
    assert (started.actual, effects) == (Actual.STARTING, (Spawn(),))


def test_a_start_after_a_closing_stop_undoes_the_closing() -> None:
    ordered, _ = step(SPEC, stopping(closing=True), UP, NOW)

    assert finish(ordered)[1] == (Spawn(),)


def test_up_just_after_a_crash_does_not_skip_the_wait_for_the_next_start() -> None:
    crashed = service(
        Actual.STOPPING,
        step=Step.DRAINING,
        deadline_mono=1002.0,
        last_exit=CRASH,
        history=(CRASH_ROW,),
    )

    ordered, _ = step(SPEC, crashed, UP, NOW)
    state, effects = finish(ordered)

    assert (state.actual, acts(effects)) == (Actual.BACKOFF, ())


def test_a_manual_start_during_a_stop_after_a_fault_neither_waits_nor_counts() -> None:
    faulty = stopping(pending=Pending(reason=Reason.LEASE, counted=True), history=(CRASH_ROW,))

    ordered, _ = step(SPEC, faulty, StartOrdered(), NOW)
    state, effects = finish(ordered)

    assert effects == (Spawn(),)
    assert not any(one.counted for one in state.history)


def test_a_start_during_a_planned_restart_keeps_its_reason() -> None:
    planned = stopping(pending=Pending(reason=Reason.WATCH))

    state, _ = step(SPEC, planned, StartOrdered(), NOW)

    assert state.pending == Pending(reason=Reason.WATCH)


def test_a_start_of_an_orphan_is_remembered_and_touches_nothing() -> None:
    orphan = service(Actual.ORPHAN, desired=Desired.DOWN, process=MAIN, closing=True)

    state, effects = step(SPEC, orphan, StartOrdered(), NOW)

    assert effects == ()
    assert state == replace(orphan, desired=Desired.UP, closing=False)


def test_a_restart_of_an_orphan_waits_for_its_end() -> None:
    orphan = service(Actual.ORPHAN, desired=Desired.DOWN, process=MAIN)

    ordered, effects = step(SPEC, orphan, RestartOrdered(), NOW)

    assert (ordered.actual, ordered.desired, effects) == (Actual.ORPHAN, Desired.UP, ())
    assert finish(ordered)[1] == (Spawn(),)


@pytest.mark.parametrize("actual", [Actual.STARTING, Actual.RUNNING])
def test_a_stop_asks_the_whole_tree_and_is_remembered(actual: Actual) -> None:
    state, effects = step(SPEC, service(actual, process=MAIN), StopOrdered(), NOW)

    assert (state.actual, state.desired) == (Actual.STOPPING, Desired.DOWN)
    assert deadline(state) == 1010.0
    assert acts(effects) == (SignalTree(signal="TERM"),)


@pytest.mark.parametrize(
    "state", [service(Actual.RUNNING, process=MAIN), stopping()], ids=["running", "stopping"]
)
def test_a_hard_stop_kills_at_once(state: ServiceState) -> None:
    state, effects = step(SPEC, state, StopOrdered(kill=True), NOW)

    assert (state.actual, state.step, deadline(state)) == (Actual.STOPPING, Step.KILLED, 1002.0)
    assert acts(effects) == (SignalTree(signal="KILL"), LookAtTree())


def test_a_second_hard_stop_does_not_postpone_the_verdict() -> None:
    killed = stopping(step=Step.KILLED, deadline_mono=1001.0, desired=Desired.DOWN)

    assert step(SPEC, killed, StopOrdered(kill=True), NOW) == (killed, ())


def test_a_second_stop_gives_no_more_time() -> None:
    state, effects = step(SPEC, stopping(), StopOrdered(), NOW)

    assert (deadline(state), effects) == (1010.0, ())


def test_a_stop_cancels_the_start_that_was_to_follow() -> None:
    state, _ = step(SPEC, stopping(pending=Pending(reason=Reason.MANUAL)), StopOrdered(), NOW)

    assert finish(state)[0].actual is Actual.DOWN


@pytest.mark.parametrize("actual", [Actual.WAITING, Actual.BACKOFF, Actual.HELD])
def test_a_stop_while_it_waits_is_immediate(actual: Actual) -> None:
    state, effects = step(SPEC, backoff(actual=actual), StopOrdered(), NOW)
    later, nothing = step(SPEC, state, Elapsed(), replace(NOW, mono=9999.0))

    assert (state.actual, state.desired, deadline(state)) == (Actual.DOWN, Desired.DOWN, None)
    assert acts(effects) == ()
    assert (later, nothing) == (state, ())


@pytest.mark.parametrize("actual", [Actual.DOWN, Actual.FAILED, Actual.DONE])
def test_a_stop_of_what_ended_is_remembered(actual: Actual) -> None:
    state, effects = step(SPEC, service(actual), StopOrdered(), NOW)

    assert (state.actual, state.desired, effects) == (Actual.DOWN, Desired.DOWN, ())


@pytest.mark.parametrize("actual", [Actual.STUCK, Actual.ORPHAN])
@pytest.mark.parametrize("kill", [False, True])
def test_a_stop_beyond_reach_is_remembered_and_sends_no_signal(actual: Actual, kill: bool) -> None:
    lost = service(actual, process=MAIN, pending=Pending(reason=Reason.MANUAL))

    state, effects = step(SPEC, lost, StopOrdered(kill=kill), NOW)

    assert (state.actual, state.desired, state.pending) == (actual, Desired.DOWN, None)
    assert effects == ()


@pytest.mark.parametrize("actual", list(Actual))
def test_closing_keeps_the_wish(actual: Actual) -> None:
    process = MAIN if actual in (Actual.RUNNING, Actual.STARTING, Actual.STOPPING) else None

    state, _ = step(SPEC, service(actual, process=process), StopOrdered(closing=True), NOW)

    assert state.desired is Desired.UP


@pytest.mark.parametrize("actual", list(Actual))
def test_after_closing_nothing_but_an_order_starts_a_service(actual: Actual) -> None:
    process = MAIN if actual in (Actual.RUNNING, Actual.STARTING, Actual.STOPPING) else None
    state, _ = step(SPEC, service(actual, process=process), StopOrdered(closing=True), NOW)
    if process:
        state, _ = finish(state)

    for event in (PolicyChanged(process=True), Elapsed(), RestartOrdered(reason=Reason.WATCH)):
        state, effects = step(SPEC, state, event, replace(NOW, mono=9999.0))
        assert Spawn() not in effects


def test_a_manual_restart_ends_the_process_and_starts_another_without_waiting() -> None:
    alive = service(Actual.RUNNING, process=MAIN, level=5, history=(CRASH_ROW,) * 3)

    ordered, effects = step(SPEC, alive, RestartOrdered(), NOW)
    state, spawned = finish(ordered)

    assert acts(effects) == (SignalTree(signal="TERM"),)
    assert spawned == (Spawn(),)
    assert (state.level, any(one.counted for one in state.history)) == (0, False)


def test_a_restart_after_a_fault_counts() -> None:
    alive = service(Actual.RUNNING, process=MAIN)

    ordered, _ = step(SPEC, alive, RestartOrdered(reason=Reason.LEASE, counted=True), NOW)
    waiting, _ = finish(ordered)
    state, _ = step(SPEC, waiting, Elapsed(), replace(NOW, mono=1001.0))

    assert waiting.actual is Actual.BACKOFF
    assert [(one.reason, one.counted) for one in state.history] == [(Reason.LEASE, True)]


def test_a_fault_after_ten_healthy_minutes_waits_no_longer_than_a_first_crash() -> None:
    alive = service(Actual.RUNNING, process=MAIN, level=9, ready_mono=400.0)

    ordered, _ = step(SPEC, alive, RestartOrdered(reason=Reason.LEASE, counted=True), NOW)

    assert deadline(finish(ordered)[0]) == 1000.1


@pytest.mark.parametrize(
    "actual", [one for one in Actual if one not in (Actual.STARTING, Actual.RUNNING)]
)
@pytest.mark.parametrize("counted", [False, True])
def test_a_planned_restart_of_what_does_not_run_is_nothing(actual: Actual, counted: bool) -> None:
    idle = service(actual)

    assert step(SPEC, idle, RestartOrdered(reason=Reason.WATCH, counted=counted), NOW) == (
        idle,
        (),
    )
