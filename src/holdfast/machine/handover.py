"""What supervisor and watchdog say to each other: one JSON object a datagram, at most one descriptor with it.

Watchdog to supervisor, in this order once it has called:

    {"held": NAME} + descriptor     what the watchdog keeps, each by itself
    {"exits": [[pid, start_ticks, wait_status], ...]}     orphans it has reaped; more of them may follow at any time
    {"fate": null | {"died", "reason", "at", "count"}}    how the supervisor before ended, if it had to be replaced
    {"welcome": PID, "since": AT}   that was all; the pid of the watchdog, and since when it runs
    {"alive": true}                 said with each look at the supervisor
    {"leaving": true}               the watchdog ends in order, and touches nothing

Supervisor to watchdog:

    {"hold": NAME} + descriptor     keep this, in place of what was kept under that name
    {"drop": NAME}                  let go of it
    {"ready": true}                 every service is known again, orders are taken
    {"beat": {"pid", "timestamp", "mono", "boot_id", "services"}}     alive, also when no disk takes a heartbeat
    {"settings": {"check_every", "stale_after", "failures"}}
    {"ending": true}                it will end, and nothing is to be started in its place

Another watchdog, that was told to take over, says {"leave": true}. What a side does not understand it passes over, so that
two versions can talk while one replaces the other.
"""

import array
import enum
import errno
import json
import os
import socket
import struct
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from holdfast.errors import HoldfastError

LARGEST = 1 << 16
"""Bytes of the largest datagram; the kernel's own limit is three times that (net.core.wmem_default)."""

ROWS_PER_MESSAGE = 500
"""Exits told in one datagram."""

PIDFD_PREFIX = "pid."
"""Begins the names of pidfds: `pid.PID.START_TICKS`; kept to learn how the process ended, never handed back."""

BACKLOG = 16
DESCRIPTOR_BYTES = array.array("i").itemsize
_GONE_FOR_NOW = frozenset({errno.ETOOMANYREFS, errno.ENOBUFS, errno.ENOMEM})
_UNSENDABLE = frozenset({errno.EBADF, errno.EMSGSIZE})

Message = Mapping[str, Any]
DescriptorOf = Callable[[str], int | None]


class Received(NamedTuple):
    """One datagram; the descriptor belongs to the caller."""

    message: Message
    fd: int | None


class Flow(enum.Enum):
    """How far sending came."""

    DONE = enum.auto()
    FULL = enum.auto()
    CROWDED = enum.auto()


class Channel:
    """One end of the conversation; nothing here ever waits.

    What cannot be sent yet is kept by its key, the newest word in place of the one before, so a receiver that sleeps
    for a day costs no more than one message a name. Descriptors are looked up when they are sent, not before.
    """

    def __init__(self, own: socket.socket, descriptor_of: DescriptorOf) -> None:
        own.setblocking(False)
        self.socket = own
        self.descriptor_of = descriptor_of
        self._unsent: dict[str, Message] = {}

    def post(self, message: Message, key: str | None = None) -> None:
        """Take a message to be sent by the next flush, in place of an unsent one with this key (default: its first)."""
        key = next(iter(message)) if key is None else key
        self._unsent.pop(key, None)
        self._unsent[key] = message

    def flush(self) -> Flow:
        """Send what was posted: DONE, FULL until the socket is writable, or CROWDED until others received theirs.

        Raises:
            ConnectionError: nobody is there any more.
        """
        while self._unsent:
            key, message = next(iter(self._unsent.items()))
            flow = self._send(message)
            if flow is not Flow.DONE:
                return flow
            del self._unsent[key]
        return Flow.DONE

    def read(self) -> Received | None:
        """Return the next message, None while there is none; what makes no sense comes as an empty one.

        Raises:
            ConnectionError: the other side is gone.
        """
        if sys.platform != "linux":
            raise unavailable()
        space = socket.CMSG_SPACE(DESCRIPTOR_BYTES)
        try:
            content, ancillary, _, _ = self.socket.recvmsg(LARGEST, space, socket.MSG_CMSG_CLOEXEC)
        except BlockingIOError:
            return None
        except OSError as error:
            raise ConnectionError(str(error)) from error
        fd = _descriptor_in(ancillary)
        if not content:
            if fd is not None:
                os.close(fd)
            raise ConnectionError("the other side hung up")
        return Received(decode(content), fd)

    def close(self) -> None:
        """Hang up."""
        self.socket.close()

    def _send(self, message: Message) -> Flow:
        if sys.platform != "linux":
            raise unavailable()
        name = message.get("hold", message.get("held"))
        ancillary: list[tuple[int, int, array.array[int]]] = []
        if name is not None:
            fd = self.descriptor_of(name)
            if fd is None:  # dropped before it was sent
                return Flow.DONE
            ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))]
        try:
            self.socket.sendmsg([encode(message)], ancillary)
        except BlockingIOError:
            return Flow.FULL
        except OSError as error:
            if error.errno in _GONE_FOR_NOW:
                return Flow.CROWDED
            if error.errno in _UNSENDABLE and self.socket.fileno() >= 0:
                return Flow.DONE
            raise ConnectionError(str(error)) from error
        return Flow.DONE


