from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.check import CheckKind, CheckSpec, Evidence
from holdfast.rules.ticking import Jump, Tick, forgiven, jump, settle_for, settling_left

HOUR = 3600.0
BASE = Tick(wall=1e9, mono=1000.0, boottime=1000.0, boot_id="one", run="1")


def after(
    *,
    awake: float = 0.0,
    slept: float = 0.0,
    stepped: float = 0.0,
    boot_id: str = "one",
    run: str = "1",
) -> Tick:
    return Tick(
        wall=BASE.wall + awake + slept + stepped,
        mono=BASE.mono + awake,
        boottime=BASE.mono + awake + slept,
        boot_id=boot_id,
        run=run,
    )


def without_boottime(tick: Tick) -> Tick:
    return Tick(wall=tick.wall, mono=tick.mono, boottime=None, boot_id=tick.boot_id, run=tick.run)


def test_the_first_tick_of_all_has_nothing_before_it() -> None:
    assert jump(None, BASE) == Jump()


def test_sleep_and_a_step_of_the_clock_are_told_apart() -> None:
    assert jump(BASE, after(awake=60)) == Jump(gap_s=60)
    slept = jump(BASE, after(awake=60, slept=HOUR))
    assert slept == Jump(slept_s=HOUR, gap_s=HOUR + 60, deaf_s=HOUR)
    assert jump(BASE, after(awake=60, stepped=HOUR)) == Jump(stepped_s=HOUR, gap_s=60)
    back = jump(BASE, after(awake=60, stepped=-HOUR))
    assert back == Jump(stepped_s=-HOUR, gap_s=60)
    assert back.is_back
    assert not back.unsettles


def test_a_clock_that_is_slewed_does_not_step() -> None:
    assert jump(BASE, after(awake=HOUR, stepped=-1.5)) == Jump(gap_s=HOUR)


def test_without_a_clock_that_counts_sleep_sleep_still_unsettles_and_makes_deaf() -> None:
    found = jump(without_boottime(BASE), without_boottime(after(awake=60, slept=HOUR)))
    assert found.unsettles
    assert found.deaf_s == HOUR


def test_across_a_boot_only_the_wall_clock_counts() -> None:
    booted = Tick(wall=BASE.wall + HOUR, mono=5.0, boottime=5.0, boot_id="two", run="2")
    assert jump(BASE, booted) == Jump(gap_s=HOUR, deaf_s=HOUR, rebooted=True)
    earlier = Tick(wall=BASE.wall - HOUR, mono=5.0, boottime=5.0, boot_id="two", run="2")
    assert jump(BASE, earlier) == Jump(stepped_s=-HOUR, rebooted=True)


def test_a_hub_that_was_not_there_was_deaf_for_the_whole_gap() -> None:
    assert jump(BASE, after(awake=HOUR, run="2")).deaf_s == HOUR
    assert jump(BASE, after(awake=HOUR)).deaf_s == 0


def test_a_short_sleep_and_a_small_step_unsettle_nothing() -> None:
    rows = [
        ({"slept": 59.0}, False),
        ({"slept": 60.0}, True),
        ({"stepped": 59.0}, False),
        ({"stepped": 60.0}, True),
        ({"stepped": -HOUR}, False),
        ({"boot_id": "two"}, True),
    ]
    found = [jump(BASE, after(**given)).unsettles for given, _ in rows]  # type: ignore[arg-type]  # a table of mixed arguments
    assert found == [expected for _, expected in rows]


def test_settling_takes_ten_minutes_but_no_more_than_ten_evaluations_and_no_less_than_two() -> (
    None
):
    assert [settle_for(every) for every in (1.0, 60.0, 300.0, 600.0)] == [10, 600, 600, 1200]


def test_settling_runs_off_while_the_machine_is_awake() -> None:
    slept = after(awake=1, slept=HOUR)
    assert settling_left(0.0, BASE, slept, 300.0) == 600
    assert settling_left(600.0, BASE, after(awake=100), 300.0) == 500
    assert settling_left(50.0, BASE, after(awake=100), 300.0) == 0
    assert settling_left(0.0, None, BASE, 300.0) == 0


def test_more_sleep_does_not_lengthen_a_settling() -> None:
    assert settling_left(600.0, BASE, after(awake=10, slept=HOUR), 300.0) == 590
    assert settling_left(600.0, BASE, after(boot_id="two"), 300.0) == 600


@given(naps=st.lists(st.floats(60, 1e5), min_size=100, max_size=100))
def test_a_machine_that_wakes_for_seconds_only_still_comes_to_the_end_of_settling(
    naps: list[float],
) -> None:
    left, ended = 0.0, 0
    for nap in naps:
        was, left = left, settling_left(left, BASE, after(awake=10, slept=nap), 300.0)
        ended += was > 0 and left == 0
    assert ended >= 1


PING = CheckSpec(name="p", kind=CheckKind.PING, period=HOUR, grace=600.0)


def evidence(due_at: float | None, extra_grace: float = 0.0) -> Evidence:
    return Evidence(
        first_seen_at=0.0,
        due_at=due_at,
        overdue_at=None if due_at is None else due_at + 2 * HOUR,
        extra_grace=extra_grace,
    )


def test_a_ping_that_may_have_been_lost_gets_one_period_from_now() -> None:
    now, due = 100_000.0, 99_000.0
    extra = forgiven(PING, evidence(due), 2 * HOUR, now)
    assert due + PING.grace + extra == now + HOUR + PING.grace


def test_a_schedule_gets_the_distance_of_its_slots() -> None:
    scheduled = CheckSpec(name="p", kind=CheckKind.PING, schedule="0 * * * *", grace=600.0)
    assert forgiven(scheduled, evidence(99_000.0), 2 * HOUR, 100_000.0) == 1000 + HOUR


def test_no_grace_is_given_where_no_ping_was_lost() -> None:
    now, deaf = 100_000.0, 2 * HOUR
    job = CheckSpec(name="j", kind=CheckKind.JOB, period=HOUR, grace=600.0)
    cases = {
        "what a journal keeps is never lost": forgiven(job, evidence(99_000.0), deaf, now),
        "given once until a success": forgiven(PING, evidence(99_000.0, 1.0), deaf, now),
        "nothing is expected": forgiven(PING, evidence(None), deaf, now),
        "not due yet": forgiven(PING, evidence(now + 1), deaf, now),
        "late before": forgiven(PING, evidence(now - deaf - 601), deaf, now),
        "deaf for too short": forgiven(PING, evidence(99_000.0), 0.618 * 4200, now),
    }
    assert cases == dict.fromkeys(cases, 0.0)
