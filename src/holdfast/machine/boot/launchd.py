"""The property list by which launchd starts Holdfast in the foreground."""

import plistlib
from collections.abc import Mapping
from pathlib import Path
from xml.parsers.expat import ExpatError

from holdfast.machine.boot.entry import Boot, Entry, Scope

SYSTEM_FOLDER = Path("/Library/LaunchDaemons")


def entry(boot: Boot, environ: Mapping[str, str]) -> Entry:
    """Return the property list; launchd finds it by its folder, at the next login or boot."""
    folder = SYSTEM_FOLDER
    domain = "system"
    if boot.scope is Scope.USER:
        folder = Path(environ.get("HOME", "~")).expanduser() / "Library" / "LaunchAgents"
        domain = f"gui/{environ.get('UID', '')}"
    file = folder / f"{boot.name}.plist"
    return Entry(
        file=file,
        content=plist(boot),
        home_in=home_in,
        begin=("launchctl", "bootstrap", domain, str(file)),
    )


def plist(boot: Boot) -> bytes:
    """Return the property list.

    An orderly end stays one: launchd starts it again only after a failure. It waits for the services to end, and
    leaves those alone that outlive Holdfast.
    """
    log = str(Path(boot.home) / "logs" / "boot.log")
    return plistlib.dumps(
        {
            "Label": boot.name,
            "ProgramArguments": [*boot.holdfast, "up", "--foreground", *boot.config_option],
            "EnvironmentVariables": {"HOLDFAST_HOME": boot.home, "PATH": boot.path},
            "RunAtLoad": True,
            "KeepAlive": {"SuccessfulExit": False},
            "AbandonProcessGroup": True,
            "ExitTimeOut": 0,
            "StandardOutPath": log,
            "StandardErrorPath": log,
        },
        sort_keys=False,
    )


def home_in(content: bytes) -> str | None:
    """Return the home a property list of ours starts; None when Holdfast did not write it."""
    try:
        found = plistlib.loads(content)
    except (plistlib.InvalidFileException, ExpatError, ValueError):
        return None
    variables = found.get("EnvironmentVariables") if isinstance(found, dict) else None
    home = variables.get("HOLDFAST_HOME") if isinstance(variables, dict) else None
    return home if isinstance(home, str) else None
