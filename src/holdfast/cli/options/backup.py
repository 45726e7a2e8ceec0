"""What the verbs of `backup` take."""

import argparse

from holdfast.cli.options.shared import config_file, none, output
from holdfast.cli.parser import Verb


def _name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="the backed-up project")


def _add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="what to call it")
    parser.add_argument("path", metavar="PATH", help="the folder of the project")
    parser.add_argument(
        "--repository",
        metavar="R",
        help="where snapshots go: a folder, or a restic repository (default: one in the state folder)",
    )
    parser.add_argument(
        "--engine",
        choices=("restic", "copy"),
        help="who makes the snapshots (default: restic where it is installed)",
    )
    parser.add_argument(
        "--password-file",
        metavar="FILE",
        help="file with the password of a restic repository (default: one is made in the state folder)",
    )
    parser.add_argument("--schedule", metavar="CRON", help="when (default: @hourly)")
    parser.add_argument(
        "--exclude",
        action="append",
        metavar="PATTERN",
        help="leave out; may be given several times",
    )
    config_file(parser)
    output(parser)


def _remove(parser: argparse.ArgumentParser) -> None:
    _name(parser)
    config_file(parser)
    output(parser)


def _list(parser: argparse.ArgumentParser) -> None:
    none(parser)
    output(parser)


def _run(parser: argparse.ArgumentParser) -> None:
    _name(parser)
    parser.add_argument("--no-wait", action="store_true", help="return as soon as it is ordered")
    output(parser)


def _verify(parser: argparse.ArgumentParser) -> None:
    _name(parser)
    parser.add_argument(
        "--all", action="store_true", help="read all of the repository, not only the next part"
    )
    output(parser)


def _restore(parser: argparse.ArgumentParser) -> None:
    _name(parser)
    parser.add_argument(
        "--snapshot",
        default="latest",
        metavar="ID",
        help="which one, or the beginning of its id (default: the newest that is believed)",
    )
    parser.add_argument("--to", required=True, metavar="DIR", help="the folder it is put into")
    parser.add_argument(
        "--force", action="store_true", help="also into a folder that is not empty"
    )
    output(parser)


def _snapshots(parser: argparse.ArgumentParser) -> None:
    _name(parser)
    output(parser)


VERBS: tuple[Verb, ...] = (
    Verb(
        name="add",
        summary="register a project in the configuration, and bring it into force where Holdfast runs",
        examples=(
            "holdfast backup add notes ~/notes",
            "holdfast backup add notes ~/notes --repository /mnt/disk/backups --exclude '*.tmp'",
        ),
        options=_add,
    ),
    Verb(
        name="remove",
        summary="take a project out of the configuration; its snapshots stay",
        examples=("holdfast backup remove notes",),
        options=_remove,
    ),
    Verb(
        name="list",
        summary="show every project: how old its newest snapshot is, when it is due",
        examples=("holdfast backup list", "holdfast backup list --json"),
        options=_list,
    ),
    Verb(
        name="run",
        summary="back a project up now; exits with 1 unless a snapshot is there that is believed",
        examples=("holdfast backup run notes", "holdfast backup run notes --no-wait"),
        options=_run,
    ),
    Verb(
        name="verify",
        summary="read a part of the repository back, restore a sample and compare it",
        examples=("holdfast backup verify notes", "holdfast backup verify notes --all"),
        options=_verify,
    ),
    Verb(
        name="restore",
        summary="bring a snapshot back into a folder",
        examples=(
            "holdfast backup restore notes --to ~/notes-again",
            "holdfast backup restore notes --snapshot 4f2a --to /tmp/notes",
        ),
        options=_restore,
    ),
    Verb(
        name="snapshots",
        summary="show the snapshots of a project, and which of them are believed",
        examples=("holdfast backup snapshots notes", "holdfast backup snapshots notes --json"),
        options=_snapshots,
    ),
)
