"""A hub that is killed at any instant loses no message, and repeats one only under its key and with its bytes."""

import contextlib
import itertools
import json
import os
import random
import subprocess
import sys
import threading
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if sys.platform != "linux":
    pytest.skip("the hubs are forked", allow_module_level=True)

from holdfast.clock import SystemClock, wall_from_text
from holdfast.home import Home
from holdfast.journal import Journal
from holdfast.model.alert import AlertPolicy
from holdfast.model.check import CheckKind, CheckSpec
from holdfast.model.hub import HubSettings
from holdfast.model.message import Channel
from holdfast.model.wire import to_plain

if TYPE_CHECKING:
    from tests.real.conftest import Sink

KILLS = int(os.environ.get("HOLDFAST_KILLS", "200"))
SEED = int(os.environ.get("HOLDFAST_SEED", "0")) or random.SystemRandom().randrange(1, 10**9)

AT_ARRIVAL = 0.4
"""Share of the kills that come while a message is in the air, where a repeat is possible."""

TOLD_TO_S = 0.001
"""Seconds to which moments are told."""

NAMES = tuple(f"check-{number}" for number in range(12))

HUBS = """
import os, sys
from pathlib import Path
import uvicorn.loops.auto, uvicorn.protocols.http.auto
import holdfast.hub.run, holdfast.hub.settings, holdfast.hub.store.choose, holdfast.hub.store.sqlite
import holdfast.hub.notify.webhook
from holdfast import assemble
from holdfast.home import Home

uvicorn.loops.auto.auto_loop_factory()
home = Home(Path(os.environ["HOLDFAST_HOME"]))
for order in sys.stdin:
    pid = os.fork()
    if not pid:
        assemble.hub(home)
        os._exit(0)
    print(pid, flush=True)
    os.waitpid(pid, 0)
    print("gone", flush=True)
"""
"""A new hub for each line, forked from one that has everything imported: most instants shall not fall into that."""


def sleep(seconds: float) -> None:
    threading.Event().wait(seconds)


class Hubs:
    """One hub after the other over one home, whose journal the test writes as a supervisor would."""

    def __init__(self, root: Path, url: str) -> None:
        self.home = Home(root / "home")
        self.home.make()
        self.log = root / "hub.log"
        self.journal = Journal(self.home.journal, SystemClock())
        self.journal.open()
        self.pid = 0
        self.env = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(sys.path),
            "HOLDFAST_HOME": str(self.home.root),
        }
        self._settle(url)
        with self.log.open("ab") as log:
            self._nursery = subprocess.Popen(
                [sys.executable, "-c", HUBS],
                env=self.env,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                bufsize=1,
            )

    def _settle(self, url: str) -> None:
        settings = HubSettings(
            machine="box",
            listen="127.0.0.1:0",
            policy=AlertPolicy(
                warning_cooldown=0.0,
                critical_cooldown=0.0,
                group_wait=0.03,
                critical_group_wait=0.03,
                remind=False,
            ),
            channels=(Channel(name="sink", url=url),),
            checks=tuple(
                CheckSpec(name=name, kind=CheckKind.PING, period=86_400.0, flapping=False)
                for name in NAMES
            ),
        )
        self.home.config_pointer.write_text(json.dumps({"hub": to_plain(settings)}))

    def begin(self) -> None:
        assert self._nursery.stdin is not None
        assert self._nursery.stdout is not None
        self._nursery.stdin.write("go\n")
        self.pid = int(self._nursery.stdout.readline())

    def kill(self) -> None:
        assert self._nursery.stdout is not None
        os.kill(self.pid, 9)
        assert self._nursery.stdout.readline() == "gone\n", self.log.read_text()

    def ping(self, name: str, signal: str) -> None:
        facts = {"signal": signal, "pinged_at": SystemClock().wall()}
        self.journal.append("check.pinged", name, facts)

    def told(self, *words: str) -> Any:
        """Return what a command says, None while no hub listens."""
        done = subprocess.run(
            [sys.executable, "-m", "holdfast", *words, "--json"],
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
        )
        return json.loads(done.stdout) if done.returncode == 0 else None

    def await_(self, look: Any) -> Any:
        for _ in range(300):
            if found := look():
                return found
            sleep(0.1)
        pytest.fail(f"it did not happen; {self.log.read_text()[-3000:]}")

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            if self._nursery.poll() is None and self.pid:
                os.kill(self.pid, 9)
        self._nursery.communicate(timeout=30)
        self.journal.close()


@pytest.fixture
def hubs(tmp_path: Path, sink: "Sink") -> Iterator[Hubs]:
    made = Hubs(tmp_path, sink.url())
    yield made
    made.close()


