"""Kills without mercy, in an order that a seed repeats: nothing is lost, nothing doubled, nothing left behind."""

import contextlib
import os
import random
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if sys.platform != "linux":
    pytest.skip("these tests look into /proc", allow_module_level=True)

from holdfast import statefile
from holdfast.errors import Conflict, HoldfastError, LockHeld, NotRunning, Refused, StateError
from holdfast.home import Home

if TYPE_CHECKING:
    from tests.conftest import Machine

KILLS = int(os.environ.get("HOLDFAST_KILLS", "200"))
"""How many processes are killed; a thousand by `make chaos`."""

SEED = int(os.environ.get("HOLDFAST_SEED", "0")) or random.SystemRandom().randrange(1, 10**9)
"""What repeats a campaign, as far as the machine lets it."""

COUNTING = """
import itertools, os, time
os.write(1, b"born %d\\n" % os.getpid())
for number in itertools.count():
    os.write(1, b"%d\\n" % number)
    time.sleep(0.005)
"""

AT_ONCE = 'restart = { delay = "0s", max_delay = "10ms", min_gap = "0s", limit = "none" }'

LIMIT = 3

CONFIG = f"""
    [machine]
    name = "NAME"
    [service.first]
    command = [{sys.executable!r}, "-I", "-S", "-c", '''{COUNTING}''']
    log = {{ max_size = "20kB", keep = 500 }}
    {AT_ONCE}
    [service.second]
    command = [{sys.executable!r}, "-I", "-S", "-c", '''{COUNTING}''']
    log = {{ max_size = "20kB", keep = 500 }}
    {AT_ONCE}
    [service.ordered]
    command = [{sys.executable!r}, "-I", "-S", "-c", '''{COUNTING}''']
    log = {{ max_size = "20kB", keep = 500 }}
    {AT_ONCE}
    [service.family]
    command = ["sh", "-c", "sleep 8101 & setsid sleep 8102 & sleep 8103"]
    {AT_ONCE}
    [service.stubborn]
    command = ["sh", "-c", "trap : TERM; setsid sleep 8104 & while :; do sleep 0.5; done"]
    stop = {{ timeout = "100ms" }}
    {AT_ONCE}
    [service.never]
    command = ["sleep", "8105"]
    autostart = false
    [service.limited]
    command = ["sh", "-c", "echo born >> limited.pids; exit 1"]
    cwd = "."
    restart = {{ delay = "500ms", max_delay = "2s", min_gap = "0s", limit = "{LIMIT}/1h" }}
"""

KEPT_UP = ("first", "second", "ordered", "family", "stubborn")
COUNTERS = ("first", "second", "ordered")
UNORDERED = ("first", "second")
"""Services that no order ever names: each end of theirs was a kill."""

LOST_OR_REFUSED = (NotRunning, Refused, Conflict)


def sleep(seconds: float) -> None:
    threading.Event().wait(seconds)


def holder(lock: Path) -> int | None:
    """Return who holds the lock of a program."""
    with contextlib.suppress(LockHeld, StateError):
        return statefile.holder(lock)
    return None


def descriptors(pid: int) -> dict[str, int]:
    """Return what a process has open, by what it is called without its numbers."""
    names: Counter[str] = Counter()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):
            names[os.readlink(f"/proc/{pid}/fd/{fd}").split(":")[0].split(" ")[0]] += 1
    return dict(names)


def lives_of(machine: "Machine", name: str) -> dict[str, list[int]]:
    """Return the processes of a service by the start they stem from; of one start at most all must be."""
    found: dict[str, list[int]] = {}
    for pid in machine.living(name):
        with contextlib.suppress(OSError):
            raw = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            told = [entry for entry in raw if entry.startswith(b"HOLDFAST_INSTANCE=")]
            for instance in told:
                found.setdefault(instance.decode(), []).append(pid)
    return found


