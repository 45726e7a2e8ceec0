"""What starts Holdfast with the machine: one file, and what has to be said to the service manager about it."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TypeAlias

Command: TypeAlias = tuple[str, ...]


class Scope(StrEnum):
    """Whose service manager starts it: this user's, with the session, or the machine's."""

    USER = "user"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True, kw_only=True)
class Boot:
    """What is to be started: a home, its configuration where one was named, the Python and the PATH it runs with.

    Without `config` the file is meant that the home remembers.
    """

    name: str
    scope: Scope
    home: str
    config: str | None
    python: str
    path: str

    @property
    def holdfast(self) -> Command:
        """Return how a command of Holdfast is run: by this very Python, whatever PATH says at boot."""
        return (self.python, "-P", "-m", "holdfast")

    @property
    def config_option(self) -> Command:
        """Return the words by which `up` is told which configuration to use."""
        return () if self.config is None else ("-c", self.config)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A file for a service manager, and the commands that make it known there.

    `home_in` reads from a file of this kind whose home it starts: None when Holdfast did not write it. `ask` ends with
    0 when the entry is enabled, `begin` is what a person types to start it before the next boot.
    """

    file: Path
    content: bytes
    home_in: Callable[[bytes], str | None]
    enable: tuple[Command, ...] = ()
    disable: tuple[Command, ...] = ()
    forget: tuple[Command, ...] = ()
    ask: Command | None = None
    begin: Command
