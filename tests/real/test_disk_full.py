"""A full disk costs what cannot be written, and nothing else."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if sys.platform == "win32":
    pytest.skip("these tests use POSIX processes", allow_module_level=True)

if TYPE_CHECKING:
    from tests.conftest import Machine

CAN_MOUNT = sys.platform == "linux" and os.geteuid() == 0

CONFIG = """
    [service.quiet]
    command = ["sleep", "7001"]
    restart = { delay = "50ms", min_gap = "0s", limit = "none" }
    [service.loud]
    command = ["sh", "-c", "while :; do echo a line of output of a service that talks; sleep 0.01; done"]
"""


@pytest.fixture
def small(machine: "Machine") -> "Iterator[Machine]":
    """Put the home of a machine on a disk of a megabyte."""
    machine.home.mkdir(mode=0o700)
    if (
        not CAN_MOUNT
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs", str(machine.home)],
            check=False,
        ).returncode
    ):
        pytest.skip("this machine lets nobody mount a small disk")
    try:
        yield machine
        assert not machine.end()
    finally:
        machine.kill_the_rest()
        subprocess.run(["umount", "-l", str(machine.home)], check=True)


def fill(home: Path) -> Path:
    ballast = home / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (65_536, 4_096, 1):
            try:
                while file.write(b"\0" * size) == size:
                    pass
            except OSError:
                continue
    return ballast


def test_services_live_on_and_a_killed_one_returns_once_there_is_space(small: "Machine") -> None:
    small.config(CONFIG)
    small.up()
    ballast = fill(small.home)
    before = {name: row["pid"] for name, row in small.rows().items()}
    small.kill(before["quiet"])
    small.await_(lambda: small.row("quiet")["pid"] != before["quiet"])
    small.holdfast("status", expect=(0, 1))
    small.holdfast("check", "--once", expect=(0, 1))
    assert small.pid("loud") == before["loud"]
    for record in (small.home / "services").glob("*.json"):
        json.loads(record.read_bytes())
    ballast.unlink()
    new = small.await_(lambda: small.row("quiet")["pid"])
    assert small.copies("quiet") == [new]
    small.await_state("quiet", "running")
    size = len(small.log("loud"))
    small.await_(lambda: len(small.log("loud")) > size)
    assert any(one["kind"] == "state.write_failed" for one in small.events())


def test_orders_on_a_full_disk_are_carried_out_or_refused_in_words(small: "Machine") -> None:
    small.config(CONFIG)
    small.up()
    ballast = fill(small.home)
    small.holdfast("stop", "quiet", expect=(0, 1, 4, 7))
    small.holdfast("restart", "loud", expect=(0, 1, 4, 7))
    small.holdfast("start", "quiet", expect=(0, 1, 4, 7))
    small.holdfast("up", "-c", str(small.file), expect=(0, 1, 4, 7))
    small.holdfast("reload", expect=(0, 1, 4, 7))
    ballast.unlink()
    small.holdfast("start", "--all")
    assert all(len(small.copies(name)) == 1 for name in ("quiet", "loud"))


def test_a_supervisor_killed_on_a_full_disk_is_followed_by_one_that_doubles_nothing(
    small: "Machine",
) -> None:
    small.config(CONFIG)
    small.up()
    ballast = fill(small.home)
    before = {name: row["pid"] for name, row in small.rows().items()}
    small.kill_supervisor()
    small.holdfast("up", "-c", str(small.file), "--no-wait", expect=None)
    ballast.unlink()
    small.holdfast("up", "-c", str(small.file))
    assert {name: small.copies(name) for name in before} == {
        name: [pid] for name, pid in before.items()
    }


def test_down_on_a_full_disk_ends_everything(small: "Machine") -> None:
    small.config(CONFIG)
    small.up()
    fill(small.home)
    small.holdfast("down")
    assert small.living() == []
