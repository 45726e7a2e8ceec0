"""The moves every rule is made of."""

from dataclasses import replace
from typing import Any

import pytest

from holdfast.model.event import AwaitNeeds, LookAtTree, Record, SignalTree, Spawn
from holdfast.model.service import (
    HISTORY_KEPT,
    Actual,
    Exit,
    Health,
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
from holdfast.model.spec import Need, RestartLimit, RestartPolicy, ServiceSpec, StopPolicy
from holdfast.rules import transitions

NOW = Now(wall=1e9, mono=1000.0, boot_id="boot-1")
SPEC = ServiceSpec(name="api", command=("api",), cwd="/", stop=StopPolicy(signal="INT", timeout=7))
MAIN = Identity(pid=41, start_ticks=7, boot_id="boot-1")
CRASH = Pending(reason=Reason.EXIT, counted=True)


def service(actual: Actual, **facts: Any) -> ServiceState:
    return ServiceState(name="api", actual=actual, **facts)


def row(mono: float, **facts: Any) -> Restart:
    made = Restart(
        at=mono, mono=mono, boot_id="boot-1", reason=Reason.EXIT, exit=Exit(code=1), success=True
    )
    return replace(made, **facts)


def test_every_state_has_a_health() -> None:
    assert set(transitions.HEALTH) == set(Actual)


def test_a_new_state_keeps_nothing_of_the_old_ones_timers() -> None:
    waiting = service(
        Actual.BACKOFF, next_start=Start(at=1.0, mono=1.0, wait=Wait.DELAY), since=5.0
    )

    entered = transitions.enter(replace(waiting, deadline_mono=3.0), Actual.RUNNING, NOW)

    assert (entered.next_start, entered.deadline_mono, entered.step) == (None, None, None)
    assert (entered.health, entered.since) == (Health.OK, NOW.wall)


def test_entering_the_same_state_again_does_not_change_since_when() -> None:
    assert transitions.enter(service(Actual.RUNNING, since=5.0), Actual.RUNNING, NOW).since == 5.0


def test_a_service_without_needs_is_spawned_at_once() -> None:
    state, effects = transitions.begin(SPEC, service(Actual.DOWN), None, NOW)

    assert (state.actual, effects) == (Actual.STARTING, (Spawn(),))


def test_a_service_with_needs_waits_for_them_and_remembers_why_it_starts() -> None:
    needy = replace(SPEC, needs=(Need(name="db"),))

    state, effects = transitions.begin(needy, service(Actual.BACKOFF), CRASH, NOW)

    assert (state.actual, state.pending, effects) == (Actual.WAITING, CRASH, (AwaitNeeds(),))


def test_each_spawn_has_a_generation_and_an_instance_of_its_own() -> None:
    first, _ = transitions.spawn(SPEC, service(Actual.DOWN), None, NOW)
    second, _ = transitions.spawn(SPEC, first, None, NOW)

    assert (first.generation, second.generation) == (1, 2)
    assert first.instance != second.instance


def test_a_first_start_is_no_restart() -> None:
    state, _ = transitions.spawn(SPEC, service(Actual.DOWN), None, NOW)

    assert (state.restarts, state.history) == (0, ())


def test_a_restart_is_written_into_the_history_before_the_program_is_executed() -> None:
    ended = LastExit(exit=Exit(code=3), reason=Reason.EXIT, at=1.0, mono=1.0)

    state, effects = transitions.spawn(SPEC, service(Actual.BACKOFF, last_exit=ended), CRASH, NOW)

    assert effects == (Spawn(),)
    assert state.restarts == 1
    assert state.history == (
        Restart(
            at=NOW.wall,
            mono=NOW.mono,
            boot_id="boot-1",
            reason=Reason.EXIT,
            exit=Exit(code=3),
            success=None,
            counted=True,
        ),
    )


def test_a_spawn_forgets_the_old_process_and_what_was_pending() -> None:
    old = service(
        Actual.WAITING, closing=True, pending=CRASH, ready_mono=9.0, adopted=True, failure="x"
    )

    state, _ = transitions.spawn(SPEC, old, None, NOW)

    assert (state.closing, state.pending, state.ready_mono) == (False, None, None)
    assert (state.adopted, state.failure, state.process) == (False, "", None)


def test_a_service_is_asked_to_end_with_its_own_signal_in_its_own_time() -> None:
    state, effects = transitions.ask_to_end(SPEC, service(Actual.RUNNING, process=MAIN), NOW)

    assert (state.actual, state.step, state.deadline_mono) == (Actual.STOPPING, Step.ASKED, 1007.0)
    assert effects == (
        Record(kind="service.stopping", facts={"pid": 41}),
        SignalTree(signal="INT"),
    )


def test_a_kill_reaches_the_whole_tree_and_is_followed_by_a_look() -> None:
    state, effects = transitions.kill(service(Actual.STOPPING, process=MAIN), NOW)

    assert (state.step, state.deadline_mono) == (Step.KILLED, 1002.0)
    assert effects[1:] == (SignalTree(signal="KILL"), LookAtTree())


@pytest.mark.parametrize("wait", list(Wait))
def test_only_a_used_up_limit_holds_a_service_and_calls_a_person(wait: Wait) -> None:
    start = Start(at=1e9 + 5, mono=1005.0, wait=wait)

    state, (record,) = transitions.set_start(service(Actual.STOPPING), start, NOW)

    assert isinstance(record, Record)
    assert state.actual is (Actual.HELD if wait is Wait.LIMIT else Actual.BACKOFF)
    assert (record.facts.get("severity") == "critical") is (wait is Wait.LIMIT)
    assert record.facts["next_start_at"] == 1e9 + 5
    assert state.next_start == start


@pytest.mark.parametrize(("deadline", "due"), [(None, False), (999.0, True), (1000.0, True)])
def test_a_deadline_is_due_from_its_own_moment_on(deadline: float | None, due: bool) -> None:
    assert transitions.is_due(service(Actual.STARTING, deadline_mono=deadline), NOW) is due


def test_only_a_start_under_way_is_told_to_its_end() -> None:
    told = (row(1.0, pid=5), row(2.0, pid=6))
    under_way = (row(1.0, pid=5), row(2.0, success=None))

    assert transitions.finished_row(told, pid=7, success=False) == told
    assert transitions.finished_row((), pid=7, success=False) == ()
    assert transitions.finished_row(under_way, pid=7, success=True)[-1] == row(2.0, pid=7)


def test_the_history_keeps_the_newest_hundred_rows() -> None:
    rows = tuple(row(float(second)) for second in range(250))

    assert transitions.kept(rows, RestartPolicy()) == rows[-HISTORY_KEPT:]


def test_planned_restarts_never_push_out_the_ones_the_limit_still_counts() -> None:
    limited = RestartPolicy(limit=RestartLimit(count=2, within=86_400.0))
    crashes = (row(1.0), row(2.0), row(3.0))
    planned = tuple(row(10.0 + second, counted=False) for second in range(200))

    rows = transitions.kept(crashes + planned, limited)

    assert len(rows) == HISTORY_KEPT
    assert [one.mono for one in rows if one.counted] == [2.0, 3.0]
    assert rows[-1] == planned[-1]


def test_the_newest_row_is_kept_even_when_the_limit_counts_all_others() -> None:
    limited = RestartPolicy(limit=RestartLimit(count=HISTORY_KEPT, within=86_400.0))
    crashes = tuple(row(float(second)) for second in range(HISTORY_KEPT))
    planned = row(500.0, counted=False)

    assert transitions.kept((*crashes, planned), limited)[-1] == planned


def test_the_journal_gets_a_pid_only_where_there_is_one() -> None:
    assert transitions.pid_fact(service(Actual.RUNNING, process=MAIN)) == {"pid": 41}
    assert transitions.pid_fact(service(Actual.DOWN)) == {}