@dataclass
class Campaign:
    """What was done so far, and what the machine looked like before."""

    machine: "Machine"
    chance: random.Random
    pids: dict[str, int] = field(default_factory=dict)
    kills: Counter[str] = field(default_factory=Counter)
    orders: Counter[str] = field(default_factory=Counter)
    touched: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)
    beside: list[Any] = field(default_factory=list)
    trail: list[str] = field(default_factory=list)
    dead: set[int] = field(default_factory=set)

    @property
    def home(self) -> Home:
        return Home(self.machine.home)

    def run(self) -> None:
        while sum(self.kills.values()) < KILLS:
            self.touched, self.trail = set(), []
            self._give_orders()
            for _ in range(self.chance.randint(2, 9)):
                sleep(
                    self.chance.choice((0.0, 0.001, 0.01, 0.05, 0.1, 0.2, 0.4))
                    * self.chance.random()
                )
                self._kill_something()
            self.settle()

    def settle(self) -> None:
        """Wait until orders and supervision have come to rest, then look at everything."""
        for one in self.beside:
            one()
        self.beside.clear()
        self.machine.await_(self._is_served)
        try:
            rows = self.machine.await_(self._at_rest)
        except AssertionError as error:
            raise AssertionError(f"{error}; {self.told()}") from error
        problems = [*self.faults]
        for name in KEPT_UP:
            pid = rows[name]["pid"]
            lives = self.machine.await_(partial(lives_of, self.machine, name))
            if len(lives) != 1 or pid not in lives.popitem()[1]:
                problems.append(
                    f"{name} should be {pid} alone, not {lives_of(self.machine, name)}"
                )
            if self.pids.get(name, pid) != pid and name not in self.touched:
                problems.append(
                    f"{name} was {self.pids[name]} and is {pid}, and nobody touched it"
                )
        if living := self.machine.living("never"):
            problems.append(f"never lives: {living}")
        if rows["limited"]["restarts"] > LIMIT:
            problems.append(f"limited was restarted {rows['limited']['restarts']} times")
        assert not problems, f"{problems}; {self.told()}"
        self.pids = {name: rows[name]["pid"] for name in KEPT_UP}

    def told(self) -> str:
        return f"seed {SEED}, {dict(self.kills)}, {dict(self.orders)}, last round: {self.trail}"

    def _is_served(self) -> bool:
        with contextlib.suppress(NotRunning):
            return bool(self.machine.call("ping")["ready"])
        if holder(self.home.supervisor_lock) is None and holder(self.home.watchdog_lock) is None:
            self._up_in_front()
        return False

    def _up_in_front(self) -> None:
        self.trail.append("up")
        self.machine.holdfast("up", "-c", str(self.machine.file), "--no-wait", expect=(0, 1, 3, 4))

    def _at_rest(self) -> dict[str, dict[str, Any]]:
        status = self.machine.status()
        rows = {row["name"]: row for row in status["services"]}
        if self.needs_up:
            self.needs_up = False
            self._up_in_front()
            return {}
        well = all(
            rows.get(name, {}).get("state") in ("starting", "running")
            and rows[name]["pid"]
            and rows[name]["pid"] not in self.dead
            for name in KEPT_UP
        )
        return rows if well and status["watchdog"]["state"] == "running" else {}

    needs_up: bool = False

    def _kill_something(self) -> None:
        what = self.chance.choices(
            ("supervisor", "watchdog", "both", "service"), weights=(10, 4, 3, 5)
        )[0]
        if what == "service":
            self._kill_service(self.chance.choice(KEPT_UP))
            return
        programs = [self.home.supervisor_lock, self.home.watchdog_lock]
        self.chance.shuffle(programs)
        if what != "both":
            programs = [self.home.root / f"{what}.lock"]
        for lock in programs:
            if (pid := holder(lock)) is not None and self._killed(pid):
                self.kills[lock.stem] += 1
                self.trail.append(f"KILL {lock.stem} {pid}")

    def _kill_service(self, name: str) -> None:
        """Kill the process a service was last seen with: one of later birth is not known well enough to be counted."""
        pid = self.pids.get(name)
        if pid is None or name in self.touched or not self._killed(pid):
            return
        self.touched.add(name)
        self.dead.add(pid)
        self.kills[name] += 1
        self.trail.append(f"KILL {name} {pid}")

    def _killed(self, pid: int) -> bool:
        if not self.machine.is_alive(pid):
            return False
        try:
            self.machine.kill(pid)
        except (ProcessLookupError, AssertionError):
            return False
        return True

    def _give_orders(self) -> None:
        kind = self.chance.choices(
            ("nothing", "restart", "stop", "start", "reload", "up", "down", "never"),
            weights=(8, 5, 4, 2, 2, 1, 1, 1),
        )[0]
        self.orders[kind] += 1
        self.trail.append(kind)
        match kind:
            case "restart" | "start":
                self._call(kind, "ordered", "family", "stubborn")
            case "stop":
                self._call("stop", "ordered", "stubborn")
                self.beside.append(lambda: self._again("start", "ordered", "stubborn"))
            case "never":
                self._call("start", "never")
                self.beside.append(lambda: self._again("stop", "never"))
            case "reload":
                self._configure()
                self._beside("reload", "-c", str(self.machine.file))
            case "up":
                self._beside("up", "-c", str(self.machine.file), "--no-wait")
            case "down":
                self.touched |= set(KEPT_UP)
                self._beside("down")
                self.needs_up = True
            case _:
                pass

    def _configure(self) -> None:
        name = f"name-{self.chance.randrange(100)}"
        self.machine.config(CONFIG.replace("NAME", name))

    def _beside(self, *words: str) -> None:
        started = self.machine.beside(*words)
        self.beside.append(lambda: self.machine.finished(started, expect=(0, 1, 3, 4)))

    def _call(self, method: str, *names: str) -> None:
        """Give an order, and let nothing but the death of the supervisor keep it from being carried out."""
        self.touched |= set(names)

        def give() -> None:
            try:
                self.machine.call(method, select=list(names))
            except LOST_OR_REFUSED:
                return
            except HoldfastError as error:
                self.faults.append(f"{method} {names}: {error!r}")

        thread = threading.Thread(target=give)
        thread.start()
        self.beside.append(thread.join)

    def _again(self, method: str, *names: str) -> None:
        """Give an order until somebody has heard it."""

        def heard() -> bool:
            if not self._is_served():
                return False
            with contextlib.suppress(NotRunning):
                self.machine.call(method, select=list(names), wait=method == "stop")
                return True
            return False

        self.machine.await_(heard)


