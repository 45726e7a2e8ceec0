import argparse
import importlib

import pytest

from holdfast.cli.commands import COMMANDS
from holdfast.cli.parser import Command, build

EVERYWHERE = (["--json"], ["-v"], ["-q"], ["--log-level", "debug"])


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_command_names_a_function_that_exists(command: Command) -> None:
    module, _, function = command.run.partition(":")

    assert callable(getattr(importlib.import_module(module), function))


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_command_shows_examples_that_it_understands(
    command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    import shlex

    parser = build(COMMANDS)
    with pytest.raises(SystemExit) as end:
        parser.parse_args([command.name, "--help"])
    said = capsys.readouterr().out

    assert end.value.code == 0
    for example in command.examples:
        assert example in said
        words = shlex.split(example.partition(" > ")[0])
        assert words[0] == "holdfast"
        assert parser.parse_args(words[1:]).command == command.name


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
@pytest.mark.parametrize("words", EVERYWHERE)
def test_every_command_takes_the_output_options(command: Command, words: list[str]) -> None:
    example = command.examples[0].partition(" > ")[0].split()[1:]
    told = build(COMMANDS).parse_args([*example, *words])

    assert told.command == command.name


def test_only_the_chosen_command_is_built() -> None:
    built = []

    def options(parser: argparse.ArgumentParser) -> None:
        built.append(parser.prog)

    commands = tuple(
        Command(name=name, summary="do", run="x:y", examples=(), options=options)
        for name in ("one", "two")
    )
    build(commands, only="two")

    assert built == ["holdfast two"]


def test_names_of_commands_are_unique() -> None:
    names = [command.name for command in COMMANDS]

    assert len(set(names)) == len(names)
