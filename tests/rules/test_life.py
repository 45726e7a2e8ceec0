"""What the life of a process does to its service."""

from dataclasses import replace
from typing import Any

import pytest

from holdfast.model.event import (
    AwaitNeeds,
    BecameReady,
    Effect,
    Elapsed,
    Exited,
    LookAtTree,
    NeedsMet,
    Prepare,
    Prepared,
    PrepareFailed,
    Record,
    SignalTree,
    Spawn,
    Spawned,
    SpawnFailed,
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
from holdfast.model.spec import (
    Hooks,
    Need,
    Probe,
    ProbeKind,
    RestartPolicy,
    ServiceSpec,
    When,
)
from holdfast.rules.supervise import deadline, step

SPEC = ServiceSpec(name="api", command=("api",), cwd="/")
MAIN = Identity(pid=41, start_ticks=7, boot_id="boot-1")
NEXT = Identity(pid=42, start_ticks=9, boot_id="boot-1")
CRASHED = LastExit(exit=Exit(code=1), reason=Reason.EXIT, at=1e9, mono=999.0)


def at(mono: float) -> Now:
    return Now(wall=1e9 + mono, mono=mono, boot_id="boot-1", draw=0.5)


def service(actual: Actual, **facts: Any) -> ServiceState:
    return ServiceState(**{"name": "api", "desired": Desired.UP, "actual": actual, **facts})


def running(**facts: Any) -> ServiceState:
    return service(
        Actual.RUNNING, **{"process": MAIN, "generation": 1, "ready_mono": 1.0, **facts}
    )


def draining(**facts: Any) -> ServiceState:
    return service(
        Actual.STOPPING,
        **{"step": Step.DRAINING, "deadline_mono": 1002.0, "last_exit": CRASHED, **facts},
    )


def died(code: int | None = 1, *, who: Identity = MAIN, signal: int | None = None) -> Exited:
    reason = Reason.SIGNAL if signal else Reason.EXIT
    return Exited(identity=who, exit=Exit(code=code, signal=signal), reason=reason)


def acts(effects: tuple[Effect, ...]) -> tuple[Effect, ...]:
    return tuple(effect for effect in effects if not isinstance(effect, Record))


def records(effects: tuple[Effect, ...]) -> list[Record]:
    return [effect for effect in effects if isinstance(effect, Record)]


def row(mono: float, **facts: Any) -> Restart:
    made = Restart(
        at=1e9 + mono,
        mono=mono,
        boot_id="boot-1",
        reason=Reason.EXIT,
        exit=Exit(code=1),
        success=True,
    )
    return replace(made, **facts)


def test_met_needs_start_a_service_under_the_reason_it_waits_for() -> None:
    waiting = service(Actual.WAITING, pending=Pending(reason=Reason.SIGNAL, counted=True))

    state, effects = step(SPEC, waiting, NeedsMet(), at(1000.0))

    assert (state.actual, effects) == (Actual.STARTING, (Spawn(),))
    assert [(one.reason, one.counted) for one in state.history] == [(Reason.SIGNAL, True)]


def test_a_spawned_service_is_ready_once_it_lived_for_a_second() -> None:
    state, _ = step(SPEC, service(Actual.STARTING), Spawned(identity=MAIN), at(1000.0))
    too_early, _ = step(SPEC, state, Elapsed(), at(1000.9))
    ready, _ = step(SPEC, state, Elapsed(), at(1001.0))

    assert (state.process, deadline(state)) == (MAIN, 1001.0)
    assert too_early == state
    assert (ready.actual, ready.ready_mono, deadline(ready)) == (Actual.RUNNING, 1001.0, None)


def test_the_history_tells_the_pid_of_a_restart_that_came_to_life() -> None:
    starting = service(Actual.STARTING, history=(row(1000.0, success=None),))

    state, _ = step(SPEC, starting, Spawned(identity=MAIN), at(1000.0))

    assert (state.history[-1].pid, state.history[-1].success) == (41, True)


def test_the_journal_tells_a_restart_from_a_first_start() -> None:
    again = service(Actual.STARTING, history=(row(1000.0, success=None),))

    _, first = step(SPEC, service(Actual.STARTING), Spawned(identity=MAIN), at(1000.0))
    _, second = step(SPEC, again, Spawned(identity=MAIN), at(1000.0))

    assert [record.kind for record in records(first)] == ["service.started"]
    assert [record.kind for record in records(second)] == ["service.started", "service.restarted"]
    assert records(second)[1].facts == {
        "pid": 41,
        "reason": "exit",
        "exit_code": 1,
        "signal": None,
    }


def test_an_exec_error_goes_to_failed_at_once_without_a_retry() -> None:
    refused = SpawnFailed(why="no such file: api", permanent=True)

    state, effects = step(SPEC, service(Actual.STARTING), refused, at(1000.0))

    assert (state.actual, state.failure) == (Actual.FAILED, "no such file: api")
    assert deadline(state) is None
    assert acts(effects) == ()
    assert records(effects)[0].facts["severity"] == "critical"


def test_a_shortage_is_tried_again_and_does_not_count() -> None:
    counted = (row(10.0), row(1000.0, success=None))
    short = SpawnFailed(why="out of processes", permanent=False)

    state, _ = step(SPEC, service(Actual.STARTING, history=counted), short, at(1000.0))
    again, effects = step(SPEC, state, Elapsed(), at(1100.0))

    assert (state.actual, state.failure) == (Actual.BACKOFF, "out of processes")
    assert state.next_start is not None
    assert state.next_start.wait is Wait.SHORTAGE
    assert effects == (Spawn(),)
    assert [one.counted for one in again.history] == [True, False, False]


def test_a_shortage_at_a_first_start_forgives_no_earlier_crash() -> None:
    short = SpawnFailed(why="out of processes", permanent=False)

    state, _ = step(SPEC, service(Actual.STARTING, history=(row(10.0),)), short, at(1000.0))

    assert state.history == (row(10.0),)


def test_the_first_crash_after_a_shortage_is_not_delayed_beyond_the_delay() -> None:
    short = SpawnFailed(why="out of processes", permanent=False)
    state, moment = service(Actual.STARTING), 0.0
    waits = []
    for _ in range(6):
        state, _ = step(SPEC, state, short, at(moment))
        due = deadline(state)
        assert due is not None
        waits.append(due - moment)
        moment = due
        state, _ = step(SPEC, state, Elapsed(), at(moment))

    for event in (Spawned(identity=MAIN), died(), TreeLooked(left=0)):
        state, _ = step(SPEC, state, event, at(moment))

    assert waits == sorted(waits)
    assert waits[-1] > 1.0
    assert state.next_start is not None
    assert state.next_start.mono - moment == pytest.approx(0.1)


def test_word_of_a_failed_spawn_changes_nothing_once_a_process_lives() -> None:
    alive = service(Actual.STARTING, process=MAIN, deadline_mono=1001.0)

    assert step(SPEC, alive, SpawnFailed(why="?", permanent=True), at(1000.0)) == (alive, ())


@pytest.mark.parametrize("actual", [Actual.STARTING, Actual.RUNNING])
def test_a_death_nobody_ordered_is_followed_by_a_look_at_what_is_left(actual: Actual) -> None:
    state, effects = step(SPEC, service(actual, process=MAIN), died(3), at(1000.0))

    assert (state.actual, state.step, state.process) == (Actual.STOPPING, Step.DRAINING, None)
    assert state.last_exit is not None
    assert (state.last_exit.exit, state.last_exit.reason) == (Exit(code=3), Reason.EXIT)
    assert acts(effects) == (LookAtTree(),)


def test_the_journal_tells_how_a_process_ended() -> None:
    _, effects = step(SPEC, running(), died(None, signal=9), at(1000.0))

    assert records(effects)[0].facts == {
        "pid": 41,
        "exit_code": None,
        "signal": 9,
        "core": False,
        "reason": "signal",
    }


@pytest.mark.parametrize(
    "state",
    [
        running(process=NEXT),
        service(Actual.STARTING, process=NEXT),
        service(Actual.STARTING),
        service(Actual.STOPPING, process=NEXT, step=Step.ASKED),
        service(Actual.STUCK, process=NEXT, step=Step.KILLED),
        service(Actual.ORPHAN, process=NEXT),
        service(Actual.BACKOFF),
        service(Actual.DOWN, desired=Desired.DOWN),
    ],
    ids=lambda state: state.actual.value,
)
def test_the_late_exit_of_an_old_process_changes_nothing(state: ServiceState) -> None:
    assert step(SPEC, state, died(who=MAIN), at(1000.0)) == (state, ())


@pytest.mark.parametrize("ended", [Exit(code=0), Exit(code=1), Exit(signal=9), Exit()])
def test_an_exit_during_a_stop_is_never_a_failure(ended: Exit) -> None:
    stopping = service(
        Actual.STOPPING, desired=Desired.DOWN, process=MAIN, step=Step.ASKED, deadline_mono=1010.0
    )
    gone, _ = step(
        SPEC, stopping, Exited(identity=MAIN, exit=ended, reason=Reason.SIGNAL), at(1000.0)
    )

    state, effects = step(SPEC, gone, TreeLooked(left=0), at(1000.0))

    assert (state.actual, state.desired, state.failure) == (Actual.DOWN, Desired.DOWN, "")
    assert state.last_exit is not None
    assert (state.last_exit.exit, state.last_exit.reason) == (ended, Reason.MANUAL)
    assert state.history == ()
    assert [record.kind for record in records(effects)] == ["service.stopped"]


def test_a_crash_is_followed_by_a_start_after_the_delay() -> None:
    state, effects = step(SPEC, draining(), TreeLooked(left=0), at(1000.0))

    assert (state.actual, deadline(state), state.level) == (Actual.BACKOFF, 1000.1, 1)
    assert [record.kind for record in records(effects)] == ["service.backoff"]


def test_a_crash_after_ten_healthy_minutes_waits_no_longer_than_the_first() -> None:
    state, _ = step(SPEC, running(level=9, ready_mono=400.0), died(), at(1000.0))
    state, _ = step(SPEC, state, TreeLooked(left=0), at(1000.0))

    assert deadline(state) == 1000.1


def test_the_crash_beyond_the_limit_holds_the_service_with_one_visible_moment() -> None:
    used_up = (row(700.0), row(800.0), row(900.0))

    state, effects = step(SPEC, draining(history=used_up), TreeLooked(left=0), at(1000.0))

    assert state.actual is Actual.HELD
    assert state.next_start is not None
    assert state.next_start.at == pytest.approx(1e9 + 700.0 + 3600.0, abs=0.1)
    assert [(one.kind, one.facts["severity"]) for one in records(effects)] == [
        ("service.held", "critical")
    ]


def test_a_held_service_is_tried_again_when_the_window_frees() -> None:
    used_up = (row(700.0), row(800.0), row(900.0))
    held, _ = step(SPEC, draining(history=used_up), TreeLooked(left=0), at(1000.0))
    due = deadline(held)
    assert due is not None

    early, nothing = step(SPEC, held, Elapsed(), at(due - 1.0))
    state, effects = step(SPEC, held, Elapsed(), at(due))

    assert (early, nothing) == (held, ())
    assert (state.actual, effects) == (Actual.STARTING, (Spawn(),))
    assert state.history[-1].counted


def test_needs_are_looked_at_again_on_each_start() -> None:
    needy = replace(SPEC, needs=(Need(name="db"),))
    waiting = service(
        Actual.BACKOFF, last_exit=CRASHED, next_start=Start(at=1.0, mono=1000.0, wait=Wait.DELAY)
    )

    state, effects = step(needy, waiting, Elapsed(), at(1000.0))

    assert (state.actual, effects) == (Actual.WAITING, (AwaitNeeds(),))
    assert state.pending == Pending(reason=Reason.EXIT, counted=True)


@pytest.mark.parametrize(
    ("policy", "ended", "expected"),
    [
        (RestartPolicy(when=When.ON_FAILURE), Exit(code=0), Actual.DONE),
        (RestartPolicy(when=When.ON_FAILURE), Exit(code=1), Actual.BACKOFF),
        (RestartPolicy(when=When.NEVER), Exit(code=0), Actual.DONE),
        (RestartPolicy(when=When.NEVER), Exit(code=1), Actual.FAILED),
        (RestartPolicy(when=When.NEVER), Exit(signal=11), Actual.FAILED),
        (RestartPolicy(no_restart_codes=(78,)), Exit(code=78), Actual.FAILED),
        (RestartPolicy(no_restart_codes=(0,)), Exit(code=0), Actual.DONE),
        (RestartPolicy(no_restart_codes=(78,)), Exit(code=1), Actual.BACKOFF),
    ],
)
def test_an_exit_the_policy_does_not_restart_is_done_or_failed(
    policy: RestartPolicy, ended: Exit, expected: Actual
) -> None:
    last = replace(CRASHED, exit=ended)

    state, effects = step(
        replace(SPEC, restart=policy), draining(last_exit=last), TreeLooked(left=0), at(1000.0)
    )

    assert state.actual is expected
    assert acts(effects) == ()


def test_a_restart_after_a_fault_waits_and_counts_like_a_crash() -> None:
    fault = draining(step=Step.ASKED, pending=Pending(reason=Reason.LEASE, counted=True))

    state, _ = step(SPEC, fault, TreeLooked(left=0), at(1000.0))

    assert (state.actual, state.pending) == (Actual.BACKOFF, None)


def test_a_planned_restart_starts_at_once_and_counts_for_nothing() -> None:
    planned = draining(step=Step.ASKED, pending=Pending(reason=Reason.WATCH))

    state, effects = step(SPEC, planned, TreeLooked(left=0), at(1000.0))

    assert (state.actual, effects) == (Actual.STARTING, (Spawn(),))
    assert [(one.reason, one.counted) for one in state.history] == [(Reason.WATCH, False)]


def test_nothing_starts_while_children_of_the_dead_service_live() -> None:
    asked, effects = step(SPEC, draining(), TreeLooked(left=2), at(1000.0))
    still, nothing = step(SPEC, asked, TreeLooked(left=1), at(1001.0))
    killed, harder = step(SPEC, still, Elapsed(), at(1002.0))

    assert acts(effects) == (SignalTree(signal="TERM"), LookAtTree())
    assert (still, nothing) == (asked, ())
    assert (killed.actual, acts(harder)) == (
        Actual.STOPPING,
        (SignalTree(signal="KILL"), LookAtTree()),
    )


def test_a_look_at_the_tree_says_nothing_while_the_main_process_lives() -> None:
    stopping = service(Actual.STOPPING, process=MAIN, step=Step.KILLED, deadline_mono=1002.0)

    assert step(SPEC, stopping, TreeLooked(left=0), at(1000.0)) == (stopping, ())


def test_what_does_not_end_in_time_is_killed_and_what_survives_that_is_stuck() -> None:
    stopping = service(Actual.STOPPING, process=MAIN, step=Step.ASKED, deadline_mono=1010.0)

    early, nothing = step(SPEC, stopping, Elapsed(), at(1009.9))
    killed, first = step(SPEC, stopping, Elapsed(), at(1010.0))
    stuck, second = step(SPEC, killed, Elapsed(), at(1012.0))

    assert (early, nothing) == (stopping, ())
    assert acts(first) == (SignalTree(signal="KILL"), LookAtTree())
    assert (stuck.actual, acts(second)) == (Actual.STUCK, (LookAtTree(),))
    assert records(second)[0].facts == {"severity": "critical", "pid": 41}


def test_a_stuck_service_is_killed_again_every_second_and_no_second_copy_is_started() -> None:
    stuck = service(Actual.STUCK, process=MAIN, step=Step.KILLED, deadline_mono=1000.0)

    early, nothing = step(SPEC, stuck, Elapsed(), at(999.5))
    again, effects = step(SPEC, stuck, Elapsed(), at(1000.0))

    assert (early, nothing) == (stuck, ())
    assert (again.actual, deadline(again)) == (Actual.STUCK, 1001.0)
    assert effects == (SignalTree(signal="KILL"), LookAtTree())


def test_a_stuck_service_that_ends_after_all_goes_on() -> None:
    stuck = service(Actual.STUCK, process=MAIN, step=Step.KILLED, deadline_mono=1000.0)

    gone, _ = step(SPEC, stuck, died(None, signal=9), at(1000.0))
    state, _ = step(SPEC, gone, TreeLooked(left=0), at(1000.0))

    assert (gone.actual, state.actual) == (Actual.STUCK, Actual.BACKOFF)


@pytest.mark.parametrize(
    ("how_far", "signal"), [(Step.ASKED, "TERM"), (Step.KILLED, "KILL")], ids=str
)
def test_a_process_that_comes_to_life_during_its_stop_is_ended_too(
    how_far: Step, signal: str
) -> None:
    stopping = service(Actual.STOPPING, desired=Desired.DOWN, step=how_far, deadline_mono=1005.0)

    state, effects = step(SPEC, stopping, Spawned(identity=MAIN), at(1000.0))

    assert (state.actual, state.process, deadline(state)) == (Actual.STOPPING, MAIN, 1005.0)
    assert acts(effects) == (SignalTree(signal=signal),)


def test_a_start_that_fails_during_a_stop_ends_the_stop() -> None:
    stopping = service(
        Actual.STOPPING, desired=Desired.DOWN, step=Step.ASKED, deadline_mono=1005.0
    )

    state, _ = step(SPEC, stopping, SpawnFailed(why="no such file", permanent=True), at(1000.0))

    assert state.actual is Actual.DOWN


def test_what_comes_after_a_stop_of_holdfast_itself_keeps_the_wish() -> None:
    closing = draining(step=Step.ASKED, closing=True)

    state, _ = step(SPEC, closing, TreeLooked(left=0), at(1000.0))

    assert (state.actual, state.desired) == (Actual.DOWN, Desired.UP)


PROBED = replace(SPEC, ready=Probe(kind=ProbeKind.TCP, target=("127.0.0.1:1",), timeout=90.0))
PREPARED = replace(SPEC, hooks=Hooks(before_start=("migrate",)))


def test_a_probed_service_is_ready_when_it_is_seen_to_be_and_not_for_its_age() -> None:
    state, _ = step(PROBED, service(Actual.STARTING), Spawned(identity=MAIN), at(1000.0))
    assert state.deadline_mono == 1090.0
    assert step(PROBED, state, Elapsed(), at(1002.0)) == (state, ())
    after, effects = step(PROBED, state, BecameReady(), at(1030.0))
    assert (after.actual, after.ready_mono) == (Actual.RUNNING, 1030.0)
    assert [record.kind for record in records(effects)] == ["service.ready"]


def test_a_service_that_never_becomes_ready_is_ended_and_counts_as_failed() -> None:
    state, _ = step(PROBED, service(Actual.STARTING), Spawned(identity=MAIN), at(1000.0))
    state, effects = step(PROBED, state, Elapsed(), at(1090.0))
    assert (state.actual, state.pending) == (
        Actual.STOPPING,
        Pending(reason=Reason.PROBE, counted=True),
    )
    assert acts(effects) == (SignalTree(signal="TERM"),)
    state, _ = step(PROBED, state, died(signal=15, code=None), at(1091.0))
    assert state.last_exit is not None
    assert state.last_exit.reason is Reason.PROBE
    state, _ = step(PROBED, state, TreeLooked(left=0), at(1091.0))
    assert (state.actual, state.level) == (Actual.BACKOFF, 1)
    assert state.failure == "it did not become ready within 90 s"


def test_what_runs_before_a_start_runs_before_it() -> None:
    state, effects = step(PREPARED, service(Actual.DOWN), StartOrdered(), at(1000.0))
    assert (state.actual, state.step, acts(effects)) == (
        Actual.STARTING,
        Step.PREPARING,
        (Prepare(),),
    )
    state, effects = step(PREPARED, state, Prepared(), at(1001.0))
    assert (state.step, acts(effects)) == (None, (Spawn(),))
    assert step(PREPARED, state, Prepared(), at(1002.0)) == (state, ())


def test_a_failed_preparation_counts_as_a_failed_start() -> None:
    preparing = service(
        Actual.STARTING, step=Step.PREPARING, generation=2, history=(row(900.0, success=None),)
    )
    state, effects = step(PREPARED, preparing, PrepareFailed(why="no"), at(1000.0))
    assert (state.actual, state.failure, state.level) == (Actual.BACKOFF, "no", 1)
    assert state.history[-1].success is False
    assert records(effects)[0].kind == "service.prepare_failed"


def test_a_stop_during_the_preparation_ends_it() -> None:
    preparing = service(Actual.STARTING, step=Step.PREPARING, generation=2)
    state, effects = step(PREPARED, preparing, StopOrdered(), at(1000.0))
    assert acts(effects) == (SignalTree(signal="TERM"), LookAtTree())
    assert step(PREPARED, state, Prepared(), at(1001.0)) == (state, ())
    state, _ = step(PREPARED, state, TreeLooked(left=0), at(1001.0))
    assert state.actual is Actual.DOWN


def test_the_end_of_a_process_is_remembered_until_the_next_one_starts() -> None:
    state, _ = step(SPEC, running(), died(), at(1000.0))
    assert (state.process, state.last_process) == (None, MAIN)


def test_the_first_main_process_of_a_start_is_the_root_of_its_tree_to_the_end() -> None:
    state, _ = step(SPEC, running(process=NEXT, last_process=MAIN), died(who=NEXT), at(1000.0))
    assert (state.process, state.last_process) == (None, MAIN)


@pytest.mark.parametrize(
    ("when", "ends_in"),
    [
        (When.NEVER, Actual.FAILED),
        (When.ON_FAILURE, Actual.BACKOFF),
        (When.ALWAYS, Actual.BACKOFF),
    ],
)
def test_what_was_ended_for_a_fault_has_failed_whatever_it_exited_with(
    when: When, ends_in: Actual
) -> None:
    spec = replace(SPEC, restart=RestartPolicy(when=when))
    condemned = draining(
        pending=Pending(reason=Reason.LEASE, counted=True),
        failure="no beat for 90 s",
        last_exit=LastExit(exit=Exit(code=0), reason=Reason.LEASE, at=1e9, mono=999.0),
    )
    state, _ = step(spec, condemned, TreeLooked(left=0), at(1000.0))
    assert (state.actual, state.pending) == (ends_in, None)
    assert "no beat for 90 s" in state.failure
