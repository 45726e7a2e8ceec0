"""The property list: what launchd reads from it, and whose it is."""

import plistlib
from dataclasses import replace
from pathlib import Path

import pytest

from holdfast.machine.boot.entry import Boot, Scope
from holdfast.machine.boot.launchd import entry, home_in, plist

BOOT = Boot(
    name="holdfast",
    scope=Scope.USER,
    home="/Users/ann/Library/Application Support/holdfast",
    config="/Users/ann/a & b -- <c>.toml",
    python="/usr/bin/python3",
    path="/opt/bin:/usr/bin",
)


def test_launchd_runs_the_foreground_and_leaves_an_orderly_end_alone() -> None:
    found = plistlib.loads(plist(BOOT))
    assert found["ProgramArguments"] == [
        *("/usr/bin/python3", "-P", "-m", "holdfast", "up", "--foreground"),
        *("-c", "/Users/ann/a & b -- <c>.toml"),
    ]
    assert found["RunAtLoad"] is True
    assert found["KeepAlive"] == {"SuccessfulExit": False}
    assert found["AbandonProcessGroup"] is True
    assert found["EnvironmentVariables"] == {"HOLDFAST_HOME": BOOT.home, "PATH": BOOT.path}


@pytest.mark.parametrize(
    ("scope", "file", "domain"),
    [
        (Scope.USER, "/Users/ann/Library/LaunchAgents/holdfast.plist", "gui/501"),
        (Scope.SYSTEM, "/Library/LaunchDaemons/holdfast.plist", "system"),
    ],
)
def test_it_stands_where_launchd_looks(scope: Scope, file: str, domain: str) -> None:
    found = entry(replace(BOOT, scope=scope), {"HOME": "/Users/ann", "UID": "501"})
    assert found.file == Path(file)
    assert found.begin == ("launchctl", "bootstrap", domain, file)


def test_its_home_can_be_read_back() -> None:
    assert home_in(plist(BOOT)) == BOOT.home


@pytest.mark.parametrize(
    "content",
    [b"", b"<plist", b"no list", plistlib.dumps([1]), plistlib.dumps({"Label": "holdfast"})],
)
def test_what_somebody_else_wrote_is_not_ours(content: bytes) -> None:
    assert home_in(content) is None
