"""Every command, its options, its help and the function that runs it; only the chosen command is built in full."""

import argparse
from collections.abc import Callable
from typing import NamedTuple, TypedDict

from holdfast.cli.literal import LiteralParser

DESCRIPTION = "Keeps daemons, backups and agents alive, and proves it."

EXIT_CODES = (
    "exit codes: 0 done, 1 unhealthy or failed, 2 wrong use or configuration, 3 nothing running, 4 refused, "
    "130 interrupted;\nof `state` also 5 in place but not durable, 6 corrupt, 7 disk full, read-only, no permission or no file"
)


class _Described(TypedDict):
    """What argparse shows of a command."""

    help: str
    description: str
    epilog: str
    formatter_class: type[argparse.HelpFormatter]


class Verb(NamedTuple):
    """One verb of a command that has several."""

    name: str
    summary: str
    examples: tuple[str, ...]
    options: "Callable[[argparse.ArgumentParser], None]"


class Command(NamedTuple):
    """One command: `run` names its function as `module:function`, so that only the chosen one is imported."""

    name: str
    summary: str
    run: str
    examples: tuple[str, ...]
    options: "Callable[[argparse.ArgumentParser], None]"
    verbs: tuple[Verb, ...] = ()


def build(
    commands: tuple[Command, ...], only: str | None = None, verb: str | None = None
) -> argparse.ArgumentParser:
    """Return the parser; with `only`, just that command is built, with `verb` just that verb of it."""
    parser = argparse.ArgumentParser(
        prog="holdfast",
        description=DESCRIPTION,
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    # Without `prog` argparse formats a usage, and loads bz2 and lzma to know the width of the terminal.
    subparsers = parser.add_subparsers(
        dest="command", metavar="COMMAND", title="commands", prog="holdfast"
    )
    for command in commands:
        if only is None or command.name == only:
            _add(subparsers, command, verb)
    return parser


def _add(
    subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]",
    command: Command,
    only: str | None,
) -> None:
    parser = subparsers.add_parser(command.name, **_described(command))
    command.options(parser)
    _add_verbs(parser, command, only)
    group = parser.add_argument_group("output")
    group.add_argument("--json", action="store_true", help="print facts as JSON")
    group.add_argument("-v", "--verbose", action="store_true", help="say more")
    group.add_argument("-q", "--quiet", action="store_true", help="say only what went wrong")
    group.add_argument(
        "--log-level",
        choices=("debug", "info", "warning", "error"),
        default="info",
        help="least level that is printed (debug is -v, error is -q)",
    )
    parser.set_defaults(run=command.run)


def _add_verbs(parser: argparse.ArgumentParser, command: Command, only: str | None) -> None:
    if not command.verbs:
        return
    verbs = parser.add_subparsers(
        dest="verb",
        metavar="VERB",
        title="verbs",
        required=True,
        prog=f"holdfast {command.name}",
        parser_class=LiteralParser,
    )
    for verb in command.verbs:
        if only == verb.name or only not in {one.name for one in command.verbs}:
            verb.options(verbs.add_parser(verb.name, allow_abbrev=False, **_described(verb)))


def _described(what: Command | Verb) -> "_Described":
    examples = "\n".join(f"  {line}" for line in what.examples)
    return {
        "help": what.summary,
        "description": f"{what.summary[:1].upper()}{what.summary[1:]}.",
        "epilog": f"examples:\n{examples}",
        "formatter_class": argparse.RawDescriptionHelpFormatter,
    }
