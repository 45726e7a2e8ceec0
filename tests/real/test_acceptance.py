"""Nothing kills a service: three services through twelve rounds of kill -9, a full disk, and a thousand crash loops."""

import contextlib
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if sys.platform != "linux":
    pytest.skip("these tests look into /proc", allow_module_level=True)

from holdfast import statefile
from holdfast.errors import LockHeld, StateError
from holdfast.home import Home

if TYPE_CHECKING:
    from tests.conftest import Machine

ROUNDS = 12

CAN_MOUNT = os.geteuid() == 0

LOOPS = int(os.environ.get("HOLDFAST_CRASH_LOOPS", "200"))
"""How many services crash at once; a thousand by `make chaos`."""

COUNTING = """
import itertools, os, time
for number in itertools.count():
    os.write(1, b"%d\\n" % number)
    time.sleep(0.005)
"""

AT_ONCE = 'restart = { delay = "20ms", min_gap = "0s", limit = "none" }'

CONFIG = f"""
    [service.counter]
    command = [{sys.executable!r}, "-I", "-S", "-c", '''{COUNTING}''']
    log = {{ max_size = "1kB", keep = 5000 }}
    {AT_ONCE}
    [service.family]
    command = ["sh", "-c", "sh -c 'sleep 6101; :' & wait"]
    {AT_ONCE}
    [service.stubborn]
    command = ["sh", "-c", "trap '' TERM; setsid sleep 6102 & while :; do sleep 0.2; done"]
    stop = {{ timeout = "300ms" }}
    {AT_ONCE}
"""

NAMES = ("counter", "family", "stubborn")


def holder(lock: Path) -> int | None:
    """Return who holds the lock of a program."""
    with contextlib.suppress(LockHeld, StateError):
        return statefile.holder(lock)
    return None


def own(machine: "Machine") -> dict[str, int]:
    """Return supervisor and watchdog, both of which must serve."""
    status = machine.await_(
        lambda: (found := machine.status())["watchdog"]["state"] == "running" and found
    )
    return {name: status[name]["pid"] for name in ("supervisor", "watchdog")}


def kill(machine: "Machine", *names: str) -> None:
    """Kill these at one instant: each is stopped first, so that none can start the other in between."""
    pids = [own(machine)[name] for name in names]
    for number in (19, 9) if len(pids) > 1 else (9,):
        for pid in pids:
            machine.kill(pid, number)
    machine.await_(lambda: not any(machine.is_alive(pid) for pid in pids))


def lines_of(machine: "Machine", name: str) -> Iterator[bytes]:
    """Yield every line a service has printed, oldest first, over all its files; exact once it prints no more."""
    logs = machine.home / "logs"
    old = [path for path in logs.glob(f"{name}.log.*") if path.suffix[1:].isdigit()]
    for path in [*sorted(old, key=lambda one: -int(one.suffix[1:])), logs / f"{name}.log"]:
        yield from path.read_bytes().splitlines(keepends=True)


def count_of_lines(machine: "Machine") -> int:
    """Return how many lines the counter has printed; it looks again when the files were numbered anew meanwhile."""
    while True:
        with contextlib.suppress(FileNotFoundError):
            return sum(1 for _ in lines_of(machine, "counter"))


def await_lines(machine: "Machine", least: int) -> None:
    machine.await_(lambda: count_of_lines(machine) > least)


def trees(machine: "Machine") -> dict[str, set[int]]:
    """Return all processes of each service but those that come and go."""
    return {
        "counter": {*machine.living("counter")},
        "family": {*machine.living("family")},
        "stubborn": {*machine.copies("stubborn")},
    }


