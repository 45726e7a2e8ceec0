"""What the machines told, in the order it arrived, and what the hub has to tell the journal of its own machine."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from holdfast.clock import utc_text
from holdfast.hub.store.interface import Row, Tx
from holdfast.model.alert import Note
from holdfast.model.event import Event
from holdfast.model.service import Now

EVENTS_KEPT = 100_000
"""Events kept in the database; the journals of the machines keep their own."""

HUB_EVENT = "hub_event"
"""The fact by which the hub knows an event of its own when it comes back by the journal."""

LARGEST_ID = 2**63 - 1
"""The largest number a database takes."""

HANDED_AT_ONCE = 1_000_000
"""Characters of facts that are handed to the journal in one call, unless a single event has more."""

LONGEST_SUBJECT = 200
"""Characters of a subject; the journal takes no longer ones from outside."""

_OWN = frozenset({"id", "at", "kind", "subject"})
"""The fields of every event, whose names no fact may bear in the journal."""

_TOLD = "hub-events"


def note(tx: Tx, kind: str, subject: str, facts: Mapping[str, object], now: Now) -> None:
    """Have an event of the hub written into the journal; `facts` are JSON values."""
    tx.run("events.note", at=now.wall, kind=kind, subject=subject, facts=_text(facts))


def note_all(tx: Tx, notes: Iterable[tuple[str, Note]], now: Now) -> None:
    """Have several events of the hub written, each with its subject."""
    tx.many(
        "events.note",
        (
            {
                "at": now.wall,
                "kind": each.kind,
                "subject": subject,
                "facts": _text(dict(each.facts)),
            }
            for subject, each in notes
        ),
    )


def unforwarded(tx: Tx, limit: int = 100, after: int = 0) -> list[dict[str, Any]]:
    """Return events of the hub that have not come back from the journal, oldest first, as the control method `note` takes them.

    Whoever hands them over goes on `after` the newest `facts["hub_event"]` it has handed over already; after a start, once
    the journal was taken in, from the beginning.
    """
    rows = tx.all("events.untold", after=max(after, cursor(tx, _TOLD)), limit=limit)
    return [_handed(row) for row in _at_once(rows)]


def _at_once(rows: Iterable[Row]) -> Iterator[Row]:
    left = HANDED_AT_ONCE
    for number, row in enumerate(rows):
        left -= len(row["facts"])
        if left < 0 and number:
            return
        yield row


def _handed(row: Row) -> dict[str, Any]:
    """Return an event in a form that the journal takes: one it refuses would keep all behind it waiting for ever."""
    facts = json.loads(row["facts"])
    own = {f"its_{name}" if name in _OWN else name: value for name, value in facts.items()}
    return {
        "kind": row["kind"],
        "subject": row["subject"][:LONGEST_SUBJECT] or "hub",
        "facts": {**own, HUB_EVENT: row["id"], "noted_at": utc_text(row["at"])},
    }


def forwarded(tx: Tx, upto: int) -> None:
    """Count the hub's events up to this id as told, and forget all of them but the newest."""
    newest = tx.one("events.newest_note")
    known = (newest["id"] if newest else None) or 0
    reached = max(cursor(tx, _TOLD), min(upto, known))
    move_cursor(tx, _TOLD, reached)
    tx.run("events.prune_notes", upto=reached)


def came_back(tx: Tx, event: Event) -> bool:
    """Count an event of the hub as told when it is seen in the journal, and tell whether it was seen for the first time.

    One of another database is passed over.
    """
    id_ = event.facts.get(HUB_EVENT)
    if not isinstance(id_, int) or not cursor(tx, _TOLD) < id_ <= LARGEST_ID:
        return False
    row = tx.one("events.noted", id=id_)
    if row is None or row["kind"] != event.kind:
        return False
    if utc_text(row["at"]) != event.facts.get("noted_at"):
        return False
    forwarded(tx, id_)
    return True


def store(tx: Tx, machine: str, events: Sequence[Event]) -> None:
    """Add events of a machine; one that is there already is passed over."""
    tx.many(
        "events.add",
        (
            {
                "machine": machine,
                "id": event.id,
                "at": event.at,
                "kind": event.kind,
                "subject": event.subject,
                "facts": _text(event.facts),
            }
            for event in events
        ),
    )


def prune(tx: Tx, keep: int = EVENTS_KEPT) -> None:
    """Forget all but the newest events, and what the hub could tell no journal for as long."""
    newest = tx.one("events.newest")
    if newest and newest["seq"]:
        tx.run("events.prune", upto=newest["seq"] - keep)
    noted = tx.one("events.newest_note")
    if noted and noted["id"]:
        tx.run("events.prune_notes", upto=noted["id"] - keep)


def read(
    tx: Tx, *, after: int = 0, limit: int = 100, subject: str | None = None
) -> list[dict[str, Any]]:
    """Return stored events in the order of arrival, as `events --json` with their machine; go on `after` the last `seq`."""
    if subject is None:
        rows = tx.all("events.after", after=after, limit=limit)
    else:
        rows = tx.all("events.after_of_subject", after=after, limit=limit, subject=subject)
    return [_plain(row) for row in rows]


def cursor(tx: Tx, name: str) -> int:
    """Return how far something was read; 0 when nothing was."""
    row = tx.one("events.cursor", name=name)
    return 0 if row is None else int(row["position"])


def move_cursor(tx: Tx, name: str, position: int) -> None:
    """Remember how far something was read."""
    tx.run("events.move_cursor", name=name, position=position)


def _plain(row: Row) -> dict[str, Any]:
    own = {name: row[name] for name in ("id", "kind", "subject", "machine", "seq")}
    return {**json.loads(row["facts"]), **own, "at": utc_text(row["at"])}


def _text(facts: Mapping[str, object]) -> str:
    return json.dumps(facts, separators=(",", ":"), default=str)
