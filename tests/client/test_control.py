"""The typed control says to the supervisor exactly what was meant, and reads the journal by itself."""

import json
import os
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from holdfast import control as wire
from holdfast.client import Control, connect
from holdfast.clock import utc_text
from holdfast.errors import HoldfastError, NotRunning, UnknownName, UsageError
from holdfast.home import Home

if sys.platform == "win32":
    pytest.skip("the control socket is a Unix socket", allow_module_level=True)


class Listener:
    """Stands where a supervisor stands: answers each call from a list and remembers what it was asked."""

    def __init__(self, path: Path) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.answers: dict[str, Any] = {}
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.bind(str(path))
        self._socket.listen()
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> "Listener":
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as lines:
                for line in lines:
                    connection.sendall(self._answer(wire.decode(line)))

    def _answer(self, order: dict[str, Any]) -> bytes:
        method = order["method"]
        self.asked.append((method, order["params"]))
        answer = self.answers.get(method, {"services": []})
        if isinstance(answer, HoldfastError):
            return wire.encode({"id": order["id"], "error": wire.error_object(answer)})
        progress = wire.encode({"method": "progress", "params": {"name": "api"}})
        return progress + wire.encode({"id": order["id"], "result": answer})


@pytest.fixture
def listener(home: Home) -> Iterator[Listener]:
    home.make()
    # Paths of sockets are short; those of tests are not.
    with tempfile.TemporaryDirectory() as folder:
        home.runtime_pointer.write_text(folder, encoding="utf-8")
        with Listener(home.control_socket) as listener:
            yield listener


def write_segment(home: Home, name: str, *lines: str, end: str = "\n") -> None:
    home.journal.mkdir(parents=True, exist_ok=True)
    (home.journal / f"{name}.jsonl").write_text("\n".join(lines) + end, encoding="utf-8")


def event(number: int, subject: str = "api") -> str:
    return json.dumps(
        {"id": number, "at": utc_text(number), "kind": "service.started", "subject": subject}
    )


def test_without_a_supervisor_every_call_says_so(home: Home) -> None:
    with pytest.raises(NotRunning, match="holdfast up"):
        connect().status()


def test_the_status_is_that_of_the_command(listener: Listener) -> None:
    listener.answers["status"] = {"machine": "laptop", "services": [{"name": "api", "pid": 7}]}

    status = connect().status()

    assert status["machine"] == "laptop"
    assert status["services"][0]["pid"] == 7
    assert listener.asked == [("status", {})]


def test_the_status_of_some_services_is_asked_for_by_name(listener: Listener) -> None:
    connect().status("api", "web-*")

    assert listener.asked == [("status", {"select": ["api", "web-*"]})]


@pytest.mark.parametrize("method", ["start", "stop", "restart"])
def test_an_order_waits_and_tells_what_it_came_to(listener: Listener, method: str) -> None:
    outcome = {"name": "api", "state": "running", "pid": 7, "result": "done"}
    listener.answers[method] = {"services": [outcome]}

    assert getattr(connect(), method)("api", "group:web") == [outcome]

    ((asked, params),) = listener.asked
    assert asked == method
    assert params["select"] == ["api", "group:web"]
    assert params["wait"] is True


def test_an_order_need_not_wait(listener: Listener) -> None:
    control = connect()

    control.start("api", wait=False)
    control.stop("api", kill=True, wait=False)

    assert listener.asked == [
        ("start", {"select": ["api"], "wait": False}),
        ("stop", {"select": ["api"], "kill": True, "wait": False}),
    ]


def test_a_signal_is_sent_by_name(listener: Listener) -> None:
    connect().signal("HUP", "api")

    assert listener.asked == [("signal", {"select": ["api"], "signal": "HUP"})]


def test_a_look_tells_what_is_not_well(listener: Listener) -> None:
    listener.answers["look"] = {"healthy": False, "findings": [{"name": "api", "verdict": "dead"}]}

    look = connect().look()

    assert not look["healthy"]
    assert look["findings"][0]["verdict"] == "dead"


@pytest.mark.parametrize("method", ["start", "stop", "restart"])
def test_an_order_to_nobody_is_refused_before_it_is_given(listener: Listener, method: str) -> None:
    with pytest.raises(UsageError, match="names no service"):
        getattr(connect(), method)()

    assert listener.asked == []


def test_what_the_supervisor_refuses_comes_in_its_own_class(listener: Listener) -> None:
    listener.answers["stop"] = UnknownName("no service is called apy; did you mean api?")

    with pytest.raises(UnknownName, match="did you mean api"):
        connect().stop("apy")


def test_one_control_outlives_its_supervisor(home: Home) -> None:
    home.make()
    control = connect()
    with tempfile.TemporaryDirectory() as folder:
        home.runtime_pointer.write_text(folder, encoding="utf-8")
        with Listener(home.control_socket):
            control.look()
        os.unlink(home.control_socket)
        with pytest.raises(NotRunning):
            control.look()

        with Listener(home.control_socket) as second:
            control.look()

        assert second.asked == [("look", {})]


def test_another_home_can_be_named(tmp_path: Path) -> None:
    assert connect(tmp_path / "other").home == Home(tmp_path / "other")


def test_events_come_oldest_first_over_all_segments(home: Home) -> None:
    write_segment(home, "00000000000000000003", event(3), event(4))
    write_segment(home, "00000000000000000001", event(1), event(2))

    assert [found["id"] for found in connect().events()] == [1, 2, 3, 4]


def test_events_are_chosen_by_time_and_subject(home: Home) -> None:
    write_segment(home, "1", event(1), event(2, "db"), event(3), event(4, "db"))
    control = connect()

    assert [found["id"] for found in control.events(since=3)] == [3, 4]
    assert [found["id"] for found in control.events(subject="db")] == [2, 4]
    assert [found["id"] for found in control.events(since=3, subject="db")] == [4]


def test_a_line_that_is_half_written_or_cut_is_passed_over(home: Home) -> None:
    write_segment(
        home, "1", event(1), '{"id": 2, "at"', "[]", '{"at": 7}', event(3), event(4)[:-2], end=""
    )

    assert [found["id"] for found in connect().events(since=0)] == [1, 3]


def test_a_journal_that_does_not_exist_has_no_events(home: Home) -> None:
    assert list(connect().events()) == []


def test_what_the_journal_writes_is_what_the_client_reads(home: Home) -> None:
    from holdfast.clock import SystemClock
    from holdfast.journal import Journal

    home.make()
    journal = Journal(home.journal, SystemClock())
    written = journal.append("service.started", "api", {"pid": 7})
    journal.close()

    (found,) = connect().events(since=written.at - 1, subject="api")
    assert (found["id"], found["kind"]) == (written.id, "service.started")
    assert dict(found)["pid"] == 7


def test_a_control_is_what_connect_returns(home: Home) -> None:
    assert isinstance(connect(), Control)
