"""The supervisor's heart: events go through the service table, the new state goes to disk, effects become acts."""

import asyncio
import os
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import assert_never

from holdfast.clock import Clock, boot_id
from holdfast.errors import StartFailed
from holdfast.home import Home
from holdfast.journal import Journal
from holdfast.machine.output.pipes import Pipes
from holdfast.machine.process.wait import Death, open_death, watch_child
from holdfast.machine.supervisor.keeper import Keeper
from holdfast.machine.supervisor.launch import Launcher
from holdfast.machine.supervisor.notes import Notes
from holdfast.machine.supervisor.records import Records
from holdfast.machine.supervisor.service import Service
from holdfast.machine.supervisor.trees import Trees
from holdfast.model.event import (
    Adopted,
    AwaitNeeds,
    Effect,
    Elapsed,
    Exited,
    HistoryLost,
    LookAtTree,
    NeedsMet,
    Record,
    RestartOrdered,
    ServiceEvent,
    SignalTree,
    Spawn,
    Spawned,
    SpawnFailed,
    StartOrdered,
    TreeLooked,
)
from holdfast.model.service import Actual, Desired, Exit, Identity, Now, Reason, ServiceState
from holdfast.model.spec import ServiceSpec
from holdfast.rules import needs, supervise

STARTS = (StartOrdered, RestartOrdered)
"""The orders that end in a start."""

TIDY_AFTER = 0.05
"""Seconds after a death in which its pid file is removed: the next start is more urgent, and may overwrite it."""


MAY_YET_SERVE = frozenset({Actual.WAITING, Actual.STARTING, Actual.RUNNING, Actual.STOPPING})
"""States in which a service goes where those who need it want it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a supervisor is made of; the composition root puts it together."""

    home: Home
    clock: Clock
    loop: asyncio.AbstractEventLoop
    journal: Journal
    records: Records
    keeper: Keeper
    pipes: Pipes
    launcher: Launcher
    trees: Trees
    notes: Notes


