"""One TCP connection to a service, made and ended within a look."""

import asyncio
import contextlib
import errno
import os
import socket
from collections.abc import AsyncIterator, Sequence

from holdfast.machine.probes.resolve import Address, addresses

SHORTAGES = frozenset(
    {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EAGAIN, errno.EADDRNOTAVAIL}
)
"""Faults of this machine, which say nothing of the service."""


@contextlib.asynccontextmanager
async def connected(host: str, port: int) -> AsyncIterator[socket.socket]:
    """Connect to a host by the first of its addresses that answers; the socket does not block.

    Raises:
        socket.gaierror: the host has no address.
        OSError: no address took the connection; the fault of the last one.
    """
    made = await _first_to_answer(await addresses(host, port))
    try:
        yield made
    finally:
        made.close()


def is_shortage(error: OSError) -> bool:
    """Tell whether this machine, not the service, is at fault: descriptors, memory, ports, a name server."""
    return isinstance(error, socket.gaierror) or error.errno in SHORTAGES


def words(error: OSError) -> str:
    """Return a fault in a few words for people."""
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno).lower()  # asyncio has words of its own
    return (error.strerror or str(error) or type(error).__name__).lower()


async def _first_to_answer(places: Sequence[Address]) -> socket.socket:
    fault = OSError(errno.EADDRNOTAVAIL, "the host has no address")
    for place in places:
        try:
            return await _connect(place)
        except OSError as error:
            fault = error
    raise fault


async def _connect(place: Address) -> socket.socket:
    made = socket.socket(place.family, socket.SOCK_STREAM)
    try:
        made.setblocking(False)
        await asyncio.get_running_loop().sock_connect(made, place.where)
        _refuse_itself(made)
    except BaseException:
        made.close()
        raise
    return made


def _refuse_itself(made: socket.socket) -> None:
    """Nobody listens on a port that the kernel also gives out to callers: there a socket may meet itself."""
    if made.getsockname() == made.getpeername():
        raise ConnectionRefusedError(errno.ECONNREFUSED, "connection refused")
