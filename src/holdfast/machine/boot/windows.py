"""The task by which the Windows task scheduler starts Holdfast in the foreground."""

from collections.abc import Mapping
from pathlib import Path
from subprocess import list2cmdline
from xml.etree import ElementTree as Tree

from holdfast.machine.boot.entry import Boot, Entry, Scope

NAMESPACE = "http://schemas.microsoft.com/windows/2004/02/mit/task"
"""Task Scheduler schema 1.2, [MS-TSCH] section 2.3."""

LOCAL_SYSTEM = "S-1-5-18"
"""The account of the machine itself."""

_MARK = "Holdfast keeps services alive, for the home "


def entry(boot: Boot, environ: Mapping[str, str]) -> Entry:
    """Return the task, kept in the home, and what schtasks must be told."""
    file = Path(boot.home) / "boot" / f"{boot.name}.xml"
    user = "\\".join(environ[name] for name in ("USERDOMAIN", "USERNAME") if environ.get(name))
    named = ("/TN", boot.name)
    return Entry(
        file=file,
        content=task(boot, user),
        home_in=home_in,
        enable=(("schtasks", "/Create", *named, "/XML", str(file), "/F"),),
        disable=(("schtasks", "/Delete", *named, "/F"),),
        ask=("schtasks", "/Query", *named),
        begin=("schtasks", "/Run", *named),
    )


def task(boot: Boot, user: str) -> bytes:
    """Return the task in UTF-16, as schtasks reads it; `user` is whose logon starts it."""
    is_system = boot.scope is Scope.SYSTEM
    root = Tree.Element("Task", {"version": "1.2", "xmlns": NAMESPACE})
    _put(root, {"RegistrationInfo/Description": _MARK + boot.home})
    trigger = "Triggers/BootTrigger" if is_system else "Triggers/LogonTrigger"
    _put(root, {f"{trigger}/Enabled": "true"})
    if not is_system:
        _put(root, {f"{trigger}/UserId": user})
    _put(root, _principal(user, is_system=is_system) | _SETTINGS)
    _put(
        root,
        {
            "Actions/Exec/Command": boot.python,
            "Actions/Exec/Arguments": list2cmdline(_arguments(boot)),
            "Actions/Exec/WorkingDirectory": boot.home,
        },
    )
    Tree.indent(root)
    text: str = Tree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-16"?>\n{text}\n'.encode("utf-16")


def home_in(content: bytes) -> str | None:
    """Return the home a task of ours starts; None when Holdfast did not write it."""
    try:
        root = Tree.fromstring(content)  # noqa: S314 - a file of this user, about to be compared
    except Tree.ParseError:
        return None
    found = root.findtext(f"{{{NAMESPACE}}}RegistrationInfo/{{{NAMESPACE}}}Description", "")
    return found.removeprefix(_MARK) if found.startswith(_MARK) else None


_SETTINGS = {
    "Settings/MultipleInstancesPolicy": "IgnoreNew",
    "Settings/DisallowStartIfOnBatteries": "false",
    "Settings/StopIfGoingOnBatteries": "false",
    "Settings/StartWhenAvailable": "true",
    "Settings/ExecutionTimeLimit": "PT0S",
    "Settings/RestartOnFailure/Interval": "PT1M",
    "Settings/RestartOnFailure/Count": "999",
}


def _principal(user: str, *, is_system: bool) -> dict[str, str]:
    within = "Principals/Principal"
    if is_system:
        return {f"{within}/UserId": LOCAL_SYSTEM, f"{within}/RunLevel": "HighestAvailable"}
    return {
        f"{within}/UserId": user,
        f"{within}/LogonType": "InteractiveToken",
        f"{within}/RunLevel": "LeastPrivilege",
    }


def _arguments(boot: Boot) -> tuple[str, ...]:
    # A task has no environment of its own, so the home is put there before anything is imported.
    words = ("up", "--foreground", *boot.config_option)
    program = (
        f"import os, sys; os.environ['HOLDFAST_HOME'] = {boot.home!r}; "
        f"from holdfast.cli.main import main; sys.exit(main({list(words)!r}))"
    )
    return ("-P", "-c", program)


def _put(root: Tree.Element, texts: Mapping[str, str]) -> None:
    """Set the text of elements by their paths, making what is missing."""
    for path, text in texts.items():
        node = root
        for name in path.split("/"):
            found = node.find(name)
            node = Tree.SubElement(node, name) if found is None else found
        node.text = text
