"""Stopping a service leaves nothing of it behind, however its children tried to get away."""

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if sys.platform == "win32":
    pytest.skip("these tests use POSIX processes", allow_module_level=True)

if TYPE_CHECKING:
    from tests.conftest import Machine

CHILDREN = {
    "same group": "sleep 3001 & wait",
    "own session": "setsid sleep 3001 & sleep 3002",
    "daemonized": "(setsid sh -c 'sleep 3001 & exit 0' &); sleep 3002",
    "own session, ignores TERM": "setsid sh -c 'trap \\\"\\\" TERM; while :; do sleep 0.2; done' & sleep 3002",
    "daemonized, ignores TERM": "(setsid sh -c 'trap \\\"\\\" TERM; (while :; do sleep 0.2; done) & exit 0' &); sleep 3002",
}


def service(command: str, more: str = "") -> str:
    return f'[service.a]\ncommand = ["sh", "-c", "{command}"]\n{more}\n'


@pytest.mark.parametrize("kind", CHILDREN)
def test_stop_reaches_every_kind_of_grandchild(machine: "Machine", kind: str) -> None:
    machine.config(service(CHILDREN[kind], 'stop = { timeout = "500ms" }'))
    machine.begin()
    machine.await_(lambda: len(machine.living("a")) >= 2)
    machine.holdfast("stop", "a")
    assert machine.living("a") == []
    assert machine.row("a")["state"] == "down"


@pytest.mark.parametrize("kind", ["own session", "daemonized, ignores TERM"])
def test_kill_reaches_every_kind_of_grandchild(machine: "Machine", kind: str) -> None:
    machine.config(service(CHILDREN[kind], 'stop = { timeout = "1h" }'))
    machine.begin()
    machine.await_(lambda: len(machine.living("a")) >= 2)
    machine.holdfast("stop", "--kill", "a")
    assert machine.living("a") == []


def test_a_service_that_ignores_term_is_killed_after_its_timeout(machine: "Machine") -> None:
    machine.config(
        service("trap '' TERM; while :; do sleep 0.2; done", 'stop = { timeout = "500ms" }')
    )
    machine.begin()
    machine.await_(lambda: machine.living("a"))
    machine.holdfast("stop", "a")
    assert machine.living("a") == []
    assert [one["kind"] for one in machine.events() if one["subject"] == "a"].count(
        "service.killed"
    ) == 1


def test_down_reaches_what_a_crashed_service_left_behind(machine: "Machine") -> None:
    machine.config(service("setsid sleep 3001 & sleep 3002", 'restart = { when = "never" }'))
    machine.begin()
    machine.await_(lambda: len(machine.living("a")) >= 2)
    machine.kill(machine.pid("a"))
    machine.await_state("a", "failed")
    assert machine.living("a") == []


def test_children_that_multiply_faster_than_they_are_killed_end_too(machine: "Machine") -> None:
    hydra = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
end = time.monotonic() + 20
while time.monotonic() < end:
    time.sleep(0.01)
    if os.fork():
        if os.getpid() != os.getsid(0):
            os._exit(0)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        time.sleep(20)
    elif os.fork():
        os._exit(0)
"""
    machine.config(f"""
        [service.a]
        command = [{sys.executable!r}, "-S", "-c", '''{hydra}''']
        stop = {{ timeout = "200ms" }}
    """)
    machine.begin()
    machine.await_(lambda: len(machine.living("a")) >= 2)
    machine.holdfast("stop", "a")
    assert machine.living("a") == []


def test_a_frozen_service_is_stopped(machine: "Machine") -> None:
    machine.config(service("exec sleep 3003", 'stop = { timeout = "1h" }'))
    machine.begin()
    pid = machine.pid("a")
    machine.await_(lambda: Path(f"/proc/{pid}/comm").read_text() == "sleep\n")
    machine.kill(pid, signal.SIGSTOP)
    machine.holdfast("stop", "a")
    assert machine.living("a") == []


def test_a_crash_leaves_no_child_beside_the_next_copy(machine: "Machine") -> None:
    machine.config(
        service(
            "setsid sleep 3001 & echo up; sleep 3002",
            'restart = { delay = "0s", min_gap = "0s", limit = "none" }',
        )
    )
    machine.begin()
    for _ in range(3):
        machine.await_(lambda: len(machine.living("a")) == 3)
        pid = machine.pid("a")
        machine.kill(pid)
        machine.await_new_pid("a", pid)
    machine.await_(lambda: len(machine.living("a")) == 3)


def test_a_grandchild_that_wiped_its_environment_is_reached(machine: "Machine") -> None:
    mark = str(machine.root / "child.pid")
    script = machine.root / "child.sh"
    script.write_text(f"echo $$ > {mark}.new; mv {mark}.new {mark}; exec sleep 3004\n")
    machine.config(service(f"env -i setsid sh {script} & sleep 3002", 'stop = { timeout = "1s" }'))
    machine.begin()
    machine.await_(lambda: os.path.exists(mark))
    child = int(Path(mark).read_text())
    try:
        machine.holdfast("stop", "a")
        assert not machine.is_alive(child)
    finally:
        if machine.is_alive(child):
            os.kill(child, signal.SIGKILL)
