"""What the commands take that prepare a machine: init, config, boot, completion."""

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


def boot(parser: argparse.ArgumentParser) -> None:
    """Take the actions of `boot`."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, summary in (
        ("install", "have Holdfast started with the machine, or with this user's session"),
        ("remove", "take that back; what runs goes on"),
        ("status", "tell whether it is installed; changes nothing"),
        ("stop", "stop everything, as `down` does; systemd runs this when the unit is stopped"),
    ):
        action = actions.add_parser(
            name, help=summary, description=f"{summary[:1].upper()}{summary[1:]}."
        )
        if name == "install":
            config_file(action)
        if name != "stop":
            _whose(action)
        if name in ("install", "remove"):
            action.add_argument(
                "--dry-run", action="store_true", help="print what would be done, and do nothing"
            )
        output(action)


def _whose(action: argparse.ArgumentParser) -> None:
    scope = action.add_mutually_exclusive_group()
    scope.add_argument(
        "--user",
        dest="scope",
        action="store_const",
        const="user",
        help="with the session of this user (default, except for root)",
    )
    scope.add_argument(
        "--system",
        dest="scope",
        action="store_const",
        const="system",
        help="with the machine (default for root)",
    )
    action.add_argument(
        "--name",
        default="holdfast",
        metavar="NAME",
        help="what the service manager calls it, for a second home (default: holdfast)",
    )


def completion(parser: argparse.ArgumentParser) -> None:
    """Take the options of `completion`."""
    parser.add_argument("shell", choices=("bash", "zsh", "tcsh"), help="the shell to complete for")
