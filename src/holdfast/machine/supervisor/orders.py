"""Carry out what a person asks of running services, and answer once it is so."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

from holdfast.errors import UsageError
from holdfast.machine.supervisor import view
from holdfast.machine.supervisor.loop import Supervisor
from holdfast.machine.supervisor.service import Service
from holdfast.machine.supervisor.trees import number_of
from holdfast.model.event import RestartOrdered, StartOrdered, StopOrdered
from holdfast.model.service import Actual, Desired, ServiceState, Wait
from holdfast.rules.needs import leaving_order, missing

Row: TypeAlias = dict[str, Any]
Report: TypeAlias = Callable[[Row], None]

STARTED = frozenset({Actual.RUNNING, Actual.DONE})
GIVEN_UP = frozenset({Actual.FAILED, Actual.HELD, Actual.STUCK, Actual.ORPHAN, Actual.DOWN})
GONE = frozenset({Actual.DOWN, Actual.FAILED, Actual.DONE})
BEYOND_REACH = frozenset({Actual.STUCK, Actual.ORPHAN})

PATIENCE = 5.0
"""Seconds a service may wait for its next start before an order to start it counts as failed."""


class Orders:
    """Orders to one supervisor; each returns a row per service."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.supervisor = supervisor

    async def start(
        self, services: Sequence[Service], *, forgive: bool, wait: bool, report: Report
    ) -> list[Row]:
        """Start what does not run; `wait` until each is ready or has failed."""
        known = (Actual.RUNNING, Actual.STARTING) if forgive else (*STARTED, Actual.STARTING)
        running = {service.name for service in services if service.state.actual in known}
        for service in services:
            self.supervisor.tell(service, StartOrdered(forgive=forgive))
            await asyncio.sleep(0)  # a thousand starts must not keep deaths and questions waiting
        if forgive:
            self._keep_wishes(services)
        return await self._answer(
            services, self._started, report if wait else None, already=running
        )

    async def restart(
        self, services: Sequence[Service], *, wait: bool, report: Report
    ) -> list[Row]:
        """Replace each process by a new one; a planned restart neither waits nor counts."""
        before = {service.name: service.state.generation for service in services}

        def is_over(state: ServiceState) -> bool:
            if state.desired is Desired.DOWN or state.actual in BEYOND_REACH:
                return True  # somebody stopped it meanwhile, or nothing can
            return state.generation > before[state.name] and self._started(state)

        self.supervisor.tell_all(services, RestartOrdered())
        self._keep_wishes(services)
        rows = await self._answer(services, is_over, report if wait else None)
        return [
            {**row, "result": "restarted"} if row["result"] == "started" else row for row in rows
        ]

    async def stop(
        self, services: Sequence[Service], *, kill: bool, wait: bool, report: Report
    ) -> list[Row]:
        """Stop each service and its whole tree, those first that others do not need."""
        idle = {service.name for service in services if service.state.actual in GONE}
        chosen = {service.name: service for service in services}
        for names in leaving_order({name: service.spec for name, service in chosen.items()}):
            together = [chosen[name] for name in names]
            self.supervisor.tell_all(together, StopOrdered(kill=kill))
            self._keep_wishes(together)
            if wait:
                await self._until_all(together, _is_gone_or_overtaken, report)
        return [_stop_row(service, was_idle=service.name in idle) for service in services]

    def alive(self) -> list[Service]:
        """Return the services, and no jobs, of which something is left or that are about to start."""
        everything = self.supervisor.services.values()
        return [one for one in everything if one.state.actual not in GONE and not one.is_job]

    async def close(
        self, alive: Sequence[Service] | None = None, *, kill: bool, report: Report
    ) -> list[Row]:
        """Stop everything because Holdfast itself goes; what a person wants of each service stays remembered.

        Returns a row for each of the services that were alive when the end began.
        """
        alive = self.alive() if alive is None else alive
        everything = self.supervisor.services.values()
        others = [service for service in everything if not service.spec.builtin]
        await self._close(others, kill=kill, report=report)
        await self.close_own(kill=kill, report=report)
        return [_stop_row(service, was_idle=False) for service in alive]

    async def close_own(self, *, kill: bool, report: Report) -> None:
        """Stop what Holdfast runs for itself, last of all or alone."""
        own = [one for one in self.supervisor.services.values() if one.spec.builtin]
        await self._close(own, kill=kill, report=report)

    async def _close(self, services: Sequence[Service], *, kill: bool, report: Report) -> None:
        by_name = {service.name: service for service in services}
        for names in leaving_order({name: one.spec for name, one in by_name.items()}):
            together = [by_name[name] for name in names]
            self.supervisor.tell_all(together, StopOrdered(kill=kill, closing=True))
            await self._until_all(together, _is_gone, report)

    def signal(self, services: Sequence[Service], name: str | None) -> list[Row]:
        """Send a signal to the main process of each service, its own reload signal when none is named.

        Raises:
            UsageError: this platform has no such signal.
        """
        rows = []
        for service in services:
            signal = service.spec.reload_signal if name is None else name
            try:
                number_of(signal)
            except ValueError as error:
                raise UsageError(str(error)) from error
            reached = self.supervisor.parts.trees.signal_main(service, signal)
            result = "signalled" if reached else "not_running"
            if reached:
                self.supervisor.parts.notes.event(
                    "service.signalled", service.name, {"signal": signal}
                )
            rows.append(
                {"name": service.name, "pid": _pid(service), "result": result, "signal": signal}
            )
        return rows

    def _keep_wishes(self, services: Iterable[Service]) -> None:
        """Answer only once the wish would survive a power cut."""
        for service in services:
            self.supervisor.parts.keeper.make_durable(service)

    def _started(self, state: ServiceState) -> bool:
        if state.actual in STARTED or state.actual in GIVEN_UP:
            return True
        if state.desired is Desired.DOWN or self._waits_in_vain(state, frozenset()):
            return True
        if state.actual is Actual.BACKOFF and state.next_start is not None:
            is_shortage = state.next_start.wait is Wait.SHORTAGE
            return is_shortage or state.next_start.mono - self.supervisor.now().mono > PATIENCE
        return False

    def _waits_in_vain(self, state: ServiceState, asked: frozenset[str]) -> bool:
        """Tell whether something it needs has come to rest without being what is needed."""
        if state.actual is not Actual.WAITING:
            return False
        known, asked = self.supervisor.services, asked | {state.name}
        spec = known[state.name].spec
        needed = {need.name: known[need.name].state for need in spec.needs if need.name in known}
        return any(
            need.name not in needed
            or need.name in asked
            or self._is_at_rest(needed[need.name], asked)
            for need in missing(spec, needed)
        )

    def _is_at_rest(self, state: ServiceState, asked: frozenset[str]) -> bool:
        if state.actual is Actual.WAITING:
            return self._waits_in_vain(state, asked)
        return state.actual is not Actual.RUNNING and self._started(state)

    async def _answer(
        self,
        services: Sequence[Service],
        is_over: Callable[[ServiceState], bool],
        report: Report | None,
        already: Iterable[str] = (),
    ) -> list[Row]:
        if report is not None:
            await self._until_all(services, is_over, report)
        known = frozenset(already)
        return [_start_row(service, is_known=service.name in known) for service in services]

    async def _until_all(
        self, services: Sequence[Service], is_over: Callable[[ServiceState], bool], report: Report
    ) -> None:
        await asyncio.gather(*(self._until(service, is_over, report) for service in services))

    async def _until(
        self, service: Service, is_over: Callable[[ServiceState], bool], report: Report
    ) -> None:
        while not (service.removed or is_over(service.state)):
            await self.supervisor.changed(service)
        report({"name": service.name, "state": service.state.actual.value, "pid": _pid(service)})


