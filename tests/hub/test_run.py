"""The hub as a process of its own, driven over HTTP and by signals."""

import contextlib
import http.client
import json
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from holdfast import statefile
from holdfast.clock import SystemClock
from holdfast.home import Home
from holdfast.journal import Journal, read
from holdfast.model.alert import AlertPolicy
from holdfast.model.check import CheckKind, CheckSpec
from holdfast.model.hub import HubSettings
from holdfast.model.message import Channel
from holdfast.model.wire import to_plain

WITHIN_S = 30.0
HUP, KILL, TERM = 1, 9, 15

PROGRAM = """
import asyncio, os, sys
from pathlib import Path
from holdfast.clock import SystemClock
from holdfast.home import Home
from holdfast.hub.run import run
from holdfast.hub.settings import read_settings
from holdfast.hub.store.choose import store_for

home, clock = Home(Path(sys.argv[1])), SystemClock()

def served():
    store = store_for(read_settings(home).database, home, clock)
    return run(home, store, clock, lambda: read_settings(home), told=lambda url: print(url, flush=True))

while asyncio.run(served()):
    pass
"""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="ends by signals")


class Hub:
    """One hub process at a time, over one home."""

    def __init__(self, root: Path) -> None:
        self.home = Home(root / "home")
        self.home.make()
        self.checks: tuple[CheckSpec, ...] = ()
        self.process: subprocess.Popen[str] | None = None
        self.log = root / "hub.log"
        self.settle()

    def settle(self, **fields: Any) -> None:
        """Leave settings as the supervisor does; any free port, so that tests run side by side."""
        settings = HubSettings(
            machine="box", **{"listen": "127.0.0.1:0", "checks": self.checks, **fields}
        )
        self.home.config_pointer.write_text(json.dumps({"hub": to_plain(settings)}))

    def begin(self) -> str:
        self.start()
        return self.await_url()

    def start(self) -> None:
        env = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", PROGRAM, str(self.home.root)],
                stdout=subprocess.PIPE,
                stderr=log,
                env=env,
                text=True,
            )

    def refused(self) -> str:
        """Return the last line of a hub that ends without having served, and forget what it logged."""
        self.start()
        assert self.process is not None
        assert self.process.wait(WITHIN_S) == 1
        assert self.end() == 1
        said = self.log.read_text()
        self.log.write_text("")
        return said.splitlines()[-1]

    def raw(self, sent: bytes, *, end: bool = False) -> bytes:
        """Send bytes over a connection of their own and return everything that comes until the hub ends it."""
        parts = urlsplit(json.loads(self.home.hub_address.read_text())["url"])
        with socket.create_connection((parts.hostname, parts.port), WITHIN_S) as connection:
            connection.sendall(sent)
            if end:
                connection.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: connection.recv(65536), b""))

    def await_url(self) -> str:
        """Wait until the hub says where it listens."""
        assert self.process is not None
        assert self.process.stdout is not None
        readable, _, _ = select.select([self.process.stdout], [], [], WITHIN_S)
        url = self.process.stdout.readline().strip() if readable else ""
        assert url, self.log.read_text()
        return url

    def end(self, number: int = TERM) -> int:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(WITHIN_S)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        url = json.loads(self.home.hub_address.read_text())["url"]
        token = self.home.token.read_text().strip()
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=WITHIN_S)
        with contextlib.closing(connection):
            content = None if body is None else json.dumps(body)
            connection.request(method, path, content, {"Authorization": f"Bearer {token}"})
            answer = connection.getresponse()
            text = answer.read().decode()
            is_json = "json" in answer.headers.get("content-type", "")
            return answer.status, json.loads(text) if is_json else text

    def ping(self, name: str, ending: str = "") -> int:
        key = self.home.ping_key.read_text().strip()
        return self.ask("GET", f"/ping/{key}/{name}{ending}?create=1")[0]

    def check(self, name: str) -> dict[str, Any]:
        found = self.ask("GET", f"/api/v1/checks/{name}")[1]
        assert isinstance(found, dict)
        return found

    def await_(self, look: Callable[[], Any]) -> Any:
        """Look until something is there, for what no event tells to a test outside."""
        deadline = time.monotonic() + WITHIN_S
        while not (found := look()):
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.02)
        return found


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    made = Hub(tmp_path)
    yield made
    if made.process is not None:
        made.end(KILL)
    assert "Traceback" not in made.log.read_text(), made.log.read_text()


def test_a_failure_becomes_one_message_and_the_end_of_the_hub_leaves_nothing(
    hub: Hub, tmp_path: Path
) -> None:
    told = tmp_path / "told.jsonl"
    channel = Channel(name="file", url=f"file://{told}")
    hub.settle(channels=(channel,), policy=AlertPolicy(group_wait=0.1, critical_group_wait=0.1))
    hub.begin()
    assert oct(hub.home.hub_address.stat().st_mode & 0o777) == "0o600"

    assert hub.ping("export") == 201
    assert hub.ping("export", "/3") == 200
    tested = hub.ask("POST", "/api/v1/notifications/test", {"wait_s": WITHIN_S})[1]
    assert [(row["channel"], row["state"]) for row in tested] == [("file", "delivered")]
    lines = hub.await_(lambda: len(told.read_text().splitlines()) >= 2 and told.read_text())

    kinds = [json.loads(line)["kind"] for line in lines.splitlines()]
    assert sorted(kinds) == ["open", "test"]
    assert hub.check("export")["confirmed"] == "critical"
    summary = hub.home.checks_summary
    hub.await_(lambda: summary.exists() and "critical" in summary.read_text())
    assert hub.end() == 0
    assert hub.home.hub_address.exists()  # so that a port nobody chose stays the same
    assert statefile.holder(hub.home.hub_db.with_suffix(".lock")) is None


