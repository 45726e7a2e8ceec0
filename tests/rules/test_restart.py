"""When a service that ended is started again, and which rule sets the moment."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast.model.service import Exit, Now, Reason, Restart, ServiceState, Wait
from holdfast.model.spec import RestartLimit, RestartPolicy, When
from holdfast.rules import restart

BOOT = "boot-1"
DAY = 86_400.0
AT_ANY_SPEED = settings(suppress_health_check=[HealthCheck.too_slow])


def at(mono: float, *, draw: float = 0.5, wall: float | None = None) -> Now:
    return Now(wall=1e9 + mono if wall is None else wall, mono=mono, boot_id=BOOT, draw=draw)


def row(mono: float, *, counted: bool = True, boot_id: str = BOOT) -> Restart:
    return Restart(
        at=1e9 + mono,
        mono=mono,
        boot_id=boot_id,
        reason=Reason.EXIT,
        exit=Exit(code=1),
        counted=counted,
    )


def service(*rows: Restart, **facts: Any) -> ServiceState:
    return ServiceState(name="api", history=rows, **facts)


def policy(**facts: Any) -> RestartPolicy:
    return RestartPolicy(**{"delay": 0.1, "min_gap": 0.0, "limit": None, **facts})


@pytest.mark.parametrize(
    ("when", "ended", "expected"),
    [
        (When.ALWAYS, Exit(code=0), True),
        (When.ALWAYS, Exit(code=1), True),
        (When.ALWAYS, Exit(signal=9), True),
        (When.ALWAYS, Exit(), True),
        (When.ON_FAILURE, Exit(code=0), False),
        (When.ON_FAILURE, Exit(code=1), True),
        (When.ON_FAILURE, Exit(signal=15), True),
        (When.ON_FAILURE, Exit(), True),
        (When.NEVER, Exit(code=0), False),
        (When.NEVER, Exit(code=1), False),
        (When.NEVER, Exit(signal=9), False),
        (When.NEVER, Exit(), False),
    ],
)
def test_the_policy_names_the_exits_that_are_followed_by_a_start(
    when: When, ended: Exit, expected: bool
) -> None:
    assert restart.is_wanted(policy(when=when), ended) is expected


@pytest.mark.parametrize("when", list(When))
def test_a_no_restart_code_is_never_followed_by_a_start(when: When) -> None:
    assert not restart.is_wanted(policy(when=when, no_restart_codes=(3, 78)), Exit(code=78))


def test_a_signal_with_the_number_of_a_no_restart_code_is_no_such_code() -> None:
    assert restart.is_wanted(policy(no_restart_codes=(9,)), Exit(signal=9))


@pytest.mark.parametrize("draw", [0.0, 0.5, 0.999])
def test_the_first_delay_is_exactly_as_written(draw: float) -> None:
    assert restart.delay_for(policy(delay=0.1), 0, draw) == 0.1


def test_the_delay_doubles_up_to_its_maximum() -> None:
    delays = [
        restart.delay_for(policy(delay=1.0, max_delay=10.0), level, 0.5) for level in range(6)
    ]

    assert delays == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]


@given(level=st.integers(1, 100_000), draw=st.floats(0, 1, exclude_max=True))
@settings(AT_ANY_SPEED, max_examples=100)
def test_a_grown_delay_varies_by_a_quarter_and_never_passes_its_maximum(
    level: int, draw: float
) -> None:
    grown = min(0.1 * 2.0 ** min(level, 40), 60.0)

    delay = restart.delay_for(policy(delay=0.1, max_delay=60.0), level, draw)

    assert grown * 0.75 <= delay <= min(grown * 1.25, 60.0)


def test_a_first_delay_above_the_maximum_is_the_maximum() -> None:
    assert restart.delay_for(policy(delay=5.0, max_delay=2.0), 0, 0.5) == 2.0


def test_the_level_starts_over_after_ten_healthy_minutes_and_not_before() -> None:
    state = service(level=4, ready_mono=100.0)

    assert restart.level_after(policy(), state, at(699.9)) == 4
    assert restart.level_after(policy(), state, at(700.0)) == 0


def test_what_counts_as_steady_by_its_waits_starts_over_as_soon() -> None:
    steady = policy(steady_times=3.0)
    state = service(level=4, ready_mono=100.0)  # its last delay was 0.8 s

    assert restart.level_after(steady, state, at(102.5)) == 0
    far = service(level=20, ready_mono=100.0)
    assert restart.level_after(steady, far, at(100.0 + 3 * 60.0)) == 0


def test_what_was_not_steady_for_long_enough_waits_in_proportion_to_its_life() -> None:
    steady = policy(steady_times=3.0)
    state = service(level=20, ready_mono=100.0)
    for ready_for in (0.31, 1.0, 2.0, 30.0, 100.0):
        level = restart.level_after(steady, state, at(100.0 + ready_for))
        assert ready_for / 6 < restart.delay_for(steady, level, 0.5) <= ready_for / 3
    assert restart.level_after(steady, service(level=1, ready_mono=100.0), at(100.35)) == 0


def test_what_dies_right_after_it_got_ready_waits_longer_each_time() -> None:
    steady = policy(steady_times=3.0)
    assert restart.level_after(steady, service(level=4, ready_mono=100.0), at(100.2)) == 4
    assert restart.level_after(steady, service(level=0, ready_mono=100.0), at(100.4)) == 0


def test_the_level_stays_when_the_service_was_never_ready() -> None:
    assert restart.level_after(policy(), service(level=4, ready_mono=None), at(DAY)) == 4


def test_a_first_crash_is_never_delayed_beyond_the_delay() -> None:
    start = restart.next_start(RestartPolicy(), service(), at(1000.0))

    assert (start.mono, start.wait) == (1000.1, Wait.DELAY)


def test_a_second_crash_waits_until_the_gap_to_the_automatic_restart_before_it() -> None:
    start = restart.next_start(policy(min_gap=60.0), service(row(1000.0)), at(1001.0))

    assert (start.mono, start.wait) == (1060.0, Wait.MIN_GAP)


def test_planned_restarts_neither_make_a_gap_nor_fill_the_window() -> None:
    planned = [row(1000.0 + second, counted=False) for second in range(5)]

    start = restart.next_start(RestartPolicy(), service(*planned), at(1005.0))

    assert start.wait is Wait.DELAY


def test_the_crash_after_the_last_allowed_restart_waits_until_the_window_frees() -> None:
    limited = policy(limit=RestartLimit(count=3, within=3600.0))
    state = service(row(0.0), row(100.0), row(200.0))

    start = restart.next_start(limited, state, at(300.0))

    assert start.wait is Wait.LIMIT
    assert 3600.0 < start.mono < 3600.1


def test_a_restart_is_allowed_again_once_the_oldest_left_the_window() -> None:
    limited = policy(limit=RestartLimit(count=3, within=3600.0))
    state = service(row(0.0), row(100.0), row(200.0))

    assert restart.next_start(limited, state, at(3600.0)).wait is Wait.DELAY


def test_a_limit_of_none_never_holds() -> None:
    state = service(*(row(float(second)) for second in range(100)))

    assert restart.next_start(policy(), state, at(100.0)).wait is Wait.DELAY


def test_a_limit_above_what_the_history_remembers_still_holds() -> None:
    limited = policy(limit=RestartLimit(count=500, within=3600.0))
    state = service(*(row(float(second)) for second in range(100)))

    assert restart.next_start(limited, state, at(100.0)).wait is Wait.LIMIT


@pytest.mark.parametrize("step", [-DAY, -3600.0, 0.0, 3600.0, DAY])
def test_a_step_of_the_wall_clock_changes_no_delay_and_no_limit(step: float) -> None:
    limited = policy(min_gap=60.0, limit=RestartLimit(count=3, within=3600.0))
    state = service(row(0.0), row(100.0), row(200.0))

    start = restart.next_start(limited, state, at(300.0, wall=1e9 + 300.0 + step))

    assert (round(start.mono, 2), start.wait) == (3600.0, Wait.LIMIT)
    assert start.at == pytest.approx(1e9 + step + 3600.0, abs=0.01)


def test_restarts_of_an_earlier_boot_count_by_their_age() -> None:
    limited = policy(limit=RestartLimit(count=1, within=3600.0))
    state = service(row(500_000.0, boot_id="boot-0"))
    thousand_seconds_later = at(10.0, wall=1e9 + 501_000.0)

    start = restart.next_start(limited, state, thousand_seconds_later)

    assert start.wait is Wait.LIMIT
    assert start.mono == pytest.approx(10.0 + 2600.0, abs=0.01)


def test_a_restart_of_an_earlier_boot_dated_in_the_future_counts_as_made_now() -> None:
    ahead = row(500_000.0, boot_id="boot-0")

    assert restart.mono_of(ahead, at(10.0, wall=1e9)) == 10.0


def test_forgiven_rows_stay_in_the_history_and_count_no_more() -> None:
    rows = restart.forgiven((row(1.0), row(2.0, counted=False)))

    assert [one.mono for one in rows] == [1.0, 2.0]
    assert not any(one.counted for one in rows)


@given(
    ages=st.lists(st.floats(0, 8000), max_size=12),
    count=st.integers(1, 6),
    within=st.floats(1, 7200),
    gap=st.floats(0, 120),
    level=st.integers(0, 50),
    draw=st.floats(0, 1, exclude_max=True),
)
@settings(AT_ANY_SPEED, max_examples=200)
def test_no_window_that_ends_with_the_next_start_holds_more_restarts_than_its_limit(
    ages: list[float], count: int, within: float, gap: float, level: int, draw: float
) -> None:
    now = at(10_000.0, draw=draw)
    rows = sorted(now.mono - age for age in ages)
    limited = policy(min_gap=gap, limit=RestartLimit(count=count, within=within))

    start = restart.next_start(limited, service(*map(row, rows), level=level), now)

    assert sum(start.mono - mono < within for mono in rows) + 1 <= count
    assert start.mono >= now.mono + restart.delay_for(limited, level, draw)
    assert not rows or start.mono - rows[-1] >= gap - 1e-6