def lines_of(machine: "Machine", name: str) -> Iterator[bytes]:
    """Yield every line a service has printed, oldest first, over all its files."""
    logs = machine.home / "logs"
    old = sorted(
        (path for path in logs.glob(f"{name}.log.*") if path.suffix[1:].isdigit()),
        key=lambda path: -int(path.suffix[1:]),
    )
    for path in [*old, logs / f"{name}.log"]:
        yield from path.read_bytes().splitlines(keepends=True)


def amiss_in(lines: Iterator[bytes]) -> list[str]:
    """Return where the numbers a service printed have a gap or repeat, in any of its lives."""
    amiss, wanted, born = [], 0, 0
    for at, line in enumerate(lines):
        if line.startswith(b"born "):
            wanted, born = 0, born + 1
        elif line != b"%d\n" % wanted:
            amiss.append(f"line {at}, life {born}: {line!r} instead of {wanted}")
            wanted = int(line) + 1 if line.strip().isdigit() else wanted
        else:
            wanted += 1
    return amiss


@pytest.mark.timeout(120 + KILLS)
def test_a_campaign_of_kills_loses_nothing_doubles_nothing_and_leaks_nothing(
    machine: "Machine", capsys: pytest.CaptureFixture[str]
) -> None:
    with capsys.disabled():
        print(f"\nkill campaign: HOLDFAST_SEED={SEED} HOLDFAST_KILLS={KILLS}")
    machine.config(CONFIG.replace("NAME", "name"))
    machine.begin()
    campaign = Campaign(machine, random.Random(SEED))
    campaign.settle()
    status = machine.status()
    pids = {name: status[name]["pid"] for name in ("supervisor", "watchdog")}
    before = {name: descriptors(pid) for name, pid in pids.items()}
    campaign.run()
    machine.await_state("limited", "held")
    campaign.settle()
    told = campaign.told()
    with capsys.disabled():
        print(f"{sum(campaign.kills.values())} kills: {told}")

    rows, status = machine.rows(), machine.status()
    after = {name: descriptors(status[name]["pid"]) for name in before}
    for name, had in before.items():
        more = sum(after[name].values()) - sum(had.values())
        # A watchdog that came after its supervisor's services holds a pidfd of each.
        assert more <= len(KEPT_UP) + 3, (name, had, after[name], told)
    machine.holdfast("stop", *COUNTERS)  # what they print is read while nothing is added to it
    for name in UNORDERED:
        assert amiss_in(lines_of(machine, name)) == [], told
        killed = campaign.kills[name]
        born = sum(line.startswith(b"born ") for line in lines_of(machine, name))
        # A start that no supervisor lived to see is counted too, whether or not it came to a birth.
        restarts, ups = rows[name]["restarts"], 1 + campaign.orders["down"]
        cut_off = restarts - killed
        assert 0 <= cut_off <= campaign.kills["supervisor"], (name, machine.history(name), told)
        assert killed + 1 <= born <= restarts + ups, (name, machine.history(name), told)
        known = [
            row
            for row in machine.history(name)
            if row["signal"] == 9 or row["reason"] == "unknown"
        ]
        assert len(known) >= min(killed, 100), (name, machine.history(name), told)
    assert amiss_in(lines_of(machine, "ordered")) == [], told
    started = (machine.root / "limited.pids").read_text().split()
    by_order = campaign.orders[
        "down"
    ]  # the `up` after it starts what was held, as a person's order
    assert len(started) <= LIMIT + 1 + by_order, (started, told)
    faults = [event for event in machine.events() if event["kind"] == "supervisor.fault"]
    assert faults == [], told
    assert "Traceback" not in machine.log("watchdog").decode(errors="replace"), told
