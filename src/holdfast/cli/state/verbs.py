"""`holdfast state VERB`: find what does it, and say of a missing file what to do."""

import argparse

from holdfast.errors import StateIOError, UsageError

PLACES = {
    "write": "write:run",
    "json": "change:json",
    "set": "change:set_value",
    "append": "change:append",
    "delete": "change:delete",
    "merge": "change:merge",
    "section": "section:run",
    "get": "get:run",
    "inspect": "inspect:run",
    "recover": "recover:run",
    "rebuild": "rebuild:run",
    "lock": "lock:run",
}
"""Where each verb stands in this room; only the chosen one is imported."""


def run(options: argparse.Namespace) -> int:
    """Do what the verb says.

    Raises:
        StateIOError: there is no file where one is needed, or too little memory for it.
        UsageError: what was named cannot be the path of a file.
    """
    path: str = options.path
    if not path or "\0" in path:
        raise UsageError(f"{path!r} is no path; name a file")
    module, _, name = PLACES[options.verb].partition(":")
    act = getattr(__import__(f"holdfast.cli.state.{module}", fromlist=[name]), name)
    try:
        code: int = act(options)
    except FileNotFoundError as error:
        raise missing(path) from error
    except MemoryError as error:
        raise StateIOError(
            f"{path}: there is not enough memory to read or to change it; it is as it was",
            path=path,
            errno_name="ENOMEM",
        ) from error
    return code


def missing(path: str) -> StateIOError:
    """Return the error for a file that is not there."""
    return StateIOError(
        f"{path}: there is no such file; write it first: holdfast state write {path}",
        path=path,
        errno_name="ENOENT",
    )
