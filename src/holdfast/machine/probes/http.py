"""Does a web address answer with success? A GET by HTTP/1.1, small enough to have no faults of its own (RFC 9112)."""

import asyncio
import base64
import contextlib
import re
import socket
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

from holdfast import __version__
from holdfast.machine.probes.connect import connected, is_shortage, words
from holdfast.model.finding import WELL, Finding, failed, unknown

MOST_BYTES = 1 << 16
"""How much of an answer is read for its status, and then again of its body."""

BODY_WITHIN = 0.2
"""Seconds the rest of an answer is waited for, so that the service need not complain of a caller that hung up."""

GOOD = range(200, 400)
"""The statuses that count as success, as Kubernetes has it; a redirect is not followed."""

_STATUS_LINE = re.compile(rb"HTTP/1\.[0-9] ([1-5][0-9]{2})(?: [^\r\n]*)?\r?\n")
_END_OF_HEAD = re.compile(rb"\r?\n\r?\n")
_START = b"HTTP/1."
_UNRESERVED = "/:@!$&'()*+,;=-._~%?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Where to ask, and the bytes that ask."""

    host: str
    port: int
    sent: bytes


async def look(url: str) -> Finding:
    """Ask for a page, and judge the status of the answer: 200 to 399 is success."""
    request = request_for(url)
    try:
        async with connected(request.host, request.port) as made:
            return await _asked(made, request)
    except OSError as error:
        return (unknown if is_shortage(error) else failed)(words(error))


def request_for(url: str) -> Request:
    """Return the request a URL stands for; its user and password become Basic authentication (RFC 7617)."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    named = parts.netloc.rpartition("@")[2]
    path = quote(parts.path or "/", safe=_UNRESERVED)
    query = f"?{quote(parts.query, safe=_UNRESERVED)}" if parts.query else ""
    lines = [
        f"GET {path}{query} HTTP/1.1",
        f"Host: {named}",
        f"User-Agent: holdfast/{__version__}",
        "Accept: */*",
        "Connection: close",
    ]
    if parts.username is not None:
        person = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        lines.append(f"Authorization: Basic {base64.b64encode(person.encode()).decode()}")
    sent = "".join(f"{line}\r\n" for line in (*lines, "")).encode()
    return Request(host=host, port=parts.port or 80, sent=sent)


def status_in(received: bytes) -> int | None:
    """Return the final status in the first bytes of an answer, None while it is still to come.

    Raises:
        ValueError: this is no HTTP/1 answer.
    """
    start = 0
    while True:
        line = _STATUS_LINE.match(received, start)
        if line is None:
            if _may_become_status(received[start:]):
                return None
            raise ValueError("the answer is not HTTP/1.1")
        status = int(line[1])
        if status >= 200 or status == 101:
            return status
        # What the server says in between (100 Continue, 103 Early Hints) is not yet the answer.
        end = _END_OF_HEAD.search(received, line.end() - 2)
        if end is None:
            return None
        start = end.end()


def _may_become_status(received: bytes) -> bool:
    head = received[: len(_START)]
    return _START.startswith(head) and b"\n" not in received


async def _asked(made: socket.socket, request: Request) -> Finding:
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(made, request.sent)
    received = b""
    while len(received) < MOST_BYTES:
        piece = await loop.sock_recv(made, MOST_BYTES - len(received))
        received += piece
        try:
            status = status_in(received)
        except ValueError as error:
            return failed(str(error))
        if status is not None:
            await _hear_out(made)
            return WELL if status in GOOD else failed(f"it answered with status {status}")
        if not piece:
            return failed("it hung up without an answer")
    return failed(f"no status in the first {MOST_BYTES >> 10} KiB of the answer")


async def _hear_out(made: socket.socket) -> None:
    """Read on until the service hangs up, as it was asked to; what does not come soon is not waited for."""
    loop = asyncio.get_running_loop()
    heard = 0
    with contextlib.suppress(TimeoutError, OSError):
        async with asyncio.timeout(BODY_WITHIN):
            while heard < MOST_BYTES and (piece := await loop.sock_recv(made, MOST_BYTES)):
                heard += len(piece)