@pytest.mark.timeout(60 + 2 * KILLS)
def test_a_hub_killed_at_any_instant_loses_no_message_and_repeats_only_the_same(
    hubs: Hubs, sink: "Sink"
) -> None:
    print(f"HOLDFAST_SEED={SEED} HOLDFAST_KILLS={KILLS}")
    chance = random.Random(SEED)
    sink.before_answer = lambda: sleep(random.random() * 0.02)
    bad: set[str] = set()
    hubs.begin()
    for _ in range(KILLS):
        for name in chance.sample(NAMES, chance.randint(0, 3)):
            hubs.ping(name, "success" if name in bad else "fail")
            bad ^= {name}
        if chance.random() < AT_ARRIVAL:
            sink.await_next(within=0.4)  # killed between sending and noting that it was sent
        else:
            sleep(chance.random() * 0.25)
        hubs.kill()
        hubs.begin()
    since = SystemClock().wall()
    for name in NAMES:
        hubs.ping(name, "success")
    incidents = hubs.await_(lambda: _closed(hubs, NAMES, since))
    messages = hubs.await_(lambda: _ended(hubs))
    _assert_none_lost_and_none_made_up(messages, sink)
    _assert_each_incident_ended_for_those_who_heard_of_it(incidents, sink)
    repeats = len(sink.arrivals) - len({each.key for each in sink.arrivals})
    print(f"{len(messages)} messages, {repeats} repeats, {len(incidents)} incidents")


def test_what_arrived_before_the_kill_comes_again_as_it_was_though_half_of_it_is_over(
    hubs: Hubs, sink: "Sink"
) -> None:
    sink.before_answer = lambda: sleep(0.3)  # the kill comes before the answer
    hubs.begin()
    for name in NAMES[:2]:
        hubs.ping(name, "fail")
    sink.await_(lambda: sink.arrivals)
    hubs.kill()
    hubs.ping(NAMES[0], "success")
    hubs.begin()
    sink.await_(lambda: any(kind == "resolve" for kind, _, _ in sink.told()))
    since = SystemClock().wall()
    hubs.ping(NAMES[1], "success")
    incidents = hubs.await_(lambda: _closed(hubs, NAMES[1:2], since))
    _assert_none_lost_and_none_made_up(hubs.await_(lambda: _ended(hubs)), sink)
    _assert_each_incident_ended_for_those_who_heard_of_it(incidents, sink)


def _closed(hubs: Hubs, names: Collection[str], since: float) -> Any:
    """Return all incidents once the newest pings, of these checks, are taken in and none is open."""
    checks = hubs.told("checks") or []
    if any(row["severity"] != "ok" for row in checks if row["kind"] == "ping"):
        return None
    heard = {row["name"] for row in checks if _is_since(row["last_success_at"], since)}
    if not heard.issuperset(names):
        return None
    rows = hubs.told("incidents", "--all")
    return rows if rows and all(row["closed_at"] for row in rows) else None


def _is_since(moment: str | None, since: float) -> bool:
    return moment is not None and wall_from_text(moment) > since - TOLD_TO_S


def _ended(hubs: Hubs) -> Any:
    rows = hubs.told("notifications", "--all", "-n", "1000")
    is_over = rows and all(row["state"] in ("delivered", "superseded") for row in rows)
    return rows if is_over else None


def _assert_none_lost_and_none_made_up(messages: list[dict[str, Any]], sink: "Sink") -> None:
    seen: dict[str, set[bytes]] = defaultdict(set)
    for each in sink.arrivals:
        seen[each.key].add(each.body)
        assert each.message["key"] == each.key
    delivered = {row["key"] for row in messages if row["state"] == "delivered"}
    assert delivered <= set(seen), "delivered, they say, and nobody got it"
    assert set(seen) <= {row["key"] for row in messages}
    assert all(len(bodies) == 1 for bodies in seen.values()), "one key, different bytes"


def _assert_each_incident_ended_for_those_who_heard_of_it(
    incidents: list[dict[str, Any]], sink: "Sink"
) -> None:
    """One line of a message is one telling of a check: no end is missing, none is doubled, none comes too early."""
    lines: dict[str, list[str]] = {name: [] for name in NAMES}
    first = {each.key: each.message for each in reversed(sink.taken())}
    for key in dict.fromkeys(each.key for each in sink.taken()):
        for line in first[key]["body"].splitlines():
            name = line.partition(":")[0]
            if name in lines:
                lines[name].append(first[key]["kind"])
    ends = {name: kinds.count("resolve") for name, kinds in lines.items()}
    counts = Counter(row["check"] for row in incidents)
    assert ends == {name: counts[name] for name in NAMES}
    for name, kinds in lines.items():
        assert ("open", "open") not in set(itertools.pairwise(kinds)), (name, kinds)
        assert not kinds or kinds[-1] == "resolve", (name, kinds)
