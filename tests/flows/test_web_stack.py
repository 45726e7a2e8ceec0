"""The web stack example under Holdfast: up in the order of needs, down in the reverse, and each dies alone."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Machine

EXAMPLE = Path(__file__).parents[2] / "examples" / "web-stack" / "holdfast.toml"


@pytest.fixture
def stack(machine: "Machine") -> "Machine":
    """Return a machine with the example brought up on ports of its own."""
    machine.file = EXAMPLE
    ports = {name: str(machine.port()) for name in ("DB_PORT", "API_PORT")}
    machine.env |= {**ports, "WORKER_EVERY": "0.05"}
    assert "3/3 healthy" in machine.up().stdout
    return machine


def course(machine: "Machine", *kinds: str) -> list[tuple[str, str]]:
    """Return what happened to the three services, in order."""
    return [
        (event["subject"], event["kind"].removeprefix("service."))
        for event in machine.events()
        if event["kind"].removeprefix("service.") in kinds
    ]


def test_each_starts_once_what_it_needs_is_ready_and_they_stop_in_reverse(
    stack: "Machine",
) -> None:
    assert course(stack, "started", "ready") == [
        ("db", "started"),
        ("db", "ready"),
        ("api", "started"),
        ("api", "ready"),
        ("worker", "started"),
        ("worker", "ready"),
    ]
    stack.await_(lambda: b"visit " in stack.log("worker"))
    stack.holdfast("down")
    assert course(stack, "stopping", "stopped") == [
        ("worker", "stopping"),
        ("worker", "stopped"),
        ("api", "stopping"),
        ("api", "stopped"),
        ("db", "stopping"),
        ("db", "stopped"),
    ]
    assert course(stack, "killed", "restarted") == []
    assert stack.living() == []


def test_a_killed_database_comes_back_and_the_others_keep_their_processes(
    stack: "Machine",
) -> None:
    before = {name: stack.pid(name) for name in ("api", "worker")}
    stack.await_(lambda: stack.log("worker").count(b"visit ") >= 3)
    old = stack.pid("db")
    stack.kill(old)
    stack.await_new_pid("db", old)
    count = stack.log("worker").count(b"visit")
    stack.await_(lambda: stack.log("worker").count(b"visit") > count + 2)
    stack.await_state("db", "running")
    assert {name: stack.pid(name) for name in before} == before
    assert course(stack, "restarted") == [("db", "restarted")]
    *lines, _ = stack.log("worker").split(b"\n")
    visits = [line for line in lines if line.startswith(b"visit ")]
    numbers = [int(line.split()[1]) for line in visits]
    assert numbers == sorted(set(numbers)), "a confirmed visit was lost"
