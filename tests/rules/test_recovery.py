"""What a new supervisor or a new configuration does to a service that was there before."""

from dataclasses import replace
from typing import Any

import pytest

from holdfast.model.event import (
    Adopted,
    AwaitNeeds,
    Effect,
    Elapsed,
    Exited,
    HistoryLost,
    LookAtTree,
    PolicyChanged,
    Record,
    RecordStale,
    SignalTree,
    Spawn,
    Spawned,
    StartOrdered,
    StartUnseen,
    TreeLooked,
    Unproved,
)
from holdfast.model.service import (
    Actual,
    Desired,
    Exit,
    Health,
    Identity,
    Judgement,
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
from holdfast.model.spec import Need, RestartLimit, RestartPolicy, ServiceSpec, When
from holdfast.rules.supervise import deadline, step

SPEC = ServiceSpec(name="api", command=("api",), cwd="/")
MAIN = Identity(pid=41, start_ticks=7, boot_id="boot-1")
CRASH = LastExit(exit=Exit(code=1), reason=Reason.EXIT, at=1e9 + 990.0, mono=990.0)
SAVED = (
    Actual.STARTING,
    Actual.RUNNING,
    Actual.STOPPING,
    Actual.STUCK,
    Actual.WAITING,
    Actual.BACKOFF,
    Actual.HELD,
    Actual.ORPHAN,
    Actual.DONE,
)


def at(mono: float) -> Now:
    return Now(wall=1e9 + mono, mono=mono, boot_id="boot-1", draw=0.5)


NOW = at(1000.0)


def service(actual: Actual, **facts: Any) -> ServiceState:
    return ServiceState(**{"name": "api", "desired": Desired.UP, "actual": actual, **facts})


def backoff(*, mono: float, wait: Wait = Wait.MIN_GAP, **facts: Any) -> ServiceState:
    """Return a service that waits for a start, in the state that goes with what it waits for."""
    actual = Actual.HELD if wait is Wait.LIMIT else Actual.BACKOFF
    start = Start(at=1e9 + mono, mono=mono, wait=wait)
    return service(actual, **{"next_start": start, "last_exit": CRASH, "level": 1, **facts})


def row(mono: float) -> Restart:
    return Restart(
        at=1e9 + mono,
        mono=mono,
        boot_id="boot-1",
        reason=Reason.EXIT,
        exit=Exit(code=1),
        success=True,
    )


def acts(effects: tuple[Effect, ...]) -> tuple[Effect, ...]:
    return tuple(effect for effect in effects if not isinstance(effect, Record))


@pytest.mark.parametrize("actual", [Actual.STARTING, Actual.RUNNING, Actual.ORPHAN])
def test_a_proved_process_goes_on_untouched(actual: Actual) -> None:
    state, effects = step(SPEC, service(actual), Adopted(identity=MAIN), NOW)

    assert (state.actual, state.process, state.adopted) == (Actual.RUNNING, MAIN, True)
    assert acts(effects) == ()


def test_an_adopted_service_keeps_its_healthy_minutes() -> None:
    alive = service(Actual.RUNNING, process=MAIN, ready_mono=5.0, since=7.0)

    state, _ = step(SPEC, alive, Adopted(identity=MAIN), NOW)

    assert (state.ready_mono, state.since) == (5.0, 7.0)


def test_an_intent_whose_process_lives_is_told_to_its_end() -> None:
    intent = service(Actual.STARTING, history=(replace(row(999.0), success=None),))

    state, _ = step(SPEC, intent, Adopted(identity=MAIN), NOW)

    assert (state.history[-1].pid, state.history[-1].success) == (41, True)


@pytest.mark.parametrize("actual", [Actual.STOPPING, Actual.STUCK])
def test_a_half_done_stop_is_taken_up_again(actual: Actual) -> None:
    leaving = service(actual, desired=Desired.DOWN, process=MAIN, step=Step.KILLED)

    state, effects = step(SPEC, leaving, Adopted(identity=MAIN), NOW)

    assert (state.actual, state.step, deadline(state)) == (Actual.STOPPING, Step.ASKED, 1010.0)
    assert acts(effects) == (SignalTree(signal="TERM"),)


def test_a_process_that_should_be_down_is_stopped_once_it_is_proved() -> None:
    orphan = service(Actual.ORPHAN, desired=Desired.DOWN, process=MAIN)

    assert step(SPEC, orphan, Adopted(identity=MAIN), NOW)[0].actual is Actual.STOPPING


def test_a_process_whose_record_was_lost_is_known_again_by_what_it_tells_itself() -> None:
    told = Adopted(identity=MAIN, instance="api.7.abc", generation=7)

    state, effects = step(SPEC, service(Actual.DOWN), told, NOW)

    assert (state.actual, state.process) == (Actual.RUNNING, MAIN)
    assert (state.instance, state.generation, acts(effects)) == ("api.7.abc", 7, ())


def test_a_generation_never_falls() -> None:
    told = Adopted(identity=MAIN, generation=3)

    assert step(SPEC, service(Actual.RUNNING, generation=9), told, NOW)[0].generation == 9


def test_an_old_order_does_not_leak_into_the_next_exit_of_an_adopted_process() -> None:
    orphan = service(
        Actual.ORPHAN, process=MAIN, closing=True, pending=Pending(reason=Reason.MANUAL)
    )

    state, _ = step(SPEC, orphan, Adopted(identity=MAIN), NOW)

    assert (state.pending, state.closing) == (None, False)


@pytest.mark.parametrize(
    "actual", [Actual.STARTING, Actual.RUNNING, Actual.STOPPING, Actual.STUCK]
)
def test_what_cannot_be_proved_is_an_orphan_and_is_never_signalled_nor_started(
    actual: Actual,
) -> None:
    state, effects = step(SPEC, service(actual, process=MAIN), Unproved(why="no /proc"), NOW)
    events = (StartOrdered(), Elapsed(), TreeLooked(left=1), Unproved(why="again"))

    assert (state.actual, state.failure, state.process) == (Actual.ORPHAN, "no /proc", MAIN)
    assert acts(effects) == ()
    for event in events:
        state, effects = step(SPEC, state, event, at(9999.0))
        assert (state.actual, effects) == (Actual.ORPHAN, ())


def test_the_end_of_an_orphan_counts_once_and_lets_the_service_start_again() -> None:
    orphan = service(Actual.ORPHAN, process=MAIN)

    gone, effects = step(
        SPEC, orphan, Exited(identity=MAIN, exit=Exit(), reason=Reason.UNKNOWN), NOW
    )
    state, _ = step(SPEC, gone, TreeLooked(left=0), NOW)

    assert acts(effects) == (LookAtTree(),)
    assert (state.actual, state.process) == (Actual.BACKOFF, None)


@pytest.mark.parametrize("actual", SAVED)
def test_a_reboot_makes_every_record_start_afresh_without_counting(actual: Actual) -> None:
    old = service(
        actual,
        process=MAIN,
        level=5,
        history=(row(1.0),),
        next_start=Start(at=1.0, mono=1.0, wait=Wait.LIMIT),
    )

    state, effects = step(SPEC, old, RecordStale(), NOW)
    started, spawned = step(SPEC, state, StartOrdered(forgive=False), NOW)

    assert (state.actual, state.desired, state.process) == (Actual.DOWN, Desired.UP, None)
    assert (deadline(state), effects) == (None, ())
    assert spawned == (Spawn(),)
    assert (started.level, started.history) == (0, (row(1.0),))


def test_a_start_that_nobody_saw_counts_as_a_failed_one() -> None:
    limited = replace(
        SPEC,
        restart=RestartPolicy(delay=2.0, min_gap=0.0, limit=RestartLimit(count=2, within=100.0)),
    )
    first, _ = step(limited, service(Actual.STARTING), StartUnseen(), NOW)
    assert (first.actual, first.level) == (Actual.BACKOFF, 1)
    assert first.next_start == Start(at=NOW.wall + 2.0, mono=NOW.mono + 2.0, wait=Wait.DELAY)

    again = service(Actual.STARTING, history=(row(950.0), replace(row(999.0), success=None)))
    held, _ = step(limited, again, StartUnseen(), NOW)
    assert held.actual is Actual.HELD
    assert [one.success for one in held.history] == [True, False]
    assert held.last_exit == LastExit(
        exit=Exit(), reason=Reason.UNKNOWN, at=NOW.wall, mono=NOW.mono
    )


@pytest.mark.parametrize(
    "facts",
    [{"desired": Desired.DOWN}, {"closing": True}],
    ids=["stopped", "being closed"],
)
def test_a_start_that_nobody_saw_is_forgotten_when_nobody_wants_it(
    facts: dict[str, Any],
) -> None:
    intent = replace(service(Actual.STARTING), **facts)
    assert step(SPEC, intent, StartUnseen(), NOW)[0].actual is Actual.DOWN


def test_what_is_never_started_again_is_so_after_a_start_that_nobody_saw() -> None:
    once = replace(SPEC, restart=RestartPolicy(when=When.NEVER))
    state, _ = step(once, service(Actual.STARTING), StartUnseen(), NOW)
    assert state.actual is Actual.DOWN
    assert step(once, state, StartOrdered(forgive=False), NOW)[1] == (Spawn(),)


def test_a_new_policy_sets_the_next_start_anew_from_the_last_exit() -> None:
    waiting = backoff(mono=1050.0, history=(row(990.0),))
    quicker = replace(SPEC, restart=RestartPolicy(delay=20.0, min_gap=0.0))

    state, _ = step(quicker, waiting, PolicyChanged(), NOW)

    assert (state.actual, deadline(state), state.level) == (Actual.BACKOFF, 1010.0, 1)


def test_a_wider_limit_frees_a_held_service() -> None:
    held = backoff(mono=4000.0, wait=Wait.LIMIT, history=(row(980.0),) * 3)
    wider = replace(
        SPEC, restart=RestartPolicy(min_gap=0.0, limit=RestartLimit(count=9, within=9))
    )

    state, _ = step(wider, held, PolicyChanged(), NOW)

    assert (state.actual, deadline(state)) == (Actual.BACKOFF, 990.1)


def test_a_narrower_limit_holds_a_waiting_service() -> None:
    narrower = replace(SPEC, restart=RestartPolicy(limit=RestartLimit(count=1, within=3600.0)))

    state, _ = step(narrower, backoff(mono=1040.0, history=(row(980.0),)), PolicyChanged(), NOW)

    assert state.actual is Actual.HELD


@pytest.mark.parametrize(("waits_until", "starts_at"), [(1000.4, 1000.4), (4000.0, 1001.0)])
@pytest.mark.parametrize("last_exit", [CRASH, None], ids=["crashed", "short"])
def test_a_changed_program_is_tried_within_a_second_and_uncounted(
    waits_until: float, starts_at: float, last_exit: LastExit | None
) -> None:
    held = backoff(mono=waits_until, wait=Wait.LIMIT, level=5, last_exit=last_exit)

    state, _ = step(SPEC, held, PolicyChanged(process=True), NOW)
    started, effects = step(SPEC, state, Elapsed(), at(starts_at))

    assert (state.actual, deadline(state), state.level) == (Actual.BACKOFF, starts_at, 0)
    assert effects == (Spawn(),)
    assert not started.history[-1].counted


@pytest.mark.parametrize("wait", [Wait.SHORTAGE, Wait.CHANGED])
def test_a_new_policy_does_not_turn_an_uncounted_start_into_a_counted_one(wait: Wait) -> None:
    waiting = backoff(mono=1001.0, wait=wait)

    assert step(SPEC, waiting, PolicyChanged(), NOW) == (waiting, ())


def test_a_failed_service_is_tried_again_once_what_it_runs_was_changed() -> None:
    failed = service(Actual.FAILED)

    assert step(SPEC, failed, PolicyChanged(), NOW) == (failed, ())
    assert step(SPEC, failed, PolicyChanged(process=True), NOW)[1] == (Spawn(),)


def test_a_failed_service_a_person_stopped_stays_down_whatever_changes() -> None:
    failed = service(Actual.FAILED, desired=Desired.DOWN)

    assert step(SPEC, failed, PolicyChanged(process=True), NOW) == (failed, ())


def test_changed_needs_are_looked_at_again() -> None:
    why = Pending(reason=Reason.EXIT, counted=True)
    waiting = service(Actual.WAITING, pending=why)
    needy = replace(SPEC, needs=(Need(name="other"),))

    asked, effects = step(needy, waiting, PolicyChanged(), NOW)
    state, spawned = step(SPEC, waiting, PolicyChanged(), NOW)

    assert (asked.actual, asked.pending, effects) == (Actual.WAITING, why, (AwaitNeeds(),))
    assert spawned == (Spawn(),)
    assert state.history[-1].counted


def test_a_lost_history_fails_closed() -> None:
    state, _ = step(SPEC, service(Actual.DOWN), HistoryLost(), NOW)
    for event in (
        StartOrdered(forgive=False),
        Spawned(identity=MAIN),
        Exited(identity=MAIN, exit=Exit(code=1), reason=Reason.EXIT),
        TreeLooked(left=0),
    ):
        state, _ = step(SPEC, state, event, at(1001.0))

    assert state.actual is Actual.HELD
    assert deadline(state) == pytest.approx(4600.0, abs=0.1)


def test_a_lost_history_is_told_as_no_successful_restart() -> None:
    state, effects = step(SPEC, service(Actual.DOWN), HistoryLost(), NOW)

    assert [one.success for one in state.history] == [False, False, False]
    assert isinstance(effects[0], Record)
    assert effects[0].facts["severity"] == "critical"


def test_a_lost_history_holds_a_start_that_was_already_set() -> None:
    state, _ = step(SPEC, backoff(mono=1000.1, wait=Wait.DELAY), HistoryLost(), NOW)

    assert state.actual is Actual.HELD


def test_a_lost_history_without_a_limit_still_keeps_the_gap() -> None:
    unlimited = replace(SPEC, restart=RestartPolicy(limit=None))

    state, _ = step(unlimited, backoff(mono=1000.1, wait=Wait.DELAY), HistoryLost(), NOW)

    assert (state.actual, deadline(state)) == (Actual.BACKOFF, 1060.0)


def test_what_a_service_said_of_itself_outlives_the_supervisor_and_what_others_saw_does_not() -> (
    None
):
    bad = Judgement(by="heartbeat", health=Health.BAD, why="it reports: disk full")
    slow = Judgement(by="probe", health=Health.DEGRADED, why="no answer")
    alive = service(
        Actual.RUNNING, process=MAIN, ready_mono=900.0, health=Health.BAD, judged=(bad, slow)
    )
    state, _ = step(SPEC, alive, Adopted(identity=MAIN), NOW)
    assert (state.health, state.failure, state.judged) == (Health.BAD, bad.why, (bad,))
    state, _ = step(SPEC, replace(alive, judged=(slow,)), Adopted(identity=MAIN), NOW)
    assert (state.health, state.failure, state.judged) == (Health.OK, "", ())
