import argparse

import pytest

from holdfast.cli.literal import Literal, LiteralParser


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


@pytest.mark.parametrize("option", ["--number", "--choice"])
def test_the_dashes_tied_to_an_option_are_refused_where_they_do_not_fit(
    capsys: pytest.CaptureFixture[str], option: str
) -> None:
    parser = LiteralParser()
    parser.add_argument("--number", type=int)
    parser.add_argument("--choice", choices=("a", "b"))
    with pytest.raises(SystemExit) as end:
        parser.parse_args([f"{option}=--"])
    assert end.value.code == 2
    assert "'--'" in capsys.readouterr().err


def test_the_dashes_tied_to_an_option_are_its_value() -> None:
    parser = LiteralParser()
    parser.add_argument("--text")
    assert parser.parse_args(["--text=--"]).text == "--"


@pytest.fixture
def literal() -> LiteralParser:
    """Return a parser of `FIRST VALUE` whose VALUE may look like anything that is no option."""
    parser = LiteralParser(allow_abbrev=False)
    parser.add_argument("first")
    parser.add_argument("value", action=Literal)
    parser.add_argument("-f", "--flag", action="store_true")
    parser.add_argument("-g", action="store_true")
    parser.add_argument("--takes")
    return parser


@pytest.mark.parametrize(
    "word", ["-h", "--help", "-n", "--x", "--x=y", "-", "-1", "", "-hf", "-fx", "--flags", "a b"]
)
@pytest.mark.parametrize("before", [[], ["--flag"], ["-fg"], ["--takes", "-1"], ["--takes=--"]])
@pytest.mark.parametrize("behind", [[], ["-g"], ["--takes", "x"]])
def test_a_literal_word_is_taken_as_it_stands(
    literal: LiteralParser, word: str, before: list[str], behind: list[str]
) -> None:
    found = literal.parse_args(["one", *before, word, *behind])
    assert (found.first, found.value) == ("one", word)


@pytest.mark.parametrize("words", [["one", "-f"], ["one", "-fg"], ["one", "--takes=x"], ["one"]])
def test_an_option_is_no_literal_word(literal: LiteralParser, words: list[str]) -> None:
    with pytest.raises(SystemExit) as end:
        literal.parse_args(words)
    assert end.value.code == 2


@pytest.mark.parametrize("words", [["-h"], ["one", "two", "-h"], ["one", "two", "--help"]])
def test_help_is_shown_where_no_literal_word_is_due(
    literal: LiteralParser, words: list[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        literal.parse_args(words)
    assert end.value.code == 0


def test_a_word_too_much_is_named_as_it_was_given(
    literal: LiteralParser, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        literal.parse_args(["one", "two", "--", "--"])
    said = capsys.readouterr().err
    assert "unrecognized arguments: --" in said
    assert "\0" not in said
