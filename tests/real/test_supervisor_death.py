"""The supervisor is killed with -9: its services neither die, nor double, nor fall silent."""

import contextlib
import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Machine

COUNTING = """
import sys, time
for number in range(1_000_000):
    print(number, flush=True)
    time.sleep(0.001)
"""

ROUNDS = int(os.environ.get("HOLDFAST_KILL_ROUNDS", "5"))
"""Deaths of the supervisor in a row; thirty and more where time does not matter."""

AT_ONCE = 'restart = { delay = "50ms", min_gap = "0s", limit = "none" }'


def counted(log: bytes) -> list[int]:
    return [int(line) for line in log.splitlines() if line.isdigit()]


def test_services_keep_their_pids_and_stay_single(machine: "Machine") -> None:
    machine.config("""
        [service.a]
        command = ["sleep", "1001"]
        [service.b]
        command = ["sleep", "1002"]
    """)
    machine.up()
    before = {name: machine.pid(name) for name in ("a", "b")}
    machine.kill_supervisor()
    machine.up()
    after = machine.rows()
    assert {name: row["pid"] for name, row in after.items()} == before
    assert all(row["adopted"] and row["state"] == "running" for row in after.values())
    assert all(machine.copies(name) == [pid] for name, pid in before.items())


def test_status_without_a_supervisor_still_shows_the_pid_of_what_lives(
    machine: "Machine",
) -> None:
    machine.config('[service.a]\ncommand = ["sleep", "1003"]\n')
    machine.up()
    pid = machine.pid("a")
    machine.kill_both()
    told = json.loads(machine.holdfast("status", "--json", expect=3).stdout)
    assert told["supervisor"]["state"] == "gone"
    assert [(row["name"], row["pid"]) for row in told["services"]] == [("a", pid)]
    machine.holdfast("down", expect=3)
    machine.up()
    assert machine.pid("a") == pid


def test_an_adopted_service_that_is_killed_comes_back_with_its_signal_known(
    machine: "Machine",
) -> None:
    machine.config(f'[service.a]\ncommand = ["sleep", "1004"]\n{AT_ONCE}\n')
    machine.up()
    machine.kill_supervisor()
    machine.up()
    old = machine.pid("a")
    machine.kill(old)
    machine.await_new_pid("a", old)
    last = machine.row("a")["last_exit"]
    assert (last["reason"], last["signal"]) == ("signal", 9)
    assert machine.row("a")["restarts"] == 1


def test_the_exit_code_of_an_adopted_service_is_known(
    machine: "Machine",
) -> None:
    machine.config("""
        [service.a]
        command = ["sh", "-c", "while ! [ -e end ]; do sleep 0.05; done; exit 37"]
        cwd = "."
        restart = { when = "never" }
    """)
    machine.up()
    machine.kill_supervisor()
    machine.up()
    (machine.root / "end").touch()
    last = machine.await_state("a", "failed")["last_exit"]
    assert (last["reason"], last["code"]) == ("adopted-exit", 37)


def test_a_service_that_died_while_no_supervisor_lived_is_started_once(
    machine: "Machine",
) -> None:
    machine.config(f'[service.a]\ncommand = ["sleep", "1005"]\n{AT_ONCE}\n')
    machine.up()
    old = machine.pid("a")
    machine.kill_both()
    machine.kill(old)
    machine.up()
    new = machine.await_new_pid("a", old)
    assert machine.copies("a") == [new]
    assert machine.row("a")["last_exit"]["reason"] in ("unknown", "signal")  # a zombie still tells


def output_goes_on(machine: "Machine") -> None:
    seen = len(machine.log("a"))
    machine.await_(lambda: len(machine.log("a")) > seen + 200)


def test_output_goes_on_without_a_gap_or_a_repeat(machine: "Machine") -> None:
    machine.config(f"""
        [service.a]
        command = [{sys.executable!r}, "-S", "-c", '''{COUNTING}''']
    """)
    machine.begin()
    for _ in range(3):
        output_goes_on(machine)
        machine.kill_supervisor()
        machine.begin()
    output_goes_on(machine)
    machine.holdfast("stop", "a")
    numbers = counted(machine.log("a"))
    assert numbers == list(range(len(numbers)))


def test_a_stop_remembered_by_a_dead_supervisor_is_obeyed_by_the_next(machine: "Machine") -> None:
    machine.config("""
        [service.a]
        command = ["sleep", "1006"]
        [service.b]
        command = ["sleep", "1007"]
    """)
    machine.begin()
    machine.holdfast("stop", "a")
    machine.kill_supervisor()
    machine.begin()
    assert (machine.row("a")["desired"], machine.row("a")["pid"]) == ("down", None)
    assert machine.copies("a") == []


def test_a_slow_stop_begun_by_a_dead_supervisor_is_finished_by_the_next(
    machine: "Machine",
) -> None:
    machine.config("""
        [service.a]
        command = ["sh", "-c", "trap '' TERM; while :; do sleep 1; done"]
        stop = { timeout = "6s" }
    """)
    machine.up()
    machine.beside("stop", "a")
    machine.await_state("a", "stopping")
    machine.kill_supervisor()
    machine.begin()
    machine.await_state("a", "down")
    assert machine.living("a") == []


