"""The supervisor's heart: events go through the service table, the new state goes to disk, effects become acts."""

import os
from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from typing import assert_never

from holdfast.clock import boot_id
from holdfast.machine.supervisor.care.attendant import Attendant
from holdfast.machine.supervisor.mains import Mains
from holdfast.machine.supervisor.parts import Parts
from holdfast.machine.supervisor.service import Service
from holdfast.model.event import (
    Adopted,
    AwaitNeeds,
    Effect,
    Elapsed,
    HistoryLost,
    LookAtTree,
    NeedsMet,
    Prepare,
    Record,
    RestartOrdered,
    ServiceEvent,
    SignalTree,
    Spawn,
    StartOrdered,
    TreeLooked,
    WatchMain,
)
from holdfast.model.service import Actual, Desired, Now, ServiceState
from holdfast.model.spec import ServiceSpec
from holdfast.rules import needs, supervise
from holdfast.rules.jobs import TOLD_BY_THE_JOB

STARTS = (StartOrdered, RestartOrdered)
"""The orders that end in a start."""

MAY_YET_SERVE = frozenset({Actual.WAITING, Actual.STARTING, Actual.RUNNING, Actual.STOPPING})
"""States in which a service goes where those who need it want it."""


class Supervisor:
    """All services of one home; every change of one goes through `tell`."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.services: dict[str, Service] = {}
        self.broken: set[str] = set()
        self.closing = False
        self.attendants: list[Attendant] = []
        self.mains = Mains(parts, self.tell)
        self._waiting: dict[str, Service] = {}
        self._queue: deque[tuple[Service, ServiceEvent]] = deque()
        self._busy = False

    def now(self) -> Now:
        """Return the moment of a decision, with its draw of chance."""
        clock = self.parts.clock
        draw = int.from_bytes(os.urandom(4), "big") / 2**32
        return Now(wall=clock.wall(), mono=clock.monotonic(), boot_id=boot_id(), draw=draw)

    def kept_up(self) -> dict[str, Service]:
        """Return the services by name, without the programs of jobs."""
        return {name: one for name, one in self.services.items() if not one.is_job}

    def add(self, spec: ServiceSpec, state: ServiceState | None = None) -> Service:
        """Take a service under supervision; nothing is started."""
        service = Service(spec=spec, state=state or self._newborn(spec))
        self.services[spec.name] = service
        if state is None:
            self._inherit(service)
            self.parts.keeper.note_new(service)
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
        self.mains.end_turn()

    def tell_all(self, services: Iterable[Service], event: ServiceEvent) -> None:
        """Let the same event happen to many services."""
        for service in services:
            self.tell(service, event)

    def attend(self, service: Service) -> None:
        """Have everybody who looks after a service look at it: what it is or wants has changed."""
        for attendant in self.attendants:
            attendant.attend(service)

    async def changed(self, service: Service) -> None:
        """Wait until the state of this service changes."""
        waiter = self.parts.loop.create_future()
        service.waiters.append(waiter)
        await waiter

    def adopt(self, service: Service, found: Adopted) -> bool:
        """Go on with a process an earlier supervisor started; False when it is gone in the meantime."""
        if not self.mains.adopt(service, found):
            return False
        self.tell(service, found)
        return True

    def rearm(self, service: Service) -> None:
        """Set the timer of a service anew, look at what a half-done stop left, and whether a wait is over."""
        self._moved(service)
        self._arm(service)
        self.attend(service)
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
        self.mains.close()
        for service in self.services.values():
            self._forget(service)
            self.mains.unwatch(service)
            self.parts.trees.forget(service)
            if service.main is not None and service.state.process is None:
                self.parts.launcher.remove_pid(service.name, service.main.pid)
        self.parts.pipes.close_all()

    def remove(self, service: Service) -> None:
        """Forget a service that is down and no longer configured."""
        service.removed = True
        self._forget(service)
        self.mains.unwatch(service)
        if service.timer is not None:
            service.timer.cancel()
        self.services.pop(service.name, None)
        self.parts.pipes.close(service.name)
        self.parts.launcher.clear(service.name)
        self.parts.keeper.forget(service)
        self.parts.journal.append("service.removed", service.name)
        service.wake()

    def _forget(self, service: Service) -> None:
        for attendant in self.attendants:
            attendant.forget(service)

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
        if _is_another(before, service.state):
            self.attend(service)

    def _perform(self, service: Service, effect: Effect) -> None:
        match effect:
            case SignalTree(signal=signal):
                self.parts.keeper.end_turn()
                self.mains.stop_preparing(service)
                self.parts.trees.signal(service, signal)
            case LookAtTree():
                self.parts.trees.look(service, self._looked)
            case Record(kind=kind, facts=facts):
                if not (service.is_job and kind in TOLD_BY_THE_JOB):
                    self.parts.notes.record(service, kind, facts)
            case _:
                self._begin(service, effect)

    def _begin(self, service: Service, effect: AwaitNeeds | Prepare | Spawn | WatchMain) -> None:
        match effect:
            case AwaitNeeds():
                self._check_needs(service)
            case Prepare():
                self.mains.prepare(service)
            case Spawn():
                self._queue.append((service, self.mains.spawn(service)))
            case WatchMain():
                ended = self.mains.follow(service)
                if ended is not None:
                    self._queue.append((service, ended))
            case _:
                assert_never(effect)

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


def _is_another(before: ServiceState, after: ServiceState) -> bool:
    """Tell whether something changed that those who look after a service go by."""
    return (
        before.actual is not after.actual
        or before.generation != after.generation
        or before.process is not after.process
    )
