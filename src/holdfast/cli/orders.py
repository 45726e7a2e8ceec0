"""`holdfast start|stop|restart|signal`: orders to running services, one line of answer each."""

import argparse
from typing import Any

from holdfast.cli import reach, render

FAILURES = frozenset({"failed", "stuck"})


def start(options: argparse.Namespace) -> int:
    """Start services."""
    return _order("start", {"wait": not options.no_wait}, options)


def stop(options: argparse.Namespace) -> int:
    """Stop services."""
    return _order("stop", {"kill": options.kill}, options)


def restart(options: argparse.Namespace) -> int:
    """Restart services."""
    return _order("restart", {"wait": not options.no_wait}, options)


def signal(options: argparse.Namespace) -> int:
    """Send a signal to services; 1 when one of them does not run."""
    return _order("signal", {"signal": options.signal}, options)


def reload_services(options: argparse.Namespace) -> int:
    """Send each service its reload signal; 1 when one of them does not run."""
    return _order("reload_services", {}, options)


def _order(method: str, params: dict[str, Any], options: argparse.Namespace) -> int:
    asked = {"select": options.select, "all": options.all, **params}
    with reach.supervisor(patience=None) as control:
        rows = control.call(method, asked)["services"]
    if options.json:
        render.print_json({"services": rows})
    else:
        for row in rows:
            _tell(row, is_quiet=options.quiet)
    wrong = FAILURES | ({"not_running"} if method in ("signal", "reload_services") else set())
    return 1 if any(row["result"] in wrong for row in rows) else 0


def _tell(row: dict[str, Any], *, is_quiet: bool) -> None:
    if row["result"] in FAILURES:
        render.complain(f"{row['name']} {row['result']}: {row['why']}")
        return
    if is_quiet:
        return
    pid = f" (pid {row['pid']})" if row.get("pid") else ""
    why = f": {row['why']}" if row.get("why") else ""
    print(f"{row['name']} {row['result'].replace('_', ' ')}{pid}{why}")
