"""`holdfast state recover`: mend what crashes left, and tell what was done."""

import argparse
from collections.abc import Iterator

from holdfast.cli import render
from holdfast.cli.state.nested import operations
from holdfast.cli.state.printable import printable
from holdfast.cli.when import seconds
from holdfast.statefile.recovery.recover import NotAllMended, Recovery, recover
from holdfast.statefile.recovery.verdict import Outcome

_SAYS = {
    Outcome.INTACT: "is whole and stays as it is",
    Outcome.PROMOTED: "is now what stood in {source}",
    Outcome.RESTORED: "is now its backup {source}",
    Outcome.FINISHED: "is new, as the transaction it was part of is finished",
    Outcome.UNDONE: "is as it was, as the transaction it was part of is undone",
}
_WOULD_SAY = {
    Outcome.INTACT: "is whole and would stay as it is",
    Outcome.PROMOTED: "would become what stands in {source}",
    Outcome.RESTORED: "would become its backup {source}",
    Outcome.FINISHED: "takes part in a transaction that would be settled first",
    Outcome.UNDONE: "would stay as it was, and the transaction it was part of be undone",
}


def run(options: argparse.Namespace) -> int:
    """Recover a file, or each one of a folder.

    Raises:
        NotAllMended: some of a folder could not be; what was done to the others is printed before as JSON.
    """
    try:
        recovery = recover(
            options.path,
            dry_run=options.dry_run,
            foreign=options.foreign,
            use=options.use,
            wait_for=seconds(options.timeout),
            ops=operations(),
        )
    except NotAllMended as failure:
        if options.json:  # in words the error tells it
            render.print_json(failure.done.plain())
        raise
    if options.json:
        render.print_json(recovery.plain())
    elif not options.quiet:
        for line in _lines(recovery, is_full=options.verbose):
            print(printable(line))
    return 0


def _lines(recovery: Recovery, *, is_full: bool) -> Iterator[str]:
    if recovery.outcome is not Outcome.FOLDER:
        yield from _told(recovery)
        return
    changed = [part for part in recovery.parts if is_full or not part.is_untouched]
    for part in changed:
        yield from _told(part)
    rest = len(recovery.parts) - len(changed)
    if rest or not changed:
        yield f"{rest} {'other ' if changed else ''}file{'' if rest == 1 else 's'} whole"


def _told(recovery: Recovery) -> Iterator[str]:
    says = (_WOULD_SAY if recovery.dry_run else _SAYS)[recovery.outcome]
    yield f"{recovery.path} {says.format(source=recovery.source)}"
    if recovery.evidence:
        yield f"  its broken content is kept in {recovery.evidence}"
    for txn in recovery.transactions:
        yield f"  transaction {txn} {'to settle' if recovery.dry_run else 'settled'}"
    if recovery.removed:
        verb = "would be removed" if recovery.dry_run else "removed"
        count = len(recovery.removed)
        yield f"  {count} dead temp{'' if count == 1 else 's'} {verb} ({render.size(recovery.bytes)})"
