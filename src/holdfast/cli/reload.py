"""`holdfast reload`: bring the services to the configuration as it is now, touching only what differs."""

import argparse
from typing import Any

from holdfast.cli import orders, reach, render, settings
from holdfast.cli.up import message
from holdfast.errors import ConfigError
from holdfast.home import RESERVED_NAMES

WORDS = {
    "added": "added",
    "removed": "removed",
    "restarted": "restarted",
    "changed": "changed, not restarted",
    "jobs_added": "jobs added",
    "jobs_removed": "jobs removed",
    "jobs_changed": "jobs changed",
}


SETTINGS = {
    "machine": "the name of the machine",
    "look_every": "[supervisor]",
    "watchdog": "[watchdog]",
    "last_resort": "the last resort",
    "hub": "what the hub goes by",
    "backups": "backups",
}
"""What is not of a service, as people call it."""


def run(options: argparse.Namespace) -> int:
    """Reload the configuration, or the named services."""
    if options.select or options.all:
        return orders.reload_services(options)
    try:
        wanted = settings.load_remembered(options.config)
    except ConfigError as error:
        render.complain(settings.as_text(error))
        return error.exit_code
    with reach.supervisor(patience=None) as control:
        services = control.call("status", {})["services"]
        has_hub = any(row["name"] == "hub" and row["builtin"] for row in services)
        told = message(wanted, hub=has_hub and wanted.hub.enabled)
        order = {**told, "dry_run": options.dry_run, "start_added": True}
        done = control.call("apply", order)
    if options.json:
        render.print_json(done)
    elif not options.quiet:
        _tell(done, is_dry=options.dry_run)
    return 0


def _tell(done: dict[str, Any], *, is_dry: bool) -> None:
    lines = [
        f"{'would be ' if is_dry else ''}{said}: {', '.join(done[key])}"
        for key, said in WORDS.items()
        if done[key]
    ]
    settings = [SETTINGS[key] for key in done.get("settings", ()) if key in SETTINGS]
    if settings:
        lines.append(f"{'would be ' if is_dry else ''}in force: {', '.join(settings)}")
    count = len(set(done["unchanged"]) - RESERVED_NAMES)
    print("\n".join(lines) or f"nothing changed in {count} service{'s' if count != 1 else ''}")
