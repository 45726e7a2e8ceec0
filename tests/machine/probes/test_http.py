import asyncio
import os
import socket
import sys
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.machine.probes.http import MOST_BYTES, look, request_for, status_in
from holdfast.model.finding import WELL, Finding, failed

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def asked(answer: Answer, path: str = "/") -> Finding:
    """Look at a server that answers like that, on a port of its own."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await answer(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        return await look(f"http://127.0.0.1:{port}{path}")


def saying(*pieces: bytes) -> Answer:
    """Answer any request with these bytes, each in a packet of its own."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)

    return answer


@pytest.mark.parametrize("status", [200, 204, 301, 399])
def test_a_success_and_a_redirect_are_well(status: int) -> None:
    assert asyncio.run(asked(saying(b"HTTP/1.1 %d Fine\r\n\r\n" % status))) == WELL


@pytest.mark.parametrize("status", [400, 404, 500, 503, 101])
def test_any_other_status_fails_and_is_named(status: int) -> None:
    found = asyncio.run(asked(saying(b"HTTP/1.1 %d No\r\n\r\n" % status)))
    assert found == failed(f"it answered with status {status}")


def test_an_answer_may_come_in_pieces_and_after_early_hints() -> None:
    pieces = (b"HT", b"TP/1.1 103 Early\r\nLink: x\r\n", b"\r\nHTTP/1.0 20", b"0 OK\r\n\r\nhello")
    assert asyncio.run(asked(saying(*pieces))) == WELL


def test_what_is_no_http_fails() -> None:
    assert asyncio.run(asked(saying(b"220 smtp ready\r\n"))) == failed(
        "the answer is not HTTP/1.1"
    )
    assert asyncio.run(asked(saying())) == failed("it hung up without an answer")


def test_an_endless_head_is_not_read_to_its_end() -> None:
    flood = b"HTTP/1.1 100 Go on\r\n" + b"X: y\r\n" * MOST_BYTES
    found = asyncio.run(asked(saying(flood)))
    assert found == failed("no status in the first 64 KiB of the answer")


def test_an_endless_body_does_not_hold_the_look() -> None:
    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            while True:
                writer.write(b"x" * 65536)
                await writer.drain()
        except ConnectionError:
            pass

    assert asyncio.run(asked(flood)) == WELL


def test_a_service_that_never_answers_can_be_left_and_nothing_stays_open() -> None:
    if sys.platform != "linux":
        pytest.skip("counts descriptors in /proc")

    async def scene(port: int) -> None:
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(5):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.02):
                    await look(f"http://127.0.0.1:{port}/")
        assert len(os.listdir("/proc/self/fd")) == before

    with socket.create_server(
        ("127.0.0.1", 0)
    ) as silent:  # the kernel takes the connection, nobody the request
        asyncio.run(scene(silent.getsockname()[1]))


def test_a_port_nobody_listens_on_fails() -> None:
    with socket.socket() as deaf:  # bound, so that nobody else listens there
        deaf.bind(("127.0.0.1", 0))
        found = asyncio.run(look(f"http://127.0.0.1:{deaf.getsockname()[1]}/"))
    assert found == failed("connection refused")


def test_the_request_names_host_path_and_query_and_asks_to_hang_up() -> None:
    request = request_for("http://127.0.0.1:8000/health?deep=1&x=a%20b")
    lines = request.sent.decode().split("\r\n")
    assert (request.host, request.port) == ("127.0.0.1", 8000)
    assert lines[0] == "GET /health?deep=1&x=a%20b HTTP/1.1"
    assert "Host: 127.0.0.1:8000" in lines
    assert "Connection: close" in lines
    assert lines[-2:] == ["", ""]


def test_a_user_in_the_address_becomes_an_authorization_and_no_part_of_the_host() -> None:
    request = request_for("http://me:p%40ss@[::1]/")
    assert (request.host, request.port) == ("::1", 80)
    assert b"Host: [::1]\r\n" in request.sent
    assert b"Authorization: Basic bWU6cEBzcw==\r\n" in request.sent


def test_what_is_not_ascii_is_encoded() -> None:
    assert b"GET /gr%C3%BC%C3%9Fe HTTP/1.1\r\n" in request_for("http://h/grüße#top").sent


def test_a_status_is_known_as_soon_as_its_line_is_whole() -> None:
    assert status_in(b"") is None
    assert status_in(b"HTTP/1.1 200 OK\r") is None
    assert status_in(b"HTTP/1.1 200 OK\r\n") == 200
    assert status_in(b"HTTP/1.1 200\n") == 200
    assert status_in(b"HTTP/1.1 100 Continue\r\n\r\n") is None


@pytest.mark.parametrize("answer", [b"SSH-2.0-x\r\n", b"HTTP/2 200\r\n", b"HTTP/1.1 999 ?\r\n"])
def test_what_cannot_become_a_status_is_refused(answer: bytes) -> None:
    with pytest.raises(ValueError, match="not HTTP"):
        status_in(answer)


@given(st.binary(max_size=200))
def test_no_answer_whatever_breaks_the_reader(answer: bytes) -> None:
    try:
        status = status_in(answer)
    except ValueError:
        return
    assert status is None or 101 <= status < 600
