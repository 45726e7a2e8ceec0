"""What the commands take that are about checks and alerts: checks, incidents, notifications, alerts, ping."""

import argparse

from holdfast.cli.options.shared import none, output
from holdfast.cli.parser import Verb


def checks(parser: argparse.ArgumentParser) -> None:
    """Take the options of `checks`."""
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these checks")


def incidents(parser: argparse.ArgumentParser) -> None:
    """Take the options of `incidents`."""
    parser.add_argument("--all", action="store_true", help="also those that are over")


def notifications(parser: argparse.ArgumentParser) -> None:
    """Take the options of `notifications`."""
    parser.add_argument(
        "-n", "--lines", type=int, default=100, metavar="N", help="only the newest N"
    )
    parser.add_argument(
        "--all", action="store_true", help="also those that another one replaced before they left"
    )


def ping(parser: argparse.ArgumentParser) -> None:
    """Take the options of `ping`."""
    parser.add_argument("name", metavar="CHECK", help="the check")
    parser.add_argument(
        "signal",
        nargs="?",
        default="success",
        metavar="start|success|fail|log|EXIT",
        help="what to say (default: success); an exit code is a failure unless it is 0",
    )
    parser.add_argument("--rid", metavar="ID", help="which run it is, where several may overlap")
    parser.add_argument("-m", "--message", metavar="TEXT", help="what to keep beside it")
    parser.add_argument(
        "--create",
        action="store_true",
        help="make the check (a day, an hour of grace) if there is none",
    )


def _acknowledge(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="+", metavar="CHECK", help="the checks with the incident")
    _who(parser)
    parser.add_argument(
        "--sticky", action="store_true", help="until it is over, also when it gets worse"
    )
    parser.add_argument("--for", dest="duration", metavar="DURATION", help="at most for so long")
    output(parser)


def _silence(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pattern", metavar="PATTERN", help='which checks: a name, or "backup-*"')
    parser.add_argument(
        "--for", dest="duration", required=True, metavar="DURATION", help='for how long ("2h")'
    )
    _who(parser)
    output(parser)


def _end(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", type=int, metavar="ID", help="which, as `alerts list` shows it")
    output(parser)


def _test(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "channel", nargs="?", metavar="CHANNEL", help="only this one (default: all)"
    )
    output(parser)


def _list(parser: argparse.ArgumentParser) -> None:
    none(parser)
    output(parser)


def _who(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--by", metavar="NAME", help="who says so (default: this user)")
    parser.add_argument("--note", metavar="TEXT", help="why")


VERBS: tuple[Verb, ...] = (
    Verb(
        name="ack",
        summary="acknowledge open incidents: no reminders and no escalation until it gets worse",
        examples=("holdfast alerts ack notes --note 'the disk is on its way'",),
        options=_acknowledge,
    ),
    Verb(
        name="silence",
        summary="tell nobody of these checks for a while",
        examples=("holdfast alerts silence 'backup-*' --for 2h",),
        options=_silence,
    ),
    Verb(
        name="maintenance",
        summary="the same, as planned work: what breaks and is mended in between is never told",
        examples=("holdfast alerts maintenance '*' --for 30m --note 'new kernel'",),
        options=_silence,
    ),
    Verb(
        name="list",
        summary="show what is silenced",
        examples=("holdfast alerts list", "holdfast alerts list --json"),
        options=_list,
    ),
    Verb(
        name="end",
        summary="end a silence or a maintenance now",
        examples=("holdfast alerts end 3",),
        options=_end,
    ),
    Verb(
        name="test",
        summary="send a message by every channel and see whether it arrives",
        examples=("holdfast alerts test", "holdfast alerts test phone"),
        options=_test,
    ),
)
