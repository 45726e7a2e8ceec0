"""`holdfast init`: a commented configuration to start from."""

import argparse
import shlex
from pathlib import Path

from holdfast.cli import render

FOUND_BY_ITSELF = "holdfast.toml"
"""The file other commands read without being told."""


def run(options: argparse.Namespace) -> int:
    """Write the starter file and say what to do with it.

    Raises:
        Refused: something stands there already, or the folder cannot be written.
    """
    from holdfast.config.starter import write_starter

    path = Path(options.file).expanduser()
    write_starter(path)
    named = "" if options.file == FOUND_BY_ITSELF else f" -c {shlex.quote(options.file)}"
    then = [f"holdfast config check{named}", f"holdfast up{named}"]
    if options.json:
        render.print_json({"file": str(path.absolute()), "next": then})
    elif not options.quiet:
        print(f"{path} written. Edit it, then run:")
        print("\n".join(f"  {command}" for command in then))
    return 0
