import asyncio
import errno
import os
import socket

import pytest

from holdfast.machine.probes import connect
from holdfast.machine.probes.tcp import look
from holdfast.model.finding import WELL, failed, unknown


def test_an_address_that_takes_a_connection_is_well() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert asyncio.run(look(f"127.0.0.1:{port}")) == WELL
        assert asyncio.run(look(f"localhost:{port}")) == WELL


def test_an_address_of_ipv6_stands_in_brackets() -> None:
    try:
        listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("this machine has no IPv6")
    with listener:
        assert asyncio.run(look(f"[::1]:{listener.getsockname()[1]}")) == WELL


def test_a_port_nobody_listens_on_fails() -> None:
    with socket.socket() as deaf:  # bound, so that nobody else listens there
        deaf.bind(("127.0.0.1", 0))
        port = deaf.getsockname()[1]
        assert asyncio.run(look(f"127.0.0.1:{port}")) == failed("connection refused")


def test_a_shortage_of_descriptors_says_nothing_of_the_service(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def refuse(_place: object) -> socket.socket:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(connect, "_connect", refuse)
    assert asyncio.run(look("127.0.0.1:1")) == unknown("too many open files")
