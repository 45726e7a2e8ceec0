import asyncio
import errno
import os
import socket
import sys
from collections.abc import Iterator

import pytest

from holdfast.machine.probes import connect
from holdfast.machine.probes.connect import connected, is_shortage, words
from holdfast.machine.probes.resolve import Address


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


@pytest.fixture
def deaf() -> Iterator[socket.socket]:
    """Hold an address at which nobody listens, and nobody else can."""
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        yield made


def test_a_connection_ends_with_the_look(listener: socket.socket) -> None:
    async def scene() -> int:
        async with connected("127.0.0.1", listener.getsockname()[1]) as made:
            assert made.fileno() >= 0
        return made.fileno()

    assert asyncio.run(scene()) == -1


def test_the_next_address_is_tried_when_one_refuses(
    listener: socket.socket, deaf: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, refusing = listener.getsockname(), deaf.getsockname()

    async def two(host: str, port: int) -> list[Address]:
        return [Address(socket.AF_INET, refusing), Address(socket.AF_INET, good)]

    async def scene() -> object:
        async with connected("db", 1) as made:
            return made.getpeername()

    monkeypatch.setattr(connect, "addresses", two)
    assert asyncio.run(scene()) == good


def test_a_socket_that_met_itself_is_refused() -> None:
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        made.connect(made.getsockname())  # simultaneous open: TCP allows it
        with pytest.raises(ConnectionRefusedError):
            connect._refuse_itself(made)


def test_a_look_that_is_cancelled_leaves_no_descriptor() -> None:
    if sys.platform != "linux":
        pytest.skip("counts descriptors in /proc")
    full = socket.create_server(("127.0.0.1", 0), backlog=0)
    where = full.getsockname()
    filling = [socket.socket() for _ in range(3)]
    for one in filling:
        one.setblocking(False)
        one.connect_ex(where)

    async def scene() -> None:
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(20):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.005), connected(where[0], where[1]):
                    pass
        assert len(os.listdir("/proc/self/fd")) == before

    try:
        asyncio.run(scene())
    finally:
        for one in (*filling, full):
            one.close()


@pytest.mark.parametrize(
    ("error", "ours"),
    [
        (OSError(errno.EMFILE, "Too many open files"), True),
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure"), True),
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), False),
        (OSError(errno.EHOSTUNREACH, "No route to host"), False),
    ],
)
def test_a_fault_of_this_machine_is_told_from_one_of_the_service(
    error: OSError, ours: bool
) -> None:
    assert is_shortage(error) is ours


def test_a_fault_has_words() -> None:
    assert words(ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")) == (
        "connection refused"
    )
    assert words(OSError()) == "oserror"
