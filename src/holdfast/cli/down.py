"""`holdfast down`: stop everything in reverse order, and return when nothing is left."""

import argparse
import os
import select
import sys
from typing import Any

from holdfast.cli import reach, render
from holdfast.cli.when import seconds
from holdfast.errors import HoldfastError, NotRunning

END_WITHIN = 10.0
"""Seconds the supervisor itself may take to end once everything is stopped."""


def run(options: argparse.Namespace) -> int:
    """Stop all services and Holdfast itself; 1 when a service could not be ended."""
    within = seconds(options.timeout) if options.timeout else None
    try:
        rows = _shut_down(
            keep=options.keep_services, within=within, is_quiet=options.quiet or options.json
        )
    except NotRunning:
        return _nothing_to_do(options)
    stuck = [row for row in rows if row["result"] == "stuck"]
    if options.json:
        render.print_json({"services": rows})
    elif not options.quiet:
        _tell(rows, keep=options.keep_services)
    for row in stuck:
        render.complain(f"{row['name']} could not be ended: {row['why']}")
    return 1 if stuck else 0


def _shut_down(*, keep: bool, within: float | None, is_quiet: bool) -> list[dict[str, Any]]:
    def told(row: dict[str, Any]) -> None:
        if not is_quiet and row["pid"] is None and sys.stdout.isatty():
            print(f"  {row['name']} {row['state']}", flush=True)

    with reach.supervisor(patience=None) as control:
        pid = control.call("ping")["pid"]
        order = {"keep_services": keep, "timeout": within}
        rows: list[dict[str, Any]] = control.call("shutdown", order, progress=told)["services"]
        if not _is_ended(pid):
            raise HoldfastError(
                f"everything is stopped, but the supervisor itself (pid {pid}) has not ended yet"
            )
    return rows


def _is_ended(pid: int) -> bool:
    """Tell, as soon as it is so, that the supervisor itself is gone; False when that takes too long."""
    if sys.platform != "linux":
        return True
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([pidfd], [], [], END_WITHIN)[0])
    finally:
        os.close(pidfd)


def _tell(rows: list[dict[str, Any]], *, keep: bool) -> None:
    if keep:
        print("Holdfast ended; the services live on. Watch over them again with: holdfast up")
    else:
        print(f"{len(rows)} service{'s' if len(rows) != 1 else ''} stopped; Holdfast ended")


def _nothing_to_do(options: argparse.Namespace) -> int:
    """Nothing runs: that is what was wanted, unless services outlived their supervisor."""
    from holdfast.machine.supervisor import view

    left = [
        row["name"] for row in view.from_disk(reach.home())["services"] if row["pid"] is not None
    ]
    if left:
        named = ", ".join(left)
        raise NotRunning(
            f"no supervisor runs, but these services live on: {named}; run `holdfast up`, then `holdfast down`"
        )
    if options.json:
        render.print_json({"services": []})
    elif not options.quiet:
        print("nothing is running")
    return 0
