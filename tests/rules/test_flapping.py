"""When a service that dies again and again is told of, and when it counts as steady again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.service import Exit, Now, Reason, Restart
from holdfast.rules import flapping

SLOT = flapping.SLOT_S
START = 1000 * SLOT


def at(slot: float, *, boot_id: str = "boot-1") -> Now:
    return Now(wall=1e9 + START + slot * SLOT, mono=START + slot * SLOT, boot_id=boot_id)


def row(slot: float, *, reason: Reason = Reason.EXIT, success: bool | None = True) -> Restart:
    now = at(slot)
    return Restart(
        at=now.wall,
        mono=now.mono,
        boot_id=now.boot_id,
        reason=reason,
        exit=Exit(code=1),
        success=success,
    )


def rows(*slots: float) -> list[Restart]:
    return [row(slot) for slot in slots]


def test_the_share_is_that_of_icinga() -> None:
    assert flapping.percent([], at(0)) == 0
    assert flapping.percent(rows(0), at(0)) == pytest.approx(100 * 1.18 / 20)
    assert flapping.percent(rows(-19), at(0)) == pytest.approx(100 * 0.80 / 20)
    assert flapping.percent(rows(-20), at(0)) == 0
    assert flapping.percent(rows(*range(-19, 1)), at(0)) == pytest.approx(99.0)


def test_many_deaths_within_one_slot_are_one() -> None:
    crowd = rows(*(number / 100 for number in range(50)))
    assert flapping.percent(crowd, at(0.6)) == flapping.percent(rows(0), at(0.6))


def test_six_minutes_in_a_row_raise_and_five_do_not() -> None:
    assert not flapping.is_flapping(rows(*range(5)), at(4))
    assert flapping.is_flapping(rows(*range(6)), at(5))


def test_it_is_over_only_once_the_share_is_below_the_lower_threshold() -> None:
    history = rows(*range(6))
    told = [flapping.is_flapping(history, at(slot)) for slot in range(5, 40)]
    shares = [flapping.percent(history, at(slot)) for slot in range(5, 40)]
    assert told == sorted(told, reverse=True)
    first_steady = told.index(False)
    assert shares[first_steady] < flapping.CLEAR_BELOW <= shares[first_steady - 1]
    assert shares[first_steady - 1] < flapping.RAISE_ABOVE


def test_between_the_thresholds_it_depends_on_what_was_before() -> None:
    rising, falling = (rows(*range(5)), at(4)), (rows(*range(6)), at(15))
    for history, now in (rising, falling):
        share = flapping.percent(history, now)
        assert flapping.CLEAR_BELOW < share < flapping.RAISE_ABOVE
    assert not flapping.is_flapping(*rising)
    assert flapping.is_flapping(*falling)


@pytest.mark.parametrize(
    "reason", [Reason.MANUAL, Reason.MEMORY, Reason.AGE, Reason.WATCH, Reason.DEPENDENCY]
)
def test_planned_restarts_are_no_flapping(reason: Reason) -> None:
    planned = [row(slot, reason=reason) for slot in range(20)]
    assert flapping.percent(planned, at(19)) == 0


def test_starts_that_failed_are_no_deaths() -> None:
    assert flapping.percent([row(0, success=False)], at(0)) == 0
    assert flapping.percent([row(0, success=None)], at(0)) > 0


def test_rows_of_an_earlier_boot_count_by_their_age() -> None:
    history = rows(*range(6))
    later = Now(wall=at(6).wall, mono=30 * SLOT, boot_id="boot-2")
    assert flapping.percent(history, later) == pytest.approx(
        flapping.percent(history, at(6)), abs=2
    )


def test_a_new_supervisor_knows_what_the_last_one_told() -> None:
    history = rows(*range(6))
    assert flapping.was_told(history, at(6))
    assert flapping.was_told(history, at(30))
    assert not flapping.was_told(history, at(100))
    assert not flapping.was_told(rows(*range(5)), at(5))
    assert not flapping.was_told([], at(0))


@given(st.lists(st.integers(min_value=0, max_value=60), max_size=40))
def test_it_agrees_with_a_look_at_each_minute_and_after_each_death(slots: list[int]) -> None:
    history: list[Restart] = []
    raised = False
    for slot in range(80):
        for more in ([], rows(slot) * slots.count(slot)):
            history += more
            share = flapping.percent(history, at(slot))
            raised = share > flapping.RAISE_ABOVE or (raised and share >= flapping.CLEAR_BELOW)
        assert flapping.is_flapping(history, at(slot)) == raised
