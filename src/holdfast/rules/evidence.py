"""Decide what becomes of the evidence of a check when somebody signals, or somebody looked.

Pings follow Healthchecks: a start leaves the last success alone, a success ends only the run of its own id, a log
changes nothing. A stamp never lies in the future of whoever writes it down.
"""

from dataclasses import replace

from holdfast.model.check import PROBED, CheckKind, CheckSpec, Evidence, Observation

EARLY = 60.0
"""Seconds before its slot in which a success satisfies it: clocks differ, and a job may be quick."""

LONGEST_RUN = 72 * 3600.0
"""Seconds between a start and a success that still make one run; Healthchecks' limit."""

PROBE_EVERY = 60.0
"""Seconds between two looks at a thing that is probed, where nothing else was said."""

OVERDUE_PERIODS = 3
"""Which expected success is missing when it becomes critical: 24 h and 72 h for a daily one."""


def started(
    spec: CheckSpec,  # noqa: ARG001 - all signals are called alike
    evidence: Evidence,
    at: float,
    now: float,
    run: str = "",
) -> Evidence:
    """Return the evidence after a run began; its last success stays what it is."""
    evidence, at = _of_the_past(evidence, now), min(at, now)
    return replace(
        evidence, started_at=at, run=run, last_attempt_at=_later(evidence.last_attempt_at, at)
    )


def succeeded(
    spec: CheckSpec, evidence: Evidence, at: float, now: float, run: str = ""
) -> Evidence:
    """Return the evidence after a run succeeded, with the next one expected where a period says when.

    For a schedule the caller goes on to `expected` with the slots after `counted_from`. A backup that says it succeeded
    gets no fresher by its word: only what is found in its repository (`observed`) counts.
    """
    evidence, at = _of_the_past(evidence, now), min(at, now)
    evidence, began_at = _ended(evidence, at, run)
    attempted = replace(
        evidence,
        last_attempt_at=_later(evidence.last_attempt_at, at),
        failure=evidence.failure if _failed_since(evidence, at) else "",
    )
    if spec.kind is CheckKind.BACKUP or at < (attempted.last_success_at or at):
        return attempted
    counted_from = _counted_from(spec, attempted, at, began_at)
    fresher = replace(attempted, last_success_at=at, counted_from=counted_from, extra_grace=0.0)
    return expected(spec, fresher)


def failed(
    spec: CheckSpec,
    evidence: Evidence,
    at: float,
    now: float,
    run: str = "",  # noqa: ARG001 - all signals are called alike
    why: str = "",
) -> Evidence:
    """Return the evidence after a run failed; whichever run was under way is over, the last success stays.

    What a backup itself saw during the run says more than the exit code that ends it.
    """
    evidence, at = _of_the_past(evidence, now), min(at, now)
    if at < (evidence.last_success_at or at):
        return replace(evidence, last_failure_at=_later(evidence.last_failure_at, at))
    is_told = (
        spec.kind is CheckKind.BACKUP
        and evidence.started_at is not None
        and (evidence.last_failure_at or 0.0) >= evidence.started_at
    )
    told = evidence.failure if is_told else ""
    return replace(
        evidence,
        started_at=None,
        run="",
        last_attempt_at=_later(evidence.last_attempt_at, at),
        last_failure_at=_later(evidence.last_failure_at, at),
        failure=told or why or "it said that it failed",
    )


def logged(
    spec: CheckSpec,  # noqa: ARG001 - all signals are called alike
    evidence: Evidence,
    at: float,  # noqa: ARG001 - all signals are called alike
    now: float,  # noqa: ARG001 - all signals are called alike
    run: str = "",  # noqa: ARG001 - all signals are called alike
) -> Evidence:
    """Return the evidence as it is: words say nothing of success."""
    return evidence


def expected(
    spec: CheckSpec, evidence: Evidence, slots: tuple[float, float] | None = None
) -> Evidence:
    """Return the evidence with the moments at which the next success is due and overdue.

    `slots` are the first and the third moment of the schedule after `slots_after(evidence)`; a check with a schedule stays as
    it is without them. A success that nobody expects at a moment has neither.
    """
    if spec.schedule is not None:
        if slots is None:
            return evidence
        return replace(evidence, due_at=slots[0], overdue_at=slots[1])
    period = PROBE_EVERY if spec.kind in PROBED and spec.period is None else spec.period
    if period is None:
        return replace(evidence, due_at=None, overdue_at=None)
    since = slots_after(evidence)
    return replace(evidence, due_at=since + period, overdue_at=since + OVERDUE_PERIODS * period)


def slots_after(evidence: Evidence) -> float:
    """Return the moment after which the next success is expected: the last one, else when the check was first seen."""
    since = evidence.counted_from
    return evidence.first_seen_at if since is None else since


