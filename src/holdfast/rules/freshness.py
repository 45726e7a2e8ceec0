"""Decide how fresh the success of a check is, from its evidence and the present moment alone.

No timer is kept anywhere, so that a restart makes nothing younger. Only a success makes a check fresher; attempts,
failures and pings of other kinds are remembered beside it, as `rules.evidence` says.
"""

from collections.abc import Callable, Iterator
from math import inf, nextafter
from typing import NamedTuple, TypeAlias

from holdfast.model.alert import AlertPolicy
from holdfast.model.check import PROBED, CheckKind, CheckSpec, Evidence, Look, Severity
from holdfast.rules.evidence import (
    expected,
    failed,
    logged,
    observed,
    slots_after,
    started,
    succeeded,
)
from holdfast.rules.spans import span

__all__ = [
    "after",
    "expected",
    "failed",
    "has_ages",
    "logged",
    "look",
    "observed",
    "slots_after",
    "started",
    "succeeded",
    "well_until",
]

FUTURE_ALLOWED = 300.0
"""Seconds a stamp may lie ahead of the clock and still be believed: clocks of machines differ a little."""

_CAUSES = ("missing", "failed", "overdue", "never", "slow", "suspect", "unverified")
"""Of findings that are equally bad, the one that names the message comes first."""

_AGES = frozenset({"overdue", "never"})

_OF_ITSELF = {
    "hub-evaluator": "checks were due more than {limit} ago and nobody looked",
    "hub-outbox": "a message has waited for more than {limit}",
}
"""What the age of a check of the hub itself means; that of a machine is its silence."""


class _Finding(NamedTuple):
    severity: Severity
    cause: str
    why: str
    limit_s: float | None = None
    explicit: bool = False


_Blame: TypeAlias = Callable[[CheckSpec, AlertPolicy, Evidence], _Finding]

_Limit: TypeAlias = tuple[float, _Blame]
"""A moment after which something is wrong (at the moment itself nothing is), and what finds the words for it."""


def look(spec: CheckSpec, policy: AlertPolicy, evidence: Evidence, now: float) -> Look:
    """Return what the evidence says at `now`, in seconds since the epoch."""
    until = well_until(spec, policy, evidence, now)
    if until is not None:
        age_s, next_at = _age(evidence, now), after(until)
        return Look(severity=Severity.OK, age_s=age_s, next_at=next_at)
    return _from_the_future(evidence, now) or _what_is_wrong(spec, policy, evidence, now)


def well_until(
    spec: CheckSpec, policy: AlertPolicy, evidence: Evidence, now: float
) -> float | None:
    """Return the last moment at which all is still well, `inf` for always; None when it is not.

    Nothing but numbers: most of the checks that are looked at are well, and for those nobody needs words.
    """
    if evidence.failure or evidence.missing or evidence.suspect or evidence.unverified:
        return None
    if _since(evidence) - now > FUTURE_ALLOWED:
        return None
    until = inf
    for moment, _ in _limits(spec, policy, evidence):
        until = min(until, moment)
    return until if now <= until else None


def _what_is_wrong(spec: CheckSpec, policy: AlertPolicy, evidence: Evidence, now: float) -> Look:
    limits = _limits(spec, policy, evidence)
    found = [blame(spec, policy, evidence) for moment, blame in limits if now > moment]
    is_stale = any(finding.cause in _AGES for finding in found)
    found.extend(_findings(spec, evidence, is_stale=is_stale))
    to_come = min((moment for moment, _ in limits if moment >= now), default=inf)
    return _summed_up(found, _age(evidence, now), after(to_come))


def after(moment: float) -> float | None:
    """Return the first moment after this one, at which a look finds something else; None for never."""
    return None if moment == inf else nextafter(moment, inf)


def has_ages(spec: CheckSpec) -> bool:
    """Tell whether a check is judged by the age of its last success, and not only by when the next is due."""
    is_given = spec.warning_after is not None or spec.critical_after is not None
    return is_given or spec.kind is CheckKind.BACKUP


def _from_the_future(evidence: Evidence, now: float) -> Look | None:
    """Doubt evidence from a clock that ran ahead, which would stay fresh until the clock is there again."""
    known = evidence.last_success_at
    stamp = evidence.first_seen_at if known is None else known
    ahead = stamp - now
    if ahead <= FUTURE_ALLOWED:
        return None
    what = "it was added" if known is None else "its last success is dated"
    return Look(
        severity=Severity.UNKNOWN,
        cause="unverified",
        why=f"{what} {span(ahead)} in the future",
        next_at=stamp - FUTURE_ALLOWED,
    )


def _limits(spec: CheckSpec, policy: AlertPolicy, evidence: Evidence) -> list[_Limit]:
    limits: list[_Limit] = []
    extra = evidence.extra_grace
    if has_ages(spec):
        since = _since(evidence) + extra
        limits.append((since + _warning_age(spec, policy), _aged))
        limits.append((since + _critical_age(spec, policy), _aged_much))
    if evidence.due_at is not None and evidence.overdue_at is not None:
        overdue_at = evidence.overdue_at + spec.grace + extra
        if spec.kind in PROBED:
            limits.append((overdue_at, _unseen))
        else:
            # The critical limit waits for no run: each that is begun anew would put it off.
            limits.append((_late_at(spec, evidence, evidence.due_at), _late))
            limits.append((overdue_at, _overdue))
    if evidence.started_at is not None:
        allowed = _allowed(spec)
        if allowed > 0:
            limits.append((evidence.started_at + allowed + extra, _slow))
    return limits


