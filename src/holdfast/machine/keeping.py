"""Who keeps descriptors open for the supervisor, so that what waits in them outlives it."""

from collections.abc import MutableMapping
from typing import Protocol


class Keeping(Protocol):
    """Who keeps descriptors alive beyond the death of this process, and gave back those of the one before."""

    held: MutableMapping[str, int]
    """What was given back, by name; whoever takes one out owns it."""

    def hold(self, name: str, fd: int) -> None:
        """Keep a copy of this descriptor under a name; the caller keeps its own."""

    def drop(self, name: str) -> None:
        """Let go of what is kept under this name; unknown names are fine."""


class Unkept:
    """Nobody: what is open here ends with this process."""

    def __init__(self) -> None:
        self.held: MutableMapping[str, int] = {}

    def hold(self, name: str, fd: int) -> None:
        """Keep nothing."""

    def drop(self, name: str) -> None:
        """Let go of nothing."""
