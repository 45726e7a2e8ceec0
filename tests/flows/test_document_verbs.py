"""The checks the documents end with: a made-up pid, a killed daemon, a score, one look that equals the loop's."""

import json
import sys
from typing import TYPE_CHECKING

import pytest

if sys.platform == "win32":
    pytest.skip("these tests use POSIX processes", allow_module_level=True)

if TYPE_CHECKING:
    from tests.conftest import Machine

TWO = """
    [defaults.restart]
    min_gap = "0s"
    [service.a]
    command = ["sleep", "5101"]
    [service.b]
    command = ["sleep", "5102"]
"""


def verdicts(machine: "Machine", *, expect: int) -> dict[str, str]:
    found = json.loads(machine.holdfast("check", "--once", "--json", expect=expect).stdout)
    return {one["name"]: one["verdict"] for one in found["findings"]}


def test_a_made_up_pid_is_not_running_and_is_cleaned_up(machine: "Machine") -> None:
    machine.config(TWO)
    machine.up()
    machine.holdfast("down")
    (machine.home / "pids" / "a.pid").write_text("4199999\n")
    assert verdicts(machine, expect=3)["a"] == "stale_pid"
    assert (machine.home / "pids" / "a.pid").exists()

    said = machine.up().stdout

    assert "1 stale pid file removed: a" in said
    assert (machine.home / "pids" / "a.pid").read_text() == f"{machine.pid('a')}\n"


def test_a_killed_daemon_is_back_with_another_pid_and_one_look_says_healthy(
    machine: "Machine",
) -> None:
    machine.config(TWO)
    machine.up()
    assert verdicts(machine, expect=0) == {"a": "healthy", "b": "healthy"}
    old = machine.pid("a")
    machine.kill(old)
    assert machine.await_new_pid("a", old) != old
    machine.await_state("a", "running")
    machine.await_((machine.home / "pids" / "a.pid").exists)
    assert verdicts(machine, expect=0) == {"a": "healthy", "b": "healthy"}


def test_the_score_is_the_share_of_the_wanted_that_are_healthy(machine: "Machine") -> None:
    machine.config(
        TWO
        + '[service.c]\ncommand = ["/nonexistent/c"]\n[service.d]\ncommand = ["sleep", "5103"]\n'
    )
    machine.up(expect=1)
    assert machine.holdfast("health", "--score", expect=1).stdout == "75\n"
    machine.holdfast("stop", "c", "d")
    assert machine.holdfast("health", "--score").stdout == "100\n"


def test_looking_changes_nothing(machine: "Machine") -> None:
    machine.config(TWO)
    machine.up()
    (machine.home / "pids" / "a.pid").write_text("4199999\n")
    for words in (("status",), ("health",), ("check", "--once"), ("history", "a"), ("events",)):
        machine.holdfast(*words)
    assert (machine.home / "pids" / "a.pid").read_text() == "4199999\n"
