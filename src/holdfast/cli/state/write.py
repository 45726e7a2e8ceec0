"""`holdfast state write`: replace a file whole by what stands on stdin."""

import argparse
import os

from holdfast.cli.state import terms
from holdfast.cli.state.change import changed
from holdfast.cli.state.nested import operations
from holdfast.cli.when import seconds
from holdfast.errors import Conflict, InvalidContent, UsageError
from holdfast.statefile.content import fault
from holdfast.statefile.durability import Durability
from holdfast.statefile.intent import parse_intent_name
from holdfast.statefile.state import StateFile
from holdfast.statefile.temp import parse_temp_name
from holdfast.statefile.write import Result, write_atomic


def run(options: argparse.Namespace) -> int:
    """Write what stands on stdin; missing folders are made.

    Raises:
        InvalidContent: it is empty, or not what the name of the file says.
        UsageError: a folder was named.
    """
    if not os.path.basename(options.path):
        raise UsageError(f"{options.path} names a folder; name a file in it")
    _refuse_own_name(options.path)
    file = terms.state_file(options)
    content = terms.stdin_bytes()
    _refuse_unfit(options, file, content)
    act = _imagined if options.dry_run else _written
    return changed(options, lambda _guard: act(options, file, content))


def _refuse_own_name(path: str) -> None:
    name = os.path.basename(path)
    is_lock = name.startswith(".") and name.endswith(".lock")
    if is_lock or parse_temp_name(name) or parse_intent_name(name):
        raise UsageError(
            f"{path} bears a name that locks, temps or transactions of state files bear; choose another"
        )


def _refuse_unfit(options: argparse.Namespace, file: StateFile, content: bytes) -> None:
    if not content:
        why, force = None if options.allow_empty else "it is empty", "--allow-empty"
    else:
        why, force = None if options.raw else fault(content, file.kind), "--raw"
    if why is not None:
        raise InvalidContent(
            f"{file.path} was to hold {file.kind.value} from stdin, but {why}; it is as it was; "
            f"{force} writes it all the same",
            path=file.path,
        )


def _written(options: argparse.Namespace, file: StateFile, content: bytes) -> Result:
    return write_atomic(
        file.path,
        content,
        durability=Durability(options.durability),
        follow=not options.no_follow,
        expect=terms.expected(options),
        backups=options.backups,
        parents=True,
        wait_for=seconds(options.timeout),
        ops=operations(),
    )


def _imagined(options: argparse.Namespace, file: StateFile, content: bytes) -> Result:
    """Return what a write would give.

    Raises:
        Conflict: the file is not what was expected.
    """
    expected, found = terms.expected(options), file.version()
    if expected not in (None, found):
        raise Conflict(
            f"{file.path} was to be {expected} and is {found}; read it again", path=file.path
        )
    level = Durability(options.durability)
    return Result(file.path, content, level, level, written=False)
