"""Orders that meet each other half way, and records that are gone: nothing is doubled, nothing hangs."""

import sys
from typing import TYPE_CHECKING

import pytest

if sys.platform == "win32":
    pytest.skip("these tests use POSIX processes", allow_module_level=True)

if TYPE_CHECKING:
    from tests.conftest import Machine

SLOW = """
    [service.slow]
    command = ["sh", "-c", "trap 'while [ -e hold ]; do sleep 0.05; done; exit 0' TERM; while :; do sleep 0.05; done"]
    cwd = "."
    stop = { timeout = "1h" }
"""
"""A service that is being stopped for as long as a file stands there."""
NEVER_READY = """
    [service.unready]
    command = ["sleep", "5260"]
    ready = { command = ["false"], timeout = "1h" }
"""
CALM = '[service.calm]\ncommand = ["sleep", "5201"]\n'


def test_a_down_in_the_middle_of_an_up_ends_everything(machine: "Machine") -> None:
    machine.config(
        "".join(f'[service.s{n}]\ncommand = ["sleep", "52{n:02d}"]\n' for n in range(60))
        + NEVER_READY  # the up waits for it as long as it takes
    )
    up = machine.beside("up", "-c", str(machine.file))
    machine.await_(lambda: sum(row["pid"] is not None for row in machine.rows().values()) >= 3)

    machine.holdfast("down")

    machine.finished(up, expect=(1, 3, 4))
    assert machine.living() == []


@pytest.mark.parametrize("loss", ["deleted", "moved aside"])
def test_a_service_whose_record_is_gone_stays_single(machine: "Machine", loss: str) -> None:
    machine.config(CALM)
    machine.up()
    pid = machine.pid("calm")
    machine.kill_both()
    record = machine.home / "services" / "calm.json"
    if loss == "deleted":
        record.unlink()
    else:
        record.rename(record.with_name("calm.json.corrupt-20260101T000000.000Z-0123456789abcdef"))

    machine.up()

    assert machine.copies("calm") == [pid] == [machine.pid("calm")]


def test_a_start_of_what_is_being_taken_out_holds_up_no_reload(machine: "Machine") -> None:
    machine.config(SLOW + CALM)
    machine.up()
    machine.config(CALM)
    hold = machine.root / "hold"
    hold.touch()
    reload = machine.beside("reload", "-c", str(machine.file))
    machine.await_state("slow", "stopping")
    machine.holdfast("start", "slow", expect=(1, 2))
    hold.unlink()
    machine.finished(reload)
    assert machine.living("slow") == []
    assert list(machine.rows()) == ["calm"]


def test_a_down_while_a_reload_takes_services_out_ends_everything(machine: "Machine") -> None:
    machine.config(SLOW + CALM + SLOW.replace("service.slow", "service.slower"))
    machine.up()
    machine.config(CALM)
    hold = machine.root / "hold"
    hold.touch()
    reload = machine.beside("reload", "-c", str(machine.file))
    machine.await_state("slow", "stopping")
    down = machine.beside("down")
    machine.await_(lambda: machine.status()["supervisor"]["state"] == "stopping")
    hold.unlink()
    machine.finished(down)
    machine.finished(reload, expect=(0, 1, 3, 4))
    assert machine.living() == []
