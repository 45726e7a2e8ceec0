"""Watched files and edges between services, seen from outside, over the death of the supervisor too."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.conftest import Machine

WATCHED = """
    [service.api]
    command = ["sleep", "8201"]
    watch = {{ paths = ["{folder}"], debounce = "50ms" }}
    [service.other]
    command = ["sleep", "8202"]
"""

NEEDED = """
    [service.db]
    command = ["sleep", "8203"]
    restart = { delay = "0s", min_gap = "0s", limit = "none" }
    [service.api]
    command = ["sleep", "8204"]
    needs = { db = { on_restart = "restart" } }
    [service.cache]
    command = ["sleep", "8205"]
    needs = { db = { on_restart = "stop" } }
    [service.web]
    command = ["sleep", "8206"]
    needs = ["db"]
"""


def all_run(machine: "Machine") -> dict[str, int]:
    """Wait until every service runs, and return their pids."""

    def pids() -> dict[str, int] | None:
        rows = machine.rows()
        running = all(row["state"] == "running" for row in rows.values())
        return {name: row["pid"] for name, row in rows.items()} if running else None

    found: dict[str, int] = machine.await_(pids)
    return found


def put(machine: "Machine", path: Path) -> None:
    """Let a whole file appear: one that is made and then written to is two changes, if long apart two restarts."""
    made = machine.root / "made"
    made.write_text("x")
    made.rename(path)


def reasons(machine: "Machine", name: str) -> list[str]:
    return [row["reason"] for row in machine.history(name)]


def test_a_changed_file_restarts_its_service_and_no_other(machine: "Machine") -> None:
    folder = machine.root / "src"
    folder.mkdir()
    machine.config(WATCHED.format(folder=folder))
    machine.up()
    old = all_run(machine)
    put(machine, folder / "app.py")
    machine.await_new_pid("api", old["api"])
    assert reasons(machine, "api") == ["watch"]
    assert machine.pid("other") == old["other"]


def test_a_file_changed_while_no_supervisor_lived_is_noticed_by_the_next(
    machine: "Machine",
) -> None:
    folder = machine.root / "src"
    folder.mkdir()
    (folder / "app.py").write_text("before")
    machine.config(WATCHED.format(folder=folder))
    machine.up()
    old = all_run(machine)
    machine.holdfast("down", "--keep-services")
    (folder / "app.py").write_text("meanwhile")
    machine.up()
    machine.await_new_pid("api", old["api"])
    assert machine.pid("other") == old["other"]


def test_each_edge_does_as_it_says_and_no_more(machine: "Machine") -> None:
    machine.config(NEEDED)
    machine.up()
    old = all_run(machine)
    machine.kill(old["db"])
    for name in ("db", "api", "cache"):
        machine.await_new_pid(name, old[name])
    new = all_run(machine)
    assert new["web"] == old["web"]
    assert reasons(machine, "api") == reasons(machine, "cache") == ["dependency"]


def test_a_new_supervisor_restarts_nobody_by_an_edge_or_a_watch(machine: "Machine") -> None:
    folder = machine.root / "src"
    folder.mkdir()
    (folder / "app.py").write_text("before")
    watch = f'watch = {{ paths = ["{folder}"] }}\n'
    machine.config(NEEDED + "    [service.fresh]\n    command = ['sleep', '8207']\n    " + watch)
    machine.up()
    machine.kill(machine.pid("db"))
    machine.await_(lambda: reasons(machine, "cache") and reasons(machine, "api"))
    old = all_run(machine)
    machine.holdfast("down", "--keep-services")
    machine.up()
    machine.adopt(*old)
    assert all_run(machine) == old
