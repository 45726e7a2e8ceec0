"""`holdfast ping`: tell a check that something began, succeeded or failed, even while no hub lives."""

import argparse

from holdfast.cli import ask, reach, render
from holdfast.clock import SystemClock
from holdfast.errors import HoldfastError, NotRunning, StoreError, UsageError
from holdfast.home import NAME

SIGNALS = ("start", "success", "fail", "log")
LARGEST_EXIT = 255


def run(options: argparse.Namespace) -> int:
    """Send one ping to the hub; while none can take it, it goes into the journal, and the hub takes it from there."""
    if NAME.fullmatch(options.name) is None:
        raise UsageError(f"{options.name!r} is no name of a check")
    told = {
        **_meaning(options.signal),
        "rid": options.rid,
        "body": (options.message or "").encode("utf-8", "replace").decode(),
        "create": options.create,
    }
    try:
        answer = ask.post(f"/checks/{options.name}/ping", told)
    except (NotRunning, StoreError) as error:
        answer = _by_journal(options.name, told, error)
    if options.json:
        render.print_json(answer)
    elif answer.get("kept") and not options.quiet:
        print("no hub takes it now; the ping is kept in the journal until one does")
    return 0


def _meaning(word: str) -> dict[str, object]:
    """Return what a word says.

    Raises:
        UsageError: it is neither a signal nor an exit code.
    """
    if word in SIGNALS:
        return {"signal": word, "exit_code": None}
    if word.isascii() and word.isdigit() and int(word) <= LARGEST_EXIT:
        return {"signal": "fail" if int(word) else "success", "exit_code": int(word)}
    raise UsageError(
        f"{word!r} was given; expected one of {', '.join(SIGNALS)}, or an exit code from 0 to {LARGEST_EXIT}"
    )


def _by_journal(name: str, told: dict[str, object], away: HoldfastError) -> dict[str, object]:
    facts = {**told, "pinged_at": SystemClock().wall()}
    event = {"kind": "check.pinged", "subject": name, "facts": facts}
    try:
        with reach.supervisor() as control:
            control.call("note", {"events": [event]})
    except NotRunning:
        raise away from None
    return {"name": name, "kept": True}
