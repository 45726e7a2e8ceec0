"""`holdfast boot`: what is written, what is asked of the service manager, and what is left alone."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from holdfast.cli import boot
from holdfast.cli.options import setup
from holdfast.cli.parser import Command, build
from holdfast.errors import HoldfastError
from holdfast.home import Home
from holdfast.machine.boot import install
from holdfast.machine.process.wait import reap_strangers

if TYPE_CHECKING:
    from tests.cli.conftest import Done

if sys.platform != "linux":
    pytest.skip("these tests install for systemd", allow_module_level=True)

COMMAND = Command(
    name="boot", summary="start", run="holdfast.cli.boot:run", examples=(), options=setup.boot
)


class Manager:
    """What systemctl is told, and answers."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.answer: str | None = None

    def __call__(self, command: tuple[str, ...]) -> str | None:
        self.told.append(" ".join(command))
        return self.answer


@pytest.fixture
def manager(monkeypatch: pytest.MonkeyPatch) -> Manager:
    manager = Manager()
    monkeypatch.setattr(install, "run_command", manager)
    return manager


@pytest.fixture
def say(
    home: Home,
    manager: Manager,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., SimpleNamespace]:
    """Run the command as the table of commands would."""
    (tmp_path / "holdfast.toml").write_text('[service.a]\ncommand = ["sleep", "8009"]\n')

    def say(*words: str) -> SimpleNamespace:
        capsys.readouterr()
        options = build((COMMAND,), only="boot").parse_args(["boot", *words])
        try:
            code = boot.run(options)
        except HoldfastError as error:
            return SimpleNamespace(code=error.exit_code, out="", err=str(error))
        said = capsys.readouterr()
        return SimpleNamespace(code=code, out=said.out, err=said.err)

    return say


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    return tmp_path / "config" / "systemd" / "user" / "holdfast.service"


def test_what_is_installed_is_shown_and_can_be_removed(
    say: Callable[..., SimpleNamespace], manager: Manager, unit: Path, tmp_path: Path
) -> None:
    assert say("status", "--user").code == 1
    done = say("install", "--user")
    assert (done.code, done.err) == (0, "")
    assert "loginctl enable-linger" in done.out
    assert "systemctl --user start holdfast.service" in done.out
    assert f"-c {tmp_path}/holdfast.toml" in unit.read_text()
    assert manager.told[-2:] == [
        "systemctl --user daemon-reload",
        "systemctl --user enable holdfast.service",
    ]
    assert say("status", "--user").out == f"installed as {unit}, enabled\n"
    assert say("remove", "--user").code == 0
    assert list(unit.parent.iterdir()) == []
    assert say("status", "--user").code == 1
    assert say("remove", "--user").code == 0


def test_a_trial_writes_nothing_and_shows_all(
    say: Callable[..., SimpleNamespace], manager: Manager, unit: Path
) -> None:
    done = say("install", "--user", "--dry-run")
    assert "ExecStart=" in done.out
    assert "# then: systemctl --user enable holdfast.service" in done.out
    assert "daemon-reload" in say("remove", "--user", "--dry-run").out
    assert not unit.exists()
    assert manager.told == []


def test_a_service_manager_out_of_reach_is_told_with_what_to_run(
    say: Callable[..., SimpleNamespace], manager: Manager, unit: Path
) -> None:
    manager.answer = "Failed to connect to bus"
    done = say("install", "--user")
    assert done.code == 1
    assert unit.exists()
    assert "Failed to connect to bus; run this where it can be done: systemctl" in done.err
    assert "not enabled" in say("status", "--user").out


def test_what_somebody_else_wrote_is_refused(
    say: Callable[..., SimpleNamespace], unit: Path
) -> None:
    unit.parent.mkdir(parents=True)
    unit.write_text("[Service]\n")
    assert say("install", "--user").code == 4
    assert say("remove", "--user").code == 4
    assert "was not written by Holdfast" in say("status", "--user").out
    assert say("install", "--user", "--name", "second").code == 0


def test_a_wrong_configuration_is_told_before_the_next_boot(
    say: Callable[..., SimpleNamespace], unit: Path, tmp_path: Path
) -> None:
    (tmp_path / "holdfast.toml").write_text("[service.a]\n")
    assert say("install", "--user").code == 2
    assert not unit.exists()


@pytest.mark.parametrize("name", ["", "a b", "../x", "A"])
def test_a_name_that_is_none_is_wrong_use(say: Callable[..., SimpleNamespace], name: str) -> None:
    assert say("install", "--user", "--name", name).code == 2


def test_root_installs_for_the_machine_and_others_for_themselves(
    say: Callable[..., SimpleNamespace], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert "default.target" in say("install", "--dry-run").out
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert "multi-user.target" in say("install", "--dry-run").out


@pytest.fixture
def down(run: "Callable[..., Done]") -> Iterator[None]:
    """Leave nothing behind, however the test went."""
    yield
    run("down", "--timeout", "5s")
    reap_strangers(frozenset())


@pytest.mark.usefixtures("down")
def test_a_unit_whose_watchdog_ended_by_itself_stops_nothing(
    say: Callable[..., SimpleNamespace],
    run: "Callable[..., Done]",
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert run("up", "--no-hub").code == 0
    monkeypatch.delenv("MAINPID", raising=False)
    assert say("stop").code == 0
    assert run("status").code == 0
    monkeypatch.setenv("MAINPID", "1")
    assert say("stop").code == 0
    assert run("status").code == 3
