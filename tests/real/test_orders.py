"""Orders of people, one after another and all at once: never two copies, and the last wish holds."""

import json
import sys
from typing import TYPE_CHECKING

import pytest

if sys.platform == "win32":
    pytest.skip("these tests use POSIX processes", allow_module_level=True)

if TYPE_CHECKING:
    from tests.conftest import Machine

SLOW = """
    [service.a]
    command = ["sh", "-c", "trap 'sleep 0.7; exit 0' TERM; echo up; while :; do sleep 0.05; done"]
"""


HELD = """
    [service.a]
    command = ["sh", "-c", "trap 'while [ -e hold ]; do sleep 0.05; done; exit 0' TERM; echo up; while :; do sleep 0.05; done"]
    cwd = "."
    stop = { timeout = "1h" }
"""
"""A service that is being stopped for as long as a file stands there."""


def printed(machine: "Machine") -> None:
    machine.await_(lambda: machine.log("a").endswith(b"up\n"))


def test_a_start_during_a_slow_stop_waits_and_gives_one_copy(machine: "Machine") -> None:
    machine.config(HELD)
    machine.begin()
    printed(machine)
    old, hold = machine.pid("a"), machine.root / "hold"
    hold.touch()
    stopping = machine.beside("stop", "a")
    machine.await_state("a", "stopping")
    starting = machine.beside("start", "a")
    machine.await_(lambda: machine.row("a")["desired"] == "up")
    hold.unlink()
    most = 0
    while starting.poll() is None:
        most = max(most, len(machine.copies("a")))
    machine.finished(starting)
    machine.finished(stopping, expect=None)
    assert most <= 1
    assert machine.pid("a") != old


def test_a_stop_during_backoff_is_immediate_and_final(machine: "Machine") -> None:
    machine.config("""
        [service.a]
        command = ["sh", "-c", "echo born; exit 3"]
        restart = { delay = "1h", max_delay = "2h", min_gap = "0s" }
    """)
    machine.begin()
    row = machine.await_state("a", "backoff")
    assert (row["wait"], row["last_exit"]["code"]) == ("delay", 3)
    assert row["next_start_at"]
    machine.holdfast("stop", "a")
    row = machine.row("a")
    assert (row["state"], row["desired"], row["next_start_at"]) == ("down", "down", None)
    assert machine.log("a") == b"born\n"


def test_a_stop_is_remembered_over_down_and_up(machine: "Machine") -> None:
    machine.config("""
        [service.a]
        command = ["sleep", "4001"]
        [service.b]
        command = ["sleep", "4002"]
    """)
    machine.begin()
    machine.holdfast("stop", "a")
    machine.holdfast("down")
    machine.up()
    assert (machine.row("a")["state"], machine.row("b")["state"]) == ("down", "running")
    machine.holdfast("start", "a")
    assert machine.row("a")["state"] == "running"


def test_a_manual_start_frees_a_held_service_and_its_limit_counts_anew(
    machine: "Machine",
) -> None:
    machine.config("""
        [service.a]
        command = ["sh", "-c", "echo born; exit 1"]
        restart = { delay = "0s", min_gap = "0s", limit = "1/1h" }
    """)
    machine.begin()
    machine.await_state("a", "held")
    assert machine.log("a") == b"born\n" * 2
    assert machine.holdfast("start", "a", expect=1).stderr
    machine.await_state("a", "held")
    assert machine.log("a") == b"born\n" * 4


@pytest.mark.parametrize("order", ["start", "restart"])
def test_many_people_at_once_get_one_copy(machine: "Machine", order: str) -> None:
    machine.config('[service.a]\ncommand = ["sleep", "4003"]\n')
    machine.begin()
    machine.holdfast("stop", "a")
    orders = [machine.beside(order, "a") for _ in range(5)]
    most = 0
    while any(one.poll() is None for one in orders):
        most = max(most, len(machine.copies("a")))
    for one in orders:
        machine.finished(one)
    assert most <= 1
    assert machine.copies("a") == [machine.pid("a")]


def test_starts_and_stops_in_a_muddle_end_as_the_last_one_said(machine: "Machine") -> None:
    machine.config(SLOW)
    machine.begin()
    muddle = [
        machine.beside(order, "a")
        for order in ("stop", "start", "restart", "stop", "restart", "start", "stop")
    ]
    most = 0
    while any(one.poll() is None for one in muddle):
        most = max(most, len(machine.copies("a")))
    for one in muddle:
        machine.finished(one, expect=(0, 1))
    assert most <= 1
    machine.holdfast("stop", "a")
    assert machine.living("a") == []
    machine.holdfast("start", "a")
    assert machine.copies("a") == [machine.pid("a")]


