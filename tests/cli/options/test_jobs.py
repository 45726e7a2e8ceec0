"""What is typed behind `job` and `run` is understood, and a command's own words are left alone."""

import argparse

import pytest

from holdfast.cli.options import jobs, shared
from holdfast.cli.parser import Command, build

COMMANDS = (
    Command(
        name="job", summary="jobs", run="a:b", examples=(), options=shared.none, verbs=jobs.VERBS
    ),
    Command(name="run", summary="run", run="a:b", examples=(), options=jobs.run),
)


def parsed(*words: str) -> argparse.Namespace:
    return build(COMMANDS).parse_args(words)


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (("--", "echo", "-n", "a"), ["echo", "-n", "a"]),
        (("echo", "-n", "a"), ["echo", "-n", "a"]),
        (("--", "echo", "--", "--json", "-h"), ["echo", "--", "--json", "-h"]),
        ((), []),
    ],
)
def test_everything_behind_the_name_is_the_command(
    words: tuple[str, ...], command: list[str]
) -> None:
    options = parsed("run", "--check", "export", *words)
    found = options.words[1:] if options.words[:1] == ["--"] else options.words
    assert (options.check, found, options.json) == ("export", command, False)


def test_our_own_options_stand_before_the_command() -> None:
    assert parsed("run", "-q", "--check", "export", "--", "true").quiet is True


def test_a_run_needs_the_name_of_a_check(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parsed("run", "--", "true")
    assert "--check" in capsys.readouterr().err


@pytest.mark.parametrize("verb", [verb.name for verb in jobs.VERBS])
def test_every_verb_takes_json_behind_it(verb: str) -> None:
    name = () if verb == "list" else ("report",)
    assert parsed("job", verb, *name, "--json").json is True


def test_waiting_is_the_default_and_cannot_be_both() -> None:
    assert parsed("job", "run", "report").no_wait is False
    assert parsed("job", "run", "report", "--wait").no_wait is False
    assert parsed("job", "run", "report", "--no-wait").no_wait is True
    with pytest.raises(SystemExit):
        parsed("job", "run", "report", "--wait", "--no-wait")


def test_the_history_shows_all_that_is_kept_unless_told_otherwise() -> None:
    assert parsed("job", "history", "report").lines == 100
    assert parsed("job", "history", "report", "-n", "5").lines == 5
