import pytest

from holdfast.rules.spans import span


@pytest.mark.parametrize(
    ("seconds", "word"),
    [
        (0.0, "0s"),
        (0.25, "250ms"),
        (119.9, "119s"),
        (120.0, "2m"),
        (7_199.0, "119m"),
        (7_200.0, "2h"),
        (86_400.0, "24h"),
        (259_200.0, "72h"),
        (359_999.0, "99h"),
        (360_000.0, "4d"),
    ],
)
def test_a_span_is_told_in_the_unit_a_person_would_use(seconds: float, word: str) -> None:
    assert span(seconds) == word
