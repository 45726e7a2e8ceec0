"""The notify sockets of all services: one for each generation, kept open while no supervisor lives."""

import asyncio
import contextlib
import errno
import os
import re
import socket
import stat
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from holdfast.machine.handover import leads_somewhere
from holdfast.machine.keeping import Keeping

LONGEST = 64 * 1024
"""Bytes of one datagram; a longer one is told of as cut."""

DRAIN_AT_ONCE = 64
"""Datagrams read in one turn of the loop: a service that floods its socket holds up nobody else."""

_CREDENTIALS = struct.Struct("3i")
_LEFTOVER = re.compile(r"notify-[0-9]+\.sock")


@dataclass(frozen=True, slots=True, kw_only=True)
class Datagram:
    """What came in; `pid` and `uid` are what the kernel says of the sender, None where it says nothing."""

    service: str
    generation: int
    payload: bytes
    pid: int | None = None
    uid: int | None = None
    is_cut: bool = False


Hear: TypeAlias = Callable[[Datagram], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Open:
    generation: int
    path: str
    receiver: socket.socket
    uid: int


class NotifySockets:
    """Opens, reads and closes them; `hear` gets every datagram and is set by whoever judges them."""

    def __init__(self, loop: asyncio.AbstractEventLoop, runtime: Path, keeping: Keeping) -> None:
        self.loop = loop
        self.runtime = str(runtime)
        self.keeping = keeping
        self.hear: Hear = _unheard
        self._open: dict[str, _Open] = {}
        self._room = bytearray(LONGEST)

    def open(self, name: str, generation: int, uid: int | None = None) -> str:
        """Open the socket of a start and return its address; the folder of the service is there already.

        `uid` is whose service it is, None for this user's own. The socket of the generation before is closed then.

        Raises:
            OSError: the socket cannot be made, or its path is too long for the kernel.
        """
        if self.has(name, generation):
            self.close(name)
        path = self._path(name, generation)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        receiver = _bound(path, uid)
        before = self._open.pop(name, None)
        self._take(
            name, _Open(generation=generation, path=path, receiver=receiver, uid=_or_own(uid))
        )
        self.keeping.hold(_held_name(name, generation), receiver.fileno())
        if before is not None:
            self._discard(name, before)
        return path

    def keep(self, name: str, generation: int) -> bool:
        """Go on reading the socket of a service that lives; False when the old one is lost and stands there anew.

        Raises:
            OSError: a new one cannot be made.
        """
        path = self._path(name, generation)
        inherited = self.keeping.held.pop(_held_name(name, generation), None)
        owner = _owner(path)
        receiver = None if inherited is None else _inherited(inherited, path)
        if receiver is None:
            self.open(name, generation, owner)
        else:
            uid = _or_own(owner)
            self._take(name, _Open(generation=generation, path=path, receiver=receiver, uid=uid))
            self.keeping.hold(_held_name(name, generation), receiver.fileno())
        self._sweep(path)
        return receiver is not None

    def has(self, name: str, generation: int) -> bool:
        """Tell whether the socket of this start is open."""
        found = self._open.get(name)
        return found is not None and found.generation == generation

    def owner(self, name: str) -> int:
        """Return the user who may send to the socket of a service."""
        found = self._open.get(name)
        return _or_own(None) if found is None else found.uid

    def drain(self, name: str) -> None:
        """Read what has come already, so that a verdict is not older than the last word."""
        found = self._open.get(name)
        if found is not None:
            self._read(name, found)

    def close(self, name: str) -> None:
        """Close the socket of a service that is gone; what stands in it is heard before."""
        found = self._open.get(name)
        if found is None:
            return
        self._read(name, found)
        del self._open[name]
        self._discard(name, found)

    def let_go(self, name: str) -> None:
        """Stop reading; the socket stays where it is, for a service that lives on."""
        found = self._open.pop(name, None)
        if found is not None:
            self.loop.remove_reader(found.receiver.fileno())
            found.receiver.close()

    def _path(self, name: str, generation: int) -> str:
        return f"{self.runtime}/{name}/notify-{generation}.sock"

    def _take(self, name: str, opened: _Open) -> None:
        self._open[name] = opened
        self.loop.add_reader(opened.receiver.fileno(), self._read, name, opened)

    def _discard(self, name: str, opened: _Open) -> None:
        self.loop.remove_reader(opened.receiver.fileno())
        opened.receiver.close()
        self.keeping.drop(_held_name(name, opened.generation))
        with contextlib.suppress(OSError):
            os.unlink(opened.path)

    def _read(self, name: str, opened: _Open) -> None:
        for _ in range(DRAIN_AT_ONCE):
            if opened.receiver.fileno() < 0:  # closed by what was just heard
                return
            try:
                found = self._receive(name, opened)
            except OSError:  # nothing more, or a shortage: the loop comes round again
                return
            self.hear(found)

    def _receive(self, name: str, opened: _Open) -> Datagram:
        if sys.platform == "win32":
            raise _unavailable()
        size, ancillary, flags, _ = opened.receiver.recvmsg_into([self._room], _ANCILLARY_BYTES)
        pid, uid = _credentials(ancillary)
        return Datagram(
            service=name,
            generation=opened.generation,
            payload=bytes(self._room[:size]),
            pid=pid,
            uid=uid,
            is_cut=bool(flags & socket.MSG_TRUNC),
        )

    def _sweep(self, path: str) -> None:
        """Remove the addresses of earlier generations, which a supervisor that was killed left behind."""
        folder, own = os.path.split(path)
        with contextlib.suppress(OSError):
            for found in os.listdir(folder):
                if found != own and _LEFTOVER.fullmatch(found):
                    os.unlink(f"{folder}/{found}")


def _unheard(_found: Datagram) -> None:
    """Pass over what comes before anybody judges it."""


def _held_name(name: str, generation: int) -> str:
    return f"{name}.notify.{generation}"


def _bound(path: str, uid: int | None) -> socket.socket:
    if sys.platform == "win32":
        raise _unavailable()
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        receiver.setblocking(False)
        _ask_for_senders(receiver)
        if sys.platform == "linux":
            os.fchmod(receiver.fileno(), 0o600)  # what bind makes has the mode of the descriptor
        receiver.bind(path)
        if sys.platform != "linux":
            os.chmod(path, 0o600)
        if uid is not None and uid != os.geteuid():
            # The folder stays ours, so nobody can put another file in the place of the socket; its user may pass.
            os.chmod(os.path.dirname(path), 0o711)  # noqa: S103 - to pass, not to look around
            os.chown(path, uid, -1, follow_symlinks=False)
    except BaseException:
        receiver.close()
        raise
    return receiver


def _inherited(fd: int, path: str) -> socket.socket | None:
    try:
        receiver = socket.socket(fileno=fd)
    except OSError:  # no socket at all
        os.close(fd)
        return None
    if receiver.getsockname() not in (path, os.fsencode(path)) or not leads_somewhere(receiver):
        receiver.close()
        return None
    receiver.setblocking(False)
    _ask_for_senders(receiver)
    return receiver


def _ask_for_senders(receiver: socket.socket) -> None:
    if sys.platform == "linux":
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    elif sys.platform == "darwin":
        # On Linux the buffer of the sender counts, and net.unix.max_dgram_qlen (unix(7)).
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * LONGEST)


