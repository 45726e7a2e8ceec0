"""Decide what the end or restart of a needed service does to those who need it, edge by edge.

A process is tied to the generation of each needed service beside which it was started. Once that generation has left
(`stop`), or another one has come up in its place (`restart`), the process is replaced, once: the next one is tied anew.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from holdfast.model.service import Actual, Desired, ServiceState
from holdfast.model.spec import Need, OnRestart, ServiceSpec
from holdfast.rules import needs

Ties: TypeAlias = Mapping[str, int | None]
"""The generation of each needed service a process was started beside; None for one that was not there yet."""

ALIVE = frozenset({Actual.STARTING, Actual.RUNNING})

_COMING = frozenset({Actual.WAITING, Actual.STARTING, Actual.STOPPING, Actual.BACKOFF})


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One service as its edges see it."""

    spec: ServiceSpec
    state: ServiceState
    ties: Ties = field(default_factory=dict)


Lookup: TypeAlias = Callable[[str], Standing | None]
"""Find a service by its name."""


def has_edges(spec: ServiceSpec) -> bool:
    """Tell whether a service cares at all for what becomes of those it needs."""
    return any(need.on_restart is not OnRestart.IGNORE for need in spec.needs)


def tied(mine: Standing, find: Lookup) -> Ties:
    """Return the ties with what is known by now of services that were not known or not there before."""
    ties: dict[str, int | None] = {}
    for need in mine.spec.needs:
        known, other = mine.ties.get(need.name), find(need.name)
        if known is not None or other is None:
            if need.name in mine.ties:
                ties[need.name] = known
            continue
        tie = None if need.name in mine.ties else _tie_by_age(mine.state, other.state)
        is_there = tie is None and needs.is_met(need, other.state)
        ties[need.name] = other.state.generation if is_there else tie
    return ties


def _tie_by_age(mine: ServiceState, other: ServiceState) -> int | None:
    """Tie a process to what was started before it; what was started after it, and not for the first time, replaced that.

    So a supervisor that adopts both knows whether the one before it had yet to carry a restart on.
    """
    if other.generation == 0:
        return None
    if other.started_mono is None or mine.started_mono is None:
        return other.generation
    if other.started_mono <= mine.started_mono:
        return other.generation
    return None if other.generation == 1 else other.generation - 1


def cause(mine: Standing, find: Lookup) -> str | None:
    """Return the name of the needed service because of which a living one is to be replaced, or None.

    An edge that restarts waits until everything needed has settled, so that a chain or a diamond restarts everyone
    once and not once for each way.
    """
    if mine.state.actual not in ALIVE:
        return None
    for need in mine.spec.needs:
        if need.on_restart is OnRestart.STOP and _has_left(need, mine.ties, find):
            return need.name
    stale = _stale(mine, find)
    return stale if stale is not None and _has_settled(mine, find) else None


def _has_left(need: Need, ties: Ties, find: Lookup) -> bool:
    tie, other = ties.get(need.name), find(need.name)
    if tie is None or other is None:
        return False
    return other.state.generation != tie or not needs.is_met(need, other.state)


def _stale(mine: Standing, find: Lookup) -> str | None:
    for need in mine.spec.needs:
        tie, other = mine.ties.get(need.name), find(need.name)
        if need.on_restart is not OnRestart.RESTART or tie is None or other is None:
            continue
        if other.state.generation != tie:
            return need.name
    return None


def _has_settled(mine: Standing, find: Lookup) -> bool:
    """Tell whether everything needed is there, and about to be replaced because of nothing it needs itself."""
    seen, ahead = {mine.spec.name}, [mine]
    while ahead:
        standing = ahead.pop()
        for need in standing.spec.needs:
            other = find(need.name)
            if standing is mine and (other is None or not needs.is_met(need, other.state)):
                return False
            if other is None or need.on_restart is OnRestart.IGNORE or need.name in seen:
                continue
            if _is_coming(other.state) or _stale(other, find) is not None:
                return False
            seen.add(need.name)
            ahead.append(other)
    return True


def _is_coming(state: ServiceState) -> bool:
    return state.desired is Desired.UP and state.actual in _COMING
