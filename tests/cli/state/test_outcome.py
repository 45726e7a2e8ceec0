import argparse
from typing import Any

import pytest

from holdfast.cli.state import outcome
from holdfast.statefile import Durability, Result


def options(**said: bool) -> argparse.Namespace:
    names = ("json", "dry_run", "quiet", "verbose", "strict")
    return argparse.Namespace(**(dict.fromkeys(names, False) | said))


def result(achieved: Durability = Durability.FULL, **facts: Any) -> Result:
    return Result("a.md", b"x\n", Durability.FULL, achieved)._replace(**facts)


def test_one_line_says_what_was_done(capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome.tell(options(), result()) == 0
    assert capsys.readouterr() == ("a.md written (2 B)\n", "")


@pytest.mark.parametrize(("strict", "code"), [(False, 0), (True, 5)])
@pytest.mark.parametrize("achieved", [Durability.FILE, Durability.ATOMIC])
def test_less_than_was_asked_for_is_a_warning_and_with_strict_a_failure(
    capsys: pytest.CaptureFixture[str], achieved: Durability, *, strict: bool, code: int
) -> None:
    assert outcome.tell(options(strict=strict), result(achieved)) == code
    assert f"only `{achieved.value}` where `full`" in capsys.readouterr().err


def test_more_than_was_asked_for_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    more = result(requested=Durability.ATOMIC)
    assert outcome.tell(options(strict=True), more) == 0
    assert capsys.readouterr().err == ""


def test_each_thing_lost_is_a_warning_also_when_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome.tell(options(quiet=True), result(lost=("owner", "attribute user.x"))) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == (
        "holdfast: warning: a.md could not keep its owner\n"
        "holdfast: warning: a.md could not keep attribute user.x\n"
    )


def test_what_was_swept_is_told_on_demand(capsys: pytest.CaptureFixture[str]) -> None:
    swept = result(swept=2, swept_bytes=3000)
    outcome.tell(options(), swept)
    assert "dead writers" not in capsys.readouterr().out
    outcome.tell(options(verbose=True), swept)
    assert "2 temps of dead writers removed (3 kB)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("old", "new", "lines"),
    [
        (b"a\n", b"a\n", []),
        (b"a\n", b"b\n", ["@@ -1 +1 @@\n", "-a\n", "+b\n"]),
        (None, b"b", ["@@ -0,0 +1 @@\n", "+b\n\\ No newline at end of file\n"]),
        ("a\u2028b\x0c\n".encode(), b"c\n", ["@@ -1 +1 @@\n", "-a\u2028b\x0c\n", "+c\n"]),
    ],
)
def test_a_difference_is_shown_line_by_line(
    old: bytes | None, new: bytes, lines: list[str]
) -> None:
    assert outcome.difference("a.md", old, new, plain=True)[2:] == lines


def test_bytes_that_are_no_text_are_counted() -> None:
    said = outcome.difference("a", b"\xff", b"ab")
    assert said == ["a: 1 bytes become 2 bytes that are no text\n"]
