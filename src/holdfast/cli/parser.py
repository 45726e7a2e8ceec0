"""Every command, its options, its help and the function that runs it; only the chosen command is built in full."""

import argparse
from collections.abc import Callable
from typing import NamedTuple

DESCRIPTION = "Keeps daemons, backups and agents alive, and proves it."

EXIT_CODES = (
    "exit codes: 0 done, 1 unhealthy or failed, 2 wrong use or configuration, 3 nothing running, 4 refused, "
    "130 interrupted"
)


class Command(NamedTuple):
    """One command: `run` names its function as `module:function`, so that only the chosen one is imported."""

    name: str
    summary: str
    run: str
    examples: tuple[str, ...]
    options: "Callable[[argparse.ArgumentParser], None]"


def build(commands: tuple[Command, ...], only: str | None = None) -> argparse.ArgumentParser:
    """Return the parser; with `only`, the other commands are named but not built."""
    parser = argparse.ArgumentParser(
        prog="holdfast",
        description=DESCRIPTION,
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    for command in commands:
        if only is None or command.name == only:
            _add(subparsers, command)
    return parser


def _add(
    subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]", command: Command
) -> None:
    examples = "\n".join(f"  {line}" for line in command.examples)
    parser = subparsers.add_parser(
        command.name,
        help=command.summary,
        description=f"{command.summary[:1].upper()}{command.summary[1:]}.",
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.options(parser)
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
