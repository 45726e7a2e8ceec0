import argparse
import sys

import pytest

from holdfast.cli.commands import COMMANDS
from holdfast.cli.parser import build
from holdfast.cli.state import terms
from holdfast.errors import InvalidContent, UsageError
from holdfast.statefile import Kind


def options(*words: str) -> argparse.Namespace:
    return build(COMMANDS).parse_args(["state", *words])


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("absent", "absent"),
        ("a" * 64, "a" * 64),
        ("A" * 64, "a" * 64),
        (f" sha256:{'b' * 64}\n", "b" * 64),
    ],
)
def test_a_version_is_understood_as_programs_print_it(said: str, meant: str) -> None:
    assert terms.expected(options("write", "a.md", "--expect", said)) == meant


def test_without_an_expectation_there_is_none() -> None:
    assert terms.expected(options("write", "a.md")) is None


@pytest.mark.parametrize("said", ["a" * 63, "a" * 65, "x" * 64, "ABSENT-ish", "md5:1"])
def test_what_is_no_version_is_wrong_use(said: str) -> None:
    with pytest.raises(UsageError, match="SHA-256"):
        terms.expected(options("write", "a.md", "--expect", said))


def test_a_file_is_what_its_name_says_or_else_what_the_verb_needs() -> None:
    words = options("set", "a.json", "n", "1")
    assert terms.state_file(words, Kind.JSON).kind is Kind.JSON
    assert terms.state_file(options("set", "state", "n", "1"), Kind.JSON).kind is Kind.JSON
    assert terms.state_file(options("write", "state")).kind is Kind.OTHER
    with pytest.raises(UsageError, match="text file by its name"):
        terms.state_file(options("set", "a.md", "n", "1"), Kind.JSON)


@pytest.mark.parametrize("words", [("--timeout", "soon"), ("--backups", "-1")])
def test_a_number_that_means_nothing_is_wrong_use(words: tuple[str, str]) -> None:
    with pytest.raises(UsageError):
        terms.state_file(options("write", "a.md", *words))


def test_a_closed_stdin_is_wrong_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(UsageError, match="stdin is closed"):
        terms.stdin_bytes()


def test_text_is_utf_8(monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a\xff")))
    with pytest.raises(InvalidContent, match="byte 1"):
        terms.stdin_text("a.md")