@pytest.mark.parametrize("how", ["same group", "own session", "daemonized"])
def test_an_adopted_service_is_stopped_with_its_whole_tree(machine: "Machine", how: str) -> None:
    child = {
        "same group": "sleep 2001 & sleep 2002",
        "own session": "setsid sleep 2001 & sleep 2002",
        "daemonized": "(setsid sh -c 'sleep 2001 & exit 0' &) ; sleep 2002",
    }[how]
    machine.config(f"""
        [service.a]
        command = ["sh", "-c", "{child}"]
    """)
    machine.begin()
    machine.await_(lambda: len(machine.living("a")) >= 3 or how == "daemonized")
    machine.await_(lambda: len(machine.living("a")) >= 2)
    machine.kill_supervisor()
    machine.begin()
    machine.holdfast("stop", "a")
    assert machine.living("a") == []


def test_a_record_that_was_copied_beside_itself_adopts_no_process_twice(
    machine: "Machine",
) -> None:
    machine.config(f'[service.a]\ncommand = ["sleep", "1008"]\n{AT_ONCE}\n')
    machine.begin()
    pid = machine.pid("a")
    machine.kill_both()
    record = machine.home / "services" / "a.json"
    shutil.copy(record, record.with_name("a-old.json"))
    machine.begin()
    assert machine.pid("a") == pid
    assert machine.copies("a") == [pid]
    machine.kill(pid)
    new = machine.await_new_pid("a", pid)
    assert machine.copies("a") == [new]
    assert set(machine.rows()) == {"a"}


def contents(folder: Path) -> Iterator[bytes]:
    """Yield what stands in every file; one that was there for a moment only is left out."""
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            if path.is_file():
                yield path.read_bytes()


@pytest.mark.parametrize(
    "garbage",
    [b"", b"{", b"[]", b"{}", b"\xff\xfe\x00", b'{"name": "a"}', b"[" * 50_000],
    ids=["empty", "half", "list", "bare", "binary", "partial", "deep"],
)
def test_a_broken_record_is_set_aside_and_told_and_its_living_service_stays_single(
    machine: "Machine", garbage: bytes
) -> None:
    machine.config(f'[service.a]\ncommand = ["sleep", "1009"]\n{AT_ONCE}\n')
    machine.begin()
    machine.kill_both()  # or the next one might have read the record before it is broken
    (machine.home / "services" / "a.json").write_bytes(garbage)
    machine.begin()
    machine.await_state("a", "running", "starting", "held", "backoff", "orphan")
    assert len(machine.copies("a")) == 1
    assert any(event["kind"] == "state.corrupt" for event in machine.events())
    assert garbage in contents(machine.home)
    machine.holdfast("stop", "a")
    assert machine.living("a") == []


def test_a_corrupt_history_never_opens_the_gate_for_more_restarts(machine: "Machine") -> None:
    machine.config("""
        [service.a]
        command = ["false"]
        restart = { delay = "0s", min_gap = "0s", limit = "2/1h" }
    """)
    machine.begin()
    machine.await_state("a", "held")
    machine.kill_both()
    (machine.home / "services" / "a.json").write_text('{"history": ')
    machine.begin()
    assert machine.await_state("a", "held")["next_start_at"]


def test_a_flood_of_deaths_of_the_supervisor_never_doubles_a_crash_looping_service(
    machine: "Machine",
) -> None:
    """Kills at changing moments, each while services die and are born again."""
    service = """
        [service.{name}]
        command = ["sh", "-c", "echo $$$$ >> {name}.pids; sleep 0.1; exit 1"]
        cwd = "."
        restart = {{ delay = "10ms", max_delay = "50ms", min_gap = "0s", limit = "none" }}
    """
    names = [f"s{number}" for number in range(4)]
    limited = """
        [service.limited]
        command = ["sh", "-c", "echo $$$$ >> limited.pids; exit 1"]
        cwd = "."
        restart = { delay = "300ms", min_gap = "0s", limit = "5/1h" }
    """
    machine.config("".join(service.format(name=name) for name in names) + limited)
    machine.begin()
    doubled: list[list[int]] = []
    for looks in moments(ROUNDS):
        starting = machine.beside("up", "-c", str(machine.file), "--no-wait")
        machine.await_(machine.supervisor)
        for _ in range(looks):
            for name in names:
                if (
                    len(machine.copies(name)) > 1
                ):  # a look is no instant: one may have ended meanwhile
                    doubled += [found] if len(found := machine.copies(name)) > 1 else []
        machine.kill_supervisor()
        machine.finished(starting, expect=None)
    machine.begin()
    assert not doubled
    machine.await_state("limited", "held")
    started = (machine.root / "limited.pids").read_text().split()
    assert len(started) <= 6
    machine.holdfast("stop", "--all")
    assert all(machine.living(name) == [] for name in [*names, "limited"])


def moments(count: int) -> Iterator[int]:
    """Yield how many looks to take before each kill: few and many, in an order that seems random and is not."""
    for number in range(count):
        yield (number * 7) % 5
