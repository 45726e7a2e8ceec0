"""Services that crash again and again are brought to rest, and nobody else notices."""

import os
import select
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if sys.platform == "win32":
    pytest.skip("these tests look into /proc", allow_module_level=True)

if TYPE_CHECKING:
    from tests.conftest import Machine

COUNT = 50
IDLE_TICKS = 5
WINDOW_S = 2.0
WINDOWS = 8


def ticks(pid: int) -> int:
    """Return the processor time a process has used, in clock ticks."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def used_in_a_window(pid: int) -> int:
    """Return the clock ticks a process uses while it is left alone."""
    before, end = ticks(pid), time.monotonic() + WINDOW_S
    while (left := end - time.monotonic()) > 0:
        select.select([], [], [], left)
    return ticks(pid) - before


def moment(text: str) -> float:
    """Return a time of the status in seconds since the epoch."""
    found = datetime.fromisoformat(text)
    assert found.tzinfo == UTC
    return found.timestamp()


@pytest.mark.timeout(180)
def test_fifty_crash_looping_services_are_held_while_status_answers_then_all_is_quiet(
    machine: "Machine",
) -> None:
    machine.config(f"""
        [service.loop]
        command = ["sh", "-c", "echo born; exit 1"]
        instances = {COUNT}
        restart = {{ delay = "0s", min_gap = "0s", limit = "2/1h" }}
        [service.calm]
        command = ["sleep", "2101"]
    """)
    starting = machine.beside("up", "-c", str(machine.file), "--no-wait")
    machine.await_(lambda: len(machine.rows()) == COUNT + 1)
    for _ in range(5):
        answer = machine.holdfast("status").stdout
        assert f"/{COUNT + 1} healthy" in answer
        assert all(f"\nloop-{number} " in answer for number in range(1, COUNT + 1))
    machine.finished(starting, expect=(0, 1))
    names = {f"loop-{number}" for number in range(1, COUNT + 1)}

    def all_held() -> dict[str, dict[str, object]]:
        rows = machine.rows()
        return rows if all(rows[name]["state"] == "held" for name in names) else {}

    rows = machine.await_(all_held)
    now = datetime.now(UTC).timestamp()
    for name in names:
        assert machine.log(name) == b"born\n" * 3, name
        assert (rows[name]["restarts"], rows[name]["wait"]) == (2, "limit"), name
        assert now + 3000 < moment(rows[name]["next_start_at"]) <= now + 3600, name
    events = machine.events()
    counts = Counter((event["kind"], event["subject"]) for event in events)
    for name in names:
        told = [counts[kind, name] for kind in ("service.restarted", "service.exited")]
        assert (*told, counts["service.held", name]) == (2, 3, 1), name
    held = [event for event in events if event["kind"] == "service.held"]
    assert len(held) == COUNT
    assert {event["severity"] for event in held} == {"critical"}

    supervisor = machine.supervisor()
    least = min(_until_quiet(supervisor))
    assert least <= IDLE_TICKS, f"{least} ticks of {os.sysconf('SC_CLK_TCK')} a second"
    assert machine.rows().keys() == {*names, "calm"}
    assert machine.row("calm")["restarts"] == 0


def _until_quiet(pid: int) -> list[int]:
    used: list[int] = []
    while len(used) < WINDOWS and not (used and used[-1] <= IDLE_TICKS):
        used.append(used_in_a_window(pid))
    return used


def test_the_first_restart_waits_for_the_delay_and_the_next_for_the_gap(
    machine: "Machine",
) -> None:
    machine.config('[service.a]\ncommand = ["sleep", "2102"]\n')
    machine.up()
    first = machine.pid("a")
    machine.kill(first)
    second = machine.await_new_pid("a", first)
    machine.kill(second)
    row = machine.await_state("a", "backoff")
    assert (row["wait"], row["restarts"], row["last_exit"]["signal"]) == ("min_gap", 1, 9)

    events = [event for event in machine.events() if event["subject"] == "a"]
    waits = [event for event in events if event["kind"] == "service.backoff"]
    assert [event["wait"] for event in waits] == ["delay", "min_gap"]
    starts = [event["at"] for event in events if event["kind"] == "service.started"]
    assert len(starts) == 2
    (restart,) = machine.history("a")
    at = moment(restart["at"])
    assert moment_of(waits[0]) <= at + 0.01
    assert abs(moment(row["next_start_at"]) - (at + 60)) < 0.5
    assert "min_gap" in machine.holdfast("status").stdout


def moment_of(event: dict[str, object]) -> float:
    """Return when the next start was due, as the journal tells it."""
    at = event["next_start_at"]
    return float(at) if isinstance(at, int | float) else moment(str(at))
