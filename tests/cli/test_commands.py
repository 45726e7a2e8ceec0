"""The table of commands: every one can be run, helped with and copied from its examples."""

import importlib
import re
import shlex
import subprocess
import sys

import pytest

from holdfast.cli.commands import COMMANDS
from holdfast.cli.parser import Command, build

OF_THE_DESIGN = [
    "init",
    "up",
    "down",
    "status",
    "health",
    "check",
    "start",
    "stop",
    "restart",
    "reload",
    "signal",
    "logs",
    "events",
    "history",
    "beat",
    "boot",
    "job",
    "run",
    "ping",
    "checks",
    "incidents",
    "alerts",
    "notifications",
    "backup",
    "hub",
    "token",
    "state",
    "config",
    "doctor",
    "completion",
]


def test_every_command_is_there_once() -> None:
    assert sorted(command.name for command in COMMANDS) == sorted(OF_THE_DESIGN)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_its_function_is_where_the_table_says(command: Command) -> None:
    module, _, name = command.run.partition(":")
    assert callable(getattr(importlib.import_module(module), name))


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_its_examples_can_be_typed_as_they_stand(command: Command) -> None:
    assert command.examples
    for example in command.examples:
        words = shlex.split(example.partition(">")[0])
        assert words[:2] == ["holdfast", command.name]
        options = build(COMMANDS, only=command.name).parse_args(words[1:])
        assert options.run == command.run


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_its_summary_is_one_plain_phrase(command: Command) -> None:
    assert re.fullmatch(r"[a-z][^.]+[^.\s]", command.summary)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_option_says_what_it_does(command: Command) -> None:
    parser = build((command,))._subparsers
    assert parser is not None
    for group in parser._group_actions:
        assert isinstance(group.choices, dict)
        for action in group.choices[command.name]._actions:
            assert action.help or action.choices, action


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_command_takes_the_common_options(command: Command) -> None:
    (words,) = [shlex.split(example.partition(">")[0])[1:] for example in command.examples[:1]]
    common = ["--json", "-q", "--log-level", "debug"]
    name, *rest = words
    # What stands behind `run` belongs to the command that is run.
    words = [name, *common, *rest] if name == "run" else [*words, *common]
    options = build(COMMANDS).parse_args(words)
    assert (options.json, options.quiet, options.log_level) == (True, True, "debug")


def test_the_table_costs_no_import_of_what_commands_do() -> None:
    code = "import sys, holdfast.cli.commands; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert not loaded & {"asyncio", "msgspec", "subprocess", "holdfast.journal", "holdfast.config"}
