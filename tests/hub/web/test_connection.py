import asyncio
import socket
import sys
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import pytest
from starlette.types import Receive, Scope, Send

from holdfast.hub.web import connection
from holdfast.hub.web.serve import Server
from holdfast.model.hub import HubSettings

WITHIN_S = 30.0

Ends: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs httptools")


async def application(_scope: Scope, receive: Receive, send: Send) -> None:
    size, more = 0, True
    while more:
        message = await receive()
        more, size = message.get("more_body", False), size + len(message.get("body", b""))
    text = str(size).encode()
    headers = [(b"content-length", str(len(text)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": text})


def served(act: Callable[[Callable[[], Awaitable[Ends]]], Awaitable[None]]) -> None:
    """Run something against a server of its own."""

    async def whole() -> None:
        server = Server(application, HubSettings())
        server.prepare()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            host, port = listener.getsockname()
            task = asyncio.ensure_future(server.serve([listener]))
            await server.opened.wait()
            try:
                async with asyncio.timeout(WITHIN_S):
                    await act(lambda: asyncio.open_connection(host, port))
            finally:
                server.leave()
                await task

    asyncio.run(whole())


async def rest(ends: Ends) -> bytes:
    """Return everything up to the end of a connection, which the server makes."""
    try:
        return await ends[0].read()
    except ConnectionError:
        return b""
    finally:
        ends[1].close()


async def exchange(ends: Ends, *parts: bytes) -> bytes:
    """Send a request in parts and return the last character of its answer."""
    for part in parts:
        ends[1].write(part)
        await ends[1].drain()
        await asyncio.sleep(0)
    return (await ends[0].readuntil(b"\r\n\r\n") + await ends[0].readexactly(1))[-1:]


def test_who_never_finishes_a_request_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "HEAD_WITHIN", 0.1)
    monkeypatch.setattr(connection, "SILENT_FOR", 0.1)

    async def act(connect: Callable[[], Awaitable[Ends]]) -> None:
        for sent in (
            b"",
            b"\r\n",
            b"GET / HT",
            b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc",
        ):
            ends = await connect()
            ends[1].write(sent)
            assert await rest(ends) == b""
        # Also on a connection that was good for a request before.
        monkeypatch.setattr(connection, "HEAD_WITHIN", WITHIN_S)
        ends = await connect()
        assert await exchange(ends, b"GET / HTTP/1.1\r\n\r\n") == b"0"
        monkeypatch.setattr(connection, "HEAD_WITHIN", 0.1)
        ends[1].write(b"GET / HT")
        assert await rest(ends) == b""

    served(act)


def test_a_request_in_pieces_and_several_over_one_connection_are_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection, "LARGEST_HEAD", 100)
    head = b"POST / HTTP/1.1\r\nContent-Length: 3000\r\n\r\n"
    taken = asyncio.Event()

    class Seen(connection.Connection):
        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            taken.set()

    monkeypatch.setattr(connection, "Connection", Seen)

    async def act(connect: Callable[[], Awaitable[Ends]]) -> None:
        ends = await connect()
        for _ in range(3):
            ends[1].write(head[:20])
            ends[1].write(head[20:] + b"x" * 2000)
            ends[1].write(b"x" * 1000)
            await ends[1].drain()
            assert (await ends[0].readuntil(b"\r\n\r\n"))[:12] == b"HTTP/1.1 200"
            assert await ends[0].readexactly(4) == b"3000"
        taken.clear()
        ends[1].write(b"GET / HTTP/1.1\r\nX: ")
        # Two pieces, as the network may make them; in one it is refused a piece later.
        await taken.wait()
        ends[1].write(b"x" * 200)
        assert b" 400 " in await rest(ends)

    served(act)


def test_only_so_many_connections_are_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "MOST_CONNECTIONS", 2)

    async def act(connect: Callable[[], Awaitable[Ends]]) -> None:
        held = []
        for _ in range(2):
            held.append(await connect())
            assert await exchange(held[-1], b"GET / HTTP/1.1\r\n\r\n") == b"0"
        assert await rest(await connect()) == b""
        assert await exchange(held[0], b"GET / HTTP/1.1\r\n\r\n") == b"0"
        for _, writer in held:
            writer.close()

    served(act)
