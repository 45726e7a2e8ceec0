"""The wire of the control socket, and the client of it."""

import json
import shutil
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast import control, errors
from holdfast.control import (
    INVALID_PARAMS,
    REFUSED,
    ControlClient,
    decode,
    encode,
    error_from,
    error_object,
)
from holdfast.errors import (
    Corrupt,
    HoldfastError,
    LockHeld,
    NotRunning,
    Refused,
    StartFailed,
    UnknownName,
    UsageError,
)

if sys.platform == "win32":
    pytest.skip("Python offers no AF_UNIX on Windows", allow_module_level=True)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.text().filter(lambda key: key != "jsonrpc"), JSON))
def test_what_is_encoded_is_one_line_and_decoded_again(message: dict[str, Any]) -> None:
    line = encode(message)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert decode(line) == {"jsonrpc": "2.0", **message}


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"{",
        b"[]",
        b"5",
        b"null",
        b"{}",
        b'{"jsonrpc":"1.0"}',
        b"\xff",
        b'{"jsonrpc":2}',
    ],
)
def test_what_is_no_message_is_wrong_use(line: bytes) -> None:
    with pytest.raises(UsageError, match=r"expected"):
        decode(line)


@given(st.binary())
def test_no_bytes_do_worse_than_wrong_use(line: bytes) -> None:
    try:
        found = decode(line)
    except UsageError:
        return
    assert found["jsonrpc"] == "2.0"


@pytest.mark.parametrize(
    "kind", [HoldfastError, LockHeld, NotRunning, Refused, UnknownName, UsageError]
)
def test_an_error_keeps_its_class_and_words_on_the_wire(kind: type[HoldfastError]) -> None:
    back = error_from(json.loads(json.dumps(error_object(kind("what happened")))))
    assert type(back) is kind
    assert str(back) == "what happened"
    assert back.exit_code == kind.exit_code


def test_an_error_with_facts_of_its_own_keeps_its_words() -> None:
    for error in (StartFailed("no", permanent=True), Corrupt("no", path="/a")):
        back = error_from(error_object(error))
        assert isinstance(back, HoldfastError)
        assert str(back) == "no"


def test_every_class_on_the_wire_is_made_from_its_words_alone() -> None:
    for name in control._KINDS:
        assert str(getattr(errors, name)("words")) == "words"


def test_wrong_use_has_its_own_code() -> None:
    assert error_object(UnknownName("x"))["code"] == INVALID_PARAMS
    assert error_object(Refused("x"))["code"] == REFUSED


@pytest.mark.parametrize(
    "found", [{}, {"data": None}, {"data": {"kind": "Nobody"}}, {"message": 5}]
)
def test_an_error_nobody_knows_is_an_error_all_the_same(found: dict[str, Any]) -> None:
    assert type(error_from(found)) is HoldfastError


@pytest.fixture
def path() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="hf-", dir="/tmp"))
    yield folder / "control.sock"
    shutil.rmtree(folder)


Answer = Callable[[socket.socket, dict[str, Any]], None]


@pytest.fixture
def serve(path: Path) -> Iterator[Callable[[Answer], ControlClient]]:
    """Answer one order over a real socket with whatever bytes a test wants."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    threads = []

    def begin(answer: Answer) -> ControlClient:
        listener.bind(str(path))
        listener.listen()

        def talk() -> None:
            connection, _ = listener.accept()
            with connection, connection.makefile("rb") as lines:
                for line in lines:
                    answer(connection, json.loads(line))
                    break
                else:
                    return
                connection.shutdown(socket.SHUT_WR)
                lines.read()

        threads.append(threading.Thread(target=talk))
        threads[0].start()
        return ControlClient(path, timeout=30)

    yield begin
    for thread in threads:
        thread.join()
    listener.close()


def test_a_call_gives_an_order_and_returns_its_result(
    serve: Callable[[Answer], ControlClient],
) -> None:
    seen = []

    def answer(connection: socket.socket, order: dict[str, Any]) -> None:
        seen.append(order)
        connection.sendall(encode({"id": order["id"], "result": {"a": "ü"}}))

    with serve(answer) as client:
        assert client.call("status", {"select": ["api"]}) == {"a": "ü"}
    assert seen == [{"jsonrpc": "2.0", "id": 1, "method": "status", "params": {"select": ["api"]}}]


def test_progress_is_seen_and_answers_to_others_are_passed_over(
    serve: Callable[[Answer], ControlClient],
) -> None:
    def answer(connection: socket.socket, order: dict[str, Any]) -> None:
        lines = (
            encode({"method": "progress", "params": {"name": "api"}})
            + encode({"id": 99, "result": "not yours"})
            + encode({"method": "progress"})
            + encode({"id": order["id"], "result": "done"})
        )
        for at in range(0, len(lines), 7):
            connection.sendall(lines[at : at + 7])

    seen: list[dict[str, Any]] = []
    with serve(answer) as client:
        assert client.call("start", progress=seen.append) == "done"
    assert seen == [{"name": "api"}, {}]


def test_an_answer_of_many_megabytes_is_read_whole(
    serve: Callable[[Answer], ControlClient],
) -> None:
    def answer(connection: socket.socket, order: dict[str, Any]) -> None:
        connection.sendall(encode({"id": order["id"], "result": "x" * 3_000_000}))

    with serve(answer) as client:
        assert len(client.call("status")) == 3_000_000


def test_an_error_is_raised_in_its_own_class(serve: Callable[[Answer], ControlClient]) -> None:
    def answer(connection: socket.socket, order: dict[str, Any]) -> None:
        connection.sendall(encode({"id": order["id"], "error": error_object(UnknownName("who?"))}))

    with serve(answer) as client, pytest.raises(UnknownName, match=r"who\?"):
        client.call("start")


@pytest.mark.parametrize("last", [b"", b'{"jsonrpc":"2.0","id":1,"res'])
def test_a_supervisor_that_goes_away_is_not_running(
    serve: Callable[[Answer], ControlClient], last: bytes
) -> None:
    client = serve(lambda connection, _order: connection.sendall(last))
    with client, pytest.raises(NotRunning, match="went away"):
        client.call("status")


def test_an_answer_without_end_is_given_up(
    serve: Callable[[Answer], ControlClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "MAX_LINE", 10_000)
    client = serve(lambda connection, _order: connection.sendall(b"x" * 20_000))
    with client, pytest.raises(NotRunning, match="more than 10000 bytes"):
        client.call("status")


def test_a_supervisor_that_does_not_answer_in_time_is_told_as_that(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen()
        with (
            ControlClient(path, timeout=0.01) as client,
            pytest.raises(NotRunning, match="did not answer status within"),
        ):
            client.call("status")


@pytest.mark.parametrize("what", ["nothing", "file", "nobody listens"])
def test_where_nobody_listens_the_error_says_what_to_do(path: Path, what: str) -> None:
    if what == "file":
        path.write_text("no socket")
    if what == "nobody listens":
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(str(path))
    with pytest.raises(NotRunning, match="start one with: holdfast up"), ControlClient(path):
        pass


def test_a_client_is_used_as_a_context(path: Path) -> None:
    with pytest.raises(NotRunning, match="use it as a context"):
        ControlClient(path).call("ping")
    client = ControlClient(path)
    client.__exit__()
