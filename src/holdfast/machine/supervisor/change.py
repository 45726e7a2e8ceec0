"""Bring the running services to a new configuration, touching only what differs."""

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from holdfast.errors import UnknownName
from holdfast.machine.supervisor.loop import Supervisor
from holdfast.machine.supervisor.orders import BEYOND_REACH, GONE
from holdfast.model.event import PolicyChanged, RestartOrdered, StartOrdered, StopOrdered
from holdfast.model.service import Actual, Reason
from holdfast.model.spec import ServiceSpec
from holdfast.rules.reload import Plan, plan


def planned(supervisor: Supervisor, new: Mapping[str, ServiceSpec]) -> Plan:
    """Return what `apply` would do, and do nothing."""
    return plan({name: service.spec for name, service in supervisor.kept_up().items()}, new)


async def apply(
    supervisor: Supervisor, new: Mapping[str, ServiceSpec], *, start_added: bool
) -> dict[str, Any]:
    """Carry the new configuration out and return what happened to whom; ends when removed services are gone."""
    todo = planned(supervisor, new)
    for name in todo.added:
        service = supervisor.add(new[name])
        supervisor.parts.keeper.note(service, service.state)
        if start_added and new[name].enabled and new[name].autostart:
            supervisor.tell(service, StartOrdered(forgive=False))
    for name in (*todo.restarted, *todo.changed):
        _change(supervisor, new[name], process=name in todo.restarted)
    _in_order(supervisor, new)
    await asyncio.gather(*(_remove(supervisor, name) for name in todo.removed))
    gone = tuple(name for name in todo.removed if name not in supervisor.services)
    todo = replace(todo, removed=gone)
    if todo.added or todo.removed or todo.restarted or todo.changed:
        facts: dict[str, object] = {
            key: list(names) for key, names in asdict(todo).items() if key != "unchanged"
        }
        supervisor.parts.notes.event("config.applied", "supervisor", facts)
    return asdict(todo)


def _change(supervisor: Supervisor, spec: ServiceSpec, *, process: bool) -> None:
    service = supervisor.services[spec.name]
    was_enabled, service.spec = service.spec.enabled, spec
    with contextlib.suppress(UnknownName):  # a service that never ran has no output yet
        supervisor.parts.pipes.change(spec.name, spec.log)
    if not spec.enabled:
        supervisor.tell(service, StopOrdered())
    elif not was_enabled and spec.autostart:
        supervisor.tell(service, StartOrdered(forgive=False))
    elif process and service.state.actual in (Actual.STARTING, Actual.RUNNING):
        supervisor.tell(service, RestartOrdered(reason=Reason.MANUAL, forgive=False))
    else:
        supervisor.tell(service, PolicyChanged(process=process))
    supervisor.attend(service)
    supervisor.parts.keeper.make_durable(service)


async def _remove(supervisor: Supervisor, name: str) -> None:
    service = supervisor.services[name]
    service.leaving = True
    supervisor.tell(service, StopOrdered())
    while service.state.actual not in GONE | BEYOND_REACH:
        await supervisor.changed(service)
    service.leaving = False
    if service.state.actual in GONE:  # else it stays known, and the next reload tries again
        supervisor.remove(service)


def _in_order(supervisor: Supervisor, new: Mapping[str, ServiceSpec]) -> None:
    """Keep the services in the order of the file; those on their way out stand last."""
    known = supervisor.services
    ordered = {name: known[name] for name in new if name in known}
    leaving = {name: service for name, service in known.items() if name not in new}
    supervisor.services = ordered | leaving