class Supervisor:
    """All services of one home; every change of one goes through `tell`."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.services: dict[str, Service] = {}
        self.broken: set[str] = set()
        self.closing = False
        self._waiting: dict[str, Service] = {}
        self._queue: deque[tuple[Service, ServiceEvent]] = deque()
        self._busy = False
        self._born: list[tuple[str, int]] = []

    def now(self) -> Now:
        """Return the moment of a decision, with its draw of chance."""
        clock = self.parts.clock
        draw = int.from_bytes(os.urandom(4), "big") / 2**32
        return Now(wall=clock.wall(), mono=clock.monotonic(), boot_id=boot_id(), draw=draw)

    def add(self, spec: ServiceSpec, state: ServiceState | None = None) -> Service:
        """Take a service under supervision; nothing is started."""
        service = Service(spec=spec, state=state or self._newborn(spec))
        self.services[spec.name] = service
        if state is None:
            self._inherit(service)
        return service

    def tell(self, service: Service, event: ServiceEvent) -> None:
        """Let an event happen to a service, with all that follows from it at once.

        Nothing happens to a service that is forgotten, and nothing is started that is on its way out.
        """
        if service.removed or ((self.closing or service.leaving) and isinstance(event, STARTS)):
            return
        self._queue.append((service, event))
        if self._busy:
            return
        self._busy = True
        try:
            while self._queue:
                self._step(*self._queue.popleft())
        finally:
            self._busy = False
        self.parts.keeper.end_turn()
        while self._born:
            self.parts.launcher.write_pid(*self._born.pop())

    def tell_all(self, services: Iterable[Service], event: ServiceEvent) -> None:
        """Let the same event happen to many services."""
        for service in services:
            self.tell(service, event)

    async def changed(self, service: Service) -> None:
        """Wait until the state of this service changes."""
        waiter = self.parts.loop.create_future()
        service.waiters.append(waiter)
        await waiter

    def watch(self, service: Service, identity: Identity, death: Death) -> None:
        """Hear of the death of the main process of a service."""
        self.unwatch(service)
        service.main = identity
        service.death = death
        self.parts.trees.mains.add(identity.pid)
        self.parts.loop.add_reader(death.fileno(), self._died, service)

    def unwatch(self, service: Service) -> None:
        """Stop listening for the death of a process that is gone or no longer ours to watch."""
        if service.death is not None:
            if service.main is not None:
                self.parts.trees.mains.discard(service.main.pid)
            self.parts.loop.remove_reader(service.death.fileno())
            service.death.close()
            service.death = None

    def adopt(self, service: Service, found: Adopted) -> bool:
        """Watch a process an earlier supervisor started; False when it is gone in the meantime."""
        identity = found.identity
        death = open_death(identity)
        if death is None:
            return False
        self.watch(service, identity, death)
        try:
            self.parts.launcher.reopen(service.spec)
        except StartFailed as error:
            self.parts.notes.output_lost(service.name, 0, str(error))
        self._born.append((service.name, identity.pid))
        self.tell(service, found)
        return True

    def rearm(self, service: Service) -> None:
        """Set the timer of a service anew, look at what a half-done stop left, and whether a wait is over."""
        self._moved(service)
        self._arm(service)
        if service.state.actual is Actual.WAITING:
            self._check_needs(service)
        if (
            service.state.actual in (Actual.STOPPING, Actual.STUCK)
            and service.state.process is None
        ):
            self.parts.trees.look(service, self._looked)
        while self._queue:
            self.tell(*self._queue.popleft())

    def let_go(self) -> None:
        """Write every record and close what is held open; processes are not touched."""
        self.parts.keeper.finish()
        for service in self.services.values():
            self.unwatch(service)
            self.parts.trees.forget(service)
            if service.main is not None and service.state.process is None:
                self.parts.launcher.remove_pid(service.name, service.main.pid)
        self.parts.pipes.close_all()

    def remove(self, service: Service) -> None:
        """Forget a service that is down and no longer configured."""
        service.removed = True
        self.unwatch(service)
        if service.timer is not None:
            service.timer.cancel()
        self.services.pop(service.name, None)
        self.parts.pipes.close(service.name)
        self.parts.keeper.forget(service)
        self.parts.journal.append("service.removed", service.name)
        service.wake()

    def _newborn(self, spec: ServiceSpec) -> ServiceState:
        desired = Desired.UP if spec.enabled and spec.autostart else Desired.DOWN
        return ServiceState(name=spec.name, desired=desired, since=self.parts.clock.wall())

    def _inherit(self, service: Service) -> None:
        """Look whether a process of a service without a record lives: a lost record must not double it."""
        name = service.name
        if name in self.broken:
            self.broken.discard(name)
            self.tell(service, HistoryLost())
        heir = self.parts.trees.heirs(str(self.parts.home.root)).get(name)
        if heir is not None:
            service.state = replace(service.state, desired=Desired.UP)
            self.adopt(service, heir)

    def _step(self, service: Service, event: ServiceEvent) -> None:
        before = service.state
        service.state, effects = supervise.step(service.spec, before, event, self.now())
        if service.state is before and not effects:
            if isinstance(event, Elapsed):
                self._arm(service)  # a timer may fire a shade early
            return
        self.parts.keeper.note(service, before)
        for effect in effects:
            try:
                self._perform(service, effect)
            except Exception as error:  # noqa: BLE001 - one act that fails must not cost the others, nor the timer
                told = {
                    "message": f"{type(effect).__name__} of {service.name} failed",
                    "exception": error,
                }
                self.parts.loop.call_exception_handler(told)
        self._arm(service)
        service.wake()
        if service.state.actual is not before.actual:
            self._moved(service)

    def _perform(self, service: Service, effect: Effect) -> None:
        match effect:
            case Spawn():
                self._spawn(service)
            case SignalTree(signal=signal):
                self.parts.keeper.end_turn()
                self.parts.trees.signal(service, signal)
            case LookAtTree():
                self.parts.trees.look(service, self._looked)
            case AwaitNeeds():
                self._check_needs(service)
            case Record(kind=kind, facts=facts):
                self.parts.notes.record(service, kind, facts)
            case _:
                assert_never(effect)

    def _spawn(self, service: Service) -> None:
        """Execute the program; the intent is on disk first, so a death right here neither loses nor doubles it."""
        if not self.parts.keeper.write(service):
            why = "its intent could not be written to disk, so that a crash could double it"
            self._queue.append((service, SpawnFailed(why=why, permanent=False)))
            return
        try:
            spawned = self.parts.launcher.launch(service.spec, service.state)
        except StartFailed as error:
            self._queue.append((service, SpawnFailed(why=str(error), permanent=error.permanent)))
            return
        self.watch(service, spawned.identity, watch_child(spawned.identity, spawned.pidfd))
        for warning in spawned.warnings:
            self.parts.notes.record(
                service, "service.limit_not_set", {"severity": "warning", "why": warning}
            )
        self._born.append((service.name, spawned.identity.pid))
        self._queue.append((service, Spawned(identity=spawned.identity)))

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

    def _looked(self, service: Service, left: int) -> None:
        self.tell(service, TreeLooked(left=left))

    def _arm(self, service: Service) -> None:
        due = supervise.deadline(service.state)
        if service.timer is not None:
            if due is not None and service.timer.when() == due:
                return
            service.timer.cancel()
            service.timer = None
        if due is None:
            return
        if due <= self.parts.clock.monotonic():
            self._queue.append((service, Elapsed()))
        else:
            service.timer = self.parts.loop.call_at(due, self._elapsed, service)

    def _elapsed(self, service: Service) -> None:
        service.timer = None
        self.tell(service, Elapsed())

    def _check_needs(self, service: Service) -> None:
        states = {name: other.state for name, other in self.services.items()}
        if not needs.missing(service.spec, states):
            self._queue.append((service, NeedsMet()))

    def _moved(self, moved: Service) -> None:
        """Let those who wait for this service look whether their wait is over."""
        if moved.state.actual is Actual.WAITING:
            self._waiting[moved.name] = moved
        else:
            self._waiting.pop(moved.name, None)
        for service in self._waiting.values():
            if any(need.name == moved.name for need in service.spec.needs):
                self._check_needs(service)
            if moved.state.actual not in MAY_YET_SERVE:
                service.wake()  # what it needs may have come to rest for good


def _reason_of(ended: Exit, *, adopted: bool) -> Reason:
    if ended.signal is not None:
        return Reason.SIGNAL
    if ended.code is None:
        return Reason.UNKNOWN
    return Reason.ADOPTED_EXIT if adopted else Reason.EXIT
