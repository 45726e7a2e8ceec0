"""Read the configuration a command is about."""

import os
import sys
from typing import TYPE_CHECKING

from holdfast.cli import reach
from holdfast.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from holdfast.config.settings import Settings


def environment() -> dict[str, str]:
    """Return what `${VAR}` may name: the caller's environment, and the interpreter Holdfast itself runs on."""
    return {"HOLDFAST_PYTHON": sys.executable, **os.environ}


def find(explicit: "str | None") -> "Path":
    """Return the configuration file meant.

    Raises:
        ConfigError: there is none; says where it was looked for.
    """
    from holdfast.config import load

    return load.find(explicit)


def load(explicit: "str | None") -> "Settings":
    """Return the settings of the file meant.

    Raises:
        ConfigError: there is no file, or something is wrong with it.
    """
    from holdfast.config import load as reading

    return reading.load(reading.find(explicit), environment())


def load_remembered(explicit: "str | None") -> "Settings":
    """Return the settings of the file named, else of the one this home was brought up with.

    Raises:
        ConfigError: there is no file, or something is wrong with it.
    """
    from holdfast.machine.supervisor import standing

    remembered = standing.remembered(reach.home()).get("config")
    return load(explicit or (str(remembered) if remembered else None))


def as_text(error: ConfigError) -> str:
    """Return all problems of a configuration, one a line, with what to do next."""
    count = len(error.problems)
    lines = [
        f"the configuration has {count} problem{'s' if count != 1 else ''}; nothing was changed"
    ]
    return "\n  ".join([*lines, *(str(problem) for problem in error.problems)])
