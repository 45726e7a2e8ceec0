"""What people and programs are shown of checks, incidents and messages: the JSON of the commands and of the API."""

import json
from typing import Any

from holdfast.clock import utc_text
from holdfast.hub import check as rows
from holdfast.hub.check import Check
from holdfast.hub.store.interface import Row, Tx
from holdfast.model.alert import AlertPolicy
from holdfast.model.check import Severity
from holdfast.model.service import Now
from holdfast.rules import freshness


def checks(tx: Tx, policy: AlertPolicy, now: Now) -> list[dict[str, Any]]:
    """Return every check as it is looked at now, by name; the caller makes `ping_url` of `uuid`."""
    return [_check(each, policy, now) for each in rows.every(tx)]


def check(tx: Tx, name: str, policy: AlertPolicy, now: Now) -> dict[str, Any] | None:
    """Return one check with its newest pings, newest first; None when there is none of that name."""
    known = rows.by_name(tx, name)
    if known is None:
        return None
    newest = tx.all("checks.pings", check_id=known.id, limit=100)
    return {**_check(known, policy, now), "pings": [_ping(row) for row in newest]}


def incidents(tx: Tx, *, open_only: bool = False, limit: int = 1000) -> list[dict[str, Any]]:
    """Return the incidents, newest first."""
    name = "views.open_incidents" if open_only else "views.incidents"
    return [_incident(row) for row in tx.all(name, limit=limit)]


def notifications(tx: Tx, *, limit: int = 100, superseded: bool = False) -> list[dict[str, Any]]:
    """Return the messages and how far each has come, newest first; those that were replaced only when asked for."""
    name = "views.every_message" if superseded else "views.messages"
    return [_message(row) for row in tx.all(name, limit=limit)]


def summary(tx: Tx) -> dict[str, Any]:
    """Return how many checks there are of each severity, and the names of those that are not ok, as last looked at."""
    counts = {severity.value: 0 for severity in Severity}
    counts |= {row["severity"]: row["checks"] for row in tx.all("checks.counts")}
    names: dict[str, list[str]] = {each.value: [] for each in Severity if each is not Severity.OK}
    for row in tx.all("checks.names_not_ok"):
        names[row["severity"]].append(row["name"])
    return {"counts": counts, "names": names}


def _check(known: Check, policy: AlertPolicy, now: Now) -> dict[str, Any]:
    evidence, alert = known.evidence, known.alert
    look = freshness.look(known.spec, policy, evidence, now.wall)
    return {
        "name": known.name,
        "kind": known.spec.kind.value,
        "severity": look.severity.value,
        "confirmed": alert.confirmed.value,
        "cause": look.cause,
        "why": look.why,
        "age_s": None if look.age_s is None else round(look.age_s, 3),
        "last_success_at": _text(evidence.last_success_at),
        "last_attempt_at": _text(evidence.last_attempt_at),
        "last_failure_at": _text(evidence.last_failure_at),
        "started_at": _text(evidence.started_at),
        "duration_s": evidence.duration_s,
        "verified_at": _text(evidence.verified_at),
        "next_due_at": None if known.paused else _text(evidence.due_at),
        "due": None if evidence.due_at is None or known.paused else evidence.due_at <= now.wall,
        "incident": alert.incident if alert.is_open else None,
        "origin": known.spec.origin.value,
        "paused": known.paused,
        "uuid": known.uuid,
    }


def _ping(row: Row) -> dict[str, Any]:
    own = ("number", "signal", "exit_code", "run", "method", "agent", "body")
    return {**{name: row[name] for name in own}, "at": utc_text(row["at"])}


def _incident(row: Row) -> dict[str, Any]:
    return {
        "number": row["number"],
        "check": row["check_name"],
        "severity": row["severity"],
        "opened_at": utc_text(row["opened_at"]),
        "closed_at": _text(row["closed_at"]),
        "acknowledged_by": row["acknowledged_by"],
        "muted": bool(row["muted"]),
    }


def _message(row: Row) -> dict[str, Any]:
    message = json.loads(row["message"])
    return {
        **message,
        "at": utc_text(message["at"]),
        "channel": row["channel"],
        "state": row["state"],
        "attempt": row["attempt"],
        "last_error": row["last_error"],
        "updated_at": utc_text(row["updated_at"]),
    }


def _text(at: float | None) -> str | None:
    return None if at is None else utc_text(at)
