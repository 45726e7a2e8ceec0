"""Putting an entry in place and taking it away: only what is ours, and nothing is left."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from holdfast.errors import Refused
from holdfast.machine.boot import install
from holdfast.machine.boot.entry import Boot, Command, Entry, Scope
from holdfast.machine.boot.install import entry_for, find, run_command

BOOT = Boot(
    name="holdfast",
    scope=Scope.USER,
    home="/srv/home",
    config=None,
    python="/usr/bin/python3",
    path="/usr/bin",
)
PLATFORMS = ["linux", "darwin", "win32"]


class Systemctl:
    """A service manager that takes note of what it is told."""

    def __init__(self, answer: str | None = None) -> None:
        self.answer = answer
        self.told: list[Command] = []

    def __call__(self, command: Command) -> str | None:
        self.told.append(command)
        return self.answer


@pytest.fixture
def entry_of(tmp_path: Path) -> Callable[..., Entry]:
    def entry_of(boot: Boot = BOOT, platform: str = "linux") -> Entry:
        found = entry_for(boot, platform=platform, environ={"HOME": str(tmp_path)})
        return replace(found, file=tmp_path / "units" / found.file.name)

    return entry_of


@pytest.mark.parametrize("platform", PLATFORMS)
def test_what_was_installed_is_found_and_removed_without_a_trace(
    entry_of: Callable[..., Entry], platform: str
) -> None:
    entry, manager = entry_of(platform=platform), Systemctl()
    assert install.install(entry, BOOT.home, manager).changed
    assert entry.file.read_bytes() == entry.content
    assert entry.file.stat().st_mode & 0o777 == 0o644
    assert manager.told == list(entry.enable)
    assert find(entry, manager).home == BOOT.home
    assert install.remove(entry, BOOT.home, manager).changed
    assert list(entry.file.parent.iterdir()) == []
    assert not find(entry, manager).exists


def test_a_second_install_changes_nothing(entry_of: Callable[..., Entry]) -> None:
    install.install(entry_of(), BOOT.home, Systemctl())
    before = entry_of().file.stat()
    assert not install.install(entry_of(), BOOT.home, Systemctl()).changed
    assert entry_of().file.stat().st_mtime_ns == before.st_mtime_ns


def test_an_older_entry_of_the_same_home_is_replaced(entry_of: Callable[..., Entry]) -> None:
    install.install(entry_of(), BOOT.home, Systemctl())
    newer = entry_of(replace(BOOT, python="/opt/python"))
    assert install.install(newer, BOOT.home, Systemctl()).changed
    assert b"/opt/python" in newer.file.read_bytes()


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("act", [install.install, install.remove])
def test_a_file_somebody_else_wrote_is_left_alone(
    entry_of: Callable[..., Entry], platform: str, act: Callable[..., install.Done]
) -> None:
    entry, manager = entry_of(platform=platform), Systemctl()
    entry.file.parent.mkdir()
    entry.file.write_text("[Service]\n")
    with pytest.raises(Refused, match="was not written by Holdfast"):
        act(entry, BOOT.home, manager)
    assert entry.file.read_text() == "[Service]\n"
    assert manager.told == []


@pytest.mark.parametrize("act", [install.install, install.remove])
def test_the_entry_of_another_home_is_left_alone(
    entry_of: Callable[..., Entry], act: Callable[..., install.Done]
) -> None:
    other = entry_of(replace(BOOT, home="/srv/other"))
    install.install(other, "/srv/other", Systemctl())
    with pytest.raises(Refused, match="starts the home /srv/other, this one is /srv/home"):
        act(entry_of(), BOOT.home, Systemctl())
    assert other.file.read_bytes() == other.content


def test_a_manager_that_cannot_be_reached_costs_nothing_and_is_told(
    entry_of: Callable[..., Entry],
) -> None:
    entry = entry_of()
    done = install.install(entry, BOOT.home, Systemctl("no bus"))
    assert done.changed
    assert done.failed == tuple((command, "no bus") for command in entry.enable)
    assert find(entry, Systemctl("not enabled")).is_enabled is False
    assert install.remove(entry, BOOT.home, Systemctl("no bus")).failed
    assert not entry.file.exists()


def test_where_nothing_is_there_is_nothing_to_remove(entry_of: Callable[..., Entry]) -> None:
    manager = Systemctl()
    assert not install.remove(entry_of(), BOOT.home, manager).changed
    assert manager.told == []


@pytest.mark.parametrize("wrong", ["a\nb", "a\tb", "a\x7fb", "a\udce4b"])
@pytest.mark.parametrize(
    "spoil",
    [
        lambda wrong: replace(BOOT, home=wrong),
        lambda wrong: replace(BOOT, config=wrong),
        lambda wrong: replace(BOOT, python=wrong),
        lambda wrong: replace(BOOT, path=wrong),
    ],
)
def test_what_no_service_manager_can_be_told_is_refused(
    spoil: Callable[[str], Boot], wrong: str
) -> None:
    with pytest.raises(Refused, match="cannot be told"):
        entry_for(spoil(wrong), environ={})


def test_a_command_that_fails_says_why() -> None:
    python = sys.executable
    assert run_command((python, "-S", "-c", "")) is None
    assert run_command((python, "-S", "-c", "raise SystemExit('no bus')")) == "no bus"
    assert run_command((python, "-S", "-c", "raise SystemExit(3)")) == "it ended with 3"
    assert "cannot be executed" in str(run_command(("/no/such/systemctl",)))
