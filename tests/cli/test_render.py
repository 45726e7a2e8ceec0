import io
import json

import pytest

from holdfast.cli import render


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _usual_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")


def test_colours_are_for_terminals_only() -> None:
    assert render.paint("x", "red", Terminal()) == "\x1b[31mx\x1b[0m"
    assert render.paint("x", "red", io.StringIO()) == "x"


@pytest.mark.parametrize(
    ("name", "value"), [("NO_COLOR", "1"), ("NO_COLOR", ""), ("TERM", "dumb")]
)
def test_colours_can_be_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)

    assert render.paint("x", "red", Terminal()) == "x"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-5, "0s"),
        (0, "0s"),
        (59.9, "59s"),
        (60, "1m 00s"),
        (3599, "59m 59s"),
        (3600, "1h 00m"),
        (86_399, "23h 59m"),
        (86_400, "1d 0h"),
        (10 * 86_400 + 7200, "10d 2h"),
    ],
)
def test_a_span_is_said_in_two_units(seconds: float, said: str) -> None:
    assert render.duration(seconds) == said


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (None, "-"),
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (999_999, "1 MB"),
        (14_400_000, "14 MB"),
        (2_000_000_000, "2 GB"),
        (3_500_000_000_000, "3.5 TB"),
    ],
)
def test_a_size_is_said_in_decimal_units(count: float | None, said: str) -> None:
    assert render.size(count) == said


def test_a_table_is_aligned_with_numbers_to_the_right() -> None:
    rows = [("api", "7", "x"), ("database", "1234", "")]

    assert render.table(("NAME", "PID", ""), rows) == [
        "NAME       PID",
        "api          7  x",
        "database  1234",
    ]


def test_a_table_without_rows_is_its_head() -> None:
    assert render.table(("NAME", "PID"), []) == ["NAME  PID"]


def test_json_keeps_letters_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    render.print_json({"name": "Zoë"})

    assert "Zoë" in (said := capsys.readouterr().out)
    assert json.loads(said) == {"name": "Zoë"}


def test_a_complaint_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    render.complain("no")

    assert capsys.readouterr() == ("", "holdfast: no\n")
