"""Whether a running service lives, judged by its beats: state, beat or look, moment -> state, what follows.

After systemd's watchdog, with what users of it asked for: a warning before the kill, no kill for the slowness of the
supervisor itself, and a counter that tells work from mere life. Only spans on the monotonic clock decide, so that a
step of the wall clock changes nothing.
"""

from dataclasses import replace
from typing import TypeAlias

from holdfast.model.beat import ERROR_STATUS, Beat, Liveness, Refusal
from holdfast.model.event import HealthJudged, Record, RestartOrdered
from holdfast.model.service import Health, Now, Reason
from holdfast.model.spec import HeartbeatPolicy, ServiceSpec

AHEAD_AT_MOST = 5.0
"""Seconds a stamp may lie in the future: clocks of one machine that disagree by more are wrong."""

ERRORS_IN_A_ROW = 3
"""Beats with the status "error" after which a service is bad."""

LOOKS_IN_A_ROW = 2
"""Looks that must find the same before a service is restarted for it."""

LATE_SHARE = 0.1
"""A look that comes later than this share of the lease says more about the supervisor than about the service."""

CONFIRM_SHARE = 0.1
CONFIRM_AT_MOST = 5.0
"""Until the second look: this share of the lease, and so many seconds at most."""

DEFERRALS_AT_MOST = 3
"""Leases that start anew because the supervisor was late, between two beats."""

LIVE_BEATS = 0.5
"""Share of the lease after which silence makes a service degraded."""

Finding: TypeAlias = HealthJudged | RestartOrdered | Record
Outcome: TypeAlias = tuple[Liveness, tuple[Finding, ...]]


def refusal(beat: Beat, generation: int, now: Now) -> Refusal | None:
    """Return why a beat does not count for the process of this generation, None when it does."""
    if beat.generation not in (None, generation):
        return Refusal.GENERATION
    if beat.boot_id not in (None, now.boot_id):
        return Refusal.BOOT
    if beat.wall > now.wall + AHEAD_AT_MOST:
        return Refusal.FUTURE
    return None


def arrived_mono(stamp: float, looked_mono: float | None, now: Now) -> float:
    """Return when a stamped beat was sent, on the monotonic clock.

    It was not there at the look before, so a stamp that says otherwise was made before the wall clock stepped.
    """
    sent = min(now.mono, now.mono - (now.wall - stamp))
    return sent if looked_mono is None else max(sent, looked_mono)


def began(spec: ServiceSpec, liveness: Liveness, now: Now, *, health: Health) -> Outcome:
    """Judge a process from now on: it is running, or was adopted; `health` is what it counts as until now."""
    liveness = replace(
        liveness,
        base_mono=now.mono,
        progress_mono=now.mono,
        late=0,
        deferrals=0,
        health=health,
    )
    if liveness.suspended and spec.heartbeat is not None:
        return _suspended(liveness)
    return _judged(spec, liveness, now)


def beat_arrived(spec: ServiceSpec, liveness: Liveness, beat: Beat, now: Now) -> Outcome:
    """Take a beat that was not refused."""
    errors = liveness.errors + 1 if beat.status == ERROR_STATUS else 0
    before = liveness.last.progress if liveness.last is not None else None
    moved = beat.progress is not None and beat.progress != before
    last = beat if beat.progress is not None else replace(beat, progress=before)
    liveness = replace(
        liveness,
        base_mono=_later(liveness.base_mono, beat.mono),
        progress_mono=_later(liveness.progress_mono, beat.mono)
        if moved
        else liveness.progress_mono,
        deferrals=0,
        suspended=liveness.suspended and _is_before(beat, liveness),
        errors=errors,
        last=last,
        lease=beat.lease or liveness.lease,
        text=beat.text or liveness.text,
        error=beat.error,
        extra=beat.extra or liveness.extra,
    )
    if liveness.base_mono is None or liveness.suspended:
        return liveness, ()
    liveness, findings = _judged(
        spec, replace(liveness, late=_still_late(spec, liveness, now)), now
    )
    if errors >= ERRORS_IN_A_ROW and spec.restart.on_error:
        findings += (RestartOrdered(reason=Reason.ERROR, counted=True, forgive=False),)
    return liveness, findings


