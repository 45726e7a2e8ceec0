"""What changes a check: the configuration, a ping, the run of a job, a look at the thing itself, a person."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from holdfast.errors import Refused, UnknownName
from holdfast.hub import check as rows
from holdfast.hub import events, expectation, outbox
from holdfast.hub.check import CLEAN, Check, new_uuid
from holdfast.hub.store.interface import Tx
from holdfast.model.alert import AlertPolicy, Tell, Telling
from holdfast.model.check import (
    PROBED,
    CheckKind,
    CheckSpec,
    Evidence,
    Look,
    Observation,
    Origin,
    Severity,
)
from holdfast.model.message import Channel
from holdfast.model.service import Now
from holdfast.rules import freshness

SIGNALLED = frozenset({CheckKind.PING, CheckKind.JOB})
"""The kinds whose evidence is what is said; that of the others is what is found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Synced:
    """The names of the checks that a configuration added, changed and removed."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]


def sync(
    tx: Tx,
    specs: Sequence[CheckSpec],
    policy: AlertPolicy,
    now: Now,
    *,
    channels: Sequence[Channel] = (),
    uuids: Callable[[], str] = new_uuid,
) -> Synced:
    """Make the checks of the configuration those in `specs`, and have every check looked at again.

    Evidence and incidents survive a change. A check that is no longer configured is deleted with its incident closed, which
    `channels` that heard of it are told; one that comes back is a new one. Checks made by clients stay, unless the
    configuration takes their name.
    """
    before = {known.name: known for known in rows.every(tx)}
    wanted = {spec.name for spec in specs}
    gone = [
        known
        for known in before.values()
        if known.spec.origin is Origin.CONFIG and known.name not in wanted
    ]
    for known in gone:
        forget(tx, known, "no longer configured", channels, now)
    added = [spec for spec in specs if spec.name not in before]
    for spec in added:
        add(tx, spec, policy, now, uuids)
    changed = [spec for spec in specs if spec.name in before and before[spec.name].spec != spec]
    for spec in changed:
        _change(tx, before[spec.name], spec, policy, now)
    # The policy may have changed as well, and with it every limit.
    tx.run("checks.look_again", now=now.wall)
    return Synced(
        added=tuple(spec.name for spec in added),
        changed=tuple(spec.name for spec in changed),
        removed=tuple(known.name for known in gone),
    )


def add(
    tx: Tx,
    spec: CheckSpec,
    policy: AlertPolicy,
    now: Now,
    uuids: Callable[[], str] = new_uuid,
) -> Check:
    """Add a check that nothing is known of; its incidents go on from the number of those of an earlier one of its name."""
    row = tx.one("checks.newest_incident", name=spec.name)
    number = (row["number"] if row else None) or 0
    fresh = Check(
        id=0,
        uuid=uuids(),
        spec=spec,
        evidence=expectation.of_new(spec, now),
        alert=replace(CLEAN, incident=number) if number else CLEAN,
        probe_at=now.wall if spec.kind in PROBED else None,
    )
    judged, _ = rows.judged(fresh, policy, now)
    return rows.insert(tx, judged)


def _change(tx: Tx, known: Check, spec: CheckSpec, policy: AlertPolicy, now: Now) -> Check:
    changed = replace(
        known,
        spec=spec,
        evidence=_evidence_under(known, spec, now),
        probe_at=now.wall if spec.kind in PROBED and not known.paused else None,
    )
    judged, _ = rows.judged(changed, policy, now)
    rows.save(tx, judged)
    return judged


def _evidence_under(known: Check, spec: CheckSpec, now: Now) -> Evidence:
    """Return what is known under another description; what was found for another kind says nothing of this one."""
    is_same = known.spec.kind is spec.kind or {known.spec.kind, spec.kind} <= SIGNALLED
    if not is_same:
        return expectation.of_new(spec, now)
    if not expectation.is_other(known.spec, spec):
        return known.evidence
    if known.severity is Severity.OK:
        return expectation.anew(spec, known.evidence, now)
    return expectation.of(spec, known.evidence)


def observe(
    tx: Tx, name: str, observation: Observation, policy: AlertPolicy, now: Now
) -> Check | None:
    """Take what somebody found who looked at the thing itself; None when no check of the name goes by what is found."""
    known = rows.by_name(tx, name)
    if known is None or known.spec.kind in SIGNALLED:
        return None
    seen = freshness.observed(known.spec, known.evidence, observation, now.wall)
    return keep(tx, replace(known, evidence=expectation.after(known, seen)), policy, now)


def keep(tx: Tx, known: Check, policy: AlertPolicy, now: Now) -> Check:
    """Save a check with new evidence, looked at, and return it."""
    judged, _ = rows.judged(known, policy, now)
    judged = replace(judged, probe_at=rows.probe_after(judged, now.wall))
    rows.save(tx, judged)
    return judged


def pause(tx: Tx, name: str, now: Now, *, by: str = "", channels: Sequence[Channel] = ()) -> Check:
    """Expect nothing of a check until it is resumed; an open incident is closed, which `channels` that heard of it are told.

    Raises:
        UnknownName: there is no check of that name.
    """
    known = _known(tx, name)
    if known.paused:
        return known
    _close(tx, known, "paused", channels, now)
    alert = known.alert
    paused = replace(
        known,
        paused=True,
        look_at=None,
        probe_at=None,
        alert=replace(
            CLEAN,
            incident=alert.incident,
            warning_told_at=alert.warning_told_at,
            critical_told_at=alert.critical_told_at,
        ),
    )
    rows.save(tx, paused)
    events.note(tx, "check.paused", name, {"by": by}, now)
    return paused


def resume(tx: Tx, name: str, policy: AlertPolicy, now: Now, *, by: str = "") -> Check:
    """Expect a check to succeed again, counted from now: nothing was missed while it was paused.

    Raises:
        UnknownName: there is no check of that name.
    """
    known = _known(tx, name)
    if not known.paused:
        return known
    evidence = expectation.anew(known.spec, replace(known.evidence, started_at=None, run=""), now)
    probe_at = now.wall if known.spec.kind in PROBED else None
    resumed = replace(known, paused=False, evidence=evidence, probe_at=probe_at)
    judged, _ = rows.judged(resumed, policy, now)
    rows.save(tx, judged)
    events.note(tx, "check.resumed", name, {"by": by}, now)
    return judged


def remove(tx: Tx, name: str, now: Now, *, by: str = "", channels: Sequence[Channel] = ()) -> None:
    """Delete a check that a client made, with its pings; an open incident is closed.

    Raises:
        UnknownName: there is no check of that name.
        Refused: the configuration or the hub itself made it.
    """
    known = _known(tx, name)
    if known.spec.origin is Origin.CONFIG:
        raise Refused(
            f"{name} stands in the configuration; take it out there, then: holdfast reload"
        )
    if known.spec.origin is Origin.BUILTIN:
        raise Refused(
            f"{name} is a check of the hub itself and stays; silence it if it is a nuisance"
        )
    forget(tx, known, f"removed by {by}" if by else "removed", channels, now)


def forget(tx: Tx, known: Check, why: str, channels: Sequence[Channel], now: Now) -> None:
    """Delete a check whoever made it, and close its incident, which `channels` that heard of it are told with the reason."""
    _close(tx, known, why, channels, now)
    tx.run("checks.remove", id=known.id)
    events.note(tx, "check.removed", known.name, {"why": why}, now)


def _close(tx: Tx, known: Check, why: str, channels: Sequence[Channel], now: Now) -> None:
    """Close an open incident that no success ends; who heard of it hears of the end."""
    alert = known.alert
    if not alert.is_open:
        return
    number = alert.incident
    tx.run("checks.close_incidents", name=known.name, now=now.wall)
    facts = {"incident": number, "severity": alert.confirmed.value, "why": why}
    events.note(tx, "incident.closed", known.name, facts, now)
    if alert.told is not Severity.OK:
        resolve = Tell(kind=Telling.RESOLVE, severity=alert.told, to_told=True)
        outbox.enqueue(tx, channels, known, resolve, Look(severity=Severity.OK, why=why), now)


def _known(tx: Tx, name: str) -> Check:
    known = rows.by_name(tx, name)
    if known is None:
        raise UnknownName(f"there is no check {name!r}; `holdfast checks` lists them")
    return known
