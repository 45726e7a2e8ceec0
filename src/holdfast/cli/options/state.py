"""What the verbs of `holdfast state` take."""

import argparse
from collections.abc import Callable

from holdfast.cli.literal import Literal
from holdfast.cli.options.shared import output
from holdfast.cli.parser import Verb

_Options = Callable[[argparse.ArgumentParser], None]


def _changing(options: _Options) -> _Options:
    """Return options and what every verb takes that changes a file."""

    def both(parser: argparse.ArgumentParser) -> None:
        options(parser)
        _change(parser)
        output(parser)

    return both


def _looking(options: _Options) -> _Options:
    """Return options and what every other verb takes."""

    def both(parser: argparse.ArgumentParser) -> None:
        options(parser)
        output(parser)

    return both


def _change(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("how it is written")
    group.add_argument(
        "--durability",
        choices=("atomic", "file", "full"),
        default="full",
        help="what it survives: atomic the death of any process, file also a power cut with the old or "
        "the new content, full a power cut with the new content (default: full)",
    )
    group.add_argument(
        "--expect",
        metavar="SHA256",
        help="write only over this content, told by its SHA-256, or only where the file is `absent`",
    )
    group.add_argument(
        "--backups",
        type=int,
        default=0,
        metavar="N",
        help="keep so many of the versions before, the youngest as FILE.~1~ (default: 0)",
    )
    group.add_argument(
        "--no-follow", action="store_true", help="replace a symbolic link, not what it leads to"
    )
    group.add_argument(
        "--strict", action="store_true", help="exit with 5 when the file system promises less"
    )
    group.add_argument(
        "--dry-run", action="store_true", help="show the difference and change nothing"
    )
    _waiting(parser)


def _waiting(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--timeout",
        metavar="DURATION",
        default="10s",
        help="how long to wait for the lock of the file (default: 10s)",
    )


def _file(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", metavar="FILE", help="the state file")


def _write(parser: argparse.ArgumentParser) -> None:
    _file(parser)
    parser.add_argument(
        "--raw",
        action="store_true",
        help="do not ask whether it is the JSON or text the name says",
    )
    _allow_empty(parser)


def _allow_empty(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--allow-empty", action="store_true", help="take also an empty stdin for the content"
    )


def _json(parser: argparse.ArgumentParser) -> None:
    _file(parser)
    parser.add_argument("filter", metavar="FILTER", help="a jq filter that gives one value")
    for name, meaning in (
        ("--arg", "text the filter knows as $NAME"),
        ("--argjson", "JSON the filter knows as $NAME"),
    ):
        parser.add_argument(
            name,
            action="append",
            nargs=2,
            default=[],
            metavar=("NAME", "VALUE"),
            help=meaning,
        )
    parser.add_argument(
        "--allow-lossy", action="store_true", help="let jq round numbers it cannot hold"
    )
    _allow_type_change(parser)


def _allow_type_change(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--allow-type-change",
        action="store_true",
        help="let the document become another type, such as an array from an object",
    )


def _at(parser: argparse.ArgumentParser) -> None:
    _file(parser)
    parser.add_argument("at", metavar="PATH", help="where: /entries/0/status or entries.0.status")


def _value(parser: argparse.ArgumentParser) -> None:
    _at(parser)
    parser.add_argument(
        "value",
        action=Literal,
        metavar="VALUE",
        help="JSON when it is one JSON document, else the text itself",
    )
    parser.add_argument("--string", action="store_true", help="the text itself, whatever it says")


def _set(parser: argparse.ArgumentParser) -> None:
    _value(parser)
    _allow_type_change(parser)


def _merge(parser: argparse.ArgumentParser) -> None:
    _file(parser)
    _allow_type_change(parser)


def _get(parser: argparse.ArgumentParser) -> None:
    _file(parser)
    parser.add_argument("at", nargs="?", metavar="PATH", help="one value of a JSON file")
    named = parser.add_mutually_exclusive_group()
    named.add_argument("--key", metavar="KEY", help="the value of a line `KEY: value`")
    named.add_argument("--section", metavar="HEADING", help="what stands below a heading")
    _within(parser)


def _within(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--in", dest="within", metavar="HEADING", help="look only below this heading"
    )


def _section(parser: argparse.ArgumentParser) -> None:
    _file(parser)
    parser.add_argument(
        "name",
        metavar="KEY-OR-HEADING",
        help='a key of a line `KEY: value`, or a heading; below others: "Phase 2/Status"',
    )
    _within(parser)
    meant = parser.add_mutually_exclusive_group()
    meant.add_argument("--key", action="store_true", help="the name is a key")
    meant.add_argument("--heading", action="store_true", help="the name is a heading")
    parser.add_argument("--all", dest="every", action="store_true", help="every line with the key")
    mode = parser.add_mutually_exclusive_group()
    for name, meaning in (
        ("append", "add the text at the end of the section"),
        ("prepend", "add the text at the start of the section"),
        ("append-item", "add the text as an item of the last list in the section"),
        ("delete", "remove the section with its heading; stdin is not read"),
    ):
        mode.add_argument(f"--{name}", dest="mode", action="store_const", const=name, help=meaning)
    parser.add_argument(
        "--create", action="store_true", help="add the key or the heading where there is none"
    )
    _allow_empty(parser)


def _inspect(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", metavar="FILE|DIR", help="a state file, or a folder of them")


def _recover(parser: argparse.ArgumentParser) -> None:
    _inspect(parser)
    parser.add_argument("--dry-run", action="store_true", help="only tell what would be done")
    parser.add_argument(
        "--use", metavar="TEMP", help="take this temp or backup, out of several or an older one"
    )
    parser.add_argument(
        "--foreign",
        action="store_true",
        help="also take, as the last resort, or remove temps that other programs left",
    )
    _waiting(parser)


def _rebuild(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "path", metavar="DIR", help="the folder of agent-history.json and of summaries/"
    )
    parser.add_argument(
        "--force", action="store_true", help="replace also a history that can be read"
    )
    parser.add_argument("--dry-run", action="store_true", help="only tell what would be written")


def _lock(parser: argparse.ArgumentParser) -> None:
    _file(parser)
    parser.add_argument(
        "words",
        nargs="+",
        metavar="COMMAND",
        help="the command, behind --; its exit code is the one of this",
    )
    _waiting(parser)


VERBS: tuple[Verb, ...] = (
    Verb(
        name="write",
        summary="replace a file whole by what stands on stdin",
        examples=(
            "printf '%s\\n' \"$new\" | holdfast state write STATE.md",
            'holdfast state write STATE.md --expect "$known" < new.md',
        ),
        options=_changing(_write),
    ),
    Verb(
        name="json",
        summary="change a JSON file by a jq filter",
        examples=("holdfast state json history.json '.entries += [{id: $id}]' --arg id \"$id\"",),
        options=_changing(_json),
    ),
    Verb(
        name="set",
        summary="set one value of a JSON file",
        examples=(
            "holdfast state set checkpoint.json /task/number 5",
            'holdfast state set checkpoint.json note --string -- "$note"',
        ),
        options=_changing(_set),
    ),
    Verb(
        name="append",
        summary="append one value to an array of a JSON file",
        examples=("""holdfast state append history.json entries '{"plan": "18-01"}'""",),
        options=_changing(_value),
    ),
    Verb(
        name="delete",
        summary="remove one value of a JSON file",
        examples=("holdfast state delete checkpoint.json /task/note",),
        options=_changing(_at),
    ),
    Verb(
        name="merge",
        summary="merge a patch from stdin into a JSON file (RFC 7396): null removes",
        examples=("""echo '{"status": "done", "note": null}' | holdfast state merge task.json""",),
        options=_changing(_merge),
    ),
    Verb(
        name="section",
        summary="change one key or one section of a Markdown file by what stands on stdin",
        examples=(
            "printf '%s' \"$status\" | holdfast state section STATE.md Status",
            'echo "$text" | holdfast state section STATE.md "Phase 2/Blockers" --append',
            "holdfast state section STATE.md Blockers --delete",
        ),
        options=_changing(_section),
    ),
    Verb(
        name="get",
        summary="print a state file that is whole, or one value, key or section of it",
        examples=(
            "holdfast state get history.json /entries/0/status",
            "holdfast state get STATE.md --key Status --in 'Phase 2'",
        ),
        options=_looking(_get),
    ),
    Verb(
        name="inspect",
        summary="tell what crashes left in and beside a file or a folder; changes nothing",
        examples=("holdfast state inspect STATE.md", "holdfast state inspect .long-run --json"),
        options=_looking(_inspect),
    ),
    Verb(
        name="recover",
        summary="mend what crashes left, and never touch what is whole",
        examples=("holdfast state recover STATE.md --dry-run", "holdfast state recover .long-run"),
        options=_looking(_recover),
    ),
    Verb(
        name="rebuild",
        summary="write a lost agent-history.json anew from the summaries of its plans",
        examples=("holdfast state rebuild .long-run --dry-run",),
        options=_looking(_rebuild),
    ),
    Verb(
        name="lock",
        summary="hold the lock of a file while a command runs",
        examples=("holdfast state lock history.json -- ./update-history",),
        options=_looking(_lock),
    ),
)
