"""The supervisor in the watchdog's charge: one process at a time, started here or found alive."""

import contextlib
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from holdfast import statefile
from holdfast.errors import LockHeld, StateError
from holdfast.machine.process.identity import identify
from holdfast.machine.process.spawn import Spawned
from holdfast.machine.process.wait import Death, open_death, watch_child
from holdfast.model.service import Exit

Launcher = Callable[[int], Spawned]
"""Starts a supervisor that writes one line of JSON to this descriptor once it is ready, or why it is not."""

ANSWER_BYTES = 1 << 16


class Charge:
    """Who it is now, how to hear of its death, and the pipe on which a new one answers."""

    def __init__(self, lock: Path, launch: Launcher) -> None:
        self.lock = lock
        self.launch = launch
        self.pid = 0
        self.told_fd = -1
        self._death: Death | None = None
        self._answer = b""

    def start(self) -> None:
        """Start a supervisor.

        Raises:
            StartFailed: it could not be executed.
            HoldfastError: its log cannot be written.
            OSError: no descriptor is free.
        """
        self.let_go()
        told, tell = os.pipe()
        try:
            spawned = self.launch(tell)
            self._death = watch_child(spawned.identity, spawned.pidfd)
        except BaseException:
            os.close(told)
            raise
        finally:
            os.close(tell)
        if sys.platform != "win32":
            os.set_blocking(told, False)
        self.pid, self.told_fd = spawned.pid, told

    def holder(self) -> int | None:
        """Return the pid of the supervisor that holds the lock, None when none does or it has not said so yet."""
        with contextlib.suppress(LockHeld, StateError):
            return statefile.holder(self.lock)
        return None

    def find(self) -> bool:
        """Take charge of the supervisor that holds the lock, if one does."""
        pid = self.holder()
        identity = identify(pid) if pid is not None else None
        death = open_death(identity) if identity is not None else None
        if pid is None or death is None:
            return False
        self.let_go()
        self.pid, self._death = pid, death
        return True

    @property
    def death_fd(self) -> int:
        """Return the descriptor that becomes readable with its death; -1 while there is nobody."""
        return -1 if self._death is None else self._death.fileno()

    def collect(self) -> Exit | None:
        """Return how it ended, None while it lives or where there is none."""
        return None if self._death is None else self._death.collect()

    def answer(self) -> dict[str, object] | None:
        """Return what a new one said of its start, once it has said it whole or hung up; `{}` for nothing."""
        if self.told_fd < 0:
            return None
        try:
            piece = os.read(self.told_fd, ANSWER_BYTES)
        except BlockingIOError:
            return None
        self._answer += piece
        if piece and not piece.endswith(b"\n"):
            return None
        os.close(self.told_fd)
        self.told_fd = -1
        try:
            said = json.loads(self._answer)
        except ValueError:
            return {}
        return said if isinstance(said, dict) else {}

    def send(self, *signals: str) -> None:
        """Send signals by name to the process in charge, and to no other that bears its number by now."""
        for name in signals:
            number = signal.Signals[f"SIG{name}"]
            with contextlib.suppress(ProcessLookupError):
                if sys.platform == "linux" and self.death_fd >= 0:
                    signal.pidfd_send_signal(self.death_fd, number)
                elif self._death is not None and self.collect() is None:
                    os.kill(self.pid, number)

    def let_go(self) -> None:
        """Forget the process; it is not touched."""
        if self._death is not None:
            self._death.close()
            self._death = None
        if self.told_fd >= 0:
            os.close(self.told_fd)
            self.told_fd = -1
        self.pid, self._answer = 0, b""
