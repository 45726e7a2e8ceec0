"""What a supervisor gives into keeping, whoever keeps it now, and whether or not anybody does."""

import asyncio
import contextlib
import os
import select
import socket
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from holdfast.home import Home
from holdfast.machine.handover import Channel, Received, listen
from holdfast.machine.supervisor import custody as module
from holdfast.machine.supervisor.custody import Custody

if sys.platform != "linux":
    pytest.skip("a watchdog needs Linux", allow_module_level=True)


class Keeper:
    """The watchdog's end, played by hand."""

    def __init__(self, home: Home) -> None:
        self.listener = listen(home.watchdog_socket)
        self.kept: dict[str, int] = {}
        self.channel: Channel | None = None

    def answer(self) -> Channel:
        own, _ = self.listener.accept()
        self.channel = Channel(own, self.kept.get)
        return self.channel

    def say(self, *messages: dict[str, Any]) -> None:
        channel = self.channel or self.answer()
        for number, message in enumerate(messages):
            channel.post(message, str(number))
        channel.flush()

    def hear(self) -> list[Any]:
        assert self.channel is not None
        found: list[Received] = []
        with contextlib.suppress(ConnectionError):
            while (received := self.channel.read()) is not None:
                found.append(received)
        for received in found:
            if received.fd is not None:
                os.close(received.fd)
        return [dict(received.message) for received in found]

    def close(self) -> None:
        self.listener.close()
        if self.channel is not None:
            self.channel.close()


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path / "home")
    home.make()
    with tempfile.TemporaryDirectory(prefix="hf-", dir="/tmp") as runtime:
        home.runtime_pointer.write_text(f"{runtime}\n")
        yield home


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WELCOMED_WITHIN", 30.0)  # the thread that answers may come late


@pytest.fixture
def keeper(home: Home) -> Iterator[Keeper]:
    keeper = Keeper(home)
    yield keeper
    keeper.close()


def play(home: Home, scene: Callable[[Custody], Awaitable[None]]) -> None:
    async def main() -> None:
        custody = Custody(asyncio.get_running_loop(), home)
        try:
            await scene(custody)
        finally:
            custody.close()

    asyncio.run(main())


async def until(look: Callable[[], Any]) -> None:
    async with asyncio.timeout(20):
        while not look():  # noqa: ASYNC110 - what it waits for tells nobody
            await asyncio.sleep(0.005)


async def greeted(custody: Custody, keeper: Keeper, *messages: dict[str, Any]) -> bool:
    """Connect as at a start, where nothing else happens on the loop; the watchdog answers from elsewhere."""

    def answer() -> None:
        select.select([keeper.listener], [], [], 20)
        keeper.say(*messages, {"welcome": 4711})

    answering = asyncio.get_running_loop().run_in_executor(None, answer)
    is_greeted = custody.connect()
    await answering
    return is_greeted


def test_it_gets_back_what_was_kept_and_learns_what_happened(home: Home, keeper: Keeper) -> None:
    reader, writer = os.pipe()
    keeper.kept["fd.api"] = reader
    fate = {"died": "signal 9", "reason": "killed", "at": 1.0, "count": 1}

    async def scene(custody: Custody) -> None:
        told = ({"held": "fd.api"}, {"exits": [[5, 6, 9], [7, 8, 0]]}, {"fate": fate})
        assert await greeted(custody, keeper, *told)
        os.write(writer, b"x")
        assert os.read(custody.held["fd.api"], 1) == b"x"
        assert custody.exits == {(5, 6): 9, (7, 8): 0}
        assert (custody.fate, custody.watchdog_pid) == (fate, 4711)
        assert not custody.is_ancestor
        keeper.say({"exits": [[9, 10, 1]]}, {"nonsense": 1})
        await until(lambda: custody.exits.get((9, 10)) == 1)
        custody.settle()
        assert custody.held == {}
        assert keeper.hear() == [{"drop": "fd.api"}]

    play(home, scene)
    os.close(reader)
    os.close(writer)


def test_what_was_taken_is_not_dropped(home: Home, keeper: Keeper) -> None:
    keeper.kept["control"] = 0

    async def scene(custody: Custody) -> None:
        await greeted(custody, keeper, {"held": "control"})
        fd = custody.held["control"]
        custody.hold("control", fd)
        custody.settle()
        assert os.fstat(fd)
        assert keeper.hear() == []
        os.close(fd)

    play(home, scene)


