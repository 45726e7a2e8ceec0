"""What several commands take."""

import argparse


def none(_parser: argparse.ArgumentParser) -> None:
    """Take no options of its own."""


def config_file(parser: argparse.ArgumentParser) -> None:
    """Take the configuration to use."""
    parser.add_argument(
        "-c",
        "--config",
        metavar="FILE",
        help="configuration to use (default: $HOLDFAST_CONFIG, ./holdfast.toml, ...)",
    )


def selection(parser: argparse.ArgumentParser) -> None:
    """Take which services are meant."""
    parser.add_argument("select", nargs="*", metavar="NAME|PATTERN|group:G", help="which services")
    parser.add_argument("--all", action="store_true", help="every service")


def output(action: argparse.ArgumentParser) -> None:
    """Take what every command takes also behind the action, without undoing what stood before it."""
    group = action.add_argument_group("output")
    for flags, meaning in (
        (("--json",), "print facts as JSON"),
        (("-v", "--verbose"), "say more"),
        (("-q", "--quiet"), "say only what went wrong"),
    ):
        group.add_argument(*flags, action="store_true", default=argparse.SUPPRESS, help=meaning)
    group.add_argument(
        "--log-level",
        choices=("debug", "info", "warning", "error"),
        default=argparse.SUPPRESS,
        help="least level that is printed (debug is -v, error is -q)",
    )