def _ancillary_bytes() -> int:
    if sys.platform == "win32":
        return 0
    if sys.platform == "linux":
        # Room for the sender alone: descriptors that come along are closed by the kernel, which is what
        # BARRIER=1 waits for, and none can fill our table.
        return socket.CMSG_SPACE(_CREDENTIALS.size)
    return socket.CMSG_LEN(253 * 4)


_ANCILLARY_BYTES = _ancillary_bytes()


def _credentials(ancillary: list[tuple[int, int, bytes]]) -> tuple[int | None, int | None]:
    pid = uid = None
    if sys.platform == "win32":
        return pid, uid
    for level, kind, content in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            for (fd,) in struct.iter_unpack("i", content[: len(content) // 4 * 4]):
                os.close(fd)
        elif sys.platform == "linux" and kind == socket.SCM_CREDENTIALS:
            pid, uid, _ = _CREDENTIALS.unpack(content[: _CREDENTIALS.size])
    return pid, uid


def _owner(path: str) -> int | None:
    """Return whose socket stands there; our folder, so nobody else can have put it there."""
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found.st_uid if stat.S_ISSOCK(found.st_mode) else None


def _unavailable() -> OSError:
    return OSError(errno.EAFNOSUPPORT, "there is no notify socket on Windows: beat by file there")


def _or_own(uid: int | None) -> int:
    if uid is not None or sys.platform == "win32":
        return uid or 0
    return os.geteuid()
