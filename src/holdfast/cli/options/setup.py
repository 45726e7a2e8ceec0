"""What the commands take that prepare a machine: init, config, completion."""

import argparse

from holdfast.cli.options.shared import config_file, output


def init(parser: argparse.ArgumentParser) -> None:
    """Take the options of `init`."""
    parser.add_argument(
        "file",
        nargs="?",
        default="holdfast.toml",
        metavar="FILE",
        help="where to write it (default: holdfast.toml)",
    )


def config(parser: argparse.ArgumentParser) -> None:
    """Take the actions of `config`."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, summary in (
        ("check", "tell everything that is wrong with the configuration"),
        ("show", "print the configuration as it is understood, defaults filled in"),
        ("schema", "print the JSON Schema, from which editors complete"),
    ):
        action = actions.add_parser(
            name, help=summary, description=f"{summary[:1].upper()}{summary[1:]}."
        )
        if name != "schema":
            config_file(action)
        output(action)


def completion(parser: argparse.ArgumentParser) -> None:
    """Take the options of `completion`."""
    parser.add_argument("shell", choices=("bash", "zsh", "tcsh"), help="the shell to complete for")
