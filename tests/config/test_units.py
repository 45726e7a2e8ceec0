"""Durations and sizes as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.config.unfit import Unfit
from holdfast.config.units import LARGEST, duration_text, seconds, size, size_text


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("500ms", 0.5),
        ("90s", 90.0),
        ("5m", 300.0),
        ("24h", 86_400.0),
        ("3d", 259_200.0),
        ("1.5h", 5400.0),
        (" 2 s ", 2.0),
        ("0s", 0.0),
        ("0.1ms", 0.0001),
    ],
)
def test_a_duration_is_read_in_seconds(text: str, span: float) -> None:
    assert seconds(text) == span


@pytest.mark.parametrize(
    "text", ["", "s", "-1s", "1 h 30m", "1e3s", "٣s", "inf", "40000d", "9" * 400 + "s", "1s\n2s"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(Unfit):
        seconds(text)


@pytest.mark.parametrize(
    ("text", "count"),
    [("10MB", 10_000_000), ("10MiB", 10_485_760), ("1kB", 1000), ("1KB", 1000), ("1.5KiB", 1536)],
)
def test_a_size_counts_in_thousands_or_in_1024s(text: str, count: int) -> None:
    assert size(text) == count


@pytest.mark.parametrize("text", ["10", "10M", "MB", "1mb", "99999999999TB", "10 M B"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(Unfit):
        size(text)


@given(st.integers(min_value=0, max_value=10**9))
def test_a_duration_written_is_read_back(milliseconds: int) -> None:
    span = milliseconds / 1000

    assert seconds(duration_text(span)) == pytest.approx(span, abs=1e-6)


@given(st.integers(min_value=0, max_value=10**14))
def test_a_size_written_is_read_back(count: int) -> None:
    assert size(size_text(count)) == min(count, LARGEST)


@pytest.mark.parametrize(
    ("span", "text"), [(0.0, "0s"), (0.1, "100ms"), (90.0, "90s"), (3600.0, "1h"), (1.5, "1.5s")]
)
def test_a_duration_is_written_as_short_as_it_goes(span: float, text: str) -> None:
    assert duration_text(span) == text
