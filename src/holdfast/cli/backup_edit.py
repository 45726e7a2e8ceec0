"""`holdfast backup add|remove`: edit the configuration, and bring it into force where Holdfast runs."""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from holdfast.cli import reach, render, settings
from holdfast.errors import ConfigError, NotRunning, UsageError
from holdfast.model.wire import to_plain

if TYPE_CHECKING:
    from holdfast.config.settings import Settings

NEW_FILE = Path("holdfast.toml")
"""The file that is made where there is none, and that other commands find by themselves."""


def add(options: argparse.Namespace) -> int:
    """Register a project.

    Raises:
        UsageError: there is no such folder.
        Refused: the name is taken.
    """
    from holdfast.config.edit import add_backup

    path = os.path.abspath(os.path.expanduser(options.path))
    if not os.path.isdir(path):
        raise UsageError(f"{options.path} is not a folder; name the folder of the project")
    try:
        main = _file(options.config)
        is_new = not main.exists()
        add_backup(main, options.name, _table(options, path), settings.environment())
        wanted = settings.load(str(main))
        state = _brought_into_force(wanted)
    except ConfigError as error:
        render.complain(settings.as_text(error))
        return error.exit_code
    if options.json:
        render.print_json(
            {"name": options.name, "file": str(main.absolute()), "new_file": is_new, **state}
        )
    elif not options.quiet:
        made = "written anew" if is_new else "changed"
        print(f"{options.name} added: {main} {made}; {_said(state)}")
    return 0


def remove(options: argparse.Namespace) -> int:
    """Take a project out of the configuration.

    Raises:
        UnknownName: there is no such project.
    """
    from holdfast.config.edit import remove_backup

    try:
        main = _file(options.config)
        changed = remove_backup(main, options.name, settings.environment())
        wanted = settings.load(str(main))
        state = _brought_into_force(wanted)
    except ConfigError as error:
        render.complain(settings.as_text(error))
        return error.exit_code
    if options.json:
        render.print_json({"name": options.name, "file": str(changed.absolute()), **state})
    elif not options.quiet:
        print(
            f"{options.name} removed: {changed} changed; {_said(state)}. Its snapshots stay where they are"
        )
    return 0


def _file(explicit: str | None) -> Path:
    """Return the configuration meant: named, the one this home was brought up with, found, else a new one here."""
    from holdfast.machine.supervisor import standing

    remembered = standing.remembered(reach.home()).get("config")
    if explicit or remembered:
        return settings.find(explicit or str(remembered))
    try:
        return settings.find(None)
    except ConfigError:
        if os.environ.get("HOLDFAST_CONFIG"):
            raise
        return NEW_FILE


def _table(options: argparse.Namespace, path: str) -> dict[str, object]:
    given: dict[str, object] = {"path": _literal(path)}
    if options.repository:
        given["repository"] = _literal(_place(options.repository))
    if options.password_file:
        given["password_file"] = _literal(_absolute(options.password_file))
    if options.engine:
        given["engine"] = options.engine
    if options.schedule:
        given["schedule"] = options.schedule
    if options.exclude:
        given["exclude"] = [_literal(one) for one in options.exclude]
    return given


def _place(repository: str) -> str:
    """Return a folder as an absolute path, relative to where the command was given; what is far away as it stands."""
    head, colon, _ = repository.partition(":")
    is_remote = bool(colon) and len(head) > 1 and head.isalnum() and head.islower()
    return repository if is_remote else _absolute(repository)


def _absolute(path: str) -> str:
    return os.path.abspath(os.path.expanduser(path))


def _literal(text: str) -> str:
    return text.replace("$", "$$")  # in the file `${VAR}` means a variable


def _brought_into_force(wanted: "Settings") -> dict[str, Any]:
    """Apply the file where a supervisor runs by it; without a supervisor have the projects remembered.

    A supervisor that runs by another file is left alone.
    """
    from holdfast.cli.up import message
    from holdfast.machine.supervisor import standing

    home = reach.home()
    known = standing.remembered(home).get("config")
    is_ours = known is None or Path(str(known)) == wanted.path
    try:
        with reach.supervisor(patience=None) as control:
            if not is_ours:
                return {"applied": False, "runs_by": str(known)}
            services = control.call("status", {})["services"]
            has_hub = any(row["name"] == "hub" and row["builtin"] for row in services)
            order = message(wanted, hub=has_hub and wanted.hub.enabled)
            control.call("apply", {**order, "dry_run": False, "start_added": True})
    except NotRunning:
        if is_ours:
            _remember(wanted)
        return {"applied": False, "runs_by": None}
    return {"applied": True, "runs_by": str(wanted.path)}


def _remember(wanted: "Settings") -> None:
    """Let `backup run` and the like know the projects before anything was ever brought up."""
    from holdfast.config.backups import backups_of
    from holdfast.machine.supervisor import standing

    home = reach.home()
    home.make()
    rows = [to_plain(one) for one in backups_of(wanted, home.root)]
    standing.remember(home, {"config": str(wanted.path), "backups": rows})


def _said(state: dict[str, Any]) -> str:
    if state["applied"]:
        return "in force"
    if state["runs_by"]:
        return f"not in force, for Holdfast runs by {state['runs_by']}"
    return "in force once Holdfast runs: holdfast up"
