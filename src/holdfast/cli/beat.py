"""`holdfast beat`: a heartbeat from a script."""

import argparse
import os

from holdfast.cli import render
from holdfast.cli.when import seconds
from holdfast.client import beat
from holdfast.errors import UsageError


def run(options: argparse.Namespace) -> int:
    """Send one beat; 1 when nobody could be told.

    Raises:
        UsageError: no service was named, and this runs in none.
    """
    name = options.name or os.environ.get("HOLDFAST_SERVICE")
    if not name:
        raise UsageError(
            "no service was named, and this runs in none; write: holdfast beat NAME, or run it inside a service"
        )
    is_told = beat(
        options.status,
        options.error,
        options.progress,
        service=name,
        interval=seconds(options.every) if options.every else None,
        lease=seconds(options.lease) if options.lease else None,
    )
    if options.json:
        render.print_json({"service": name, "told": is_told})
    elif not is_told:
        render.complain(f"nobody took the beat of {name}, and it could not be written to a file")
    return 0 if is_told else 1