def _is_gone(state: ServiceState) -> bool:
    return state.actual in GONE or state.actual in BEYOND_REACH


def _is_gone_or_overtaken(state: ServiceState) -> bool:
    """Tell whether a stop is over: also when somebody wants the service up again in the meantime."""
    return _is_gone(state) or state.desired is Desired.UP


def _start_row(service: Service, *, is_known: bool) -> Row:
    state = service.state
    if state.actual in STARTED:
        result = "already_running" if is_known else "started"
    elif state.actual is Actual.STARTING:
        result = "starting"
    elif state.actual is Actual.WAITING:
        result = "waiting"
    elif state.actual is Actual.STOPPING and state.pending is not None:
        result = "starting"
    else:
        result = "failed"
    return {
        "name": service.name,
        "state": state.actual.value,
        "pid": _pid(service),
        "result": result,
        "why": view.why(state) if result in ("failed", "waiting") else "",
    }


def _stop_row(service: Service, *, was_idle: bool) -> Row:
    state = service.state
    if state.actual in BEYOND_REACH:
        result = "stuck"
    elif state.desired is Desired.UP and not state.closing:
        result = "overtaken"
    elif state.actual not in GONE:
        result = "stopping"
    else:
        result = "not_running" if was_idle else "stopped"
    why = view.why(state) if result == "stuck" else ""
    if result == "overtaken":
        why = "somebody ordered it to start meanwhile"
    return {
        "name": service.name,
        "state": state.actual.value,
        "pid": _pid(service),
        "result": result,
        "why": why,
    }


def _pid(service: Service) -> int | None:
    return service.state.process.pid if service.state.process else None
