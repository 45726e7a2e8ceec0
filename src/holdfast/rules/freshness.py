"""Decide how fresh the success of a check is, from its evidence and the present moment alone.

No timer is kept anywhere, so that a restart makes nothing younger. Only a success makes a check fresher; attempts,
failures and pings of other kinds are remembered beside it, as `rules.evidence` says.
"""

from collections.abc import Iterator
from math import inf, nextafter
from typing import NamedTuple

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
    "expected",
    "failed",
    "has_ages",
    "logged",
    "look",
    "observed",
    "slots_after",
    "started",
    "succeeded",
]

FUTURE_ALLOWED = 300.0
"""Seconds a stamp may lie ahead of the clock and still be believed: clocks of machines differ a little."""

_CAUSES = ("missing", "failed", "overdue", "never", "slow", "suspect", "unverified")
"""Of findings that are equally bad, the one that names the message comes first."""

_AGES = frozenset({"overdue", "never"})


class _Finding(NamedTuple):
    severity: Severity
    cause: str
    why: str
    limit_s: float | None = None
    explicit: bool = False


class _Limit(NamedTuple):
    """A moment after which something is wrong (at the moment itself nothing is), and the words for it."""

    moment: float
    severity: Severity
    cause: str
    words: str
    limit_s: float | None = None

    @property
    def finding(self) -> _Finding:
        """Return what is wrong once the moment has passed."""
        why = self.words.format(limit=span(self.limit_s or 0.0))
        return _Finding(self.severity, self.cause, why, self.limit_s)


def look(spec: CheckSpec, policy: AlertPolicy, evidence: Evidence, now: float) -> Look:
    """Return what the evidence says at `now`, in seconds since the epoch."""
    doubted = _from_the_future(evidence, now)
    if doubted is not None:
        return doubted
    limits = list(_limits(spec, policy, evidence))
    found = [limit.finding for limit in limits if now > limit.moment]
    is_stale = any(finding.cause in _AGES for finding in found)
    found.extend(_findings(spec, evidence, is_stale=is_stale))
    to_come = [limit.moment for limit in limits if limit.moment >= now]
    next_at = nextafter(min(to_come), inf) if to_come else None
    return _summed_up(found, _age(evidence, now), next_at)


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


def _limits(spec: CheckSpec, policy: AlertPolicy, evidence: Evidence) -> Iterator[_Limit]:
    if has_ages(spec):
        yield from _limits_of_age(spec, policy, evidence)
    if evidence.due_at is not None and evidence.overdue_at is not None:
        if spec.kind in PROBED:
            yield _limit_of_probing(spec, evidence, evidence.overdue_at)
        else:
            yield _limit_of_warning(spec, evidence, evidence.due_at)
            yield _limit_of_critical(spec, evidence, evidence.due_at, evidence.overdue_at)
    if evidence.started_at is not None:
        yield from _limit_of_run(spec, evidence, evidence.started_at)


def _limits_of_age(spec: CheckSpec, policy: AlertPolicy, evidence: Evidence) -> Iterator[_Limit]:
    warning = policy.warning_after if spec.warning_after is None else spec.warning_after
    critical = policy.critical_after if spec.critical_after is None else spec.critical_after
    since = _since(evidence) + evidence.extra_grace
    cause, words = _cause_of_age(evidence)
    yield _Limit(since + warning, Severity.WARNING, cause, words, warning)
    yield _Limit(since + critical, Severity.CRITICAL, cause, words, critical)


def _limit_of_warning(spec: CheckSpec, evidence: Evidence, due_at: float) -> _Limit:
    """Give a run that began in time the time it may take before its success is missing."""
    moment = due_at + spec.grace + evidence.extra_grace
    began_at = evidence.started_at
    if began_at is not None and spec.timeout is not None and began_at <= moment:
        moment = max(moment, began_at + spec.timeout)
    limit, cause, words = _lateness(spec, evidence, due_at, due_at)
    return _Limit(moment, Severity.WARNING, cause, words, limit)


def _limit_of_critical(
    spec: CheckSpec, evidence: Evidence, due_at: float, overdue_at: float
) -> _Limit:
    """Wait for no run: each that is begun anew would put it off."""
    limit, cause, words = _lateness(spec, evidence, due_at, overdue_at)
    moment = overdue_at + spec.grace + evidence.extra_grace
    return _Limit(moment, Severity.CRITICAL, cause, words, limit)


def _lateness(
    spec: CheckSpec, evidence: Evidence, due_at: float, expected_at: float
) -> tuple[float | None, str, str]:
    """Return the age that a period allows; for a schedule, whose slots are not alike, the lateness."""
    cause, words = _cause_of_age(evidence)
    if spec.schedule is None:
        return expected_at - slots_after(evidence) + spec.grace, cause, words
    late = expected_at - due_at + spec.grace
    if late <= 0:
        return None, cause, "no success at the time it was due"
    return late, cause, "no success, {limit} after it was due"


def _cause_of_age(evidence: Evidence) -> tuple[str, str]:
    if evidence.last_success_at is None:
        return "never", "no success yet, {limit} after it was added"
    return "overdue", "no success for more than {limit}"


def _limit_of_probing(spec: CheckSpec, evidence: Evidence, overdue_at: float) -> _Limit:
    """Blame a late probe on whoever should have looked: it says nothing of the thing itself."""
    moment = overdue_at + spec.grace + evidence.extra_grace
    return _Limit(moment, Severity.UNKNOWN, "unverified", "nobody looked at it for three periods")


def _limit_of_run(spec: CheckSpec, evidence: Evidence, began_at: float) -> Iterator[_Limit]:
    allowed = spec.grace if spec.timeout is None else spec.timeout
    if allowed > 0:
        moment = began_at + allowed + evidence.extra_grace
        words = "a run takes more than {limit}"
        yield _Limit(moment, Severity.WARNING, "slow", words, allowed)


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
    if not found:
        return Look(severity=Severity.OK, age_s=age_s, next_at=next_at)
    rank = max(finding.severity.rank for finding in found)
    worst = [finding for finding in found if finding.severity.rank == rank]
    worst.sort(key=lambda finding: _CAUSES.index(finding.cause))
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
