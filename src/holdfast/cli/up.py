"""`holdfast up`: read the configuration, start what is not running, verify, and say where to look."""

import argparse
import contextlib
import os
import sys
import time
from typing import TYPE_CHECKING, Any

import holdfast
from holdfast.cli import ending, reach, render, settings, steps
from holdfast.cli.steps import Course, Step
from holdfast.clock import SystemClock
from holdfast.errors import ConfigError, HoldfastError, LockHeld, NotRunning
from holdfast.home import RESERVED_NAMES
from holdfast.model.wire import to_plain

if TYPE_CHECKING:
    from holdfast.config.sections.machine import StartupStep
    from holdfast.config.sections.watching import LastResort
    from holdfast.config.settings import Settings


PATIENCE = 15.0
"""Seconds in which a supervisor that is being started or replaced must begin to answer."""

DEGRADED = "degraded"
"""The verdict on a service that runs, as one does whose lease is suspended after its notify socket was lost."""

LAST_WORDS = 2_000
"""Bytes of a log in which its last line is sought."""

LISTED = 10
"""Services named in one message."""


def run(options: argparse.Namespace) -> int:
    """Bring everything up; 0 when all is healthy, 1 when not."""
    try:
        wanted = settings.load_remembered(options.config)
    except ConfigError as error:
        render.complain(settings.as_text(error))
        return error.exit_code
    options.names = _meant(wanted, options.names)
    if options.foreground:
        return _in_foreground(wanted, options)
    return bring_up(wanted, options)


def _meant(wanted: "Settings", words: list[str]) -> list[str]:
    """Return the services the words mean, before anything is begun.

    Raises:
        UnknownName: a word means no service of the configuration.
    """
    from holdfast.machine.supervisor.select import select
    from holdfast.machine.supervisor.service import Service
    from holdfast.model.service import ServiceState

    configured = {
        spec.name: Service(spec=spec, state=ServiceState(name=spec.name))
        for spec in wanted.services
    }
    return [service.name for service in select(configured, words)] if words else []


def bring_up(wanted: "Settings", options: argparse.Namespace) -> int:
    """Go through the startup steps and print the outcome."""
    began = time.perf_counter()
    course = Course(steps=_steps(wanted, options), is_quiet=options.quiet or options.json)
    course.run()
    with reach.supervisor() as control:
        found = control.call("status", {"select": options.names})
    health = found["health"]
    took = time.perf_counter() - began
    if options.json:
        render.print_json({"steps": course.results, "health": health, "seconds": round(took, 3)})
    elif not options.quiet:
        _print_outcome(wanted, found, took)
    is_well = options.no_wait or all(map(_is_up, found["services"]))
    return 0 if is_well and all(result["ok"] for result in course.results) else 1


def _steps(wanted: "Settings", options: argparse.Namespace) -> list[Step]:
    configured = wanted.steps
    before = [_configured(step, wanted) for step in configured if step.at == "before"]
    after = [_configured(step, wanted) for step in configured if step.at == "after"]
    return [
        *before,
        Step(name="Start the supervisor", act=_start_supervisor, is_vital=True),
        Step(name="Clean up stale state", act=_clean),
        Step(name="Start services", act=lambda: _start_services(wanted, options)),
        Step(name="Verify health", act=lambda: _verify(options)),
        *after,
    ]


def _configured(step: "StartupStep", wanted: "Settings") -> Step:
    env = {**os.environ, "HOLDFAST_HOME": str(reach.home().root)}
    cwd = str(wanted.path.parent)
    return Step(name=step.name, act=lambda: steps.run_command(step.command, cwd, env))


def _start_supervisor() -> str:
    """Start a supervisor unless one runs; when several try at once, one wins and the others wait for it."""
    running = _who_answers()
    if running is None:
        return _started()
    if running["version"] == holdfast.__version__:
        return f"already running, pid {running['pid']}"
    _end_other_version()
    return f"{_started()}, in place of version {running['version']}; the services went on"


def _who_answers() -> dict[str, Any] | None:
    try:
        with reach.supervisor() as control:
            found: dict[str, Any] = control.call("ping")
            return found
    except NotRunning:
        return None


def _end_other_version() -> None:
    """Let supervisor and watchdog of another version end; the services live on, and are adopted by this one."""
    with (
        reach.supervisor() as control,
        ending.Programs(ending.of_home(reach.home())) as programs,
    ):
        control.call("shutdown", {"keep_services": True})
        left = programs.left()
    if left:
        raise HoldfastError(
            f"the Holdfast that runs (pid {' and '.join(map(str, left))}) is another version and does not end; see: holdfast doctor"
        )


def _started() -> str:
    """Start supervisor and watchdog, or wait for those somebody else is starting just now."""
    from holdfast import assemble

    clock = SystemClock()
    until = clock.monotonic() + PATIENCE
    while True:
        try:
            assemble.start(reach.home())
        except LockHeld as error:
            if clock.monotonic() > until:
                log = reach.home().logs / "supervisor.log"
                raise LockHeld(f"{error}; it does not answer: see {log}") from error
            time.sleep(0.05)
        if (found := _who_answers()) is not None:
            return f"pid {found['pid']}"


def _clean() -> str:
    with reach.supervisor() as control:
        stale = control.call("clean")["stale_pids"]
    if not stale:
        return "nothing stale"
    return (
        f"{len(stale)} stale pid file{'s' if len(stale) > 1 else ''} removed: {', '.join(stale)}"
    )


