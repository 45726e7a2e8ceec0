"""What the commands take that show the past: logs, events, history."""

import argparse


def logs(parser: argparse.ArgumentParser) -> None:
    """Take the options of `logs`."""
    parser.add_argument("names", nargs="*", metavar="NAME", help="which services (default: all)")
    parser.add_argument("-f", "--follow", action="store_true", help="go on as lines arrive")
    parser.add_argument(
        "-n",
        "--lines",
        type=int,
        default=None,
        metavar="N",
        help="lines of each log to begin with (default: 20, or all with --since)",
    )
    parser.add_argument(
        "--since", metavar="WHEN", help='a duration ago ("10m") or a time (2026-01-31T08:00:00Z)'
    )
    parser.add_argument(
        "--stream", choices=("stdout", "stderr"), help="one stream of logs kept as JSON"
    )


def events(parser: argparse.ArgumentParser) -> None:
    """Take the options of `events`."""
    parser.add_argument("-f", "--follow", action="store_true", help="go on as events happen")
    parser.add_argument(
        "-n",
        "--lines",
        type=int,
        default=None,
        metavar="N",
        help="only the newest N (default: all, or 10 with -f)",
    )
    parser.add_argument(
        "--since", metavar="WHEN", help='a duration ago ("10m") or a time (2026-01-31T08:00:00Z)'
    )
    parser.add_argument(
        "--subject", metavar="NAME", help="only events of this service, or of supervisor"
    )


def history(parser: argparse.ArgumentParser) -> None:
    """Take the options of `history`."""
    parser.add_argument("name", metavar="NAME", help="the service")
    parser.add_argument(
        "-n", "--lines", type=int, default=100, metavar="N", help="only the newest N (at most 100)"
    )
