"""The descriptors the supervisor gave into keeping: pipes, sockets, pidfds, by name."""

import os
from collections.abc import Iterator

from holdfast.machine.handover import process_of
from holdfast.machine.process import kernel
from holdfast.machine.process.identity import has_ended

ExitRow = tuple[int, int, int]
"""Pid, start time in kernel ticks, wait status."""


class Vault:
    """Holds each descriptor open until it is dropped or replaced, or the watchdog ends."""

    def __init__(self) -> None:
        self._kept: dict[str, int] = {}

    def keep(self, name: str, fd: int) -> None:
        """Take over a descriptor; one of the same name is closed."""
        self.drop(name)
        self._kept[name] = fd

    def drop(self, name: str) -> None:
        """Close a descriptor; a name that is not kept is no fault."""
        fd = self._kept.pop(name, None)
        if fd is not None:
            os.close(fd)

    def get(self, name: str) -> int | None:
        """Return a descriptor, which stays the vault's."""
        return self._kept.get(name)

    def to_hand_over(self) -> list[str]:
        """Return the names of what a new supervisor gets: all but pidfds."""
        return [name for name in self._kept if process_of(name) is None]

    def exits(self) -> Iterator[ExitRow]:
        """Yield how the processes ended whose pidfds are kept, as far as the kernel tells (Linux 6.15)."""
        for name, fd in self._kept.items():
            process = process_of(name)
            if process is not None and has_ended(fd):
                status = kernel.exit_status_of(fd)
                if status is not None:
                    yield (*process, status)

    def forget_ended(self) -> None:
        """Close the pidfds of processes that are dead: the supervisor has heard how they ended."""
        for name, fd in list(self._kept.items()):
            if process_of(name) is not None and has_ended(fd):
                self.drop(name)

    def close(self) -> None:
        """Close all."""
        for name in list(self._kept):
            self.drop(name)
