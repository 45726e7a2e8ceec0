"""The clocks, and times as text."""

import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.clock import Clock, SystemClock, boot_id, utc_text, wall_from_text

MOMENTS = st.floats(min_value=0, max_value=4_000_000_000)


def test_the_system_clock_is_that_of_the_machine() -> None:
    clock: Clock = SystemClock()
    before = (time.time(), time.monotonic())
    now = (clock.wall(), clock.monotonic())
    after = (time.time(), time.monotonic())
    assert before[0] <= now[0] <= after[0]
    assert before[1] <= now[1] <= after[1]


@pytest.mark.parametrize(
    ("wall", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (0.0015, "1970-01-01T00:00:00.001Z"),
        (86399.9999, "1970-01-01T23:59:59.999Z"),
        (1_700_000_000.25, "2023-11-14T22:13:20.250Z"),
    ],
)
def test_a_moment_is_written_in_utc_to_the_millisecond(wall: float, text: str) -> None:
    assert utc_text(wall) == text


@given(MOMENTS)
def test_what_is_written_is_read_again_to_the_millisecond(wall: float) -> None:
    assert abs(wall_from_text(utc_text(wall)) - wall) < 0.00101


@given(MOMENTS, MOMENTS)
def test_texts_stand_in_the_order_of_time(one: float, other: float) -> None:
    first, second = sorted((one, other))
    assert utc_text(first) <= utc_text(second)


@pytest.mark.parametrize(
    "text", ["1970-01-01T00:00:10Z", "1970-01-01T01:00:10+01:00", "1969-12-31T19:00:10-05:00"]
)
def test_a_time_is_read_in_any_zone(text: str) -> None:
    assert wall_from_text(text) == 10.0


@pytest.mark.parametrize("text", ["", "soon", "1970-01-01", "1970-01-01T00:00:10", "10"])
def test_a_text_that_is_no_time_with_a_zone_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"time zone|Invalid isoformat"):
        wall_from_text(text)


def test_the_boot_has_one_name_that_stays() -> None:
    assert boot_id() == boot_id() != ""
    if sys.platform == "linux":
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as source:
            assert boot_id() == source.read().strip()


def test_where_the_kernel_names_no_boot_its_moment_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    named = boot_id.__wrapped__()
    assert named.startswith("boot-")
    assert abs(int(named.removeprefix("boot-")) * 60 - (time.time() - time.monotonic())) <= 60
