"""The task: what the Windows task scheduler reads from it, and whose it is."""

import ast
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as Tree

import pytest

from holdfast.machine.boot.entry import Boot, Scope
from holdfast.machine.boot.windows import LOCAL_SYSTEM, NAMESPACE, entry, home_in, task

BOOT = Boot(
    name="holdfast",
    scope=Scope.USER,
    home=r"C:\Users\Ann B\AppData\Local\holdfast",
    config=r"C:\a & <b>\holdfast.toml",
    python=r"C:\Program Files\Python\python.exe",
    path=r"C:\Windows",
)


def text(boot: Boot, path: str) -> str | None:
    root = Tree.fromstring(task(boot, r"PC\ann"))
    return root.findtext("/".join(f"{{{NAMESPACE}}}{name}" for name in path.split("/")))


def test_it_runs_at_the_logon_of_this_user_and_is_never_cut_short() -> None:
    assert text(BOOT, "Triggers/LogonTrigger/UserId") == r"PC\ann"
    assert text(BOOT, "Principals/Principal/RunLevel") == "LeastPrivilege"
    assert text(BOOT, "Settings/ExecutionTimeLimit") == "PT0S"
    assert text(BOOT, "Settings/MultipleInstancesPolicy") == "IgnoreNew"
    assert text(BOOT, "Actions/Exec/Command") == BOOT.python


def test_the_task_of_the_machine_runs_at_its_boot() -> None:
    machine = replace(BOOT, scope=Scope.SYSTEM)
    assert text(machine, "Triggers/BootTrigger/Enabled") == "true"
    assert text(machine, "Principals/Principal/UserId") == LOCAL_SYSTEM


def test_a_task_has_no_environment_so_the_program_puts_the_home_there() -> None:
    arguments = text(BOOT, "Actions/Exec/Arguments")
    assert arguments is not None
    assert arguments.startswith('-P -c "')
    program = arguments.removeprefix('-P -c "').removesuffix('"')
    calls = [node for node in ast.walk(ast.parse(program)) if isinstance(node, ast.Constant)]
    told = [node.value for node in calls]
    assert told[:2] == ["HOLDFAST_HOME", BOOT.home] or BOOT.home in told
    assert {"up", "--foreground", "-c", BOOT.config} <= set(told)


def test_schtasks_is_told_the_file() -> None:
    found = entry(BOOT, {"USERDOMAIN": "PC", "USERNAME": "ann"})
    assert found.file == Path(BOOT.home, "boot", "holdfast.xml")
    (create,) = found.enable
    assert create == ("schtasks", "/Create", "/TN", "holdfast", "/XML", str(found.file), "/F")
    assert found.content[:2] == b"\xff\xfe"


def test_its_home_can_be_read_back() -> None:
    assert home_in(task(BOOT, "ann")) == BOOT.home


@pytest.mark.parametrize(
    "content", [b"", b"<Task", b"<Task/>", f'<Task xmlns="{NAMESPACE}"/>'.encode()]
)
def test_what_somebody_else_wrote_is_not_ours(content: bytes) -> None:
    assert home_in(content) is None
