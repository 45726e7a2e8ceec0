"""A server that takes what a webhook sends."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from holdfast.model.alert import Telling
from holdfast.model.check import Severity
from holdfast.model.message import Message


class Sink(ThreadingHTTPServer):
    """Answers each POST with the next of `answers`, then with 200; keeps what came."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Taking)
        self.answers: list[tuple[int, dict[str, str]]] = []
        self.came: list[tuple[str, dict[str, str], bytes]] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class _Taking(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        sink = self.server
        assert isinstance(sink, Sink)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        sink.came.append((self.path, headers, body))
        status, more = sink.answers.pop(0) if sink.answers else (200, {})
        self.send_response(status)
        for name, value in more.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def sink() -> Iterator[Sink]:
    """A server on loopback."""
    server = Sink()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="session")
def message() -> Message:
    """A message as a channel gets it."""
    return Message(
        key="k" * 64,
        kind=Telling.OPEN,
        severity=Severity.CRITICAL,
        title="CRITICAL: 1 check overdue (>72h): a",
        body="a: no success für <72h> & more",
        checks=("a",),
        at=1_767_268_800.5,
    )
