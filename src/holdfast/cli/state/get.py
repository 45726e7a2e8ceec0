"""`holdfast state get`: print a file that is whole, or one value, key or section of it."""

import argparse
import os
import sys

from holdfast.cli.state.terms import state_file_to_read
from holdfast.errors import Corrupt, HoldfastError, Refused, UsageError
from holdfast.statefile.content import Kind, fault, kind_of
from holdfast.statefile.state import StateFile


def run(options: argparse.Namespace) -> int:
    """Print what was asked for; a text as it stands, any other value as JSON."""
    if options.at is not None:
        _print(options, _value(options))
    elif options.key is not None or options.section is not None:
        _print(options, _part(options))
    elif options.within is not None:
        raise UsageError("--in says where to look for a --key or a --section; say which")
    else:
        _print_whole(options)
    return 0


def _value(options: argparse.Namespace) -> object:
    """Return one value of a JSON file.

    Raises:
        Refused: there is no such value.
    """
    from holdfast.statefile.jsondoc import pointer

    if options.key is not None or options.section is not None or options.within is not None:
        raise UsageError(
            "a PATH is for JSON files; --key, --section and --in are for text: say one of both"
        )
    value = state_file_to_read(options.path, Kind.JSON).read()
    try:
        return pointer.get(value, pointer.parse_path(options.at))
    except ValueError as error:
        raise Refused(f"{options.path}: {error}") from error


def _part(options: argparse.Namespace) -> str:
    """Return one key or section of a text.

    Raises:
        Refused: there is none of that name, or more than one.
    """
    from holdfast.statefile import markdown

    text: str = state_file_to_read(options.path, Kind.TEXT).read()
    try:
        if options.key is not None:
            return markdown.get_key(text, options.key, within=options.within)
        return markdown.get_section(text, options.section, within=options.within)
    except markdown.MarkdownError as error:
        raise Refused(f"{options.path}: {error}") from error


def _print_whole(options: argparse.Namespace) -> None:
    """Print all of a file as it stands.

    Raises:
        Corrupt: it is not what its name says.
    """
    path = options.path
    kind = kind_of(os.path.basename(path))
    text: str = StateFile(path, kind=Kind.OTHER).read()
    why = fault(text.encode(), kind)
    if why is not None:
        raise Corrupt(
            f"{path} should hold {kind.value}, but {why}; see: holdfast state inspect {path}",
            path=path,
        )
    if options.json and kind is not Kind.JSON:
        text = _as_json(path, text)
    _put(text)


def _print(options: argparse.Namespace, value: object) -> None:
    if isinstance(value, str) and not options.json:
        _put(f"{value}\n")
    else:
        _put(_as_json(options.path, value))


def _as_json(path: str, value: object) -> str:
    """Return a value as JSON, with its numbers as they were written.

    Raises:
        Refused: it has no such form.
    """
    from holdfast.statefile.jsondoc.text import NotJson, render

    try:
        return render(value)
    except NotJson as error:
        raise Refused(f"{path}: the value cannot be printed: {error}") from error


def _put(text: str) -> None:
    """Print a text in the bytes it has in the file, whatever the terminal speaks.

    Raises:
        HoldfastError: stdout is closed.
    """
    # The name without underscores is by now an output that goes nowhere.
    if sys.__stdout__ is None:
        raise HoldfastError("stdout is closed; the answer cannot be written")
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace"))