def told(
    liveness: Liveness, now: Now, *, text: str | None, error: str | None, lease: float | None
) -> Liveness:
    """Take what a process said without beating; a lease it asks for runs from now."""
    base = liveness.base_mono if lease is None else _later(liveness.base_mono, now.mono)
    return replace(
        liveness,
        base_mono=base,
        text=text or liveness.text,
        error=error or liveness.error,
        lease=lease or liveness.lease,
    )


def paused(liveness: Liveness) -> Liveness:
    """Judge a process no longer: it is on its way out."""
    return replace(liveness, base_mono=None, late=0)


def triggered(liveness: Liveness) -> Outcome:
    """Replace a process that says itself that it cannot go on (WATCHDOG=trigger)."""
    if liveness.base_mono is None:
        return liveness, ()
    facts: dict[str, object] = {"severity": "warning"}
    return liveness, (Record(kind="heartbeat.triggered", facts=facts), _abort(Reason.LEASE))


def extended(liveness: Liveness, until_mono: float) -> Liveness:
    """Believe a process until this moment at least, as it asked."""
    return replace(liveness, until_mono=until_mono, late=0)


def looked(spec: ServiceSpec, liveness: Liveness, now: Now, late_by: float) -> Outcome:
    """Judge silence; the look came `late_by` seconds after it was due."""
    policy = spec.heartbeat
    if policy is None or liveness.base_mono is None or liveness.suspended:
        return liveness, ()
    lease = _lease(policy, liveness)
    if not _is_half_over(policy, liveness, now) and not _is_stalled(policy, liveness, now):
        return _judged(spec, replace(liveness, late=0), now)
    if late_by > LATE_SHARE * lease and liveness.deferrals < DEFERRALS_AT_MOST:
        return _deferred(liveness, now, late_by)
    late = _reason(policy, liveness, now)
    if late is None:
        return _judged(spec, replace(liveness, late=0), now)
    liveness = replace(liveness, late=liveness.late + 1, late_mono=now.mono)
    liveness, findings = _judged(spec, liveness, now)
    if liveness.late < LOOKS_IN_A_ROW:
        return liveness, findings
    kind = "heartbeat.expired" if late is Reason.LEASE else "heartbeat.stalled"
    facts = _silence(policy, liveness, now)
    return liveness, (*findings, Record(kind=kind, facts=facts), _abort(late))


def when_due(spec: ServiceSpec, liveness: Liveness) -> float | None:
    """Return the monotonic moment of the next look that can find something, None when none can."""
    policy = spec.heartbeat
    if policy is None or liveness.base_mono is None or liveness.suspended:
        return None
    lease = _lease(policy, liveness)
    if liveness.late:
        return liveness.late_mono + min(CONFIRM_SHARE * lease, CONFIRM_AT_MOST)
    warned = liveness.health is not Health.OK
    due = [_end(liveness, liveness.base_mono + lease * (1 if warned else LIVE_BEATS))]
    if policy.progress_within is not None and liveness.progress_mono is not None:
        due.append(_end(liveness, liveness.progress_mono + policy.progress_within))
    return min(due)


def expires_at(spec: ServiceSpec, liveness: Liveness) -> float | None:
    """Return until when the last beat is believed, in seconds since the epoch; None without a beat or a lease."""
    lease = _lease(spec.heartbeat, liveness) if spec.heartbeat else liveness.lease
    if liveness.last is None or lease is None:
        return None
    return liveness.last.wall + lease


def _suspended(liveness: Liveness) -> Outcome:
    """Believe a process until its next beat: its notify socket was lost, which is no fault of its own."""
    why = "its notify socket was lost; its lease is suspended until the next beat"
    told = Record(kind="heartbeat.suspended", facts={"severity": "warning", "why": why})
    if liveness.health is Health.BAD:
        return liveness, (told,)
    judged = HealthJudged(health=Health.DEGRADED, why=why)
    return replace(liveness, health=Health.DEGRADED), (told, judged)


