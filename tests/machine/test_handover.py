"""The conversation of supervisor and watchdog: whole messages, their descriptors, and never a wait."""

import contextlib
import os
import socket
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from holdfast.errors import HoldfastError
from holdfast.machine import handover
from holdfast.machine.handover import Channel, Flow, call, leads_somewhere, listen, peer_of

if sys.platform != "linux":
    pytest.skip("such sockets need Linux", allow_module_level=True)


@pytest.fixture
def pair() -> Iterator[tuple[Channel, Channel, dict[str, int]]]:
    kept: dict[str, int] = {}
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours, theirs = (Channel(end, kept.get) for end in ends)
    yield ours, theirs, kept
    ours.close()
    theirs.close()


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="hf-", dir="/tmp") as name:
        yield Path(name)


Pair = tuple[Channel, Channel, dict[str, int]]


def test_messages_arrive_whole_and_in_order(pair: Pair) -> None:
    ours, theirs, _ = pair
    ours.post({"ready": True})
    ours.post({"settings": {"failures": 3}})
    assert ours.flush() is Flow.DONE
    assert theirs.read() == ({"ready": True}, None)
    assert theirs.read() == ({"settings": {"failures": 3}}, None)
    assert theirs.read() is None


def test_a_descriptor_arrives_as_the_same_open_file_and_closed_on_exec(pair: Pair) -> None:
    ours, theirs, kept = pair
    reader, writer = os.pipe()
    kept["pipe"] = reader
    ours.post({"hold": "pipe"})
    ours.flush()
    os.close(reader)
    received = theirs.read()
    assert received is not None
    assert received.fd is not None
    os.write(writer, b"x")
    assert os.read(received.fd, 1) == b"x"
    assert not os.get_inheritable(received.fd)
    os.close(writer)
    os.close(received.fd)


def test_the_newest_word_replaces_one_that_was_not_sent_yet(pair: Pair) -> None:
    ours, theirs, kept = pair
    kept["a"] = 0
    ours.post({"hold": "a"}, "fd a")
    del kept["a"]
    ours.post({"drop": "a"}, "fd a")
    ours.post({"beat": 1})
    ours.post({"beat": 2})
    ours.flush()
    assert [theirs.read(), theirs.read()] == [({"drop": "a"}, None), ({"beat": 2}, None)]


def test_a_descriptor_that_is_gone_is_passed_over(pair: Pair) -> None:
    ours, theirs, kept = pair
    fd = os.dup(0)
    os.close(fd)
    kept["closed"] = fd
    ours.post({"hold": "closed"}, "1")
    ours.post({"hold": "unknown"}, "2")
    ours.post({"ready": True})
    assert ours.flush() is Flow.DONE
    assert theirs.read() == ({"ready": True}, None)


def test_a_receiver_that_sleeps_is_not_waited_for(pair: Pair) -> None:
    ours, theirs, kept = pair
    kept |= {f"x{number}": 0 for number in range(2000)}
    for name in kept:
        ours.post({"hold": name}, name)
    assert ours.flush() in (Flow.FULL, Flow.CROWDED)
    seen: list[str] = []
    while len(seen) < len(kept):
        while (received := theirs.read()) is not None:
            seen.append(received.message["hold"])
            assert received.fd is not None
            os.close(received.fd)
        ours.flush()
    assert seen == list(kept)


def test_the_end_of_the_other_side_is_told(pair: Pair) -> None:
    ours, theirs, _ = pair
    theirs.post({"leaving": True})
    theirs.flush()
    theirs.close()
    assert ours.read() == ({"leaving": True}, None)
    with pytest.raises(ConnectionError):
        ours.read()
    ours.post({"ready": True})
    with pytest.raises(ConnectionError):
        ours.flush()


@pytest.mark.parametrize("content", [b"nonsense", b"[1]", b"[" * 60000, b"\xff"])
def test_what_makes_no_sense_is_an_empty_message(pair: Pair, content: bytes) -> None:
    ours, theirs, _ = pair
    ours.socket.send(content)
    assert theirs.read() == ({}, None)


def test_a_listener_is_private_and_knows_who_calls(folder: Path) -> None:
    path = folder / "w.sock"
    path.write_text("left by a dead one")
    with listen(path) as listener:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        channel = call(path, lambda _name: None)
        assert channel is not None
        own, _ = listener.accept()
        assert peer_of(own) == (os.getpid(), os.geteuid())
        own.close()
        channel.close()


def test_nobody_answers_where_nobody_listens_or_the_queue_is_full(folder: Path) -> None:
    path = folder / "w.sock"
    assert call(path, lambda _name: None) is None
    with listen(path), contextlib.ExitStack() as stack:
        called: list[Channel | None] = [
            call(path, lambda _name: None) for _ in range(2 * handover.BACKLOG + 2)
        ]
        for channel in called:
            if channel is not None:
                stack.callback(channel.close)
        assert called[0] is not None
        assert called[-1] is None
    assert call(path, lambda _name: None) is None


def test_a_path_that_cannot_be_used_is_named(folder: Path) -> None:
    (folder / "w.sock").mkdir()
    with pytest.raises(HoldfastError, match=r"cannot listen at .*w\.sock: "):
        listen(folder / "w.sock")


def test_the_name_of_a_pidfd_tells_its_process() -> None:
    assert handover.process_of(handover.pidfd_name(12, 345)) == (12, 345)
    names: list[str] = ["fd.api", "pid.", "pid.x.1", "pid.1.", "control"]
    look: Callable[[str], object] = handover.process_of
    assert [look(name) for name in names] == [None] * len(names)


def test_elsewhere_it_says_what_does_the_work_there() -> None:
    assert "launchd" in str(handover.unavailable())


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_an_address_leads_somewhere_only_while_somebody_has_its_socket(
    folder: Path, kind: socket.SocketKind
) -> None:
    path = str(folder / "there.sock")

    def bound() -> socket.socket:
        found = socket.socket(socket.AF_UNIX, kind)
        found.bind(path)
        if kind is socket.SOCK_STREAM:
            found.listen(1)
        return found

    with bound() as kept:
        assert leads_somewhere(kept)
        Path(path).unlink()
        assert not leads_somewhere(kept)
        bound().close()  # another put its own there, and died
        assert Path(path).is_socket()
        assert not leads_somewhere(kept)


def test_a_queue_that_is_full_belongs_to_somebody(folder: Path) -> None:
    with contextlib.ExitStack() as callers, socket.socket(socket.AF_UNIX) as kept:
        kept.bind(str(folder / "full.sock"))
        kept.listen(0)
        for _ in range(3):
            caller = callers.enter_context(socket.socket(socket.AF_UNIX))
            caller.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                caller.connect(kept.getsockname())
        assert leads_somewhere(kept)