def test_without_a_watchdog_all_goes_on(home: Home) -> None:
    async def scene(custody: Custody) -> None:
        assert not custody.connect()
        custody.hold("a", 0)
        custody.drop("a")
        custody.ready()
        custody.beat({"pid": 1})
        custody.ending()
        assert (custody.watchdog_pid, custody.fate, custody.is_ancestor) == (None, None, False)

    play(home, scene)


def test_a_watchdog_that_does_not_answer_is_not_waited_for(
    home: Home, keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WELCOMED_WITHIN", 0.05)

    async def scene(custody: Custody) -> None:
        assert not custody.connect()

    play(home, scene)


def test_a_new_watchdog_gets_all_that_is_held_and_was_said(home: Home, keeper: Keeper) -> None:
    async def scene(custody: Custody) -> None:
        lost: list[bool] = []
        custody.on_lost = lost.append
        os.rename(home.watchdog_socket, f"{home.watchdog_socket}.away")
        custody.connect()
        os.rename(f"{home.watchdog_socket}.away", home.watchdog_socket)
        custody.hold("a", 0)
        custody.hold("b", 0)
        custody.drop("b")
        custody.ready()
        custody.settings({"failures": 2})
        welcomed: list[int] = []
        custody.on_welcome = lambda: welcomed.append(1)
        assert custody.call()
        keeper.say({"welcome": 4712})
        await until(lambda: welcomed)
        said = [{"hold": "a"}, {"ready": True}, {"settings": {"failures": 2}}]
        assert keeper.hear() == said
        keeper.say({"leaving": True})
        assert keeper.channel is not None
        keeper.channel.close()
        await until(lambda: lost)
        assert (lost, custody.watchdog_pid) == ([True], None)
        keeper.channel = None
        assert custody.call()
        keeper.say({"welcome": 4713})
        await until(lambda: len(welcomed) == 2)
        assert keeper.hear() == said
        assert keeper.channel is not None
        keeper.channel.close()
        await until(lambda: len(lost) == 2)
        assert lost == [True, False]

    play(home, scene)


def test_what_comes_back_too_late_is_let_go(home: Home, keeper: Keeper) -> None:
    keeper.kept |= {"old": 0, "own": 0}

    async def scene(custody: Custody) -> None:
        os.rename(home.watchdog_socket, f"{home.watchdog_socket}.away")
        custody.connect()
        os.rename(f"{home.watchdog_socket}.away", home.watchdog_socket)
        custody.hold("own", 0)
        custody.call()
        keeper.say({"held": "old"}, {"held": "own"}, {"fate": {"died": "x"}}, {"welcome": 4711})
        await until(lambda: custody.watchdog_pid)
        assert custody.held == {}
        assert custody.fate is None
        assert keeper.hear() == [{"hold": "own"}, {"drop": "old"}]

    play(home, scene)


def test_a_watchdog_that_sleeps_blocks_nothing_and_gets_the_newest_word(
    home: Home, keeper: Keeper
) -> None:
    async def scene(custody: Custody) -> None:
        await greeted(custody, keeper)
        for number in range(2000):
            custody.hold(f"x{number}", 0)
            custody.beat({"pid": number})
        heard: list[Any] = []

        def all_heard() -> bool:
            heard.extend(keeper.hear())
            return len([word for word in heard if "hold" in word]) == 2000

        await until(all_heard)

        def last_beat() -> bool:
            heard.extend(keeper.hear())
            beats = [word["beat"]["pid"] for word in heard if "beat" in word]
            return beats[-1:] == [1999]

        await until(last_beat)

    play(home, scene)


def test_the_last_words_are_sent_before_it_hangs_up(home: Home, keeper: Keeper) -> None:
    async def scene(custody: Custody) -> None:
        await greeted(custody, keeper)
        custody.ending()
        custody.close()
        assert keeper.hear() == [{"ending": True}]
        custody.close()

    play(home, scene)


def test_a_descendant_is_told_from_a_stranger(home: Home, keeper: Keeper) -> None:
    async def scene(custody: Custody) -> None:
        await greeted(custody, keeper)
        custody.watchdog_pid = os.getppid()
        assert custody.is_ancestor
        assert not custody.is_above(os.getppid())
        assert not custody.is_above(2**22 + 1)

    play(home, scene)


def test_the_socket_of_a_home_is_private_to_its_user(home: Home, keeper: Keeper) -> None:
    assert home.watchdog_socket.stat().st_mode & 0o077 == 0
    assert keeper.listener.type == socket.SOCK_SEQPACKET
