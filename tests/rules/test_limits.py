"""When memory and age are reason for a planned restart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.spec import Limits
from holdfast.rules import limits


def looks(limit: int | None, *resident: int) -> int:
    over = 0
    for found in resident:
        over = limits.looks_over(Limits(memory=limit), found, over)
    return over


@pytest.mark.parametrize(
    ("resident", "outgrown"),
    [
        ((101,), False),
        ((101, 101), True),
        ((101, 100, 101), False),
        ((100, 100, 100), False),
        ((50, 101, 102), True),
    ],
)
def test_memory_counts_once_it_is_over_in_two_looks_in_a_row(
    resident: tuple[int, ...], outgrown: bool
) -> None:
    assert limits.is_outgrown(looks(100, *resident)) is outgrown


def test_without_a_limit_no_memory_is_too_much() -> None:
    assert looks(None, 10**15, 10**15) == 0


def test_without_a_limit_nothing_grows_too_old() -> None:
    assert limits.too_old_at(Limits(), 1000.0, "api.1.a") is None


@given(st.text(), st.floats(min_value=1, max_value=1e7))
def test_an_age_limit_comes_at_most_a_tenth_early_and_never_late(
    instance: str, max_age: float
) -> None:
    due = limits.too_old_at(Limits(max_age=max_age), 1000.0, instance)
    assert due is not None
    assert 1000.0 + 0.9 * max_age <= due <= 1000.0 + max_age


def test_the_moment_is_the_same_for_every_supervisor_and_differs_between_processes() -> None:
    limited = Limits(max_age=86_400.0)
    found = {limits.too_old_at(limited, 0.0, f"api-{number}.1.a") for number in range(100)}
    assert len(found) == 100
    assert limits.too_old_at(limited, 0.0, "api-7.1.a") in found