def test_a_planned_restart_neither_waits_nor_counts(machine: "Machine") -> None:
    machine.config("""
        [service.a]
        command = ["sleep", "4004"]
        restart = { limit = "1/1h" }
    """)
    machine.begin()
    pids = {machine.pid("a")}
    for _ in range(3):
        machine.holdfast("restart", "a")
        pids.add(machine.pid("a"))
    assert len(pids) == 4
    pid = machine.pid("a")
    machine.kill(pid)
    machine.await_new_pid("a", pid)


def test_a_signal_reaches_the_main_process_alone(machine: "Machine") -> None:
    machine.config("""
        [service.a]
        command = ["sh", "-c", "trap 'echo hup' HUP; trap 'echo usr1' USR1; echo up; while :; do sleep 0.05; done"]
        [service.idle]
        command = ["sleep", "4005"]
        autostart = false
    """)
    machine.begin()
    printed(machine)
    machine.holdfast("signal", "USR1", "a")
    machine.await_(lambda: b"usr1\n" in machine.log("a"))
    machine.holdfast("reload", "a")
    machine.await_(lambda: b"hup\n" in machine.log("a"))
    machine.holdfast("signal", "HUP", "idle", expect=1)
    for wrong in ("NOSUCH", "99", "0", "-1", ""):
        machine.holdfast("signal", "--", wrong, "a", expect=2)


def test_signals_ignored_by_the_caller_are_not_ignored_by_services(machine: "Machine") -> None:
    machine.config("""
        [service.a]
        command = ["sleep", "4006"]
    """)
    code = (
        "import os, signal, sys\n"
        "for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM, signal.SIGCHLD):\n"
        "    signal.signal(number, signal.SIG_IGN)\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGUSR1})\n"
        f"os.execv({sys.executable!r}, ['python', '-m', 'holdfast', 'up', '-c', {str(machine.file)!r}, '--no-wait'])\n"
    )
    import subprocess

    subprocess.run(
        [sys.executable, "-c", code],
        env=machine.env,
        check=False,
        timeout=60,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    pid = machine.pid("a")
    with open(f"/proc/{pid}/status", encoding="utf-8") as status:
        masks = {
            # 32 and 33 are the C library's own: no program can reset what its ancestors left there.
            line.split(":")[0]: int(line.split()[1], 16) & ~(3 << 31)
            for line in status
            if line.startswith(("SigBlk", "SigIgn"))
        }
    assert masks == {"SigBlk": 0, "SigIgn": 0}
    machine.holdfast("stop", "a")
    assert machine.living("a") == []


def test_patterns_groups_and_all_choose_services(machine: "Machine") -> None:
    machine.config("""
        [service.api-one]
        command = ["sleep", "4007"]
        group = "web"
        autostart = false
        [service.api-two]
        command = ["sleep", "4008"]
        autostart = false
        [service.db]
        command = ["sleep", "4009"]
        group = "web"
        autostart = false
    """)
    machine.begin()

    def running() -> set[str]:
        return {name for name, row in machine.rows().items() if row["pid"]}

    assert running() == set()
    machine.holdfast("start", "--no-wait", "api-*")
    assert running() == {"api-one", "api-two"}
    machine.holdfast("start", "--no-wait", "group:web")
    assert running() == {"api-one", "api-two", "db"}
    machine.holdfast("stop", "group:web")
    assert running() == {"api-two"}
    told = json.loads(machine.holdfast("stop", "--all", "--json").stdout)
    assert {row["name"]: row["result"] for row in told["services"]} == {
        "api-one": "not_running",
        "api-two": "stopped",
        "db": "not_running",
    }


def test_a_caller_that_hangs_up_does_not_take_its_order_back(machine: "Machine") -> None:
    machine.config(HELD)
    machine.begin()
    printed(machine)
    hold = machine.root / "hold"
    hold.touch()
    asking = machine.beside("restart", "a")
    machine.await_state("a", "stopping")
    old = machine.row("a")["generation"]
    asking.kill()
    asking.communicate()
    hold.unlink()
    machine.await_(lambda: machine.row("a")["generation"] > old)
    assert len(machine.copies("a")) == 1
