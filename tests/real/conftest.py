"""A webhook's other end inside the test: it counts what arrives, and answers as it is told."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

ARRIVES_WITHIN = 30.0


@dataclass(frozen=True)
class Arrival:
    """One request, as it came."""

    path: str
    key: str
    body: bytes
    status: int

    @property
    def message(self) -> dict[str, Any]:
        """Return what it says."""
        said = json.loads(self.body)
        assert isinstance(said, dict)
        return said


class Sink:
    """Takes webhooks; `status` is what it answers, `before_answer` what it does once it has taken note."""

    def __init__(self) -> None:
        self.status = 200
        self.before_answer: Callable[[], None] = lambda: None
        self.arrivals: list[Arrival] = []
        self._news = threading.Condition()
        self._server = _Server(("127.0.0.1", 0), _Request)
        self._server.take = self._take
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def url(self, path: str = "") -> str:
        """Return the address of a channel that ends here."""
        return f"webhook+http://127.0.0.1:{self._server.server_port}/{path}"

    def taken(self, path: str | None = None) -> list[Arrival]:
        """Return what was answered with success, on one path or on all."""
        with self._news:
            found = list(self.arrivals)
        return [each for each in found if each.status == 200 and path in (None, each.path)]

    def told(self, path: str | None = None) -> list[tuple[str, str, tuple[str, ...]]]:
        """Return kind, severity and checks of each message that was taken, the first time it came."""
        first = {each.key: each.message for each in reversed(self.taken(path))}
        keys = dict.fromkeys(each.key for each in self.taken(path))
        said = [first[key] for key in keys]
        return [(one["kind"], one["severity"], tuple(one["checks"])) for one in said]

    def await_(self, look: Callable[[], Any]) -> Any:
        """Wait until an arrival makes it true."""
        with self._news:
            found = self._news.wait_for(look, ARRIVES_WITHIN)
            assert found, f"it never came; arrived: {[each.body for each in self.arrivals]}"
            return found

    def await_next(self, within: float) -> bool:
        """Wait until something arrives, as long as this; tell whether it did."""
        with self._news:
            count = len(self.arrivals)
            return self._news.wait_for(lambda: len(self.arrivals) > count, within)

    def close(self) -> None:
        """Take no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _take(self, path: str, key: str, body: bytes) -> int:
        with self._news:
            status = self.status
            self.arrivals.append(Arrival(path.removeprefix("/"), key, body, status))
            self._news.notify_all()
        self.before_answer()
        return status


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    take: Callable[[str, str, bytes], int]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a sender that was killed before it was answered."""


class _Request(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, _Server)
        length = int(self.headers["Content-Length"])
        body = self.rfile.read(length)
        if len(body) < length:
            return  # a sender that was killed in its midst
        status = self.server.take(self.path, self.headers["Idempotency-Key"], body)
        self.send_response(status)
        if status != 200:
            self.send_header("Retry-After", "1")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def sink() -> Iterator[Sink]:
    """Return the other end of a webhook."""
    made = Sink()
    yield made
    made.close()
