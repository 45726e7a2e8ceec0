import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.cli.when import moment, seconds
from holdfast.clock import utc_text
from holdfast.errors import UsageError

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("text", "span"),
    [("500ms", 0.5), ("90s", 90), ("5m", 300), ("24h", 86_400), ("3d", 259_200), ("1.5h", 5_400)],
)
def test_a_duration_is_read_in_seconds(text: str, span: float) -> None:
    assert math.isclose(seconds(text), span)


@pytest.mark.parametrize("text", ["", "5", "m", "5 m", "-5m", "5w", "²s", ".s", "1.2.3s", "5m3s"])
def test_what_is_no_duration_is_refused_with_examples(text: str) -> None:
    with pytest.raises(UsageError, match="write it like"):
        seconds(text)


def test_a_duration_means_so_long_ago() -> None:
    assert moment("10m", NOW) == NOW - 600


@given(st.integers(0, 4_000_000_000_000))
def test_a_time_means_itself(milliseconds: int) -> None:
    text = utc_text(milliseconds / 1000)

    assert math.isclose(moment(text, NOW), milliseconds / 1000, abs_tol=0.001)


@pytest.mark.parametrize(
    "text", ["yesterday", "2026-01-31", "2026-01-31T08:00:00", "10", "9" * 30]
)
def test_what_is_no_moment_is_refused_with_examples(text: str) -> None:
    with pytest.raises(UsageError, match="write a duration ago"):
        moment(text, NOW)