def _start_services(wanted: "Settings", options: argparse.Namespace) -> str:
    with reach.supervisor(patience=None) as control:
        control.call("apply", message(wanted, hub=wanted.hub.enabled and not options.no_hub))
        if options.no_wait:
            rows = control.call("up", {"select": options.names, "wait": False})["services"]
            return f"{len(rows)} ordered"
        with _Progress(is_wanted=not (options.quiet or options.json)) as progress:
            rows = control.call("up", {"select": options.names}, progress=progress.seen)[
                "services"
            ]
    failed = [row for row in rows if row["result"] == "failed"]
    if failed:
        raise HoldfastError(
            _listed([f"{row['name']}: {row['state']}: {_why(row)}" for row in failed], "\n")
        )
    rows = [row for row in rows if row["name"] not in RESERVED_NAMES]
    started = sum(row["result"] == "started" for row in rows)
    known = sum(row["result"] == "already_running" for row in rows)
    return f"{started} started" + (f", {known} already running" if known else "")


def _why(row: dict[str, Any]) -> str:
    """Return why a service is not there; a part of Holdfast has said so itself, in the last line of its log."""
    why = str(row["why"])
    if row["name"] in RESERVED_NAMES:
        with contextlib.suppress(OSError, IndexError):
            lines = reach.home().log(row["name"]).read_bytes()[-LAST_WORDS:].splitlines()
            return f"{why}: {lines[-1].decode('utf-8', 'replace')}"
    return why


def message(wanted: "Settings", *, hub: bool) -> dict[str, Any]:
    """Return the configuration as the supervisor takes it, with or without a hub."""
    from holdfast import assemble
    from holdfast.config.backups import backup_jobs, backups_of
    from holdfast.config.hub import hub_settings
    from holdfast.config.jobs import jobs_of

    watchdog, last_resort = wanted.watchdog, wanted.alerts.last_resort
    backups = backups_of(wanted)
    own = assemble.builtins(hub=hub, backup=bool(backups))
    return {
        "specs": [to_plain(spec) for spec in (*wanted.services, *own)],
        "jobs": [to_plain(job) for job in (*jobs_of(wanted.jobs), *backup_jobs(wanted))],
        "hub": to_plain(hub_settings(wanted)) if hub else None,
        "backups": [to_plain(spec) for spec in backups],
        "config": str(wanted.path),
        "machine": wanted.machine,
        "look_every": wanted.supervisor.look_every,
        "watchdog": {
            "check_every": watchdog.check_every,
            "stale_after": watchdog.stale_after,
            "failures": watchdog.failures,
        },
        "last_resort": _last_resort(last_resort) if last_resort else None,
    }


def _last_resort(section: "LastResort") -> dict[str, Any]:
    return {"file": section.file} if section.file else {"command": list(section.command or ())}


def _verify(options: argparse.Namespace) -> str:
    with reach.supervisor() as control:
        found = control.call("look")
    faults = [
        one
        for one in found["findings"]
        if one["is_fault"] and _is_meant(one["name"], options.names)
    ]
    health = _health(options.names)
    told = f"{health['healthy']}/{health['total']} healthy"
    grave = [one["name"] for one in faults if one["verdict"] != DEGRADED]
    if grave and not options.no_wait:
        raise HoldfastError(f"{told}; not well: {_listed(grave, ', ')}")
    slight = [one["name"] for one in faults if one["verdict"] == DEGRADED]
    return (
        f"{told}; degraded until the next beat or look: {_listed(slight, ', ')}"
        if slight
        else told
    )


def _is_up(row: dict[str, Any]) -> bool:
    """Tell whether `up` has done its part for a service; one that runs and is not quite well yet is there."""
    is_there = row["state"] in ("running", "done") and row["health"] in ("ok", "degraded")
    return is_there or row["desired"] == "down"


def _listed(entries: list[str], between: str) -> str:
    """Return the entries, the first ten of them where there are many."""
    hidden = len(entries) - LISTED
    return between.join(
        entries[:LISTED] + ([f"and {hidden} more; see: holdfast status"] if hidden > 0 else [])
    )


def _is_meant(name: str, names: list[str]) -> bool:
    return not names or name in names


def _health(names: list[str]) -> dict[str, Any]:
    with reach.supervisor() as control:
        health: dict[str, Any] = control.call("status", {"select": names})["health"]
    return health


def _print_outcome(wanted: "Settings", found: dict[str, Any], took: float) -> None:
    health = found["health"]
    colour = "green" if health["healthy"] == health["total"] else "red"
    told = render.paint(f"{health['healthy']}/{health['total']} healthy", colour)
    print(
        f"\n{told} in {took:.1f} s. Look with: holdfast status | holdfast logs -f | holdfast events"
    )
    if found["hub"]["url"]:
        print(f"The hub listens on {found['hub']['url']}")
    if wanted.notes:
        told = "some keys of the configuration are not acted on by this version; see: holdfast config check"
        print(render.paint(told, "grey"))


def _in_foreground(wanted: "Settings", options: argparse.Namespace) -> int:
    """Stay in front: a supervisor of our own, the steps beside it, Ctrl-C ends both and a second one kills."""
    from holdfast.cli import foreground

    return foreground.run(wanted, options)


class _Progress:
    """A counter on the line of the step, on a terminal only."""

    def __init__(self, *, is_wanted: bool) -> None:
        self.is_wanted = is_wanted and sys.stdout.isatty()
        self.count = 0

    def __enter__(self) -> "_Progress":
        return self

    def __exit__(self, *exception: object) -> None:
        if self.is_wanted and self.count:
            print("\b" * self._width + " " * self._width + "\b" * self._width, end="", flush=True)

    def seen(self, _row: dict[str, Any]) -> None:
        """Count one service that is ready or has failed."""
        if not self.is_wanted:
            return
        back = "\b" * self._width if self.count else ""
        self.count += 1
        print(back + str(self.count), end="", flush=True)

    @property
    def _width(self) -> int:
        return len(str(self.count))