def observed(
    spec: CheckSpec, evidence: Evidence, observation: Observation, now: float
) -> Evidence:
    """Return the evidence after somebody looked at the snapshots of a backup, or probed a thing."""
    evidence = _of_the_past(evidence, now)
    told = replace(
        evidence,
        suspect=observation.suspect,
        missing=observation.missing,
        unverified=observation.unverified,
        verified_at=_earlier(observation.verified_at, now) or evidence.verified_at,
        duration_s=evidence.duration_s
        if observation.duration_s is None
        else observation.duration_s,
    )
    if spec.kind in PROBED:
        return _probed(spec, told, observation, now)
    return _covered(spec, told, observation, now)


def _probed(spec: CheckSpec, evidence: Evidence, observation: Observation, now: float) -> Evidence:
    at = min(observation.at, now)
    if observation.failure or observation.missing or observation.unverified:
        why = observation.failure
        tried = replace(evidence, last_attempt_at=_later(evidence.last_attempt_at, at))
        after = failed(spec, tried, at, now, why=why) if why else replace(tried, failure="")
        return expected(spec, replace(after, counted_from=at))
    after = succeeded(spec, evidence, at, now)
    covered_at = _earlier(observation.covered_at, now)
    return after if covered_at is None else replace(after, last_success_at=covered_at)


def _covered(
    spec: CheckSpec, evidence: Evidence, observation: Observation, now: float
) -> Evidence:
    """Take what the newest valid snapshot covers, also when that is less than it was: snapshots can be lost."""
    at = _earlier(_earlier(observation.covered_at, now), observation.snapshot_seen_at)
    if at is None and (observation.missing or observation.unverified):
        at = evidence.last_success_at
    is_newer = at is not None and at > (evidence.last_success_at or 0.0)
    covered = replace(
        evidence,
        last_success_at=at,
        counted_from=at,
        extra_grace=0.0 if is_newer else evidence.extra_grace,
        failure=_failure_after(evidence, observation, at),
        last_failure_at=min(observation.at, now)
        if observation.failure
        else evidence.last_failure_at,
    )
    return expected(spec, covered)


def _failure_after(evidence: Evidence, observation: Observation, at: float | None) -> str:
    if observation.failure:
        return observation.failure
    return "" if at is not None and not _failed_since(evidence, at) else evidence.failure


def _ended(evidence: Evidence, at: float, run: str) -> tuple[Evidence, float | None]:
    """End the run of this id; that of another goes on, and the success has no start then."""
    began_at = evidence.started_at
    if began_at is None or evidence.run != run:
        return evidence, None
    took = at - began_at
    ended = replace(evidence, started_at=None, run="")
    if not 0 <= took <= LONGEST_RUN:
        return ended, None
    return replace(ended, duration_s=took), began_at


def _counted_from(spec: CheckSpec, evidence: Evidence, at: float, began_at: float | None) -> float:
    """Count a period from the start of the run, a schedule from its end, or from the slot it came a little early for."""
    if spec.schedule is None:
        return at if began_at is None else began_at
    slot = evidence.due_at
    came_at = at if began_at is None else began_at
    is_early = slot is not None and 0 < slot - came_at <= EARLY
    return max(at, slot) if is_early and slot is not None else at


def _failed_since(evidence: Evidence, at: float) -> bool:
    return evidence.last_failure_at is not None and evidence.last_failure_at > at


def _of_the_past(evidence: Evidence, now: float) -> Evidence:
    """Take back stamps from a clock that ran ahead, so that the next success is newer than they are."""
    stamps = (
        evidence.last_success_at,
        evidence.last_attempt_at,
        evidence.last_failure_at,
        evidence.started_at,
    )
    if evidence.first_seen_at <= now and all(stamp is None or stamp <= now for stamp in stamps):
        return evidence
    return replace(
        _expected_from_the_past(evidence, now),
        first_seen_at=min(evidence.first_seen_at, now),
        last_success_at=_earlier(evidence.last_success_at, now),
        last_attempt_at=_earlier(evidence.last_attempt_at, now),
        last_failure_at=_earlier(evidence.last_failure_at, now),
        started_at=_earlier(evidence.started_at, now),
    )


def _expected_from_the_past(evidence: Evidence, now: float) -> Evidence:
    """Expect the next success from now on, not from a moment that never was; a slot may be satisfied a little early."""
    ahead = slots_after(evidence) - now
    if ahead <= EARLY:
        return evidence
    return replace(
        evidence,
        counted_from=_earlier(evidence.counted_from, now),
        due_at=None if evidence.due_at is None else evidence.due_at - ahead,
        overdue_at=None if evidence.overdue_at is None else evidence.overdue_at - ahead,
    )


def _earlier(stamp: float | None, other: float | None) -> float | None:
    if stamp is None or other is None:
        return stamp
    return min(stamp, other)


def _later(stamp: float | None, other: float) -> float:
    return other if stamp is None else max(stamp, other)
