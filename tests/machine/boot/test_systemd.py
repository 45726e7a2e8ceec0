"""The unit: what stands in it, how it is quoted, and that systemd itself finds nothing wrong with it."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from holdfast.errors import Refused
from holdfast.machine.boot.entry import Boot, Scope
from holdfast.machine.boot.systemd import command_line, entry, home_in, quoted, unit_text

BOOT = Boot(
    name="holdfast",
    scope=Scope.USER,
    home="/home/ann/.local/state/holdfast",
    config=None,
    python="/usr/bin/python3",
    path="/usr/local/bin:/usr/bin",
)
ODD = "a b %h $HOME {y} ; größe"
AWKWARD = f"{ODD} \"q\" 's' \\x"


def lines(boot: Boot) -> list[str]:
    return unit_text(boot).splitlines()


@pytest.mark.parametrize(
    "line",
    [
        "Type=notify",
        "NotifyAccess=all",
        "KillMode=process",
        "Delegate=yes",
        "RestartSec=1",
        "WatchdogSec=180",
        "StartLimitIntervalSec=0",
        "Environment=HOLDFAST_HOME=/home/ann/.local/state/holdfast",
        "Environment=PATH=/usr/local/bin:/usr/bin",
        "ExecStart=/usr/bin/python3 -P -m holdfast.assemble watchdog --take-over",
        "ExecStartPost=-/usr/bin/python3 -P -m holdfast up --quiet",
        "ExecStop=/usr/bin/python3 -P -m holdfast boot stop",
        "ExecReload=/usr/bin/python3 -P -m holdfast reload",
        "WantedBy=default.target",
    ],
)
def test_the_unit_says_what_systemd_has_to_know(line: str) -> None:
    assert line in lines(BOOT)


def test_an_orderly_end_is_not_undone() -> None:
    assert "Restart=on-failure" in lines(BOOT)
    assert "Restart=always" not in lines(BOOT)


def test_a_configuration_that_was_named_is_brought_up() -> None:
    named = replace(BOOT, config="/etc/holdfast.toml")
    assert (
        "ExecStartPost=-/usr/bin/python3 -P -m holdfast up --quiet -c /etc/holdfast.toml"
        in lines(named)
    )


def test_the_unit_of_the_machine_is_wanted_by_the_machine() -> None:
    found = entry(replace(BOOT, scope=Scope.SYSTEM), {"HOME": "/root"})
    assert found.file == Path("/etc/systemd/system/holdfast.service")
    assert b"WantedBy=multi-user.target" in found.content
    assert b"After=network.target" in found.content
    assert found.enable[-1] == ("systemctl", "enable", "holdfast.service")


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"HOME": "/home/ann"}, "/home/ann/.config/systemd/user"),
        ({"HOME": "/home/ann", "XDG_CONFIG_HOME": "/cfg"}, "/cfg/systemd/user"),
    ],
)
def test_the_unit_of_a_user_stands_in_his_configuration(
    environ: dict[str, str], folder: str
) -> None:
    found = entry(BOOT, environ)
    assert found.file == Path(folder, "holdfast.service")
    assert found.enable == (
        ("systemctl", "--user", "daemon-reload"),
        ("systemctl", "--user", "enable", "holdfast.service"),
    )


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("plain/word-1.2", "plain/word-1.2"),
        ("", '""'),
        ("a b", '"a b"'),
        ("100%", '"100%%"'),
        ('say "hi"', '"say \\"hi\\""'),
        ("back\\slash", '"back\\\\slash"'),
        (";", '";"'),
        ("it's", '"it\'s"'),
    ],
)
def test_a_word_means_itself(word: str, told: str) -> None:
    assert quoted(word) == told


def test_a_dollar_in_a_command_is_no_variable() -> None:
    assert command_line(("/bin/x", "$HOME")) == ':/bin/x "$HOME"'
    assert command_line(("/bin/x", "y")) == "/bin/x y"


def test_its_home_can_be_read_back_whatever_it_is_called() -> None:
    awkward = replace(BOOT, home=f"/srv/{AWKWARD}")
    assert home_in(unit_text(awkward).encode()) == f"/srv/{AWKWARD}"


@pytest.mark.parametrize("content", [b"", b"[Unit]\n", b"\xff\xfe", b"# Written by hand\n"])
def test_what_somebody_else_wrote_is_not_ours(content: bytes) -> None:
    assert home_in(content) is None


@pytest.mark.parametrize("python", ['/a "b"/python', "/a'b/python", "/a\\b/python"])
def test_a_program_systemd_would_not_run_is_refused(python: str) -> None:
    with pytest.raises(Refused, match="quote or a backslash"):
        entry(replace(BOOT, python=python), {"HOME": "/home/ann"})


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Make a folder that everybody may look into."""
    folder = Path(tempfile.mkdtemp(prefix="hf-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.skipif(
    sys.platform != "linux" or not shutil.which("systemd-analyze"), reason="needs systemd"
)
@pytest.mark.parametrize("scope", list(Scope))
@pytest.mark.parametrize(("name", "python"), [("plain", "plain"), (AWKWARD, ODD)])
def test_systemd_finds_nothing_wrong_with_it(
    open_folder: Path, scope: Scope, name: str, python: str
) -> None:
    program = open_folder / python / "python3"
    program.parent.mkdir()
    program.symlink_to("/bin/true")
    boot = replace(
        BOOT,
        scope=scope,
        python=str(program),
        home=str(open_folder / name),
        config=str(open_folder / name / "holdfast.toml"),
        path=f"/usr/bin:{program.parent}",
    )
    unit = open_folder / "holdfast.service"
    unit.write_text(unit_text(boot), encoding="utf-8")
    done = verify(unit, scope)
    told = [line for line in done.stderr.splitlines() if "holdfast.service" in line]
    assert (told, done.returncode) == ([], 0)


def verify(unit: Path, scope: Scope) -> "subprocess.CompletedProcess[str]":
    """Let systemd read a unit, as somebody who may change nothing on this machine."""
    runtime = unit.parent / "runtime"
    runtime.mkdir()
    runtime.chmod(0o777)
    nobody = 65534 if sys.platform != "win32" and os.geteuid() == 0 else None
    return subprocess.run(
        ["systemd-analyze", f"--{scope.value}", "--man=no", "verify", str(unit)],
        env={"PATH": "/usr/bin:/bin", "HOME": str(runtime), "XDG_RUNTIME_DIR": str(runtime)},
        capture_output=True,
        text=True,
        check=False,
        user=nobody,
        group=nobody,
        extra_groups=None if nobody is None else [],
    )


@pytest.mark.skipif(
    sys.platform != "linux" or not shutil.which("systemd-analyze"), reason="needs systemd"
)
def test_systemd_would_say_so_if_something_were_wrong(open_folder: Path) -> None:
    unit = open_folder / "holdfast.service"
    unit.write_text(unit_text(replace(BOOT, python="python3 is not here")), encoding="utf-8")
    assert "holdfast.service" in verify(unit, Scope.SYSTEM).stderr
