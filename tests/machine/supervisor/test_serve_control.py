"""The control socket: private, patient with nonsense, and never the end of the supervisor."""

import asyncio
import contextlib
import json
import shutil
import stat
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from holdfast.control import MAX_LINE, ControlClient
from holdfast.errors import HoldfastError, Refused, UnknownName, UsageError
from holdfast.machine.keeping import Unkept
from holdfast.machine.supervisor.serve_control import ControlServer, Report

if TYPE_CHECKING:
    from tests.machine.supervisor.conftest import Play, Stage

if sys.platform != "linux":
    pytest.skip("these tests look into /proc", allow_module_level=True)


@pytest.fixture
def path() -> Iterator[Path]:
    """Return a path short enough for a socket."""
    folder = Path(tempfile.mkdtemp(prefix="hf-", dir="/tmp"))
    yield folder / "control.sock"
    shutil.rmtree(folder)


class Methods:
    """Orders of every kind of outcome."""

    def __init__(self) -> None:
        self.release = asyncio.Event()
        self.table = {
            "echo": self.echo,
            "refuse": self.refuse,
            "unknown": self.unknown,
            "fail": self.fail,
            "slow": self.slow,
            "report": self.report,
        }

    async def echo(self, params: dict[str, Any], _report: Report) -> Any:
        return params

    async def refuse(self, _params: dict[str, Any], _report: Report) -> Any:
        raise Refused("not today")

    async def unknown(self, _params: dict[str, Any], _report: Report) -> Any:
        raise UnknownName("nobody of that name")

    async def fail(self, _params: dict[str, Any], _report: Report) -> Any:
        raise ZeroDivisionError("by design")

    async def slow(self, _params: dict[str, Any], _report: Report) -> Any:
        await self.release.wait()
        return "released"

    async def report(self, _params: dict[str, Any], report: Report) -> Any:
        for number in range(3):
            report({"number": number})
        return "done"


@asynccontextmanager
async def serving(path: Path) -> AsyncIterator[Methods]:
    methods = Methods()
    server = ControlServer(path, methods.table, Unkept())
    await server.open()
    try:
        yield methods
    finally:
        await server.close()


async def exchange(path: Path, *lines: bytes) -> list[dict[str, Any]]:
    """Send these bytes, hang up our half, and return all that was answered."""
    reader, writer = await asyncio.open_unix_connection(str(path), limit=2 * MAX_LINE)
    writer.write(b"".join(lines))
    writer.write_eof()
    answers = [json.loads(line) for line in (await reader.read()).splitlines()]
    writer.close()
    await writer.wait_closed()
    return answers


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def leave(path: Path) -> None:
    path.write_text("left over", encoding="utf-8")


def request(method: object, params: object = None, id_: object = 1) -> bytes:
    message = {"jsonrpc": "2.0", "id": id_, "method": method}
    if params is not None:
        message["params"] = params
    return json.dumps(message).encode() + b"\n"


def test_only_the_user_of_the_home_may_connect(play: "Play", path: Path) -> None:
    async def scene(_stage: "Stage") -> None:
        async with serving(path):
            assert mode_of(path) == 0o600

    play(scene)


def test_a_stale_socket_of_a_dead_supervisor_is_replaced(play: "Play", path: Path) -> None:
    async def scene(_stage: "Stage") -> None:
        leave(path)
        async with serving(path):
            assert (await exchange(path, request("echo")))[0]["result"] == {}

    play(scene)


def test_one_connection_may_give_many_orders(play: "Play", path: Path) -> None:
    async def scene(_stage: "Stage") -> None:
        async with serving(path):
            answers = await exchange(path, *(request("echo", {"n": n}, n) for n in range(20)))
        assert [(one["id"], one["result"]["n"]) for one in answers] == [(n, n) for n in range(20)]

    play(scene)


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"garbage\n",
        b"{\n",
        b"[]\n",
        b"5\n",
        b"null\n",
        b'"text"\n',
        b"\xff\xfe\n",
        b'{"method":"echo"}\n',
        b'{"jsonrpc":"1.0","method":"echo"}\n',
        b'[{"jsonrpc":"2.0","method":"echo"}]\n',
        b'{"jsonrpc":"2.0"}\n',
        request(None),
        request("nothing"),
        request(["echo"]),
        request({"echo": 1}),
        request("echo", [1]),
        request("echo", "text"),
        request("echo", 5),
    ],
)
def test_nonsense_is_answered_with_an_error_and_the_next_order_is_obeyed(
    play: "Play", path: Path, line: bytes
) -> None:
    async def scene(stage: "Stage") -> None:
        async with serving(path):
            refused, obeyed = await exchange(path, line, request("echo", {"a": 1}, 2))
        assert refused["error"]["message"]
        assert refused["error"]["code"] in (-32700, -32600, -32601, -32602)
        assert (obeyed["id"], obeyed["result"]) == (2, {"a": 1})
        assert stage.faults == []

    play(scene)


