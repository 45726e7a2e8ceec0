"""`holdfast history`: the restarts of one service and why, from its record on disk."""

import argparse
from collections.abc import Sequence

from holdfast.cli import known, reach, render
from holdfast.clock import utc_text
from holdfast.errors import UnknownName, UsageError
from holdfast.machine.supervisor import records
from holdfast.model.service import Exit, Restart

HEAD = ("AT", "REASON", "ENDED", "PID", "OUTCOME")


def run(options: argparse.Namespace) -> int:
    """Show the newest restarts, newest last."""
    if options.lines < 0:
        raise UsageError(f"-n {options.lines} was given; expected how many restarts, 0 or more")
    history = _read(options.name)
    shown = history[len(history) - min(options.lines, len(history)) :]
    if options.json:
        render.print_json([_plain(restart) for restart in shown])
    elif shown:
        print("\n".join(render.table(HEAD, map(_row, shown))))
    elif not options.quiet:
        print(f"{options.name} was never restarted")
    return 0


def _read(name: str) -> Sequence[Restart]:
    """Return the history of a service.

    Raises:
        UnknownName: no service of that name has a record.
    """
    home = reach.home()
    known.require([name], known.services(home), "service")
    try:
        return records.load(home, name).state.history
    except FileNotFoundError as error:
        raise UnknownName(f"{name} was taken out of the configuration just now") from error


def _plain(restart: Restart) -> dict[str, object]:
    return {
        "at": utc_text(restart.at),
        "reason": restart.reason.value,
        "exit_code": restart.exit.code,
        "signal": restart.exit.signal,
        "pid": restart.pid,
        "success": restart.success,
    }


def _row(restart: Restart) -> tuple[str, ...]:
    outcome = {None: "under way", True: "started", False: "failed"}[restart.success]
    pid = "-" if restart.pid is None else str(restart.pid)
    return (utc_text(restart.at), restart.reason.value, ended(restart.exit), pid, outcome)


def ended(exit_: Exit) -> str:
    """Return how a process ended, as people say it: exit 1, SIGKILL, unknown."""
    if exit_.signal is not None:
        return _signal_name(exit_.signal) + (" (core dumped)" if exit_.core else "")
    return "unknown" if exit_.code is None else f"exit {exit_.code}"


def _signal_name(number: int) -> str:
    import signal

    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
