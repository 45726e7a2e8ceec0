"""The main processes of services: executed, recognised, watched, and heard of when they end."""

import asyncio
from collections.abc import Callable

from holdfast.errors import StartFailed
from holdfast.machine.handover import pidfd_name
from holdfast.machine.process.wait import Death, open_death, watch_child
from holdfast.machine.supervisor.care.hooks import run_before_start
from holdfast.machine.supervisor.parts import Parts
from holdfast.machine.supervisor.service import Service
from holdfast.model.event import (
    Adopted,
    Exited,
    Prepared,
    PrepareFailed,
    ServiceEvent,
    Spawned,
    SpawnFailed,
)
from holdfast.model.service import Exit, Identity, Reason

TIDY_AFTER = 0.05
"""Seconds after a death in which its pid file is removed: the next start is more urgent, and may overwrite it."""

_UNWRITTEN = "its intent could not be written to disk, so that a crash could double it"


class Mains:
    """One main process a service at most; what becomes of it later is told through `tell`."""

    def __init__(self, parts: Parts, tell: Callable[[Service, ServiceEvent], None]) -> None:
        self.parts = parts
        self.tell = tell
        self._born: list[tuple[str, int]] = []
        self._preparing: dict[str, asyncio.Task[None]] = {}

    def spawn(self, service: Service) -> ServiceEvent:
        """Execute the program; the intent is on disk first, so a death right here neither loses nor doubles it."""
        if not self.parts.keeper.write(service):
            return SpawnFailed(why=_UNWRITTEN, permanent=False)
        try:
            spawned = self.parts.launcher.launch(service.spec, service.state)
        except StartFailed as error:
            return SpawnFailed(why=str(error), permanent=error.permanent)
        service.raised = service.state.instance
        self._watch(service, spawned.identity, watch_child(spawned.identity, spawned.pidfd))
        for warning in spawned.warnings:
            facts: dict[str, object] = {"severity": "warning", "why": warning}
            self.parts.notes.record(service, "service.limit_not_set", facts)
        return Spawned(identity=spawned.identity)

    def prepare(self, service: Service) -> None:
        """Run what is to run before the program; the intent is on disk, so a death meanwhile starts it over."""
        self.parts.keeper.write(service)
        self._preparing[service.name] = self.parts.loop.create_task(
            self._prepared(service, service.state.instance)
        )

    def stop_preparing(self, service: Service) -> None:
        """Kill what runs before a start that is no longer wanted."""
        task = self._preparing.pop(service.name, None)
        if task is not None:
            task.cancel()

    def follow(self, service: Service) -> ServiceEvent | None:
        """Watch the process that the service named as its main one; return its end when it is gone already."""
        identity = service.state.process
        if identity is None:
            return None
        death = open_death(identity)
        if death is None:
            return Exited(identity=identity, exit=Exit(), reason=Reason.UNKNOWN)
        self._watch(service, identity, death)
        return None

    def adopt(self, service: Service, found: Adopted) -> bool:
        """Watch a process an earlier supervisor started; False when it is gone in the meantime."""
        death = open_death(found.identity)
        if death is None:
            return False
        self._watch(service, found.identity, death)
        self._capture(service)
        return True

    def catch_up(self, service: Service) -> None:
        """Bring into its log what a service that ended while no supervisor lived said last."""
        if not any(f"{service.name}.{end}" in self.parts.keeping.held for end in ("out", "err")):
            return
        self._capture(service)
        self.parts.pipes.drain(service.name)

    def unwatch(self, service: Service) -> None:
        """Stop listening for the death of a process that is gone or no longer ours to watch."""
        if service.death is None:
            return
        if service.main is not None:
            self.parts.trees.mains.discard(service.main.pid)
            self.parts.keeping.drop(pidfd_name(service.main.pid, service.main.start_ticks))
        self.parts.loop.remove_reader(service.death.fileno())
        service.death.close()
        service.death = None

    def end_turn(self) -> None:
        """Write the pid files of what was started or found in this turn."""
        while self._born:
            self.parts.launcher.write_pid(*self._born.pop())

    def close(self) -> None:
        """Let preparations be; a new supervisor begins them anew."""
        for task in self._preparing.values():
            task.cancel()

    def _capture(self, service: Service) -> None:
        try:
            self.parts.launcher.reopen(service.spec)
        except StartFailed as error:
            self.parts.notes.output_lost(service.name, 0, str(error))

    def _watch(self, service: Service, identity: Identity, death: Death) -> None:
        self.unwatch(service)
        service.main = identity
        service.death = death
        self.parts.trees.mains.add(identity.pid)
        self.parts.loop.add_reader(death.fileno(), self._died, service)
        self.parts.keeping.hold(pidfd_name(identity.pid, identity.start_ticks), death.fileno())
        self._born.append((service.name, identity.pid))

    async def _prepared(self, service: Service, instance: str) -> None:
        try:
            env = self.parts.launcher.environment(service.spec, service.state)
            why = await run_before_start(
                service.spec,
                env,
                errands=self.parts.errands,
                outlets=self.parts.launcher.outlets,
            )
        except StartFailed as error:
            why = str(error)
        if service.state.instance == instance:
            self._preparing.pop(service.name, None)
            self.tell(service, Prepared() if why is None else PrepareFailed(why=why))

    def _died(self, service: Service) -> None:
        identity = service.state.process
        if service.death is None or identity is None:
            self.unwatch(service)
            return
        ended = service.death.collect()
        if ended is None:
            return
        adopted = service.state.adopted
        self.unwatch(service)
        try:
            self.parts.pipes.drain(service.name)
        finally:
            reason = _reason_of(ended, adopted=adopted)
            self.tell(service, Exited(identity=identity, exit=ended, reason=reason))
        self.parts.loop.call_later(
            TIDY_AFTER, self.parts.launcher.remove_pid, service.name, identity.pid
        )


def _reason_of(ended: Exit, *, adopted: bool) -> Reason:
    if ended.signal is not None:
        return Reason.SIGNAL
    if ended.code is None:
        return Reason.UNKNOWN
    return Reason.ADOPTED_EXIT if adopted else Reason.EXIT
