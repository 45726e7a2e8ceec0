"""`holdfast down`: stop everything in reverse order, and return when nothing is left."""

import argparse
import sys
import time
from contextlib import suppress
from typing import Any

from holdfast.cli import ending, reach, render
from holdfast.cli.when import seconds
from holdfast.clock import SystemClock
from holdfast.errors import HoldfastError, NotRunning
from holdfast.home import RESERVED_NAMES

PATIENCE = 15.0
"""Seconds in which a supervisor that is being started or replaced must begin to answer."""


def run(options: argparse.Namespace) -> int:
    """Stop all services and Holdfast itself; 1 when a service could not be ended."""
    within = seconds(options.timeout) if options.timeout else None
    if not _is_served():
        return _nothing_to_do(options)
    rows = _shut_down_for_good(
        keep=options.keep_services, within=within, is_quiet=options.quiet or options.json
    )
    stuck = [row for row in rows if row["result"] == "stuck"]
    if options.json:
        render.print_json({"services": rows})
    elif not options.quiet:
        _tell(rows, keep=options.keep_services)
    for row in stuck:
        render.complain(f"{row['name']} could not be ended: {row['why']}")
    return 1 if stuck else 0


def _is_served() -> bool:
    """Tell whether a supervisor answers; one that is just being replaced is waited for.

    Raises:
        HoldfastError: a supervisor or a watchdog runs, and none answers.
    """
    clock = SystemClock()
    until = clock.monotonic() + PATIENCE
    while True:
        with suppress(NotRunning), reach.supervisor() as control:
            return bool(control.call("ping"))
        own = ending.of_home(reach.home())
        if not own:
            return False
        if clock.monotonic() > until:
            named = " and ".join(map(str, own))
            raise HoldfastError(
                f"Holdfast runs (pid {named}) and does not answer; see {reach.home().logs / 'supervisor.log'}"
            )
        time.sleep(0.05)


def _shut_down_for_good(
    *, keep: bool, within: float | None, is_quiet: bool
) -> list[dict[str, Any]]:
    """Give the order again when the supervisor dies over it: the one that takes its place knows nothing of it."""
    while True:
        try:
            return _shut_down(keep=keep, within=within, is_quiet=is_quiet)
        except NotRunning:
            if not _is_served():
                return []


def _shut_down(*, keep: bool, within: float | None, is_quiet: bool) -> list[dict[str, Any]]:
    def told(row: dict[str, Any]) -> None:
        if not is_quiet and row["pid"] is None and sys.stdout.isatty():
            print(f"  {row['name']} {row['state']}", flush=True)

    with reach.supervisor(patience=None) as control:
        own = {control.call("ping")["pid"], *ending.of_home(reach.home())}
        with ending.Programs(own) as programs:
            order = {"keep_services": keep, "timeout": within}
            rows: list[dict[str, Any]] = control.call("shutdown", order, progress=told)["services"]
            left = programs.left()
    if left:
        named = " and ".join(map(str, left))
        raise HoldfastError(
            f"{'the services are let go' if keep else 'everything is stopped'}, but Holdfast itself (pid {named}) has not ended yet"
        )
    return rows


def _tell(rows: list[dict[str, Any]], *, keep: bool) -> None:
    if keep:
        print("Holdfast ended; the services live on. Watch over them again with: holdfast up")
    else:
        rows = [row for row in rows if row["name"] not in RESERVED_NAMES]
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
