import asyncio
import socket
import threading

import pytest

from holdfast.machine.probes import resolve
from holdfast.machine.probes.resolve import Address, addresses


def found(host: str) -> list[Address]:
    return list(asyncio.run(addresses(host, 80)))


def test_a_number_is_its_own_address() -> None:
    assert found("127.0.0.1") == [Address(socket.AF_INET, ("127.0.0.1", 80))]
    assert [address.where[0] for address in found("::1")] == ["::1"]


def test_localhost_is_both_loopbacks_whatever_a_name_server_says() -> None:
    assert [address.where[0] for address in found("LocalHost")] == ["127.0.0.1", "::1"]


def test_a_name_is_asked_for_in_a_thread_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[threading.Thread] = []
    real = resolve._look_up

    def look_up(host: str, port: int, *, numeric: bool) -> list[Address]:
        if numeric:
            return real(host, port, numeric=True)
        asked.append(threading.current_thread())
        return [Address(socket.AF_INET, ("192.0.2.7", port))]

    monkeypatch.setattr(resolve, "_look_up", look_up)
    assert found("db.internal") == [Address(socket.AF_INET, ("192.0.2.7", 80))]
    assert asked[0] is not threading.main_thread()
    assert asked[0].daemon


def test_a_name_server_that_hangs_holds_up_neither_the_loop_nor_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers, asked = threading.Event(), threading.Event()
    real = resolve._look_up

    def look_up(host: str, port: int, *, numeric: bool) -> list[Address]:
        if numeric:
            return real(host, port, numeric=True)
        asked.set()
        answers.wait()
        return []

    async def give_up() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await addresses("db.internal", 80)

    monkeypatch.setattr(resolve, "_look_up", look_up)
    asyncio.run(give_up())
    waiting = [thread for thread in threading.enumerate() if thread.name == "resolve db.internal"]
    answers.set()
    for thread in waiting:
        thread.join()


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 300])
def test_an_unknown_host_has_no_address(host: str) -> None:
    with pytest.raises(socket.gaierror):
        found(host)
