"""From what happens to who is told: one check that fails, and a thousand that expire at once."""

import http.client
import http.server
import json
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from benchmarks.hub_process import Hub, daily, running, settings
from benchmarks.table import draw, number, percentile
from holdfast.model.alert import AlertPolicy
from holdfast.model.check import CheckKind, CheckSpec
from holdfast.model.message import Channel

EVERY = 1.0
EXPIRING = 1_000
EXPIRE_AFTER = 6.0
TOLD_WITHIN = 60.0
AT_ONCE = AlertPolicy(
    evaluate_every=EVERY,
    confirm=1,
    warning_cooldown=0.0,
    critical_cooldown=0.0,
    group_wait=0.0,
    critical_group_wait=0.0,
    remind=False,
)
HEADER = ("from", "rounds", "median ms", "p99 ms")


class Heard(NamedTuple):
    """One message as it came, and when (on the wall clock and on the monotonic one)."""

    said: dict[str, object]
    wall: float
    mono: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """What one way took in seconds, round by round."""

    what: str
    took: Sequence[float]

    def cells(self) -> tuple[str, ...]:
        """Return the row of the table."""
        return (
            self.what,
            str(len(self.took)),
            number(percentile(self.took, 50) * 1000),
            number(percentile(self.took, 99) * 1000),
        )

    def as_json(self) -> dict[str, object]:
        """Return the figures."""
        return {
            "what": self.what,
            "rounds": len(self.took),
            "median_ms": percentile(self.took, 50) * 1000,
            "p99_ms": percentile(self.took, 99) * 1000,
        }


def measure(folder: Path, *, quick: bool, tell: Callable[[str], None]) -> list[Lane]:
    """Let one check fail and mend again and again, then let a thousand expire together."""
    rounds, storms = (10, 1) if quick else (100, 5)
    with _sink() as (url, heard):
        channels = (Channel(name="sink", url=url),)
        tell("one check that fails")
        # A check that fails and mends so often would count as flapping, of which nobody is told.
        checks = tuple(replace(each, flapping=False) for each in daily(1))
        wanted = settings(checks=checks, policy=AT_ONCE, channels=channels)
        with running(folder / "one", wanted) as hub:
            opened, resolved = _failures(hub, heard, rounds)
        expired = []
        for turn in range(storms):
            tell(f"{EXPIRING} checks that expire at once, round {turn + 1}")
            wanted = settings(checks=_short(), policy=AT_ONCE, channels=channels)
            with running(folder / f"many-{turn}", wanted) as hub:
                expired.append(_all_told(hub, heard))
            _drain(heard)
    return [
        Lane(what="failure committed to message sent", took=opened),
        Lane(what="success committed to resolve sent", took=resolved),
        Lane(
            what=f"{EXPIRING:,} checks expire to all told (of it {EVERY:g} s held)", took=expired
        ),
    ]


def table(lanes: Sequence[Lane]) -> str:
    """Draw the table."""
    return draw("From the event to the message", HEADER, [lane.cells() for lane in lanes])


@contextmanager
def _sink() -> Iterator[tuple[str, "queue.SimpleQueue[Heard]"]]:
    """Take messages by webhook."""
    heard: queue.SimpleQueue[Heard] = queue.SimpleQueue()

    class Sink(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            wall, mono = time.time(), time.monotonic()
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(204)
            self.end_headers()
            heard.put(Heard(json.loads(body), wall, mono))

        def log_message(self, *_words: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Sink)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"webhook+http://127.0.0.1:{server.server_address[1]}/", heard
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _failures(
    hub: Hub, heard: "queue.SimpleQueue[Heard]", rounds: int
) -> tuple[list[float], list[float]]:
    opened, resolved = [], []
    address = f"/ping/{hub.ping_key}/check-0"
    for _ in range(rounds):
        opened.append(_until_told(hub, f"{address}/fail", heard, "open"))
        resolved.append(_until_told(hub, address, heard, "resolve"))
    return opened, resolved


def _until_told(
    hub: Hub,
    address: str,
    heard: "queue.SimpleQueue[Heard]",
    kind: str,
) -> float:
    with closing(http.client.HTTPConnection("127.0.0.1", hub.port)) as connection:
        connection.request("GET", address)
        connection.getresponse().read()
        committed = time.monotonic()
    while True:
        message = heard.get(timeout=TOLD_WITHIN)
        # The hub has checks of its own, of which it tells as well.
        if (message.said["kind"], message.said["checks"]) == (kind, ["check-0"]):
            return message.mono - committed


def _short() -> tuple[CheckSpec, ...]:
    return tuple(
        CheckSpec(name=f"check-{number}", kind=CheckKind.PING, period=EXPIRE_AFTER, flapping=False)
        for number in range(EXPIRING)
    )


def _all_told(hub: Hub, heard: "queue.SimpleQueue[Heard]") -> float:
    """Return the seconds from the moment the checks expire until each was named to the webhook."""
    with closing(sqlite3.connect(f"file:{hub.home.hub_db}?mode=ro", uri=True)) as database:
        rows = database.execute("SELECT evidence FROM checks WHERE origin = 'config'").fetchall()
    expires_at: float = max(json.loads(text)["due_at"] for (text,) in rows)
    named: set[str] = set()
    while True:
        message = heard.get(timeout=TOLD_WITHIN)
        names = message.said["checks"]
        assert isinstance(names, list)
        named.update(name for name in names if name.startswith("check-"))
        if len(named) == EXPIRING:
            return message.wall - expires_at


def _drain(heard: "queue.SimpleQueue[Heard]") -> None:
    while not heard.empty():
        heard.get()
