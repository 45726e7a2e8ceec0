"""A service of many instances grows and shrinks by `reload`, and nobody else is touched."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Machine

TEXT = """
    [service.api]
    command = ["sleep", "8101"]
    instances = {instances}
    [service.web]
    command = ["sleep", "8102"]
    needs = {needs}
    [service.other]
    command = ["sleep", "8103"]
"""


def names(instances: int) -> list[str]:
    if instances == 1:
        return ["api"]
    return [f"api-{number}" for number in range(1, instances + 1)]


def configure(machine: "Machine", instances: int, needs: str = '["api"]') -> None:
    machine.config(TEXT.format(instances=instances, needs=needs))


def all_run(machine: "Machine", instances: int) -> dict[str, int]:
    """Wait until exactly the wanted services run, and return their pids."""
    wanted = {*names(instances), "web", "other"}

    def pids() -> dict[str, int] | None:
        rows = machine.rows()
        running = rows.keys() == wanted and all(row["state"] == "running" for row in rows.values())
        return {name: row["pid"] for name, row in rows.items()} if running else None

    found: dict[str, int] = machine.await_(pids)
    return found


@pytest.mark.parametrize(("before", "after"), [(2, 3), (3, 2), (3, 1), (1, 3)])
@pytest.mark.parametrize(
    "needs",
    ['["api"]', '{ api = { on_restart = "stop" } }', '{ api = { on_restart = "restart" } }'],
    ids=["ignore", "stop", "restart"],
)
def test_only_the_instances_that_come_or_go_are_touched(
    machine: "Machine", before: int, after: int, needs: str
) -> None:
    configure(machine, before, needs)
    machine.up()
    old = all_run(machine, before)
    configure(machine, after, needs)
    machine.holdfast("reload")
    new = all_run(machine, after)
    stayed = old.keys() & new.keys()
    assert stayed == {"web", "other"} | (set(names(before)) & set(names(after)))
    assert {name: new[name] for name in stayed} == {name: old[name] for name in stayed}
    for name in set(names(before)) - set(names(after)):
        assert machine.living(name) == []
        assert not (machine.home / "services" / f"{name}.json").exists()


def test_a_service_that_needs_all_instances_waits_for_the_new_ones_too(
    machine: "Machine",
) -> None:
    configure(machine, 2)
    machine.up()
    all_run(machine, 2)
    configure(machine, 3)
    machine.holdfast("reload")
    all_run(machine, 3)
    machine.holdfast("stop", "api-3", "web")
    machine.holdfast("start", "web", "--no-wait", expect=(0, 1))
    machine.await_state("web", "waiting")
    machine.holdfast("start", "api-3")
    machine.await_state("web", "running")


def test_the_instances_that_remain_survive_a_change_while_nothing_ran(
    machine: "Machine",
) -> None:
    configure(machine, 2)
    machine.up()
    old = all_run(machine, 2)
    machine.holdfast("down", "--keep-services")
    configure(machine, 3)
    machine.up()
    new = all_run(machine, 3)
    assert {name: new[name] for name in old} == old


def test_a_change_of_the_command_reaches_every_instance_once(machine: "Machine") -> None:
    configure(machine, 3)
    machine.up()
    old = all_run(machine, 3)
    machine.file.write_text(machine.file.read_text().replace("8101", "8104"))
    machine.holdfast("reload")
    machine.await_(lambda: all(machine.row(name)["pid"] != old[name] for name in names(3)))
    new = all_run(machine, 3)
    assert (new["web"], new["other"]) == (old["web"], old["other"])
    assert all(len(machine.copies(name)) == 1 for name in names(3))
    assert all(machine.row(name)["restarts"] == 1 for name in names(3))
