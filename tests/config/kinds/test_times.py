"""Cron expressions."""

import pytest

from holdfast.config.kinds.times import cron
from holdfast.config.unfit import Unfit


@pytest.mark.parametrize(
    "text",
    [
        "* * * * *",
        "*/15 0-6,22-23 1,15 jan-mar MON-FRI",
        "5/10 8-18/2 * * 7",
        "0 7 L * *",
        "0 7 LW * 5L",
        "0 7 * * MON#2,4#1",
        "0 0 29 2 *",
        "@hourly",
    ],
)
def test_what_cron_understands_is_taken(text: str) -> None:
    assert cron(f" {text} ") == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "* * * *",
        "* * * * * *",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * * 13 *",
        "* * * FOO *",
        "* * * * 8",
        "* * * * FRI-TUE",
        "*/0 * * * *",
        "5- * * * *",
        "1,,2 * * * *",
        "*-5 * * * *",
        "* * * * XYZ#1",
        "@reboot",
        "٣ * * * *",
        "0 0 31 2 *",
        "0 0 31 4,6 *",
    ],
)
def test_what_cron_does_not_understand_is_refused(text: str) -> None:
    with pytest.raises(Unfit):
        cron(text)
