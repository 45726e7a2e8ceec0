"""`holdfast boot`: have the service manager of this machine start Holdfast, and keep it started."""

import argparse
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from holdfast.cli import reach, render, settings
from holdfast.errors import ConfigError, UsageError
from holdfast.home import NAME

if TYPE_CHECKING:
    from holdfast.machine.boot.entry import Boot, Command, Entry
    from holdfast.machine.boot.install import Done, Found


def run(options: argparse.Namespace) -> int:
    """Do what the action says."""
    if options.action == "stop":
        return _stop(options)
    if not NAME.fullmatch(options.name):
        raise UsageError(
            f"{options.name!r} is no name; expected lower case letters, digits, - and _"
        )
    act = {"install": _install, "remove": _remove, "status": _status}[options.action]
    return act(options)


def _install(options: argparse.Namespace) -> int:
    """Write the entry; 1 when the service manager did not take it, 2 when the configuration is wrong."""
    from holdfast.machine.boot import install

    try:
        boot = _boot(options, _config(options.config))
    except ConfigError as error:
        render.complain(settings.as_text(error))
        return error.exit_code
    entry = install.entry_for(boot, environ=_environ())
    if options.dry_run:
        return _show(entry, options)
    done = install.install(entry, boot.home)
    if options.json:
        render.print_json(_told(entry, done))
        return 1 if done.failed else 0
    if not options.quiet:
        print(f"{entry.file} {'written' if done.changed else 'is as it should be'}")
        for line in _next(boot, entry):
            print(line)
    return _complain(done)


def _remove(options: argparse.Namespace) -> int:
    """Take the entry away; 1 when the service manager did not take note of it."""
    from holdfast.machine.boot import install

    boot = _boot(options, None)
    entry = install.entry_for(boot, environ=_environ())
    if options.dry_run:
        commands = [*entry.disable, ("rm", str(entry.file)), *entry.forget]
        if options.json:
            render.print_json({"file": str(entry.file), "commands": commands})
        else:
            print("\n".join(map(_typed, commands)))
        return 0
    done = install.remove(entry, boot.home)
    if options.json:
        render.print_json(_told(entry, done))
        return 1 if done.failed else 0
    if not options.quiet:
        print(
            f"{entry.file} removed; what runs goes on"
            if done.changed
            else f"nothing to remove: there is no {entry.file}"
        )
    return _complain(done)


def _status(options: argparse.Namespace) -> int:
    """Tell what stands there; 1 when Holdfast does not start with the machine."""
    from holdfast.machine.boot import install

    boot = _boot(options, None)
    entry = install.entry_for(boot, environ=_environ())
    found = install.find(entry)
    is_ours = found.exists and found.home == boot.home
    if options.json:
        render.print_json(
            {
                "name": boot.name,
                "scope": boot.scope.value,
                "file": str(entry.file),
                "installed": is_ours,
                "enabled": found.is_enabled if is_ours else False,
                "home": found.home,
            }
        )
    elif not options.quiet:
        print(_in_words(entry, found, boot.home))
    return 0 if is_ours and found.is_enabled is not False else 1


def _stop(options: argparse.Namespace) -> int:
    """Stop everything, unless the watchdog ended by itself.

    systemd runs ExecStop= also after that, and leaves out $MAINPID then: a watchdog that `down` or an upgrade ended
    must not take services with it that somebody has just brought up again.
    """
    from holdfast.cli import down

    if not os.environ.get("MAINPID"):
        return 0
    stopping = argparse.Namespace(**{**vars(options), "keep_services": False, "timeout": None})
    return down.run(stopping)


def _boot(options: argparse.Namespace, config: str | None) -> "Boot":
    from holdfast.machine.boot.entry import Boot, Scope

    usual = Scope.SYSTEM if sys.platform != "win32" and os.geteuid() == 0 else Scope.USER
    return Boot(
        name=options.name,
        scope=Scope(options.scope) if options.scope else usual,
        home=str(reach.home().root),
        config=config,
        python=sys.executable,
        path=os.environ.get("PATH", os.defpath),
    )


def _config(explicit: str | None) -> str | None:
    """Return the file to start with; None when the home remembers it, so that a later `up -c` holds at boot too.

    Raises:
        ConfigError: there is none, or it is wrong: better told now than at the next boot.
    """
    from holdfast.machine.supervisor.standing import remembered

    found = settings.load_remembered(explicit)
    is_remembered = explicit is None and "config" in remembered(reach.home())
    return None if is_remembered else str(Path(found.path).absolute())


def _environ() -> dict[str, str]:
    if sys.platform == "win32":
        return dict(os.environ)
    return {**os.environ, "UID": str(os.getuid())}


def _show(entry: "Entry", options: argparse.Namespace) -> int:
    text = entry.content.decode("utf-16" if entry.file.suffix == ".xml" else "utf-8")
    if options.json:
        render.print_json({"file": str(entry.file), "content": text, "commands": entry.enable})
    else:
        print(f"# {entry.file}\n{text}")
        print("\n".join(f"# then: {_typed(command)}" for command in entry.enable))
    return 0


def _told(entry: "Entry", done: "Done") -> dict[str, object]:
    return {
        "file": str(entry.file),
        "changed": done.changed,
        "failed": [{"command": command, "why": why} for command, why in done.failed],
    }


def _next(boot: "Boot", entry: "Entry") -> list[str]:
    lines = [f"Holdfast begins with the next boot; to begin now: {_typed(entry.begin)}"]
    if sys.platform == "linux" and boot.scope == "user":
        lines.append(
            "It begins when you log in and ends when you log out, unless you run: loginctl enable-linger"
        )
    return lines


def _complain(done: "Done") -> int:
    """Name what could not be said to the service manager, so that a person can."""
    for command, why in done.failed:
        render.complain(f"{why}; run this where it can be done: {_typed(command)}")
    return 1 if done.failed else 0


def _typed(command: "Command") -> str:
    return shlex.join(command)


def _in_words(entry: "Entry", found: "Found", home: str) -> str:
    if not found.exists:
        return f"not installed: there is no {entry.file}; install it with: holdfast boot install"
    if found.home is None:
        return f"not installed: {entry.file} was not written by Holdfast"
    if found.home != home:
        return f"not installed for {home}: {entry.file} starts {found.home}"
    if found.is_enabled is False:
        return f"installed as {entry.file}, but not enabled; repeat: holdfast boot install"
    return f"installed as {entry.file}" + (", enabled" if found.is_enabled else "")
