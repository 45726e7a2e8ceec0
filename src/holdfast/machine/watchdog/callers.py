"""Who calls at the watchdog's socket: the supervisor, or another watchdog that was told to take over."""

import os
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from holdfast.home import make_runtime
from holdfast.machine.handover import Channel, Received, listen, peer_of
from holdfast.machine.watchdog.vault import Vault

HEARD_AT_ONCE = 1000
"""Messages read from one caller before others, and deaths, get their turn."""


@dataclass(slots=True, eq=False)
class Caller:
    """One conversation; `is_greeted` once it was told what a new supervisor must know."""

    channel: Channel
    pid: int
    is_greeted: bool = False


class Callers:
    """Listens, lets in callers of this user, and reads what they say."""

    def __init__(self, path: Callable[[], Path], vault: Vault) -> None:
        self.path = path
        self.vault = vault
        self.present: list[Caller] = []
        self._listener: socket.socket | None = None
        self._bound: tuple[Path, int] | None = None

    def open(self) -> None:
        """Listen; if that is done already, make sure that the path still leads here.

        The runtime folder of a session goes with the session, and is made anew.

        Raises:
            HoldfastError: the path cannot be used.
            OSError: its folder cannot be made.
        """
        path = self.path()
        if self._bound is not None and self._bound == (path, _inode(path)):
            return
        self._hang_up()
        make_runtime(path.parent)
        self._listener = listen(path)
        self._bound = (path, _inode(path))

    def filenos(self) -> list[int]:
        """Return every descriptor on which somebody may be heard."""
        own = [] if self._listener is None else [self._listener.fileno()]
        return own + [caller.channel.socket.fileno() for caller in self.present]

    def admit(self) -> list[Caller]:
        """Let in those that wait outside, and return them."""
        admitted: list[Caller] = []
        while self._listener is not None:
            try:
                own, _ = self._listener.accept()
            except OSError:
                break
            pid, uid = peer_of(own)
            if uid not in (_own_uid(), 0):
                own.close()
                continue
            admitted.append(Caller(Channel(own, self.vault.get), pid))
        self.present += admitted
        return admitted

    def hear(self, caller: Caller) -> list[Received]:
        """Return what a caller has said since; one that hung up is shown out."""
        heard: list[Received] = []
        try:
            while len(heard) < HEARD_AT_ONCE and (received := caller.channel.read()) is not None:
                heard.append(received)
        except ConnectionError:
            self.show_out(caller)
        return heard

    def show_out(self, caller: Caller) -> None:
        """End a conversation."""
        caller.channel.close()
        if caller in self.present:
            self.present.remove(caller)

    def close(self) -> None:
        """Listen no more, and take the socket away if it is still ours."""
        for caller in list(self.present):
            self.show_out(caller)
        if self._bound is not None and _inode(self._bound[0]) == self._bound[1]:
            self._bound[0].unlink(missing_ok=True)
        self._hang_up()

    def _hang_up(self) -> None:
        if self._listener is not None:
            self._listener.close()
        self._listener, self._bound = None, None


def _own_uid() -> int:
    if sys.platform == "win32":
        return -1
    return os.geteuid()


def _inode(path: Path) -> int:
    try:
        return path.lstat().st_ino
    except OSError:
        return -1
