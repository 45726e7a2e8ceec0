"""Have the supervisor write what happened to backups into the machine's journal, which has one writer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from holdfast.control import ControlClient
from holdfast.errors import HoldfastError
from holdfast.home import Home

ANSWER_WITHIN = 10.0
"""Seconds the supervisor has to take it; what is not taken is told with the next run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One event about one project."""

    kind: str
    project: str
    facts: Mapping[str, object]


def tell(home: Home, events: Sequence[Told]) -> bool:
    """Write events into the journal, and return whether a supervisor took them."""
    rows = [{"kind": one.kind, "subject": one.project, "facts": dict(one.facts)} for one in events]
    try:
        with ControlClient(home.control_socket, timeout=ANSWER_WITHIN) as control:
            control.call("note", {"events": rows})
    except HoldfastError:
        return False
    return True
