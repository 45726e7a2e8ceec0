"""Restarts services whose watched files changed; the watching itself is done by one child process for all."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from holdfast.machine.supervisor.care.attendant import Tell
from holdfast.machine.supervisor.care.watch_child import Ended, Heard, WatchChild, Watcher
from holdfast.machine.supervisor.notes import Notes
from holdfast.machine.supervisor.service import Service
from holdfast.model.event import RestartOrdered
from holdfast.model.service import Actual, Now, Reason
from holdfast.model.spec import Watch
from holdfast.rules import watching
from holdfast.rules.watching import Guard

FIRST_BACKOFF, LONGEST_BACKOFF = 0.1, 60.0
"""Seconds until a child that ended is started again; one that lived longer than the longest starts over."""

ALIVE = frozenset({Actual.STARTING, Actual.RUNNING})
BETWEEN = frozenset({Actual.STOPPING, Actual.BACKOFF, Actual.WAITING})
"""States from which a service soon comes back; until then its files stay watched, and nobody acts on it."""

StartWatcher: TypeAlias = Callable[[asyncio.AbstractEventLoop, Heard, Ended], Watcher]


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchParts:
    """What the care for watched files works with."""

    loop: asyncio.AbstractEventLoop
    now: Callable[[], Now]
    notes: Notes
    tell: Tell
    start: StartWatcher = WatchChild


@dataclass(frozen=True, slots=True, kw_only=True)
class _Watched:
    """One process whose files are watched, by the wishes of its service."""

    service: Service
    watch: Watch
    generation: int

    def wish(self, now: Now) -> dict[str, object]:
        started = self.service.state.started_mono
        return {
            "paths": self.watch.paths,
            "debounce": self.watch.debounce,
            "generation": self.generation,
            "started_at": now.wall - (now.mono - started) if started is not None else now.wall,
        }


class WatchCare:
    """Keeps the watching child alive while there is anything to watch, and acts on what it reports."""

    def __init__(self, parts: WatchParts) -> None:
        self.parts = parts
        self._watched: dict[str, _Watched] = {}
        self._guards: dict[str, Guard] = {}
        self._resumptions: dict[str, asyncio.TimerHandle] = {}
        self._pending: dict[str, Mapping[str, Any]] = {}
        """The newest change of each service that is paused."""
        self._child: Watcher | None = None
        self._child_since = 0.0
        self._backoff = FIRST_BACKOFF
        self._sending: asyncio.Handle | None = None

    def attend(self, service: Service) -> None:
        """Watch for a process that is alive, and go on watching while another takes its place."""
        watch, state = service.spec.watch, service.state
        known = self._watched.get(service.name)
        if watch is None or state.actual not in ALIVE | BETWEEN:
            if known is not None:
                self._unwatch(service.name)
            return
        if state.actual in BETWEEN:
            return
        wanted = _Watched(service=service, watch=watch, generation=state.generation)
        if wanted != known:
            self._watched[service.name] = wanted
            self._send_soon()

    def forget(self, service: Service) -> None:
        """Let go of a service; with the last one the child ends."""
        self._guards.pop(service.name, None)
        self._unwatch(service.name)

    def _unwatch(self, name: str) -> None:
        self._pending.pop(name, None)
        timer = self._resumptions.pop(name, None)
        if timer is not None:
            timer.cancel()
        if self._watched.pop(name, None) is None:
            return
        if self._watched:
            self._send_soon()
            return
        if self._child is not None:
            self._child.close()
            self._child = None
        if self._sending is not None:
            self._sending.cancel()
            self._sending = None

    def _send_soon(self) -> None:
        """Send once for all that change in this turn of the loop; a child to come is told when it starts."""
        if self._sending is None:
            self._sending = self.parts.loop.call_soon(self._send)

    def _send(self) -> None:
        self._sending = None
        now = self.parts.now()
        if self._child is None:
            try:
                self._child = self.parts.start(self.parts.loop, self._heard, self._ended)
            except OSError as error:
                self._start_later(f"it could not be started: {error}")
                return
            self._child_since = now.mono
        self._child.send({name: watched.wish(now) for name, watched in self._watched.items()})

    def _ended(self) -> None:
        """Start another child; what changes until it watches, it finds by the times of the files."""
        self._child = None
        if self.parts.now().mono - self._child_since > LONGEST_BACKOFF:
            self._backoff = FIRST_BACKOFF
        self._start_later("it ended by itself")

    def _start_later(self, why: str) -> None:
        facts: dict[str, object] = {
            "severity": "warning",
            "why": why,
            "again_in_s": self._backoff,
        }
        self.parts.notes.event("watch.ended", "supervisor", facts)
        if self._sending is not None:
            self._sending.cancel()
        self._sending = self.parts.loop.call_later(self._backoff, self._send)
        self._backoff = min(2 * self._backoff, LONGEST_BACKOFF)

    def _heard(self, report: Mapping[str, Any]) -> None:
        watched = self._watched.get(str(report.get("service")))
        if watched is None:
            return
        if "degraded" in report:
            self._note_degradation(watched.service, report["degraded"])
        elif report.get("generation") == watched.service.state.generation:
            self._changed(watched.service, report)

    def _note_degradation(self, service: Service, why: str | None) -> None:
        if why is None:
            self.parts.notes.record(service, "watch.restored", {})
        else:
            facts: dict[str, object] = {"severity": "warning", "why": why}
            self.parts.notes.record(service, "watch.degraded", facts)

    def _changed(self, service: Service, report: Mapping[str, Any]) -> None:
        """Restart the service, or wait for the end of its pause: what changed is not forgotten."""
        if service.name in self._resumptions:
            self._pending[service.name] = report
            return
        if service.state.actual not in ALIVE:
            return
        now = self.parts.now()
        guard = watching.after_change(
            service.state.history, self._guards.get(service.name, Guard()), now
        )
        self._guards[service.name] = guard
        if guard.is_pausing(now):
            self._pause(service, guard, report)
            return
        facts: dict[str, object] = {"changed": report["changed"], "count": report["count"]}
        self.parts.notes.record(service, "watch.changed", facts)
        self.parts.tell(service, RestartOrdered(reason=Reason.WATCH, forgive=False))

    def _pause(self, service: Service, guard: Guard, report: Mapping[str, Any]) -> None:
        self._pending[service.name] = report
        self._resumptions[service.name] = self.parts.loop.call_at(
            guard.until_mono, self._resume, service
        )
        facts: dict[str, object] = {
            "severity": "warning",
            "pause_s": guard.pause_s,
            "changed": report["changed"],
        }
        self.parts.notes.record(service, "watch.paused", facts)

    def _resume(self, service: Service) -> None:
        self._resumptions.pop(service.name, None)
        report = self._pending.pop(service.name, None)
        if report is not None and report["generation"] == service.state.generation:
            self._changed(service, report)
