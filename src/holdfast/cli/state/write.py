"""`holdfast state write`: replace a file whole by what stands on stdin."""

import argparse
import os

from holdfast.cli.state import terms
from holdfast.cli.state.change import changed
from holdfast.cli.state.nested import operations
from holdfast.cli.when import seconds
from holdfast.errors import Conflict, InvalidContent, UsageError
from holdfast.statefile.content import fault
from holdfast.statefile.draft import Order
from holdfast.statefile.durability import Durability
from holdfast.statefile.faults import io_error
from holdfast.statefile.folders import make_folders
from holdfast.statefile.lock import Sidecar
from holdfast.statefile.place import open_place
from holdfast.statefile.state import StateFile
from holdfast.statefile.write import Result, replace


def run(options: argparse.Namespace) -> int:
    """Write what stands on stdin; missing folders are made.

    Raises:
        InvalidContent: it is empty, or not what the name of the file says.
        UsageError: a folder was named.
    """
    if not os.path.basename(options.path):
        raise UsageError(f"{options.path} names a folder; name a file in it")
    file = terms.state_file(options)
    order = Order(
        terms.stdin_bytes(),
        Durability(options.durability),
        expect=terms.expected(options),
        backups=options.backups,
    )
    _refuse_unfit(options, file, order.content)
    act = _imagined if options.dry_run else _written
    return changed(options, lambda _guard: act(options, file, order))


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


def _written(options: argparse.Namespace, file: StateFile, order: Order) -> Result:
    ops = operations()
    try:
        make_folders(os.path.dirname(file.path), ops)
        with (
            open_place(file.path, follow=not options.no_follow, ops=ops) as place,
            Sidecar(place, wait_for=seconds(options.timeout)),
        ):
            return replace(place, order)
    except OSError as error:
        raise io_error(error, file.path, "written") from error


def _imagined(_options: argparse.Namespace, file: StateFile, order: Order) -> Result:
    """Return what a write would give.

    Raises:
        Conflict: the file is not what was expected.
    """
    found = file.version()
    if order.expect not in (None, found):
        raise Conflict(
            f"{file.path} was to be {order.expect} and is {found}; read it again", path=file.path
        )
    return Result(file.path, order.content, order.durability, order.durability, written=False)
