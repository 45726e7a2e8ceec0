import argparse

import pytest

from holdfast.cli.literal import LiteralParser


@pytest.fixture
def parser() -> argparse.ArgumentParser:
    """Return a parser with a literal one for its command, as it stands in the command line."""
    outer = argparse.ArgumentParser()
    inner = outer.add_subparsers(dest="command", parser_class=LiteralParser).add_parser("do")
    inner.add_argument("first")
    inner.add_argument("rest", nargs="*")
    inner.add_argument("--flag", action="store_true")
    inner.add_argument("--pair", nargs=2, action="append", default=[])
    return outer


@pytest.mark.parametrize(
    "words",
    [["--"], ["--", "--"], ["-n"], ["--flag"], ["--pair", "a"], ["", "-"], ["a", "--", "--flag"]],
)
def test_words_behind_the_dashes_stay_as_they_are(
    parser: argparse.ArgumentParser, words: list[str]
) -> None:
    found = parser.parse_args(["do", "one", "--", *words])
    assert (found.first, found.rest, found.flag) == ("one", words, False)


@pytest.mark.parametrize("value", ["-n", "--", "--flag", "--pair", "-1", "", "a b"])
def test_an_option_that_takes_two_takes_any_two(
    parser: argparse.ArgumentParser, value: str
) -> None:
    words = ["do", "--pair", "x", value, "one", "--pair", value, "y", "--flag"]
    found = parser.parse_args(words)
    assert (found.first, found.flag) == ("one", True)
    assert found.pair == [["x", value], [value, "y"]]


def test_one_parse_leaves_nothing_to_the_next(parser: argparse.ArgumentParser) -> None:
    parser.parse_args(["do", "--pair", "x", "y", "one"])
    assert parser.parse_args(["do", "one"]).pair == []


@pytest.mark.parametrize("words", [["--pair", "x"], ["--pair"], ["one", "--pair", "x"]])
def test_too_few_words_are_wrong_use(parser: argparse.ArgumentParser, words: list[str]) -> None:
    with pytest.raises(SystemExit) as end:
        parser.parse_args(["do", *words])
    assert end.value.code == 2


def test_behind_the_dashes_a_pair_is_no_option(parser: argparse.ArgumentParser) -> None:
    found = parser.parse_args(["do", "--", "--pair", "x", "y"])
    assert (found.first, found.rest, found.pair) == ("--pair", ["x", "y"], [])
