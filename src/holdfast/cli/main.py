"""The entry point: find the command, run it, turn every error into one message and an exit code."""

import os
import sys
from typing import TYPE_CHECKING

from holdfast.errors import HoldfastError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

INTERRUPTED = 130


def main(arguments: "Sequence[str] | None" = None) -> int:
    """Run one command and return its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    _open_outputs()
    try:
        code = _run(words)
        sys.stdout.flush()
    except HoldfastError as error:
        print(f"holdfast: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _drop_output()  # the reader went away (`holdfast logs | head`): no fault
        return 0
    except OSError as error:
        _drop_output()
        print(f"holdfast: {_told(error)}", file=sys.stderr)
        return 1
    return code


def _open_outputs() -> None:
    """Let a closed or an ASCII-only output be no reason to fail."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - lives as long as the program
        else:
            stream.reconfigure(errors="backslashreplace")


def _drop_output() -> None:
    """Send what is still buffered nowhere, or Python complains at its own end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _told(error: OSError) -> str:
    if error.filename is None:
        return f"the answer cannot be written: {error.strerror or error}"
    return f"{error.filename}: {error.strerror}"


def _run(words: list[str]) -> int:
    from holdfast.cli.commands import COMMANDS
    from holdfast.cli.parser import build

    named = words[0] if words and words[0] in {command.name for command in COMMANDS} else None
    parser = build(COMMANDS, only=named, verb=words[1] if len(words) > 1 else None)
    options = parser.parse_args(words)
    if options.version:
        from holdfast import __version__

        print(f"holdfast {__version__}")
        return 0
    if options.command is None:
        parser.print_help()
        return 2
    _settle_level(options)
    code: int = _function(options.run)(options)
    return code


def _settle_level(options: "argparse.Namespace") -> None:
    """Let -v, -q and --log-level mean one thing."""
    options.verbose = options.verbose or options.log_level == "debug"
    options.quiet = options.quiet or options.log_level == "error"


def _function(place: str):  # type: ignore[no-untyped-def]  # found by name so that nothing else is imported
    # As importlib.import_module does, which loads `warnings` besides.
    module, _, name = place.partition(":")
    return getattr(__import__(module, fromlist=[name]), name)
