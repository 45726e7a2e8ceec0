import shlex

import pytest

from holdfast.cli.commands import COMMANDS
from holdfast.cli.options.state import VERBS
from holdfast.cli.parser import Verb, build

CHANGING = ["--durability", "file", "--expect", "absent", "--backups", "2"]
CHANGING += ["--no-follow", "--strict", "--dry-run", "--timeout", "5s"]
CHANGES = {"write", "json", "set", "append", "delete", "merge", "section"}


def words_of(example: str) -> list[str]:
    """Return the words of the command in an example, without what feeds it."""
    words = shlex.split(example.rpartition(" | ")[2].partition(" < ")[0])
    assert words[:2] == ["holdfast", "state"]
    return words[1:]


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_its_examples_can_be_typed_as_they_stand(verb: Verb) -> None:
    assert verb.examples
    for example in verb.examples:
        for only in (None, verb.name):
            options = build(COMMANDS, only="state", verb=only).parse_args(words_of(example))
            assert options.verb == verb.name


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_every_verb_takes_the_output_options(verb: Verb) -> None:
    words = words_of(verb.examples[0])
    at = words.index("--") if "--" in words else len(words)
    words[at:at] = ["--json", "-q", "-v", "--log-level", "debug"]
    options = build(COMMANDS).parse_args(words)
    assert (options.json, options.quiet, options.verbose) == (True, True, True)


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_what_changes_a_file_can_be_told_how(
    verb: Verb, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [words_of(verb.examples[0])[0], verb.name, *CHANGING]
    words += words_of(verb.examples[0])[2:]
    if verb.name in CHANGES:
        options = build(COMMANDS).parse_args(words)
        assert (options.durability, options.backups, options.strict) == ("file", 2, True)
    else:
        with pytest.raises(SystemExit):
            build(COMMANDS).parse_args(words)


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_every_option_says_what_it_does(verb: Verb, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        build(COMMANDS).parse_args(["state", verb.name, "--help"])
    said = capsys.readouterr().out
    assert end.value.code == 0
    assert said.startswith(f"usage: holdfast state {verb.name} ")
    assert all(example in said for example in verb.examples)


def test_options_are_never_guessed_from_their_beginning() -> None:
    with pytest.raises(SystemExit):
        build(COMMANDS).parse_args(["state", "set", "a.json", "n", "1", "--dry"])


@pytest.mark.parametrize("word", ["-5", "-1.5", "a b", "- item"])
def test_numbers_below_zero_and_phrases_are_values(word: str) -> None:
    assert build(COMMANDS).parse_args(["state", "set", "a.json", "n", word]).value == word
