"""What the commands take that are about programs run to completion: job, run."""

import argparse

from holdfast.cli.options.shared import none, output
from holdfast.cli.parser import Verb


def run(parser: argparse.ArgumentParser) -> None:
    """Take the options of `run`."""
    parser.add_argument(
        "--check", required=True, metavar="NAME", help="the name under which it is remembered"
    )
    parser.add_argument(
        "words",
        nargs=argparse.REMAINDER,
        metavar="COMMAND",
        help="the command, behind --; its exit code is the one of this",
    )


def _list(parser: argparse.ArgumentParser) -> None:
    none(parser)
    output(parser)


def _run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="the job")
    waiting = parser.add_mutually_exclusive_group()
    waiting.add_argument(
        "--wait", action="store_true", help="return when the run is over (the default)"
    )
    waiting.add_argument("--no-wait", action="store_true", help="return as soon as it is ordered")
    output(parser)


def _history(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="the job, or the name of `run --check`")
    parser.add_argument(
        "-n", "--lines", type=int, default=100, metavar="N", help="only the newest N (at most 100)"
    )
    output(parser)


VERBS: tuple[Verb, ...] = (
    Verb(
        name="list",
        summary="show every job, when it is due next and what its last run came to",
        examples=("holdfast job list", "holdfast job list --json"),
        options=_list,
    ),
    Verb(
        name="run",
        summary="run a job now and wait for its end; exits with 1 when it did not succeed",
        examples=("holdfast job run report", "holdfast job run report --no-wait"),
        options=_run,
    ),
    Verb(
        name="history",
        summary="show the newest runs of a job: why, how long, how they ended",
        examples=("holdfast job history report", "holdfast job history report -n 5 --json"),
        options=_history,
    ),
)