def _warning_age(spec: CheckSpec, policy: AlertPolicy) -> float:
    return policy.warning_after if spec.warning_after is None else spec.warning_after


def _critical_age(spec: CheckSpec, policy: AlertPolicy) -> float:
    return policy.critical_after if spec.critical_after is None else spec.critical_after


def _late_at(spec: CheckSpec, evidence: Evidence, due_at: float) -> float:
    """Give a run that began in time the time it may take before its success is missing."""
    moment = due_at + spec.grace + evidence.extra_grace
    began_at = evidence.started_at
    if began_at is not None and spec.timeout is not None and began_at <= moment:
        return max(moment, began_at + spec.timeout)
    return moment


def _allowed(spec: CheckSpec) -> float:
    return spec.grace if spec.timeout is None else spec.timeout


def _aged(spec: CheckSpec, policy: AlertPolicy, evidence: Evidence) -> _Finding:
    return _too_old(Severity.WARNING, _warning_age(spec, policy), spec, evidence)


def _aged_much(spec: CheckSpec, policy: AlertPolicy, evidence: Evidence) -> _Finding:
    return _too_old(Severity.CRITICAL, _critical_age(spec, policy), spec, evidence)


def _too_old(severity: Severity, age: float, spec: CheckSpec, evidence: Evidence) -> _Finding:
    cause, words = _cause_of_age(evidence)
    if spec.kind is CheckKind.MACHINE:
        words = _OF_ITSELF.get(spec.name, "no sign of life for more than {limit}")
    return _Finding(severity, cause, words.format(limit=span(age)), age)


def _late(spec: CheckSpec, _policy: AlertPolicy, evidence: Evidence) -> _Finding:
    return _missed(Severity.WARNING, spec, evidence, evidence.due_at)


def _overdue(spec: CheckSpec, _policy: AlertPolicy, evidence: Evidence) -> _Finding:
    return _missed(Severity.CRITICAL, spec, evidence, evidence.overdue_at)


def _missed(
    severity: Severity, spec: CheckSpec, evidence: Evidence, expected_at: float | None
) -> _Finding:
    """Name the age that a period allows; for a schedule, whose slots are not alike, the lateness."""
    cause, words = _cause_of_age(evidence)
    allowed = (expected_at or 0.0) + spec.grace
    if spec.schedule is None:
        allowed -= slots_after(evidence)
        return _Finding(severity, cause, words.format(limit=span(allowed)), allowed)
    allowed -= evidence.due_at or 0.0
    if allowed <= 0:
        return _Finding(severity, cause, "no success at the time it was due")
    return _Finding(severity, cause, f"no success, {span(allowed)} after it was due", allowed)


def _cause_of_age(evidence: Evidence) -> tuple[str, str]:
    if evidence.last_success_at is None:
        return "never", "no success yet, {limit} after it was added"
    return "overdue", "no success for more than {limit}"


def _unseen(_spec: CheckSpec, _policy: AlertPolicy, _evidence: Evidence) -> _Finding:
    """Blame a late probe on whoever should have looked: it says nothing of the thing itself."""
    return _Finding(Severity.UNKNOWN, "unverified", "nobody looked at it for three periods")


def _slow(spec: CheckSpec, _policy: AlertPolicy, _evidence: Evidence) -> _Finding:
    allowed = _allowed(spec)
    return _Finding(Severity.WARNING, "slow", f"a run takes more than {span(allowed)}", allowed)


def _findings(spec: CheckSpec, evidence: Evidence, *, is_stale: bool) -> Iterator[_Finding]:
    """Go through what is wrong whatever the time is."""
    if evidence.failure:
        yield _failed(spec, evidence, is_stale=is_stale)
    if evidence.missing:
        yield _Finding(Severity.CRITICAL, "missing", evidence.missing)
    if evidence.suspect:
        yield _Finding(Severity.WARNING, "suspect", evidence.suspect)
    if evidence.unverified:
        yield _Finding(Severity.UNKNOWN, "unverified", evidence.unverified)


def _failed(spec: CheckSpec, evidence: Evidence, *, is_stale: bool) -> _Finding:
    """Take a backup that failed while a fresh snapshot stands for a warning: nothing is lost yet."""
    has_snapshot = spec.kind is CheckKind.BACKUP and evidence.last_success_at is not None
    severity = Severity.WARNING if has_snapshot and not is_stale else Severity.CRITICAL
    return _Finding(severity, "failed", evidence.failure, explicit=spec.kind not in PROBED)


def _summed_up(found: list[_Finding], age_s: float | None, next_at: float | None) -> Look:
    if len(found) == 1:
        return _looking_like(found, age_s, next_at)
    rank = max(finding.severity.rank for finding in found)
    worst = [finding for finding in found if finding.severity.rank == rank]
    worst.sort(key=lambda finding: _CAUSES.index(finding.cause))
    return _looking_like(worst, age_s, next_at)


def _looking_like(worst: list[_Finding], age_s: float | None, next_at: float | None) -> Look:
    return Look(
        severity=worst[0].severity,
        cause=worst[0].cause,
        why="; ".join(dict.fromkeys(finding.why for finding in worst)),
        age_s=age_s,
        limit_s=worst[0].limit_s,
        explicit=any(finding.explicit for finding in worst),
        next_at=next_at,
    )


def _since(evidence: Evidence) -> float:
    known = evidence.last_success_at
    return evidence.first_seen_at if known is None else known


def _age(evidence: Evidence, now: float) -> float | None:
    known = evidence.last_success_at
    return None if known is None else max(0.0, now - known)
