"""Events that other parts of Holdfast have written into the machine's journal, which has one writer."""

import re
from collections.abc import Mapping
from typing import Any

from holdfast.errors import UsageError
from holdfast.model.event import Event

KINDS = re.compile(r"(alert|backup|check|checks|hub|incident|notification)\.[a-z_]+")
"""The kinds they may write: never one of a service, which only the supervisor knows about."""

MOST = 1_000
"""Events in one call."""

LONGEST_SUBJECT = 200


def read(params: Mapping[str, Any]) -> list[Event]:
    """Return the events in this order, all of which can be written.

    Raises:
        UsageError: one of them has another form than expected; none is written then.
    """
    rows = params.get("events")
    if not isinstance(rows, list) or len(rows) > MOST:
        raise UsageError(f"events expects a list of at most {MOST} events")
    return [_event(row) for row in rows]


def _event(row: object) -> Event:
    if not isinstance(row, dict):
        raise UsageError(f"an event is an object, not {row!r}")
    kind, subject, facts = row.get("kind"), row.get("subject"), row.get("facts", {})
    if not isinstance(kind, str) or KINDS.fullmatch(kind) is None:
        raise UsageError(f"{kind!r} is no kind of event that may be written from outside")
    if not isinstance(subject, str) or not 0 < len(subject) <= LONGEST_SUBJECT:
        raise UsageError(f"subject expects a name, not {subject!r}")
    if not isinstance(facts, dict) or {"id", "at", "kind", "subject"} & facts.keys():
        raise UsageError("facts expects an object without id, at, kind and subject")
    return Event(id=0, at=0.0, kind=kind, subject=subject, facts=facts)
