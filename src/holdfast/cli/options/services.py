"""What the commands take that run services: up, down, status, health, check, start, stop, reload, signal, beat."""

import argparse

from holdfast.cli.options.shared import config_file, selection


def up(parser: argparse.ArgumentParser) -> None:
    """Take the options of `up`."""
    config_file(parser)
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these services")
    parser.add_argument(
        "--foreground", action="store_true", help="stay in front and end with Ctrl-C"
    )
    parser.add_argument("--no-hub", action="store_true", help="do not start the hub")
    parser.add_argument(
        "--no-wait", action="store_true", help="return before the services are ready"
    )


def down(parser: argparse.ArgumentParser) -> None:
    """Take the options of `down`."""
    parser.add_argument(
        "--keep-services", action="store_true", help="end only Holdfast; the services live on"
    )
    parser.add_argument(
        "--timeout", metavar="DURATION", help='kill what has not ended by then ("30s")'
    )


def status(parser: argparse.ArgumentParser) -> None:
    """Take the options of `status`."""
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these services")
    parser.add_argument(
        "--watch", action="store_true", help="keep the table on the screen and current"
    )


def health(parser: argparse.ArgumentParser) -> None:
    """Take the options of `health`."""
    parser.add_argument("--score", action="store_true", help="print only the percentage")


def check(parser: argparse.ArgumentParser) -> None:
    """Take the options of `check`."""
    parser.add_argument(
        "--once",
        action="store_true",
        help="one look, as the supervisor itself takes it (the default)",
    )


def start(parser: argparse.ArgumentParser) -> None:
    """Take the options of `start` and `restart`."""
    selection(parser)
    parser.add_argument("--no-wait", action="store_true", help="return before they are ready")


def stop(parser: argparse.ArgumentParser) -> None:
    """Take the options of `stop`."""
    selection(parser)
    parser.add_argument("--kill", action="store_true", help="do not ask first")


def reload(parser: argparse.ArgumentParser) -> None:
    """Take the options of `reload`."""
    config_file(parser)
    selection(parser)
    parser.add_argument("--dry-run", action="store_true", help="only tell what would change")


def signal(parser: argparse.ArgumentParser) -> None:
    """Take the options of `signal`."""
    parser.add_argument("signal", metavar="SIGNAL", help="its name, like HUP or USR1")
    selection(parser)


def beat(parser: argparse.ArgumentParser) -> None:
    """Take the options of `beat`."""
    parser.add_argument(
        "name", nargs="?", metavar="NAME", help="the service (default: the one this runs in)"
    )
    parser.add_argument(
        "--status",
        default="healthy",
        metavar="S",
        help="healthy, syncing, error, stopped or running",
    )
    parser.add_argument("--error", metavar="TEXT", help="what is wrong")
    parser.add_argument(
        "--progress", type=int, metavar="N", help="a counter that rises with the work done"
    )
    parser.add_argument(
        "--every",
        metavar="DURATION",
        help="how often it beats (default: a third of the lease configured, else 30s)",
    )
    parser.add_argument(
        "--lease", metavar="DURATION", help="how long one beat is believed (default: three beats)"
    )
