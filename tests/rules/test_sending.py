from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.rules import sending

HOUR = 3600.0


def test_waits_double_from_5_s_to_15_min() -> None:
    most = [sending.retry_after(attempt, 0.999999) for attempt in (1, 2, 3, 8, 9, 1000)]

    assert [round(each) for each in most] == [5, 10, 20, 640, 900, 900]


@settings(max_examples=100)
@given(
    attempt=st.integers(1, 2000),
    draw=st.floats(0, 1, exclude_max=True),
    asked=st.none() | st.floats(0, 1e9),
)
def test_a_retry_is_never_at_once_and_never_later_than_allowed(
    attempt: int, draw: float, asked: float | None
) -> None:
    wait = sending.retry_after(attempt, draw, asked)

    assert sending.SHORTEST_RETRY_S <= wait <= sending.LONGEST_ASKED_S
    assert asked is None or wait >= min(asked, sending.LONGEST_ASKED_S)


def test_the_other_side_may_ask_for_an_hour_at_most() -> None:
    assert sending.retry_after(1, 0.0, 120.0) == 120.0
    assert sending.retry_after(1, 0.0, 1e6) == HOUR


def test_a_message_is_given_up_by_age_once_it_was_tried_often_enough() -> None:
    assert not sending.is_given_up(0.0, 100, 72 * HOUR)
    assert sending.is_given_up(0.0, 100, 72 * HOUR + 1)
    assert not sending.is_given_up(0.0, 7, 500 * HOUR), "a machine that slept gets some tries"


def test_a_moment_from_a_clock_that_ran_ahead_counts_as_come() -> None:
    now = 1_000_000.0

    assert sending.may_try(now, now)
    assert not sending.may_try(now + 1, now)
    assert not sending.may_try(now + HOUR, now)
    assert sending.may_try(now + HOUR + 1, now)


def test_a_lease_outlasts_the_longest_try() -> None:
    assert sending.lease_for(5.0) == 60.0
    assert sending.lease_for(300.0) == 600.0
