"""The orders the control socket understands, each checked and handed to the room that carries it out."""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import holdfast
from holdfast.clock import utc_text
from holdfast.errors import Refused, UsageError
from holdfast.machine.supervisor import change, foreign, jobs_api, look, standing, view
from holdfast.machine.supervisor.loop import Supervisor
from holdfast.machine.supervisor.orders import Orders
from holdfast.machine.supervisor.select import select
from holdfast.machine.supervisor.serve_control import Method, Report
from holdfast.machine.supervisor.service import Service
from holdfast.machine.supervisor.staff import Staff
from holdfast.machine.supervisor.use import measure
from holdfast.model.service import Actual, Desired
from holdfast.model.spec import ServiceSpec
from holdfast.model.wire import from_plain
from holdfast.rules.needs import missing

Params = dict[str, Any]


class Api:
    """One method per order; `methods` is the table by which callers name them."""

    def __init__(
        self, supervisor: Supervisor, staff: Staff, ended: asyncio.Event, *, started_at: float
    ) -> None:
        self.supervisor = supervisor
        self.staff = staff
        self.orders = Orders(supervisor)
        self.ended = ended
        self.started_at = started_at
        self.state = "starting"
        self._applying = asyncio.Lock()

    @property
    def methods(self) -> Mapping[str, Method]:
        """Return the table of orders."""
        return {
            "ping": self.ping,
            "status": self.status,
            "start": self.start,
            "stop": self.stop,
            "restart": self.restart,
            "signal": self.signal,
            "reload_services": self.reload_services,
            "apply": self.apply,
            "up": self.up,
            "clean": self.clean,
            "look": self.look,
            "note": self.note,
            "shutdown": self.shutdown,
            **jobs_api.methods(self.staff.schedule),
        }

    async def ping(self, _params: Params, _report: Report) -> dict[str, Any]:
        """Say who answers."""
        return {
            "version": holdfast.__version__,
            "pid": os.getpid(),
            "ready": self.state == "running",
            "watchdog": self.staff.mutual.state()["pid"],
        }

    async def status(self, params: Params, _report: Report) -> dict[str, object]:
        """Return what `status --json` shows."""
        services = self._chosen(params, default_all=True)
        rows = [self._row(service) for service in services]
        own: dict[str, object] = {
            "pid": os.getpid(),
            "state": self.state,
            "since": utc_text(self.started_at),
        }
        machine = view.machine_name(self.supervisor.parts.home)
        health = view.health_of(one.state for one in services if one.is_counted)
        hub = self.supervisor.services.get("hub")
        shown = view.Shown(
            services=rows,
            health=health,
            hub=view.hub_row(self.supervisor.parts.home, hub.state if hub else None),
            checks=view.checks(self.supervisor.parts.home) if hub else [],
        )
        return view.whole(machine, own, self.staff.mutual.state(), shown)

    async def start(self, params: Params, report: Report) -> dict[str, Any]:
        """Start what was named; a person's order bypasses the restart limit and resets it."""
        self._refuse_when_ending()
        chosen = self._chosen(params)
        rows = await self.orders.start(
            chosen, forgive=True, wait=bool(params.get("wait", True)), report=report
        )
        return {"services": rows}

    async def stop(self, params: Params, report: Report) -> dict[str, Any]:
        """Stop what was named, and remember it."""
        kill, wait = bool(params.get("kill")), bool(params.get("wait", True))
        chosen = self._chosen(params, jobs=True)
        return {"services": await self.orders.stop(chosen, kill=kill, wait=wait, report=report)}

    async def restart(self, params: Params, report: Report) -> dict[str, Any]:
        """Restart what was named."""
        self._refuse_when_ending()
        wait = bool(params.get("wait", True))
        return {
            "services": await self.orders.restart(self._chosen(params), wait=wait, report=report)
        }

    async def signal(self, params: Params, _report: Report) -> dict[str, Any]:
        """Send a signal to the main process of what was named."""
        name = params.get("signal")
        if not isinstance(name, str):
            raise UsageError("signal expects the name of a signal, like HUP")
        return {"services": self.orders.signal(self._chosen(params, jobs=True), name)}

    async def reload_services(self, params: Params, _report: Report) -> dict[str, Any]:
        """Send each service the signal by which it reads its own configuration again."""
        return {"services": self.orders.signal(self._chosen(params), None)}

    async def apply(self, params: Params, _report: Report) -> dict[str, Any]:
        """Bring the services to a new configuration; with `dry_run` only tell what would change."""
        new = _specs(params.get("specs"))
        jobs = standing.read(params).jobs  # all of it is refused before any of it is obeyed
        settings = standing.changed(self.supervisor.parts.home, params)
        if params.get("dry_run"):
            planned = asdict(change.planned(self.supervisor, new))
            return planned | self.staff.schedule.planned(jobs) | {"settings": settings}
        async with (
            self._applying
        ):  # one after another: what one takes out, the next may bring back
            self._refuse_when_ending()
            home = self.supervisor.parts.home
            standing.remember(home, params)
            orders = standing.read(standing.remembered(home))
            about_jobs = self.staff.schedule.planned(orders.jobs)
            await self.staff.schedule.leave(orders.jobs)
            start_added = bool(params.get("start_added"))
            done = await change.apply(self.supervisor, new, start_added=start_added)
            self.staff.obey(orders)
            return done | about_jobs | {"settings": settings}

    async def up(self, params: Params, report: Report) -> dict[str, Any]:
        """Start everything that is wanted, or what was named; what waits for its moment is left alone."""
        self._refuse_when_ending()
        words = params.get("select") or []
        if words:
            chosen = self._chosen(params)
        else:
            services = self.supervisor.kept_up().values()
            chosen = [
                one for one in services if one.state.desired is Desired.UP and one.spec.enabled
            ]
        wait = bool(params.get("wait", True))
        return {
            "services": await self.orders.start(
                chosen, forgive=bool(words), wait=wait, report=report
            )
        }

    async def clean(self, _params: Params, _report: Report) -> dict[str, Any]:
        """Remove pid files that name no living process of their service, and say whose they were."""
        home = self.supervisor.parts.home
        states = {name: service.state for name, service in self.supervisor.services.items()}
        stale = look.stale_pid_files(home, states)
        for name in stale:
            home.pid(name).unlink(missing_ok=True)
            self.supervisor.parts.notes.event("pid_file.removed", name, {"reason": "stale_pid"})
        self.staff.rounds.look_at_all()  # what lives gets its own pid file back
        return {"stale_pids": stale}

    async def look(self, _params: Params, _report: Report) -> dict[str, Any]:
        """Return the verdict of one look at every service; changes nothing."""
        found = self.staff.rounds.findings()
        return {
            "healthy": not any(one.is_fault for one in found),
            "findings": [asdict(one) for one in found],
        }

    async def note(self, params: Params, _report: Report) -> dict[str, Any]:
        """Write events of the parts of Holdfast that are not the supervisor into the journal; returns their ids."""
        told = foreign.read(params)
        return {
            "ids": [
                self.supervisor.parts.notes.event(one.kind, one.subject, one.facts).id
                for one in told
            ]
        }

    async def shutdown(self, params: Params, report: Report) -> dict[str, Any]:
        """End Holdfast, with what it runs for itself; the services too, in reverse order, unless they are to be kept."""
        within = _seconds(params, "timeout")
        self.state = "stopping"
        rows: list[dict[str, Any]] = []
        try:
            if params.get("keep_services"):
                await self.orders.close_own(kill=bool(params.get("kill")), report=report)
            else:
                rows = await self._close(report, kill=bool(params.get("kill")), within=within)
        finally:
            self.ended.set()  # whatever fails on the way: what still lives is known again by the next supervisor
        return {"services": rows}

    async def _close(
        self, report: Report, *, kill: bool, within: float | None
    ) -> list[dict[str, Any]]:
        self.supervisor.closing = True
        alive = self.orders.alive()
        try:
            async with asyncio.timeout(within):
                return await self.orders.close(alive, kill=kill, report=report)
        except TimeoutError:
            return await self.orders.close(alive, kill=True, report=report)

    def _refuse_when_ending(self) -> None:
        if self.state == "stopping":
            raise Refused(
                "Holdfast is ending and starts nothing any more; wait for its end, then: holdfast up"
            )

    def _chosen(
        self, params: Params, *, default_all: bool = False, jobs: bool = False
    ) -> list[Service]:
        """Return the services meant; with `jobs` also the jobs that are named outright.

        What Holdfast runs for itself is meant only where it is named outright.
        """
        words = params.get("select") or []
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise UsageError("select expects a list of names")
        known = self.supervisor.kept_up()
        if default_all and not words:
            return list(known.values())
        known = {name: one for name, one in known.items() if name in words or one.is_counted}
        if jobs:
            running = {name: self.supervisor.services.get(name) for name in words}
            known |= {name: one for name, one in running.items() if one is not None}
        return select(known, words, everything=bool(params.get("all")))

    def _row(self, service: Service) -> dict[str, object]:
        awaited = None
        if service.state.actual is Actual.WAITING:
            states = {name: one.state for name, one in self.supervisor.services.items()}
            awaited = [need.name for need in missing(service.spec, states)]
        row = view.service_row(service.spec, service.state, self._use(service), awaited)
        return row | {"beat": self.staff.heartbeats.row(service)}

    def _use(self, service: Service) -> view.Use:
        process = service.state.process
        if process is None:
            return view.Use()
        mono = self.supervisor.parts.clock.monotonic()
        service.sample = measure(
            service.sample, process, started_mono=service.state.started_mono or mono, mono=mono
        )
        if service.sample is None:
            return view.Use()
        return view.Use(cpu_percent=service.sample.cpu_percent, rss_bytes=service.sample.rss_bytes)


def _seconds(params: Params, key: str) -> float | None:
    found = params.get(key)
    if found is None:
        return None
    if isinstance(found, bool) or not isinstance(found, int | float) or not found >= 0:
        raise UsageError(f"{key} expects a number of seconds, not {found!r}")
    return float(found)


def _specs(plain: object) -> dict[str, ServiceSpec]:
    if not isinstance(plain, list):
        raise UsageError("apply expects a list of services")
    try:
        specs = [from_plain(ServiceSpec, one) for one in plain]
    except ValueError as error:
        raise UsageError(f"apply got a service it cannot read: {error}") from error
    return {spec.name: spec for spec in specs}
