"""The supervisor's end of the program that watches files: orders go in, reports come out, nothing blocks."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeAlias

from holdfast.machine.process.identity import identify
from holdfast.machine.process.tree import Member, signal_member

COMMAND = (sys.executable, "-P", "-m", "holdfast.machine.watch.run")

_CHUNK = 1 << 16

Heard: TypeAlias = Callable[[Mapping[str, Any]], None]
Ended: TypeAlias = Callable[[], None]


class Watcher(Protocol):
    """A running program that watches files."""

    def send(self, wishes: Mapping[str, Any]) -> None:
        """Tell it all that is to be watched from now on."""

    def close(self) -> None:
        """End it; it tells nothing more."""


class WatchChild:
    """One child process; `ended` is called once when it ends by itself."""

    def __init__(self, loop: asyncio.AbstractEventLoop, heard: Heard, ended: Ended) -> None:
        self.loop = loop
        self.heard = heard
        self.ended = ended
        self._orders, self._answers, self.member = _started()
        self._unsent = b""
        self._unread = b""
        self._is_open = True
        loop.add_reader(self._answers, self._read)

    def send(self, wishes: Mapping[str, Any]) -> None:
        """Tell it all that is to be watched from now on; kept for later while it does not read."""
        if self._is_open:
            self._unsent += json.dumps(wishes).encode() + b"\n"
            self._write()

    def close(self) -> None:
        """Kill it: it has nothing to lose."""
        if not self._is_open:
            return
        self._is_open = False
        self.loop.remove_reader(self._answers)
        self.loop.remove_writer(self._orders)
        os.close(self._answers)
        os.close(self._orders)
        if self.member is not None and sys.platform != "win32":
            signal_member(self.member, signal.SIGKILL)

    def _write(self) -> None:
        try:
            written = os.write(self._orders, self._unsent)
        except BlockingIOError:
            written = 0
        except BrokenPipeError:
            written = len(self._unsent)  # its end is about to be read
        self._unsent = self._unsent[written:]
        if self._unsent:
            self.loop.add_writer(self._orders, self._write)
        else:
            self.loop.remove_writer(self._orders)

    def _read(self) -> None:
        try:
            chunk = os.read(self._answers, _CHUNK)
        except BlockingIOError:
            return
        if not chunk:
            self.close()
            self.ended()
            return
        *lines, self._unread = (self._unread + chunk).split(b"\n")
        for line in lines:
            report = _report_in(line)
            if report is not None:
                self.heard(report)


def _report_in(line: bytes) -> dict[str, Any] | None:
    """Return the report a line holds; None for a line that something else printed."""
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _started() -> tuple[int, int, Member | None]:
    """Start the program; return where its orders go in, where its answers come out, and which process it is.

    Raises:
        OSError: it could not be started.
    """
    if sys.platform == "win32":
        raise OSError("files are not watched on Windows: a pipe cannot be waited for there")
    popen = subprocess.Popen(
        COMMAND,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    # Whoever reaps strangers waits for it, and subprocess shall not complain that nobody did.
    popen.returncode = 0
    assert popen.stdin is not None
    assert popen.stdout is not None
    orders, answers = os.dup(popen.stdin.fileno()), os.dup(popen.stdout.fileno())
    popen.stdin.close()
    popen.stdout.close()
    os.set_blocking(orders, False)
    os.set_blocking(answers, False)
    found = identify(popen.pid)
    member = Member(pid=found.pid, start_ticks=found.start_ticks) if found else None
    return orders, answers, member
