"""One check as it stands in the database, and the ways it is found there and saved."""

import functools
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, replace

import msgspec

from holdfast.hub.store.interface import Row, Tx
from holdfast.model.alert import AlertPolicy, AlertState
from holdfast.model.check import PROBED, CheckKind, CheckSpec, Evidence, Look, Severity
from holdfast.model.service import Now
from holdfast.rules import freshness

CLEAN = AlertState()
"""The alerting of a check that was never bad; most are, so it is stored as next to nothing."""

PROBE_EVERY = 60.0
"""Seconds between two probes of a check that names no period."""

SPECS_KEPT = 20_000
"""Descriptions that are kept as they were read, at most."""

_CLEAN_TEXT = "{}"
_encode = msgspec.json.Encoder().encode
_evidence = msgspec.json.Decoder(Evidence).decode
_alert = msgspec.json.Decoder(AlertState).decode


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A check: what is expected, what is known, and what of it people were told.

    `severity` is that of the newest look, `alert.confirmed` the one that counts. `look_at` is when the next look can matter,
    `probe_at` when the hub looks by itself; None where it need not. `pings` counts all that ever came.
    """

    id: int
    uuid: str
    spec: CheckSpec
    evidence: Evidence
    alert: AlertState = CLEAN
    severity: Severity = Severity.OK
    paused: bool = False
    look_at: float | None = None
    probe_at: float | None = None
    pings: int = 0

    @property
    def name(self) -> str:
        """Return the name, which is the slug of its ping address too."""
        return self.spec.name


def new_uuid() -> str:
    """Return a name for a ping address that nobody can guess."""
    return str(uuid.uuid4())


@functools.lru_cache(maxsize=SPECS_KEPT)
def spec_of(text: str) -> CheckSpec:
    """Read a description, which hardly ever changes, once."""
    return msgspec.json.decode(text, type=CheckSpec)


def from_row(row: Row) -> Check:
    """Return the check that a row describes."""
    alert = row["alert"]
    return Check(
        id=row["id"],
        uuid=row["uuid"],
        spec=spec_of(row["spec"]),
        evidence=_evidence(row["evidence"]),
        alert=CLEAN if alert == _CLEAN_TEXT else _alert(alert),
        severity=Severity(row["severity"]),
        paused=bool(row["paused"]),
        look_at=row["look_at"],
        probe_at=row["probe_at"],
        pings=row["pings"],
    )


def to_row(check: Check) -> dict[str, object]:
    """Return the parameters of the statements that insert and save a check."""
    return {
        **alert_row(check.id, check.alert, check.severity, check.look_at),
        "name": check.name,
        "uuid": check.uuid,
        "kind": check.spec.kind.value,
        "origin": check.spec.origin.value,
        "spec": _encode(check.spec).decode(),
        "evidence": _encode(check.evidence).decode(),
        "probe_at": check.probe_at,
        "paused": int(check.paused),
        "pings": check.pings,
    }


def alert_row(
    id_: int, alert: AlertState, severity: Severity, look_at: float | None
) -> dict[str, object]:
    """Return the parameters of `checks.save_alert`: only what a sweep changes."""
    return {
        "id": id_,
        "alert": _CLEAN_TEXT if alert is CLEAN else _encode(alert).decode(),
        "severity": severity.value,
        "confirmed": alert.confirmed.value,
        "look_at": look_at,
    }


def by_name(tx: Tx, name: str) -> Check | None:
    """Return the check of this name."""
    return _found(tx.one("checks.by_name", name=name))


def by_uuid(tx: Tx, uuid_: str) -> Check | None:
    """Return the check with this ping address."""
    return _found(tx.one("checks.by_uuid", uuid=uuid_))


def every(tx: Tx) -> list[Check]:
    """Return all checks, by name."""
    return _each(tx.all("checks.every"))


def next_look(tx: Tx) -> float | None:
    """Return when the next check is to be looked at, None for never."""
    return _moment(tx.one("checks.next_look"), "look_at")


def probes_due(tx: Tx, now: Now, limit: int = 100) -> list[Check]:
    """Return the checks the hub is to probe now; each stays due until it was observed."""
    return _each(tx.all("checks.probes_due", now=now.wall, limit=limit))


def next_probe(tx: Tx) -> float | None:
    """Return when the next check is to be probed, None for never."""
    return _moment(tx.one("checks.next_probe"), "probe_at")


def insert(tx: Tx, check: Check) -> Check:
    """Add a check and return it with the id it got."""
    tx.run("checks.insert", **to_row(check))
    row = tx.one("checks.by_name", name=check.name)
    assert row is not None
    return replace(check, id=row["id"])


def save(tx: Tx, check: Check) -> None:
    """Write all that can change of a check."""
    tx.run("checks.save", **to_row(check))


def judged(check: Check, policy: AlertPolicy, now: Now) -> tuple[Check, Look]:
    """Return the check as one look finds it, due for the sweep at once when that differs from what counts."""
    look = freshness.look(check.spec, policy, check.evidence, now.wall)
    return replace(check, severity=look.severity, look_at=_look_at(check, look, now)), look


def is_urgent(check: Check) -> bool:
    """Tell whether the newest look differs from what counts, so that the sweep has something to decide."""
    return not check.paused and check.severity is not check.alert.confirmed


def _look_at(check: Check, look: Look, now: Now) -> float | None:
    if check.paused:
        return None
    if look.severity is not check.alert.confirmed:
        return now.wall
    if _is_quiet(check.alert):
        return look.next_at
    # Reminders, cooldowns and counters have their own times, which the sweep has put here.
    return min((at for at in (check.look_at, look.next_at) if at is not None), default=None)


def _is_quiet(alert: AlertState) -> bool:
    return alert is CLEAN or not (
        alert.is_open
        or alert.at_least_warning
        or alert.unknown
        or alert.is_flapping
        or alert.is_quieted
    )


def probe_after(check: Check, at: float) -> float | None:
    """Return when a check is probed next after a probe at this moment; None for one that is not probed."""
    if check.paused or check.spec.kind not in PROBED:
        return None
    every = check.spec.period or PROBE_EVERY
    # The period of a file is how often somebody writes it, not how often it is looked at.
    return at + (min(every, PROBE_EVERY) if check.spec.kind is CheckKind.FILE else every)


def _found(row: Row | None) -> Check | None:
    return None if row is None else from_row(row)


def _each(rows: Iterable[Row]) -> list[Check]:
    return [from_row(row) for row in rows]


def _moment(row: Row | None, column: str) -> float | None:
    return None if row is None else float(row[column])