def encode(message: Message) -> bytes:
    """Return one datagram."""
    return json.dumps(message, separators=(",", ":")).encode()


def decode(content: bytes) -> Message:
    """Return the message of a datagram; an empty one when it is no JSON object."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def listen(path: Path) -> socket.socket:
    """Listen for the supervisor at `path`, for this user alone; what stood there is replaced.

    The caller holds the watchdog's lock, so that belonged to nobody alive.

    Raises:
        HoldfastError: the path cannot be used, or this system has no such sockets.
    """
    if sys.platform != "linux":
        raise unavailable()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    before = os.umask(0o177)
    try:
        path.unlink(missing_ok=True)
        listener.bind(str(path))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise HoldfastError(
            f"the watchdog cannot listen at {path}: {error.strerror or error}; move away what stands there"
        ) from error
    finally:
        os.umask(before)
    listener.setblocking(False)
    return listener


def call(path: Path, descriptor_of: DescriptorOf) -> Channel | None:
    """Call the watchdog that listens at `path`; None when none answers. Does not wait."""
    if sys.platform != "linux":
        return None
    try:
        own = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    except OSError:  # no descriptor is free now
        return None
    own.setblocking(False)
    try:
        own.connect(str(path))
    except OSError:
        own.close()
        return None
    return Channel(own, descriptor_of)


def leads_somewhere(kept: socket.socket) -> bool:
    """Tell whether the address of a kept socket still leads to a living one: another may have been put there, and died."""
    if sys.platform == "win32":
        return False
    with socket.socket(socket.AF_UNIX, kept.type) as probe:
        probe.setblocking(False)
        try:
            probe.connect(kept.getsockname())
        except BlockingIOError:  # so many wait there already
            return True
        except OSError:
            return False
    return True


def peer_of(own: socket.socket) -> tuple[int, int]:
    """Return pid and uid of who called, as the kernel knows them."""
    if sys.platform != "linux":
        raise unavailable()
    size = struct.calcsize("3i")
    pid, uid, _ = struct.unpack("3i", own.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return pid, uid


def pidfd_name(pid: int, start_ticks: int) -> str:
    """Return the name under which the watchdog keeps the pidfd of a process."""
    return f"{PIDFD_PREFIX}{pid}.{start_ticks}"


def process_of(name: str) -> tuple[int, int] | None:
    """Return pid and start time that such a name tells; None for any other name."""
    prefix, _, rest = name.partition(".")
    pid, _, ticks = rest.partition(".")
    is_one = f"{prefix}." == PIDFD_PREFIX and pid.isdecimal() and ticks.isdecimal()
    return (int(pid), int(ticks)) if is_one else None


def unavailable() -> HoldfastError:
    """Return the error for systems without these sockets."""
    return HoldfastError(
        "a watchdog needs Linux: elsewhere launchd or a scheduled task keeps the supervisor alive"
    )


def _descriptor_in(ancillary: list[tuple[int, int, bytes]]) -> int | None:
    if sys.platform == "win32":
        return None
    found = array.array("i")
    for level, kind, content in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            found.frombytes(content[: len(content) - len(content) % DESCRIPTOR_BYTES])
    for surplus in found[1:]:
        os.close(surplus)
    return found[0] if found else None
