"""`reload` touches what changed and nothing else."""

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.conftest import Machine

BEFORE = """
    [service.same]
    command = ["sleep", "8001"]
    [service.command]
    command = ["sleep", "8002"]
    [service.policy]
    command = ["sleep", "8003"]
    [service.gone]
    command = ["sleep", "8004"]
"""

AFTER = """
    [service.same]
    command = ["sleep", "8001"]
    [service.command]
    command = ["sleep", "8005"]
    [service.policy]
    command = ["sleep", "8003"]
    restart = { limit = "7/1h", max_delay = "30s" }
    stop = { timeout = "3s" }
    log = { max_size = "1MB" }
    [service.new]
    command = ["sleep", "8006"]
"""


def pids(machine: "Machine") -> dict[str, int | None]:
    return {name: row["pid"] for name, row in machine.rows().items()}


def test_each_service_gets_what_its_change_asks_for_and_no_more(machine: "Machine") -> None:
    machine.config(BEFORE)
    machine.begin()
    before, old = pids(machine), machine.pid("command")
    machine.config(AFTER)
    told = json.loads(machine.holdfast("reload", "--dry-run", "--json").stdout)
    assert pids(machine) == before
    assert (told["added"], told["removed"]) == (["new"], ["gone"])
    assert (told["restarted"], told["changed"], told["unchanged"]) == (
        ["command"],
        ["policy"],
        ["same"],
    )
    assert json.loads(machine.holdfast("reload", "--json").stdout) == told
    machine.await_new_pid("command", old)
    after = pids(machine)
    assert after.keys() == {"same", "command", "policy", "new"}
    assert after["same"] == before["same"]
    assert after["policy"] == before["policy"]
    assert machine.living("gone") == []
    assert not (machine.home / "services" / "gone.json").exists()
    assert "nothing changed" in machine.holdfast("reload").stdout
    assert pids(machine) == after


def test_a_bad_file_changes_nothing(machine: "Machine") -> None:
    machine.config(BEFORE)
    machine.begin()
    before = pids(machine)
    machine.config(AFTER + "\n    [service.bad]\n    comand = ['x']\n")
    machine.holdfast("reload", expect=2)
    assert pids(machine) == before
    machine.file.unlink()
    machine.holdfast("reload", expect=2)
    assert pids(machine) == before


def test_a_held_service_whose_command_is_mended_runs_soon(machine: "Machine") -> None:
    text = """
        [service.a]
        command = ["{}", "8007"]
        restart = {{ delay = "0s", min_gap = "0s", limit = "1/1h" }}
    """
    machine.config(text.format("false"))
    machine.begin()
    machine.await_state("a", "held")
    machine.config(text.format("sleep"))
    machine.holdfast("reload")
    machine.await_state("a", "running")


def test_a_failed_service_whose_program_is_mended_runs(machine: "Machine") -> None:
    machine.config('[service.a]\ncommand = ["no-such-program"]\n')
    machine.begin()
    machine.await_state("a", "failed")
    machine.config('[service.a]\ncommand = ["sleep", "8008"]\n')
    machine.holdfast("reload")
    machine.await_state("a", "running")


def test_a_service_that_is_disabled_stops_and_one_that_is_enabled_again_starts(
    machine: "Machine",
) -> None:
    text = '[service.a]\ncommand = ["sleep", "8009"]\nenabled = {}\n'
    machine.config(text.format("true"))
    machine.begin()
    machine.config(text.format("false"))
    machine.holdfast("reload")
    machine.await_(lambda: machine.living("a") == [])
    machine.config(text.format("true"))
    machine.holdfast("reload")
    machine.await_(lambda: len(machine.copies("a")) == 1)


def test_a_service_stopped_by_a_person_stays_down_over_a_reload_of_its_command(
    machine: "Machine",
) -> None:
    machine.config(BEFORE)
    machine.begin()
    machine.holdfast("stop", "command", "same")
    machine.config(AFTER)
    machine.holdfast("reload")
    assert machine.living("command") == machine.living("same") == []
    assert machine.row("command")["desired"] == "down"


def test_a_change_of_mind_while_a_removed_service_still_ends_brings_it_back(
    machine: "Machine",
) -> None:
    slow = """
        [service.slow]
        command = ["sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.05; done"]
        stop = { timeout = "2s" }
    """
    other = '[service.other]\ncommand = ["sleep", "8010"]\n'
    machine.config(slow)
    machine.begin()
    machine.await_(lambda: machine.log("slow"))
    machine.config(other)
    removing = machine.beside("reload")
    machine.await_(lambda: machine.row("slow")["state"] in ("stopping", None))
    machine.config(slow)
    machine.holdfast("reload")
    machine.finished(removing)
    machine.await_(lambda: machine.rows().keys() == {"slow"} and machine.row("slow")["pid"])
    assert len(machine.copies("slow")) == 1


def test_two_reloads_at_once_agree(machine: "Machine") -> None:
    machine.config(BEFORE)
    machine.begin()
    old = machine.pid("command")
    machine.config(AFTER)
    both = [machine.beside("reload") for _ in range(3)]
    for one in both:
        machine.finished(one)
    machine.await_new_pid("command", old)
    assert all(pids(machine).values())
    assert set(pids(machine)) == {"same", "command", "policy", "new"}
    assert all(len(machine.copies(name)) == 1 for name in pids(machine))


def test_what_changed_while_nothing_ran_is_obeyed_by_the_next_up(machine: "Machine") -> None:
    machine.config(BEFORE)
    machine.begin()
    old = machine.pid("command")
    same = machine.pid("same")
    machine.kill_both()
    machine.config(AFTER)
    machine.up()
    found = pids(machine)
    assert found.keys() == {"same", "command", "policy", "new"}
    assert found["same"] == same
    assert found["command"] != old
    assert machine.living("gone") == []
    assert all(len(machine.copies(name)) == 1 for name in found)
