"""`holdfast status`: what lives, what waits and why; read-only, and fast enough to feel instant."""

import argparse
import sys
import time
from typing import Any

from holdfast.cli import reach, render
from holdfast.clock import SystemClock, wall_from_text
from holdfast.errors import NotRunning, UnknownName, UsageError

HEAD = ("SERVICE", "STATE", "PID", "UP", "RESTARTS", "CPU", "MEMORY")


def run(options: argparse.Namespace) -> int:
    """Show the table, once or until interrupted."""
    if not options.watch:
        return _show(options)
    if options.json or not sys.stdout.isatty():
        raise UsageError(
            "--watch draws on a terminal; for programs there is: holdfast events -f --json"
        )
    while True:
        print("\x1b[H\x1b[J", end="")
        _show(options)
        time.sleep(1.0)


def read(names: list[str]) -> tuple[dict[str, Any], int]:
    """Return the status and the exit code it means: 3 when only the files answer."""
    try:
        with reach.supervisor() as control:
            found: dict[str, Any] = control.call("status", {"select": names})
            return found, 0
    except NotRunning:
        from holdfast.machine.supervisor import view

        found = view.from_disk(reach.home())
        known = {row["name"] for row in found["services"]}
        unknown = [name for name in names if name not in known]
        if unknown:
            raise UnknownName(
                f"there is no service {', '.join(map(repr, unknown))}; nothing is running"
            ) from None
        if names:
            found["services"] = [row for row in found["services"] if row["name"] in names]
        return found, NotRunning.exit_code


def _show(options: argparse.Namespace) -> int:
    found, code = read(options.names)
    if options.json:
        render.print_json(found)
    else:
        print("\n".join(lines(found, SystemClock().wall())), flush=True)
    return code


def lines(found: dict[str, Any], now: float) -> list[str]:
    """Return the status as people read it."""
    health = found["health"]
    own = ", ".join(_program(name, found[name], now) for name in ("supervisor", "watchdog"))
    if found["hub"]["pid"] is not None:
        url = found["hub"]["url"]
        own += f", hub {found['hub']['state']}" + (f" on {url}" if url else "")
    score = f"{health['healthy']}/{health['total']} healthy ({health['score']:g} %)"
    colour = "green" if health["healthy"] == health["total"] else "red"
    head = f"{render.paint(found['machine'], 'bold')}: {render.paint(score, colour)}"
    if not found["services"]:
        return [head, own, "no services; describe some in holdfast.toml and run: holdfast up"]
    body = render.table(HEAD, (_row(row, now) for row in found["services"]))
    coloured = [
        _coloured(line, row["state"])
        for line, row in zip(body[1:], found["services"], strict=True)
    ]
    notes = [(row["name"], note(row, now)) for row in found["services"]]
    told = [f"{name}: {text}" for name, text in notes if text]
    return [
        head,
        own,
        "",
        render.paint(body[0], "grey"),
        *coloured,
        *([""] if told else []),
        *told,
    ]


def _program(name: str, program: dict[str, Any], now: float) -> str:
    told = f"{name} {program['state']}"
    if program["pid"] is None:
        return told
    since = program.get("since")
    up = f"up {render.duration(now - wall_from_text(since))}" if since else "it does not answer"
    return f"{told} (pid {program['pid']}, {up})"


def _row(row: dict[str, Any], now: float) -> tuple[str, ...]:
    alive = row["pid"] is not None
    up = render.duration(now - wall_from_text(row["since"])) if alive else "-"
    cpu = f"{row['cpu_percent']:.1f}%" if row["cpu_percent"] is not None else "-"
    pid = str(row["pid"]) if alive else "-"
    memory = render.size(row["rss_bytes"]) if row["rss_bytes"] is not None else "-"
    return (row["name"], row["state"], pid, up, str(row["restarts"]), cpu, memory)


def note(row: dict[str, Any], now: float) -> str:
    """Return why a service is not simply running."""
    if row["next_start_at"]:
        left = render.duration(wall_from_text(row["next_start_at"]) - now)
        return f"next start in {left} ({row['wait']})" + (f": {row['why']}" if row["why"] else "")
    if row["why"]:
        return str(row["why"])
    if row["desired"] == "down" and row["state"] == "down" and row["generation"]:
        return "stopped by a person"
    told = ("adopted" if row["adopted"] else "", _says(row.get("beat")))
    return "; ".join(filter(None, told))


def _says(beat: dict[str, Any] | None) -> str:
    """Return what a service last said of itself, where that is more than that it lives."""
    if not beat:
        return ""
    if beat.get("error"):
        return f"says: {beat.get('status') or 'error'}: {beat['error']}"
    text = beat.get("text")
    return f"says: {text}" if text and text != beat.get("status") else ""


def _coloured(line: str, state: str) -> str:
    return line.replace(f"  {state}", f"  {render.paint_state(state)}", 1)
