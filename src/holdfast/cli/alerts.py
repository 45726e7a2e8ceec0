"""`holdfast alerts ack|silence|maintenance|list|end|test`: steer who is told of what."""

import argparse
import getpass
from typing import Any

from holdfast.cli import ask, render, when
from holdfast.errors import UsageError

TEST_WITHIN = 30.0
"""Seconds in which a test message has to arrive."""

SILENCES_HEAD = ("ID", "CHECKS", "FROM", "UNTIL", "BY", "NOTE")


def run(options: argparse.Namespace) -> int:
    """Do what the verb says."""
    acts = {
        "ack": _acknowledge,
        "silence": _silence,
        "maintenance": _silence,
        "list": _list,
        "end": _end,
        "test": _test,
    }
    return acts[options.verb](options)


def _acknowledge(options: argparse.Namespace) -> int:
    body = {
        "by": options.by or _user(),
        "note": options.note or "",
        "sticky": options.sticky,
        "for_s": _span(options),
    }
    done = [ask.post(f"/incidents/{ask.part(name)}/acknowledge", body) for name in options.names]
    if options.json:
        render.print_json(done)
    elif not options.quiet:
        print(f"acknowledged: {', '.join(options.names)}")
    return 0


def _silence(options: argparse.Namespace) -> int:
    body = {
        "pattern": options.pattern,
        "for_s": when.seconds(options.duration),
        "by": options.by or _user(),
        "note": options.note or "",
        "maintenance": options.verb == "maintenance",
    }
    done = ask.post("/silences", body)
    if options.json:
        render.print_json(done)
    elif not options.quiet:
        print(
            f"nobody is told of {options.pattern} until {done['ends_at']}; "
            f"to end it before: holdfast alerts end {done['id']}"
        )
    return 0


def _list(options: argparse.Namespace) -> int:
    rows = ask.get("/silences")
    if options.json:
        render.print_json(rows)
    elif rows:
        print("\n".join(render.table(SILENCES_HEAD, map(_cells, rows))))
    elif not options.quiet:
        print("nothing is silenced")
    return 0


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    note = row["note"] or ("maintenance" if row["maintenance"] else "-")
    return (str(row["id"]), row["pattern"], row["starts_at"], row["ends_at"], row["by"], note)


def _end(options: argparse.Namespace) -> int:
    done = ask.call("DELETE", f"/silences/{options.id}")
    if options.json:
        render.print_json(done)
    elif not options.quiet:
        print(f"silence {options.id} is over")
    return 0


def _test(options: argparse.Namespace) -> int:
    """Send a message by one channel or by all, and wait until each was delivered or not."""
    body = {"channel": options.channel, "wait_s": TEST_WITHIN}
    done = ask.post("/notifications/test", body, within=TEST_WITHIN + ask.ANSWER_WITHIN)
    if options.json:
        render.print_json(done)
    else:
        for row in done:
            is_well = row["state"] == "delivered"
            told = render.paint(row["state"], "green" if is_well else "red")
            print(
                f"{row['channel']}: {told}"
                + (f": {row['last_error']}" if row["last_error"] else "")
            )
    return 0 if done and all(row["state"] == "delivered" for row in done) else 1


def _span(options: argparse.Namespace) -> float | None:
    return None if options.duration is None else when.seconds(options.duration)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError) as error:
        raise UsageError("this user has no name; say who you are with --by NAME") from error