@pytest.mark.timeout(180)
def test_twelve_rounds_of_kills_leave_three_services_as_they_were(machine: "Machine") -> None:
    machine.config(CONFIG)
    machine.up()
    machine.await_(lambda: [*map(len, trees(machine).values())] == [1, 3, 2])
    before, pids = trees(machine), {name: machine.pid(name) for name in NAMES}
    for round_ in range(ROUNDS):
        seen = count_of_lines(machine)
        match round_ % 3:
            case 0:
                kill(machine, "supervisor")
            case 1:
                kill(machine, "watchdog")
            case _:
                kill(machine, "supervisor", "watchdog")
                machine.up()
        own(machine)
        assert {name: machine.pid(name) for name in NAMES} == pids
        assert trees(machine) == before
        await_lines(machine, seen + 20)
    rows = machine.rows()
    assert {(row["state"], row["restarts"]) for row in rows.values()} == {("running", 0)}

    for name, pid in pids.items():
        machine.kill(pid)
        machine.await_new_pid(name, pid)
        last = machine.row(name)["last_exit"]
        # Started by another watchdog than the one that looks now: the kernel tells the rest from Linux 6.15 on.
        assert (last["reason"], last["signal"]) in {("signal", 9), ("unknown", None)}
        machine.await_state(name, "running")
        assert machine.row(name)["restarts"] == 1
    machine.await_(lambda: len([*(machine.home / "logs").glob("counter.log.*")]) > 5)
    machine.holdfast("stop", "--all")
    assert [machine.living(name) for name in NAMES] == [[], [], []]
    lines = [*lines_of(machine, "counter")]
    births = [at for at, line in enumerate(lines) if line == b"0\n"]
    assert len(births) == 2
    for life in (lines[: births[1]], lines[births[1] :]):
        assert life == [b"%d\n" % number for number in range(len(life))]

    machine.holdfast("down")
    assert machine.living() == []
    assert os.listdir(machine.runtime) == []


def test_the_exit_code_of_an_adopted_service_is_known_and_it_is_restarted(
    machine: "Machine",
) -> None:
    machine.config(f"""
        [service.a]
        command = ["sh", "-c", "while ! [ -e end ]; do sleep 0.02; done; rm end; exit 37"]
        cwd = "."
        {AT_ONCE}
    """)
    machine.up()
    for _ in range(3):
        old = machine.pid("a")
        kill(machine, "supervisor")
        machine.adopt("a")
        (machine.root / "end").touch()
        machine.await_new_pid("a", old)
        last = machine.row("a")["last_exit"]
        assert (last["reason"], last["code"]) == ("adopted-exit", 37)
        machine.await_state("a", "running")


@pytest.mark.parametrize("when", ["always", "never"])
def test_what_a_service_said_last_and_how_it_ended_without_a_supervisor_is_known(
    machine: "Machine", when: str
) -> None:
    machine.config(f"""
        [service.a]
        command = ["sh", "-c", "while ! [ -e end ]; do sleep 0.02; done; rm end; echo last words; exit 38"]
        cwd = "."
        restart = {{ when = "{when}", delay = "20ms", min_gap = "0s" }}
    """)
    machine.up()
    old, supervisor = machine.pid("a"), own(machine)["supervisor"]
    machine.kill(supervisor, 19)
    (machine.root / "end").touch()
    machine.await_(lambda: not machine.is_alive(old))
    machine.kill(supervisor)
    last = machine.await_(lambda: machine.row("a")["last_exit"])
    assert (last["reason"], last["code"]) == ("adopted-exit", 38)
    machine.await_state("a", "failed" if when == "never" else "running")
    machine.await_(lambda: machine.log("a") == b"last words\n")


def test_an_order_that_a_kill_cuts_short_counts_as_no_failure(machine: "Machine") -> None:
    machine.config("""
        [service.a]
        command = ["sh", "-c", "trap 'while [ -e hold ]; do sleep 0.02; done; exit 5' TERM; while :; do sleep 0.02; done"]
        cwd = "."
        restart = { delay = "20ms", min_gap = "1h", limit = "1/1h" }
    """)
    machine.up()
    hold = machine.root / "hold"
    for _ in range(3):
        hold.touch()
        old = machine.pid("a")
        ordered = machine.beside("restart", "a")
        machine.await_state("a", "stopping")
        kill(machine, "supervisor")
        hold.unlink()
        machine.finished(ordered, expect=None)
        machine.await_new_pid("a", old)
        machine.await_state("a", "running")
    assert {row["reason"] for row in machine.history("a")} == {"manual"}


@pytest.mark.skipif(
    shutil.which("systemd-notify") is None, reason="systemd-notify is not installed"
)
def test_a_service_that_said_it_is_ready_need_not_say_so_to_the_next_supervisor(
    machine: "Machine",
) -> None:
    """Killed in the instant after the word came: a service says it once in its life."""
    machine.config("""
        [service.a]
        command = ["sh", "-c", "systemd-notify --ready; exec sleep 6103"]
        ready = { notify = true, timeout = "30s" }
        restart = { delay = "20ms", min_gap = "0s", limit = "none" }
    """)
    machine.up()
    pid = machine.pid("a")
    for _ in range(3):
        kill(machine, "supervisor")
        machine.adopt("a")
        row = machine.row("a")
        assert (row["state"], row["pid"]) == ("running", pid)


