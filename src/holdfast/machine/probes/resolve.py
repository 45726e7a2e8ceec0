"""Turn a host into addresses without ever holding up the loop or the end of the program."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Sequence
from dataclasses import dataclass

LOOPBACK = ("127.0.0.1", "::1")
"""What `localhost` means (RFC 6761), without asking anybody."""


@dataclass(frozen=True, slots=True)
class Address:
    """One way to reach a host: what `socket.socket` and `connect` want."""

    family: socket.AddressFamily
    where: tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]


async def addresses(host: str, port: int) -> Sequence[Address]:
    """Return where a host is reached, best first; numbers and `localhost` are not looked up.

    Raises:
        socket.gaierror: nobody knows the host, or the name server does not answer.
    """
    if host.lower() == "localhost":
        return [found for number in LOOPBACK for found in _look_up(number, port, numeric=True)]
    try:
        return _look_up(host, port, numeric=True)
    except socket.gaierror:
        return await _ask(host, port)


async def _ask(host: str, port: int) -> Sequence[Address]:
    """Ask the name server, in a thread that nobody waits for: the call cannot be cancelled and may take a minute."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Sequence[Address]] = loop.create_future()

    def deliver(found: Sequence[Address] | OSError) -> None:
        if answer.done():
            return
        if isinstance(found, OSError):
            answer.set_exception(found)
        else:
            answer.set_result(found)

    def ask() -> None:
        try:
            found: Sequence[Address] | OSError = _look_up(host, port, numeric=False)
        except OSError as error:
            found = error
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(deliver, found)

    threading.Thread(target=ask, name=f"resolve {host}", daemon=True).start()
    return await answer


def _look_up(host: str, port: int, *, numeric: bool) -> list[Address]:
    flags = socket.AI_NUMERICHOST if numeric else 0
    flags |= socket.AI_NUMERICSERV
    try:
        rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
    except UnicodeError as error:
        raise socket.gaierror(socket.EAI_NONAME, f"{host!r} is no name of a host") from error
    return [Address(family, where) for family, _, _, _, where in rows]
