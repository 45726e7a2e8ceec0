"""Kinds that name files and programs: paths, secret files, commands."""

import os
import shlex
import stat
import sys
from typing import Annotated, Any

from holdfast.config.kinds.base import Kind, filled_text, raw_text
from holdfast.config.origin import Origin
from holdfast.config.unfit import Unfit

_ARGUMENTS = {"type": "array", "items": {"type": "string"}, "minItems": 1}


def _read_path(plain: object, origin: Origin) -> str:
    return origin.resolve(filled_text(plain, origin))


def _read_secret_file(plain: object, origin: Origin) -> str:
    path = _read_path(plain, origin)
    try:
        found = os.stat(path)
    except OSError as error:
        raise Unfit(f"cannot be read: {error.strerror}", hint=f"looked for {path}") from error
    if not stat.S_ISREG(found.st_mode):
        raise Unfit("is not a file", hint=f"looked at {path}")
    if sys.platform != "win32" and found.st_mode & stat.S_IROTH:
        raise Unfit(
            "every user of this machine can read the secret", hint=f"run: chmod 600 {path}"
        )
    if not os.access(path, os.R_OK):
        raise Unfit("cannot be read: permission denied", hint=f"looked at {path}")
    return path


def _read_command(plain: object, origin: Origin) -> tuple[str, ...]:
    words = origin.expand_all(_words(plain))
    if not words:
        raise Unfit("empty", hint='write ["program", "argument"]')
    if not words[0]:
        raise Unfit("the program has no name", hint='write ["program", "argument"]')
    program = words[0]
    if program.startswith("~") or "/" in program or os.sep in program:
        program = origin.resolve(program)
    return (program, *words[1:])


def _words(plain: object) -> list[str]:
    if isinstance(plain, list):
        if not all(isinstance(word, str) for word in plain):
            raise Unfit("every word of a command is a string", hint='write "8000", not 8000')
        return [raw_text(word) for word in plain]
    # Words are split before variables are filled in: what a variable holds stays one word, spaces or not.
    line = raw_text(plain)
    try:
        return shlex.split(line)
    except ValueError as error:
        reason = str(error).rstrip(".").lower()
        raise Unfit(
            f"unbalanced quotes ({reason})", hint='or write a list: ["program", "argument"]'
        ) from error


def _show_command(words: Any) -> object:
    return list(words) or None


PATH = Kind(
    expected="a path",
    schema={"type": "string", "minLength": 1},
    read=_read_path,
)
SECRET_FILE = Kind(
    expected="the path of a file only you can read",
    schema={"type": "string", "minLength": 1},
    read=_read_secret_file,
)
COMMAND = Kind(
    expected='a list of words such as ["program", "argument"], or a string of words',
    schema={"anyOf": [_ARGUMENTS, {"type": "string", "minLength": 1}]},
    read=_read_command,
    show=_show_command,
)

PathText = Annotated[str, PATH]
SecretFile = Annotated[str, SECRET_FILE]
Command = Annotated[tuple[str, ...], COMMAND]