def test_what_is_configured_and_was_not_started_yet_is_known_to_the_next_supervisor(
    machine: "Machine",
) -> None:
    machine.config("""
        [service.a]
        command = ["sleep", "6104"]
        ready = { command = ["test", "-e", "open"], timeout = "1h" }
        cwd = "."
        [service.b]
        command = ["sleep", "6105"]
        needs = { a = "ready" }
        [service.c]
        command = ["sleep", "6106"]
        autostart = false
    """)
    machine.begin()
    kill(machine, "supervisor")
    rows = machine.await_(machine.rows)
    assert {name: row["state"] for name, row in rows.items()} == {
        "a": "starting",
        "b": "waiting",
        "c": "down",
    }
    (machine.root / "open").touch()
    machine.await_state("b", "starting", "running")


@pytest.fixture
def small(machine: "Machine") -> "Iterator[Machine]":
    """Put the home of a machine on a disk of two megabytes."""
    machine.home.mkdir(mode=0o700)
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m,mode=700", "tmpfs", str(machine.home)]
    if not CAN_MOUNT or subprocess.run(mount, check=False).returncode:
        pytest.skip("this machine lets nobody mount a small disk")
    try:
        yield machine
        assert not machine.end()
    finally:
        machine.kill_the_rest()
        subprocess.run(["umount", "-l", str(machine.home)], check=True)


def fill(home: Path) -> Path:
    ballast = home / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (65_536, 4_096, 1):
            with contextlib.suppress(OSError):
                while file.write(b"\0" * size) == size:
                    pass
    return ballast


@pytest.mark.timeout(120)
def test_kills_on_a_full_disk_cost_no_service_anything(small: "Machine") -> None:
    small.config(CONFIG.replace('max_size = "1kB", keep = 5000', 'max_size = "100kB", keep = 2'))
    small.up()
    small.await_(lambda: [*map(len, trees(small).values())] == [1, 3, 2])
    before, pids = trees(small), {name: small.pid(name) for name in NAMES}
    ballast = fill(small.home)
    for victims in (["supervisor"], ["watchdog"], ["watchdog"], ["supervisor"]):
        kill(small, *victims)
        own(small)
        assert trees(small) == before
    kill(small, "supervisor", "watchdog")
    small.holdfast("up", "-c", str(small.file), "--no-wait", expect=None)
    ballast.unlink()
    small.holdfast("up", "-c", str(small.file))
    assert {name: small.pid(name) for name in NAMES} == pids
    assert trees(small) == before
    seen = small.log("counter")
    small.await_(lambda: small.log("counter") != seen)


def restarts_of(machine: "Machine") -> dict[str, Any]:
    return {name: row["restarts"] for name, row in machine.rows().items()}


@pytest.mark.timeout(60 + LOOPS // 2)
def test_limits_hold_for_a_crowd_of_crash_loops_whose_supervisor_is_killed_every_second(
    machine: "Machine",
) -> None:
    machine.config(f"""
        [service.loop]
        command = ["sh", "-c", "echo born"]
        instances = {LOOPS}
        restart = {{ delay = "500ms", max_delay = "2s", min_gap = "0s", limit = "3/1h" }}
    """)
    machine.begin()
    kills, home = 0, Home(machine.home)

    def is_quiet() -> bool:
        rows = machine.rows()
        return len(rows) == LOOPS and all(row["state"] == "held" for row in rows.values())

    while kills < 8 or not machine.await_(lambda: machine.rows() and True) or not is_quiet():
        threading.Event().wait(1.0)
        pid = holder(home.supervisor_lock)
        if kills < 8 and pid is not None and machine.is_alive(pid):
            machine.kill(pid)
            machine.await_(lambda: not machine.is_alive(pid))  # noqa: B023 - it is over with this turn
            kills += 1
    assert max(restarts_of(machine).values()) <= 3
    born = [machine.log(f"loop-{number}").count(b"born\n") for number in range(1, LOOPS + 1)]
    assert max(born) <= 4
    # A kill may take one start with it, between its intent and its exec, and that one is counted.
    assert sum(4 - count for count in born) <= kills, born
    assert [one for one in machine.events() if one["kind"] == "supervisor.fault"] == []
