"""When a cron expression is due: in its zone, over changes of the clocks, however long nothing looked."""

import sys
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast import cron
from holdfast.config.kinds.times import PRESETS

BERLIN = "Europe/Berlin"
ZONES = ["UTC", BERLIN, "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"]
EXPRESSIONS = ["*/20 * * * *", "30 2 * * *", "0 7 * * MON-FRI", "@hourly", "0 12 L * *"]
MOMENTS = st.floats(1_600_000_000, 1_900_000_000)


def at(text: str, zone: str = BERLIN) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def dues(expression: str, start: float, count: int, zone: str = BERLIN) -> list[str]:
    found = []
    for _ in range(count):
        due = cron.due_after(expression, zone, start)
        assert due is not None
        found.append(datetime.fromtimestamp(due, UTC).strftime("%d %H:%M"))
        start = due
    return found


def test_a_due_time_is_meant_in_its_zone() -> None:
    assert cron.due_after("0 7 * * *", BERLIN, at("2026-07-01T06:00")) == at("2026-07-01T07:00")
    assert cron.due_after("0 7 * * *", "UTC", at("2026-07-01T06:00")) == at("2026-07-01T09:00")


def test_the_moment_itself_is_not_after_it() -> None:
    seven = at("2026-07-01T07:00")
    assert cron.due_after("0 7 * * *", BERLIN, seven) == at("2026-07-02T07:00")
    assert cron.due_after("0 7 * * *", BERLIN, seven - 0.5) == seven


def test_a_time_that_does_not_exist_in_spring_is_run_right_after_the_gap() -> None:
    start = at("2026-03-28T12:00")
    assert dues("30 2 * * *", start, 2) == ["29 01:00", "30 00:30"]


def test_a_time_that_comes_twice_in_autumn_is_run_once() -> None:
    start = at("2026-10-24T12:00")
    assert dues("30 2 * * *", start, 2) == ["25 00:30", "26 01:30"]


@pytest.mark.parametrize("minutes", [1, 12, 29, 31, 59])
def test_within_the_second_of_two_hours_of_autumn_the_next_time_is_that_of_tomorrow(
    minutes: int,
) -> None:
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC).timestamp()
    moment = datetime(2026, 10, 25, 1, minutes, tzinfo=UTC).timestamp()
    tomorrow = at("2026-10-26T02:30")
    assert cron.due_after("30 2 * * *", BERLIN, moment) == tomorrow
    assert cron.latest_due("30 2 * * *", BERLIN, first, moment) is None
    assert cron.latest_due("30 2 * * *", BERLIN, first, tomorrow - 1) is None


def test_what_runs_many_times_an_hour_goes_on_through_both_hours_of_autumn() -> None:
    start = at("2026-10-25T01:40")
    assert dues("*/30 * * * *", start, 6)[1:5] == [
        "25 00:30",
        "25 01:00",
        "25 01:30",
        "25 02:00",
    ]


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_of_the_configuration_is_known(preset: str) -> None:
    assert cron.due_after(preset, "UTC", 0.0) is not None


@pytest.mark.parametrize("expression", ["0 0 31 2 *", "0 0 30 2 *"])
def test_a_day_that_never_comes_is_never_due(expression: str) -> None:
    assert cron.due_after(expression, BERLIN, 0.0) is None
    assert cron.latest_due(expression, BERLIN, 0.0, 1e9) is None


@given(expression=st.sampled_from(EXPRESSIONS), zone=st.sampled_from(ZONES), moment=MOMENTS)
def test_a_due_time_lies_after_the_moment_and_none_lies_between(
    expression: str, zone: str, moment: float
) -> None:
    due = cron.due_after(expression, zone, moment)
    assert due is not None
    assert due > moment
    assert cron.latest_due(expression, zone, moment, due - 1) is None
    assert cron.latest_due(expression, zone, moment, due) == due


@given(
    expression=st.sampled_from(EXPRESSIONS),
    zone=st.sampled_from(ZONES),
    moment=MOMENTS,
    span=st.floats(0, 3 * 86_400),
)
def test_the_latest_due_time_is_the_last_of_all_that_came(
    expression: str, zone: str, moment: float, span: float
) -> None:
    until, last, due = moment + span, None, cron.due_after(expression, zone, moment)
    while due is not None and due <= until:
        last, due = due, cron.due_after(expression, zone, due)
    assert cron.latest_due(expression, zone, moment, until) == last


def test_years_of_absence_cost_no_walk_through_every_minute() -> None:
    until = at("2026-07-01T12:00:30")
    assert cron.latest_due("* * * * *", BERLIN, 0.0, until) == at("2026-07-01T12:00")
    assert cron.latest_due("0 0 1 1 *", BERLIN, 0.0, until) == at("2026-01-01T00:00")
    assert cron.latest_due("0 0 29 2 *", BERLIN, 0.0, until) == at("2024-02-29T00:00")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps its zone elsewhere")
def test_the_zone_of_this_machine_is_what_its_environment_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TZ", ":Asia/Tokyo")
    seven = at("2026-07-01T07:00", "Asia/Tokyo")
    assert cron.due_after("0 7 * * *", None, seven - 60) == seven


@pytest.mark.parametrize("zone", ["No/Where", "../../etc/passwd"])
def test_a_zone_that_went_missing_counts_as_utc(zone: str) -> None:
    assert cron.zone_named(zone, 0.0) is UTC
