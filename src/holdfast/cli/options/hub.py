"""What the commands take that are about the hub itself: hub, token."""

import argparse

from holdfast.cli.options.shared import none, output
from holdfast.cli.parser import Verb

SCOPES = ("read", "ping", "agent", "machine", "admin")


def _serve(parser: argparse.ArgumentParser) -> None:
    none(parser)
    output(parser)


def _migrate(parser: argparse.ArgumentParser) -> None:
    none(parser)
    output(parser)


def _backup(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", metavar="FILE", help="where the copy goes; replaced in one step")
    output(parser)


def _create(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="what it is for; names need not differ")
    parser.add_argument(
        "--scope",
        action="append",
        choices=SCOPES,
        required=True,
        help="what it is good for; may be given several times (admin is good for everything)",
    )
    parser.add_argument(
        "--expires", metavar="AFTER", help="how long it counts, like 90d (default: until revoked)"
    )
    output(parser)


def _list(parser: argparse.ArgumentParser) -> None:
    none(parser)
    output(parser)


def _revoke(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", type=int, metavar="ID", help="its number in `token list`")
    output(parser)


HUB_VERBS: tuple[Verb, ...] = (
    Verb(
        name="serve",
        summary="run the hub in front; `up` runs it as a service of its own",
        examples=("holdfast hub serve",),
        options=_serve,
    ),
    Verb(
        name="migrate",
        summary="bring the tables of the hub's database up to date, as the hub does at its start",
        examples=("holdfast hub migrate", "holdfast hub migrate --json"),
        options=_migrate,
    ),
    Verb(
        name="backup",
        summary="write a consistent copy of the hub's database while the hub runs",
        examples=("holdfast hub backup /mnt/backup/hub.db",),
        options=_backup,
    ),
)

TOKEN_VERBS: tuple[Verb, ...] = (
    Verb(
        name="create",
        summary="make a token and show it, once",
        examples=(
            "holdfast token create grafana --scope read",
            "holdfast token create ci --scope ping --scope read --expires 90d",
        ),
        options=_create,
    ),
    Verb(
        name="list",
        summary="show every token that counts, without its secret",
        examples=("holdfast token list", "holdfast token list --json"),
        options=_list,
    ),
    Verb(
        name="revoke",
        summary="let a token count no more, from now on",
        examples=("holdfast token revoke 3",),
        options=_revoke,
    ),
)
