import pytest

from holdfast.rules.storm import is_storm


@pytest.mark.parametrize(
    ("raising", "total", "expected"),
    [
        (4, 4, False),
        (5, 5, True),
        (5, 16, True),
        (5, 17, False),
        (30, 100, False),
        (31, 100, True),
    ],
)
def test_a_storm_is_more_than_thirty_percent_and_at_least_five(
    raising: int, total: int, expected: bool
) -> None:
    assert is_storm(raising, total) is expected