def _judged(spec: ServiceSpec, liveness: Liveness, now: Now) -> Outcome:
    """Say how well it does, if that is something new."""
    health, why, severity = _health(spec.heartbeat, liveness, now)
    if health is liveness.health:
        return liveness, ()
    judged = HealthJudged(health=health, why=why, severity=severity)
    return replace(liveness, health=health), (judged,)


def _health(
    policy: HeartbeatPolicy | None, liveness: Liveness, now: Now
) -> tuple[Health, str, str]:
    if _is_bad(liveness):
        told = f": {liveness.error}" if liveness.error else ""
        return Health.BAD, f"it reports errors, {liveness.errors} beats in a row{told}", "critical"
    if policy is None:
        return Health.OK, "", ""
    if _is_half_over(policy, liveness, now):
        age, lease = _age(liveness, now), _lease(policy, liveness)
        return Health.DEGRADED, f"no beat for {age:.3g} s; its lease is {lease:g} s", ""
    if _is_stalled(policy, liveness, now):
        return Health.DEGRADED, f"no progress for {policy.progress_within:g} s", ""
    return Health.OK, "", ""


def _is_bad(liveness: Liveness) -> bool:
    if liveness.health is Health.BAD:
        # Until a good beat; an adopted service has not sent one yet.
        return liveness.last is None or liveness.errors > 0
    return liveness.errors >= ERRORS_IN_A_ROW


def _reason(policy: HeartbeatPolicy, liveness: Liveness, now: Now) -> Reason | None:
    base = liveness.base_mono
    if base is not None and now.mono >= _end(liveness, base + _lease(policy, liveness)):
        return Reason.LEASE
    return Reason.PROGRESS if _is_stalled(policy, liveness, now) else None


def _is_half_over(policy: HeartbeatPolicy, liveness: Liveness, now: Now) -> bool:
    base = liveness.base_mono
    half = LIVE_BEATS * _lease(policy, liveness)
    return base is not None and now.mono >= _end(liveness, base + half)


def _is_stalled(policy: HeartbeatPolicy, liveness: Liveness, now: Now) -> bool:
    within, since = policy.progress_within, liveness.progress_mono
    return within is not None and since is not None and now.mono >= _end(liveness, since + within)


def _still_late(spec: ServiceSpec, liveness: Liveness, now: Now) -> int:
    """Return the looks in a row that count on after a beat: it ends silence, not a standstill."""
    policy = spec.heartbeat
    return liveness.late if policy is not None and _is_stalled(policy, liveness, now) else 0


def _deferred(liveness: Liveness, now: Now, late_by: float) -> Outcome:
    liveness = replace(
        liveness,
        base_mono=now.mono,
        progress_mono=now.mono,
        late=0,
        deferrals=liveness.deferrals + 1,
    )
    facts: dict[str, object] = {"late_by_s": round(late_by, 3), "deferrals": liveness.deferrals}
    return liveness, (Record(kind="heartbeat.deferred", facts=facts),)


def _silence(policy: HeartbeatPolicy, liveness: Liveness, now: Now) -> dict[str, object]:
    facts: dict[str, object] = {
        "severity": "warning",
        "age_s": round(_age(liveness, now), 3),
        "lease_s": _lease(policy, liveness),
    }
    if policy.progress_within is not None:
        facts["progress_within_s"] = policy.progress_within
    return facts


def _age(liveness: Liveness, now: Now) -> float:
    return 0.0 if liveness.base_mono is None else now.mono - liveness.base_mono


def _lease(policy: HeartbeatPolicy, liveness: Liveness) -> float:
    return liveness.lease or policy.lease


def _end(liveness: Liveness, moment: float) -> float:
    """Return a moment, put off to the one the process asked for."""
    return moment if liveness.until_mono is None else max(moment, liveness.until_mono)


def _is_before(beat: Beat, liveness: Liveness) -> bool:
    """Tell whether a beat was sent before its process is judged: what a file kept says nothing of the way it goes now."""
    return liveness.base_mono is not None and beat.mono < liveness.base_mono


def _later(moment: float | None, other: float) -> float | None:
    return None if moment is None else max(moment, other)


def _abort(reason: Reason) -> RestartOrdered:
    return RestartOrdered(reason=reason, counted=True, forgive=False, signal="ABRT")
