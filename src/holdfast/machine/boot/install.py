"""Puts an entry where the service manager finds it, takes it away again, and tells whether it is there."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from holdfast import statefile
from holdfast.errors import Refused
from holdfast.machine.boot import launchd, systemd, windows
from holdfast.machine.boot.entry import Boot, Command, Entry
from holdfast.statefile.lock import sidecar_name

Runner: TypeAlias = Callable[[Command], str | None]
"""Run a command; None when it ended with 0, else why it did not."""

COMMAND_WITHIN = 30.0
"""Seconds a service manager may take to answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What was done: whether a file changed, and the commands a person has to run because they failed here."""

    changed: bool
    failed: tuple[tuple[Command, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What stands there: whose home the file starts, and whether it is enabled, where that can be asked."""

    exists: bool
    home: str | None = None
    is_enabled: bool | None = None


def entry_for(
    boot: Boot, *, platform: str = sys.platform, environ: Mapping[str, str] = os.environ
) -> Entry:
    """Return the entry of this platform.

    Raises:
        Refused: a path holds what no file of a service manager can.
    """
    for told in (boot.name, boot.home, boot.config or "", boot.python, boot.path):
        if any(_is_untellable(character) for character in told):
            raise Refused(
                f"{told!r} holds a control character or is not UTF-8; a service manager cannot be told of it"
            )
    if platform == "win32":
        return windows.entry(boot, environ)
    if platform == "darwin":
        return launchd.entry(boot, environ)
    return systemd.entry(boot, environ)


def install(entry: Entry, home: str, run: Runner | None = None) -> Done:
    """Write the file and make it known; a second time nothing changes.

    Raises:
        Refused: a file stands there that Holdfast did not write, or wrote for another home.
        StateIOError: the file cannot be written.
    """
    before = _content(entry.file)
    _refuse_foreign(entry, before, home)
    if before != entry.content:
        statefile.write_atomic(entry.file, entry.content, mode=0o644, parents=True)
    return Done(changed=before != entry.content, failed=_run_all(entry.enable, run or run_command))


def remove(entry: Entry, home: str, run: Runner | None = None) -> Done:
    """Take the entry away; what runs goes on.

    Raises:
        Refused: a file stands there that Holdfast did not write, or wrote for another home.
        OSError: the file cannot be removed.
    """
    before = _content(entry.file)
    if before is None:
        return Done(changed=False)
    _refuse_foreign(entry, before, home)
    runner = run or run_command
    failed = _run_all(entry.disable, runner)
    for leftover in (entry.file, entry.file.with_name(sidecar_name(entry.file.name))):
        leftover.unlink(missing_ok=True)
    return Done(changed=True, failed=(*failed, *_run_all(entry.forget, runner)))


def find(entry: Entry, run: Runner | None = None) -> Found:
    """Look what stands there; changes nothing."""
    content = _content(entry.file)
    if content is None:
        return Found(exists=False)
    is_enabled = None
    if entry.ask is not None:
        is_enabled = (run or run_command)(entry.ask) is None
    return Found(exists=True, home=entry.home_in(content), is_enabled=is_enabled)


def run_command(command: Command) -> str | None:
    """Run a command of the service manager; return why it failed, None when it did not."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=COMMAND_WITHIN,
            check=False,
        )
    except OSError as error:
        return f"{command[0]} cannot be executed: {error.strerror}"
    except subprocess.TimeoutExpired:
        return f"{command[0]} did not answer within {COMMAND_WITHIN:g} s"
    told = done.stderr.decode(errors="replace").strip()
    last = told.splitlines()[-1] if told else f"it ended with {done.returncode}"
    return None if done.returncode == 0 else last


def _run_all(commands: tuple[Command, ...], run: Runner) -> tuple[tuple[Command, str], ...]:
    told = ((command, run(command)) for command in commands)
    return tuple((command, why) for command, why in told if why is not None)


def _content(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return None


def _refuse_foreign(entry: Entry, content: bytes | None, home: str) -> None:
    if content is None:
        return
    found = entry.home_in(content)
    if found is None:
        raise Refused(
            f"{entry.file} was not written by Holdfast; move it away, or choose another --name"
        )
    if found != home:
        raise Refused(
            f"{entry.file} starts the home {found}, this one is {home}; choose another --name"
        )


def _is_untellable(character: str) -> bool:
    return ord(character) < 0x20 or character == "\x7f" or "\ud800" <= character <= "\udfff"
