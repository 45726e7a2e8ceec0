"""Many services, many restarts, many people at once: nothing is lost, nothing piles up."""

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if sys.platform == "win32":
    pytest.skip("these tests look into /proc", allow_module_level=True)

if TYPE_CHECKING:
    from tests.conftest import Machine

WARM = 20
RESTARTS = 100
CALLERS = 60


def open_files(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def resident_kb(pid: int) -> int:
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1])


def test_a_hundred_services_come_up_are_shown_in_eighty_columns_and_leave(
    machine: "Machine",
) -> None:
    machine.config("""
        [machine]
        name = "m"
        [service.with-a-longish-name]
        command = ["sleep", "2201"]
        instances = 100
    """)
    assert "100/100 healthy" in machine.up().stdout
    lines = machine.holdfast("status").stdout.splitlines()
    names = [line.split()[0] for line in lines if " running " in line and "supervisor" not in line]
    assert len(names) == len(set(names)) == 100
    assert max(map(len, lines)) <= 80
    assert machine.holdfast("health", "--score").stdout == "100\n"
    living = machine.await_(lambda: len(found := machine.living()) == 102 and found)
    machine.holdfast("down")
    assert machine.living() == []
    assert not any(machine.is_alive(pid) for pid in living)
    assert list((machine.home / "pids").glob("*.pid")) == []
    assert os.listdir(machine.runtime) == []


def test_a_hundred_restarts_leave_no_descriptor_and_no_memory_behind(machine: "Machine") -> None:
    machine.config("""
        [service.a]
        command = ["sleep", "2202"]
        restart = { delay = "0s", min_gap = "0s", limit = "none" }
    """)
    machine.begin()
    supervisor = machine.supervisor()

    def restart(times: int) -> None:
        for _ in range(times):
            old = machine.pid("a")
            machine.kill(old)
            machine.await_new_pid("a", old)

    restart(WARM)
    files, memory = open_files(supervisor), resident_kb(supervisor)
    restart(RESTARTS - WARM)
    machine.await_(lambda: open_files(supervisor) <= files + 1)
    assert resident_kb(supervisor) - memory < 2_000
    assert machine.supervisor() == supervisor
    assert machine.row("a")["restarts"] == RESTARTS
    assert machine.copies("a") == [machine.pid("a")]
    assert len(machine.history("a")) == RESTARTS


@pytest.mark.timeout(180)
def test_sixty_people_asking_at_once_are_all_answered(machine: "Machine") -> None:
    machine.config('[service.a]\ncommand = ["sleep", "2203"]\n')
    machine.up()
    pid = machine.pid("a")
    files = open_files(machine.supervisor())
    asking = [machine.beside("status") for _ in range(CALLERS)]
    answers = [machine.finished(one) for one in asking]
    assert all(re.search(rf"^a +running +{pid} ", answer, re.MULTILINE) for answer in answers)
    machine.await_(lambda: open_files(machine.supervisor()) <= files + 1)
