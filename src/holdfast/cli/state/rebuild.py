"""`holdfast state rebuild`: a lost agent-history.json anew from the summaries of its plans."""

import argparse
from collections.abc import Iterator

from holdfast.cli import render
from holdfast.cli.state.nested import operations
from holdfast.cli.state.printable import printable
from holdfast.statefile.recovery.rebuild import Rebuilt, rebuild


def run(options: argparse.Namespace) -> int:
    """Rebuild the history of a folder, or tell what would be written."""
    rebuilt = rebuild(options.path, force=options.force, dry_run=options.dry_run, ops=operations())
    if options.json:
        render.print_json(rebuilt.plain())
    elif not options.quiet:
        for line in _lines(rebuilt, is_full=options.verbose):
            print(printable(line))
    return 0


def _lines(rebuilt: Rebuilt, *, is_full: bool) -> Iterator[str]:
    count = len(rebuilt.sources)
    done = "would be rebuilt" if rebuilt.dry_run else "rebuilt"
    plans = f"{len(rebuilt.entries)} plan{'' if len(rebuilt.entries) == 1 else 's'}"
    summaries = f"{count} {'summary' if count == 1 else 'summaries'}"
    yield f"{rebuilt.path} {done} from {summaries}: {plans}, the latest {rebuilt.latest}"
    if rebuilt.evidence:
        yield f"  its unreadable content is kept in {rebuilt.evidence}"
    if rebuilt.pruned:
        names = ", ".join(entry.plan for entry in rebuilt.pruned)
        yield f"  left out, as there is room for {len(rebuilt.entries)}: {names}"
    for one in rebuilt.ignored:
        yield f"  passed over: {one.name}, {one.why}"
    if is_full or rebuilt.dry_run:
        for entry in rebuilt.entries:
            yield f"  {entry.plan}  {entry.status}"
