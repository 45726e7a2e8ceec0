"""Decide what a new configuration changes: only what differs is touched."""

from collections.abc import Mapping
from dataclasses import dataclass

from holdfast.model.spec import ServiceSpec, needs_restart


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The names of services by what happens to them."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    restarted: tuple[str, ...]
    changed: tuple[str, ...]
    unchanged: tuple[str, ...]


def plan(old: Mapping[str, ServiceSpec], new: Mapping[str, ServiceSpec]) -> Plan:
    """Compare two configurations; `changed` are those a running process need not end for."""
    kept = [name for name in new if name in old]
    restarted = tuple(name for name in kept if needs_restart(old[name], new[name]))
    return Plan(
        added=tuple(name for name in new if name not in old),
        removed=tuple(name for name in old if name not in new),
        restarted=restarted,
        changed=tuple(name for name in kept if name not in restarted and old[name] != new[name]),
        unchanged=tuple(name for name in kept if old[name] == new[name]),
    )