def test_half_a_line_is_answered_with_an_error(play: "Play", path: Path) -> None:
    async def scene(_stage: "Stage") -> None:
        async with serving(path):
            (answer,) = await exchange(path, request("echo", {"a": 1})[:-5])
        assert "error" in answer

    play(scene)


def test_a_line_without_end_costs_only_who_sent_it(play: "Play", path: Path) -> None:
    async def scene(stage: "Stage") -> None:
        async with serving(path):
            reader, writer = await asyncio.open_unix_connection(str(path))
            writer.write(b"x" * (2 * MAX_LINE + 1))
            with contextlib.suppress(ConnectionError):  # what was not read may be thrown back
                (answer,) = (await reader.read()).splitlines()
                assert str(MAX_LINE) in json.loads(answer)["error"]["message"]
            writer.transport.abort()
            assert (await exchange(path, request("echo")))[0]["result"] == {}
        assert stage.faults == []

    play(scene)


def test_a_huge_order_is_read_whole(play: "Play", path: Path) -> None:
    async def scene(_stage: "Stage") -> None:
        async with serving(path):
            (answer,) = await exchange(path, request("echo", {"a": "x" * 3_000_000}))
        assert len(answer["result"]["a"]) == 3_000_000

    play(scene)


@pytest.mark.parametrize(
    ("method", "kind"),
    [("refuse", Refused), ("unknown", UnknownName), ("fail", HoldfastError)],
)
def test_an_error_reaches_the_caller_in_its_own_class(
    play: "Play", path: Path, method: str, kind: type[HoldfastError]
) -> None:
    def ask() -> None:
        with ControlClient(path) as control:
            control.call(method)

    async def scene(stage: "Stage") -> None:
        async with serving(path):
            with pytest.raises(HoldfastError) as told:
                await asyncio.to_thread(ask)
        assert type(told.value) is kind
        stage.faults.clear()

    play(scene)


def test_a_method_that_fails_is_answered_and_recorded_as_a_fault(play: "Play", path: Path) -> None:
    async def scene(stage: "Stage") -> None:
        async with serving(path):
            failed, obeyed = await exchange(path, request("fail"), request("echo", {}, 2))
        assert "ZeroDivisionError: by design" in failed["error"]["message"]
        assert obeyed["result"] == {}
        (fault,) = stage.faults
        assert isinstance(fault["exception"], ZeroDivisionError)
        stage.faults.clear()

    play(scene)


def test_progress_is_told_before_the_answer(play: "Play", path: Path) -> None:
    async def scene(_stage: "Stage") -> None:
        async with serving(path):
            *reports, answer = await exchange(path, request("report"))
        assert [one["params"]["number"] for one in reports] == [0, 1, 2]
        assert all("id" not in one for one in reports)
        assert answer["result"] == "done"

    play(scene)


def test_a_slow_order_keeps_nobody_else_waiting(play: "Play", path: Path) -> None:
    async def scene(_stage: "Stage") -> None:
        async with serving(path) as methods:
            slow = asyncio.ensure_future(exchange(path, request("slow")))
            assert (await exchange(path, request("echo")))[0]["result"] == {}
            methods.release.set()
            assert (await slow)[0]["result"] == "released"

    play(scene)


def test_a_caller_that_hangs_up_harms_nobody(play: "Play", path: Path) -> None:
    async def scene(stage: "Stage") -> None:
        async with serving(path) as methods:
            for line in (request("slow"), request("report") * 50, b"half"):
                _, writer = await asyncio.open_unix_connection(str(path))
                writer.write(line)
                await writer.drain()
                writer.transport.abort()
            methods.release.set()
            assert (await exchange(path, request("echo")))[0]["result"] == {}
        assert stage.faults == []

    play(scene)


def test_params_may_be_left_out_or_empty(play: "Play", path: Path) -> None:
    async def scene(_stage: "Stage") -> None:
        async with serving(path):
            answers = await exchange(path, request("echo"), request("echo", {}))
        assert [one["result"] for one in answers] == [{}, {}]

    play(scene)


def test_closing_hangs_up_on_those_who_still_wait(play: "Play", path: Path) -> None:
    async def scene(_stage: "Stage") -> None:
        async with serving(path):
            waiting = asyncio.ensure_future(exchange(path, request("slow")))
            assert (await exchange(path, request("echo")))[0]["result"] == {}
        assert await waiting == []

    play(scene)


def test_wrong_use_has_its_own_code(play: "Play", path: Path) -> None:
    async def scene(_stage: "Stage") -> None:
        async with serving(path):
            unknown, refused = await exchange(path, request("unknown"), request("refuse"))
        assert unknown["error"]["code"] == -32602
        assert refused["error"]["code"] == -32000
        assert issubclass(UnknownName, UsageError)

    play(scene)