def test_a_ping_that_was_answered_outlives_the_kill_of_the_hub(hub: Hub) -> None:
    hub.begin()
    answered = [hub.ping("export") for _ in range(20)]
    url = json.loads(hub.home.hub_address.read_text())["url"]
    hub.end(KILL)

    again = hub.begin()

    assert answered == [201] + [200] * 19
    assert len(hub.check("export")["pings"]) == 20
    assert urlsplit(url).hostname == urlsplit(again).hostname


def test_new_settings_are_obeyed_and_those_of_the_start_begin_the_hub_anew(hub: Hub) -> None:
    hub.begin()
    assert hub.process is not None
    pid = hub.process.pid
    hub.checks = (CheckSpec(name="nightly", kind=CheckKind.PING, period=60.0),)
    hub.settle()

    hub.process.send_signal(HUP)
    hub.await_(lambda: hub.ask("GET", "/api/v1/checks/nightly")[0] == 200)

    hub.home.config_pointer.write_text("{")
    hub.process.send_signal(HUP)
    hub.await_(lambda: "hub.reload_refused" in hub.log.read_text())
    assert hub.ask("GET", "/healthz")[0] == 200

    hub.settle(listen="localhost:0")
    hub.process.send_signal(HUP)
    hub.await_url()
    assert hub.check("nightly")["name"] == "nightly"
    assert hub.process.pid == pid


def test_the_journal_is_taken_in_while_the_hub_runs_and_what_came_before(hub: Hub) -> None:
    journal = Journal(hub.home.journal, SystemClock())
    journal.open()
    facts: dict[str, object] = {"signal": "success", "create": True}
    journal.append("check.pinged", "before", facts)

    hub.begin()
    hub.await_(lambda: hub.ask("GET", "/api/v1/checks/before")[0] == 200)
    journal.append("check.pinged", "after", facts)
    hub.await_(lambda: hub.ask("GET", "/api/v1/checks/after")[0] == 200)
    journal.close()

    stored = hub.ask("GET", "/api/v1/events")[1]
    assert [row["id"] for row in stored] == [event.id for event in read(hub.home.journal)]
    assert len(hub.check("before")["pings"]) == 1


def test_a_check_is_probed_as_often_as_it_says(hub: Hub, tmp_path: Path) -> None:
    path = tmp_path / "flag"
    spec = CheckSpec(
        name="flag", kind=CheckKind.FILE, target=(str(path),), period=0.2, timeout=5.0, grace=9e9
    )
    hub.checks = (spec,)
    hub.settle()
    hub.begin()

    hub.await_(lambda: "not there" in hub.check("flag")["why"])
    path.touch()
    hub.await_(lambda: hub.check("flag")["severity"] == "ok")


def test_only_one_hub_serves_a_home(hub: Hub) -> None:
    hub.begin()
    first = hub.process

    assert "only one may hold it" in hub.refused()

    hub.process = first
    assert hub.ask("GET", "/healthz")[0] == 200


def test_a_certificate_that_cannot_be_used_is_said_at_once(hub: Hub, tmp_path: Path) -> None:
    broken = tmp_path / "broken.pem"
    broken.write_text("no certificate")
    hub.settle(tls_cert_file=str(broken), tls_key_file=str(broken))
    assert "TLS cannot be served" in hub.refused()

    hub.settle(tls_cert_file=str(tmp_path / "none.pem"))
    assert "No such file" in hub.refused()


def test_a_hub_whose_database_is_taken_away_begins_anew_with_its_checks(
    hub: Hub, tmp_path: Path
) -> None:
    hub.checks = (CheckSpec(name="nightly", kind=CheckKind.PING, period=60.0),)
    hub.settle()
    hub.begin()
    hub.home.hub_db.rename(tmp_path / "away.db")

    assert hub.ping("other") == 503  # an empty database would know of nothing that is expected
    hub.await_url()
    assert hub.check("nightly")["name"] == "nightly"
    assert hub.ping("other") == 201


def test_what_is_no_request_or_never_becomes_one_harms_no_other(hub: Hub) -> None:
    hub.begin()
    key = hub.home.ping_key.read_text().strip().encode()
    head = b"POST /ping/" + key + b"/cut?create=1 HTTP/1.1\r\nHost: localhost\r\n"

    assert b" 400 " in hub.raw(b"\x00\xff\r\n\r\n")
    assert b" 400 " in hub.raw(b"GET /ping/\xff HTTP/1.1\r\n\r\n")
    with contextlib.suppress(ConnectionError):  # it ends before all of it was sent
        assert b" 400 " in hub.raw(b"GET / HTTP/1.1\r\nX: " + b"x" * 1_000_000)
    # A client that dies over its body has not said that it succeeded.
    hub.raw(head + b"Content-Length: 99\r\n\r\nfirst line", end=True)
    assert hub.ask("GET", "/api/v1/checks/cut")[0] == 404

    whole = head + b"Content-Length: 2\r\nConnection: close\r\n\r\nok"
    assert hub.raw(whole).endswith(b"Created")
    assert len(hub.check("cut")["pings"]) == 1
