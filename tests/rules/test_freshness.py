from dataclasses import replace
from math import inf, nextafter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.model.alert import AlertPolicy
from holdfast.model.check import PROBED, CheckKind, CheckSpec, Evidence, Look, Severity
from holdfast.rules.freshness import FUTURE_ALLOWED, after, expected, has_ages, look, well_until

HOUR = 3600.0
DAY = 24 * HOUR
T = 1_000_000.0
POLICY = AlertPolicy()
OK, UNKNOWN, WARNING, CRITICAL = Severity.OK, Severity.UNKNOWN, Severity.WARNING, Severity.CRITICAL


def spec(kind: CheckKind = CheckKind.BACKUP, **more: object) -> CheckSpec:
    return replace(CheckSpec(name="notes", kind=kind), **more)  # type: ignore[arg-type]


def seen(**more: object) -> Evidence:
    return replace(Evidence(first_seen_at=T), **more)  # type: ignore[arg-type]


def found(check: CheckSpec, evidence: Evidence, now: float) -> Look:
    return look(check, POLICY, evidence, now)


def verdict(check: CheckSpec, evidence: Evidence, now: float) -> tuple[Severity, str]:
    result = found(check, evidence, now)
    return result.severity, result.cause


@pytest.mark.parametrize(
    ("age", "severity", "cause"),
    [
        (0.0, OK, ""),
        (DAY, OK, ""),
        (DAY + 1, WARNING, "overdue"),
        (3 * DAY, WARNING, "overdue"),
        (3 * DAY + 1, CRITICAL, "overdue"),
    ],
)
def test_a_backup_is_stale_when_its_age_is_strictly_greater_than_a_limit(
    age: float, severity: Severity, cause: str
) -> None:
    evidence = seen(last_success_at=T)
    assert verdict(spec(), evidence, T + age) == (severity, cause)
    assert found(spec(), evidence, T + age).age_s == age


def test_the_next_look_is_due_the_moment_a_limit_is_exceeded_and_not_when_it_is_reached() -> None:
    evidence = seen(last_success_at=T)
    warning, critical = nextafter(T + DAY, inf), nextafter(T + 3 * DAY, inf)
    moments = [found(spec(), evidence, now).next_at for now in (T, T + DAY, warning, critical)]
    assert moments == [warning, warning, critical, None]


@pytest.mark.parametrize(
    ("since_seen", "severity", "cause"),
    [
        (DAY, OK, ""),
        (DAY + 1, WARNING, "never"),
        (3 * DAY, WARNING, "never"),
        (3 * DAY + 1, CRITICAL, "never"),
    ],
)
def test_what_never_succeeded_is_pending_until_its_first_limit(
    since_seen: float, severity: Severity, cause: str
) -> None:
    assert verdict(spec(), seen(), T + since_seen) == (severity, cause)
    assert found(spec(), seen(), T + since_seen).age_s is None


def test_limits_of_a_check_go_before_those_of_the_policy_and_any_kind_may_have_them() -> None:
    check = spec(CheckKind.PING, warning_after=10.0, critical_after=20.0)
    evidence = seen(last_success_at=T)
    assert found(check, evidence, T + 11).limit_s == 10.0
    assert found(check, evidence, T + 21).limit_s == 20.0
    one_given = spec(CheckKind.PING, warning_after=10.0)
    assert verdict(one_given, evidence, T + 3 * DAY + 1) == (CRITICAL, "overdue")
    assert [has_ages(each) for each in (spec(), one_given, spec(CheckKind.PING))] == [
        True,
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("age", "severity", "limit"),
    [
        (25 * HOUR, OK, None),
        (25 * HOUR + 1, WARNING, 25 * HOUR),
        (73 * HOUR, WARNING, 25 * HOUR),
        (73 * HOUR + 1, CRITICAL, 73 * HOUR),
    ],
)
def test_a_daily_ping_with_an_hour_of_grace_is_late_after_25_and_critical_after_73_hours(
    age: float, severity: Severity, limit: float | None
) -> None:
    check = spec(CheckKind.PING, period=DAY, grace=HOUR)
    for evidence, cause in (
        (seen(), "never"),
        (seen(last_success_at=T, counted_from=T), "overdue"),
    ):
        result = found(check, expected(check, evidence), T + age)
        assert (result.severity, result.limit_s) == (severity, limit)
        assert result.cause == ("" if severity is OK else cause)


def test_a_schedule_tells_how_late_it_is_because_its_slots_are_not_alike() -> None:
    check = spec(CheckKind.JOB, schedule="0 2 * * *", grace=HOUR)
    evidence = expected(check, seen(last_success_at=T), slots=(T + 20 * HOUR, T + 68 * HOUR))
    assert found(check, evidence, T + 21 * HOUR).severity is OK
    late = found(check, evidence, T + 21 * HOUR + 1)
    assert (late.severity, late.limit_s, late.why) == (
        WARNING,
        HOUR,
        "no success, 60m after it was due",
    )
    assert found(check, evidence, T + 69 * HOUR + 1).limit_s == 49 * HOUR
    punctual = found(replace(check, grace=0.0), evidence, T + 20 * HOUR + 1)
    assert (punctual.limit_s, punctual.why) == (None, "no success at the time it was due")


def test_nothing_is_expected_of_a_job_that_runs_on_demand() -> None:
    check = spec(CheckKind.JOB)
    result = found(check, expected(check, seen()), T + 999 * DAY)
    assert (result.severity, result.next_at) == (OK, None)


@pytest.mark.parametrize(
    ("timeout", "grace", "took", "cause"),
    [
        (60.0, 10.0, 60.0, ""),
        (60.0, 10.0, 61.0, "slow"),
        (None, 10.0, 10.0, ""),
        (None, 10.0, 11.0, "slow"),
        (None, 0.0, 9_999.0, ""),
    ],
)
def test_a_run_is_slow_after_its_timeout_else_after_its_grace(
    timeout: float | None, grace: float, took: float, cause: str
) -> None:
    check = spec(CheckKind.JOB, timeout=timeout, grace=grace)
    severity = WARNING if cause else OK
    assert verdict(check, seen(started_at=T), T + took) == (severity, cause)


def test_a_run_that_began_in_time_gets_its_timeout_before_its_success_is_missing() -> None:
    check = spec(CheckKind.PING, period=DAY, grace=HOUR, timeout=3 * HOUR)
    fresh = seen(last_success_at=T, counted_from=T)
    in_time = expected(check, replace(fresh, started_at=T + DAY))
    too_late = expected(check, replace(fresh, started_at=T + DAY + 2 * HOUR))
    assert verdict(check, in_time, T + DAY + 2 * HOUR) == (OK, "")
    assert verdict(check, in_time, T + DAY + 3 * HOUR + 1) == (WARNING, "overdue")
    assert verdict(check, too_late, T + DAY + 2 * HOUR) == (WARNING, "overdue")
    again = replace(in_time, started_at=T + 3 * DAY + HOUR)
    assert verdict(check, again, T + 3 * DAY + HOUR + 1) == (CRITICAL, "overdue")


@pytest.mark.parametrize(
    ("kind", "evidence", "severity", "cause", "explicit"),
    [
        (CheckKind.PING, seen(failure="exit 1"), CRITICAL, "failed", True),
        (CheckKind.JOB, seen(failure="exit 1"), CRITICAL, "failed", True),
        (CheckKind.MACHINE, seen(failure="gone"), CRITICAL, "failed", True),
        (CheckKind.HTTP, seen(failure="503"), CRITICAL, "failed", False),
        (CheckKind.TCP, seen(failure="refused"), CRITICAL, "failed", False),
        (CheckKind.COMMAND, seen(failure="exit 2"), CRITICAL, "failed", False),
        (CheckKind.FILE, seen(failure="too old"), CRITICAL, "failed", False),
        (CheckKind.BACKUP, seen(failure="no space"), CRITICAL, "failed", True),
        (
            CheckKind.BACKUP,
            seen(failure="no space", last_success_at=T),
            WARNING,
            "failed",
            True,
        ),
        (
            CheckKind.BACKUP,
            seen(failure="no space", last_success_at=T - DAY - HOUR),
            CRITICAL,
            "failed",
            True,
        ),
        (CheckKind.BACKUP, seen(missing="no folder"), CRITICAL, "missing", False),
        (CheckKind.BACKUP, seen(suspect="empty"), WARNING, "suspect", False),
        (CheckKind.BACKUP, seen(unverified="locked"), UNKNOWN, "unverified", False),
    ],
)
def test_each_finding_has_its_severity_and_only_somebodys_word_needs_no_confirmation(
    kind: CheckKind, evidence: Evidence, severity: Severity, cause: str, explicit: bool
) -> None:
    result = found(spec(kind), evidence, T + HOUR)
    assert (result.severity, result.cause, result.explicit) == (severity, cause, explicit)


def test_what_cannot_be_verified_never_lowers_what_the_age_says() -> None:
    evidence = seen(last_success_at=T, unverified="wrong password")
    assert verdict(spec(), evidence, T + HOUR) == (UNKNOWN, "unverified")
    assert verdict(spec(), evidence, T + DAY + 1) == (WARNING, "overdue")
    assert verdict(spec(), evidence, T + 3 * DAY + 1) == (CRITICAL, "overdue")


def test_findings_that_are_equally_bad_are_told_together_the_clearest_first() -> None:
    evidence = seen(last_success_at=T, missing="the folder is gone", failure="exit 1")
    result = found(spec(), evidence, T + 3 * DAY + 1)
    assert result.cause == "missing"
    assert result.why == "the folder is gone; exit 1; no success for more than 72h"
    assert result.explicit


def test_a_probe_nobody_made_for_three_periods_cannot_be_verified() -> None:
    for kind in PROBED:
        check = spec(kind, period=60.0)
        evidence = expected(check, seen(last_success_at=T, counted_from=T))
        assert verdict(check, evidence, T + 180) == (OK, "")
        assert verdict(check, evidence, T + 181) == (UNKNOWN, "unverified")


def test_extra_grace_moves_every_limit() -> None:
    extra = 500.0
    ping = spec(CheckKind.PING, period=100.0, timeout=50.0)
    ages = spec(warning_after=100.0, critical_after=200.0)
    cases = [
        (ages, seen(last_success_at=T), (100.0, 200.0)),
        (ping, expected(ping, seen(last_success_at=T, counted_from=T)), (100.0, 300.0)),
        (ping, seen(started_at=T), (50.0,)),
    ]
    for check, evidence, limits in cases:
        late = replace(evidence, extra_grace=extra)
        for limit in limits:
            before = found(check, evidence, T + limit).severity
            assert found(check, late, T + limit + extra).severity is before
            assert found(check, late, T + limit + extra + 1).severity is not before


def test_evidence_from_the_future_is_new_for_five_minutes_and_doubted_beyond() -> None:
    ahead = seen(last_success_at=T + FUTURE_ALLOWED)
    assert found(spec(), ahead, T).age_s == 0.0
    assert verdict(spec(), ahead, T) == (OK, "")
    far = seen(last_success_at=T + DAY)
    doubted = found(spec(), far, T)
    assert (doubted.severity, doubted.cause) == (UNKNOWN, "unverified")
    assert doubted.why == "its last success is dated 24h in the future"
    assert doubted.next_at == T + DAY - FUTURE_ALLOWED
    assert found(spec(), seen(), T - DAY).why == "it was added 24h in the future"


kinds = st.sampled_from(list(CheckKind))
stamps = st.none() | st.floats(T - 5 * DAY, T)


@settings(max_examples=100, deadline=None)
@given(
    kind=kinds,
    succeeded_at=stamps,
    began_at=stamps,
    grace=st.sampled_from([0.0, HOUR]),
    period=st.sampled_from([None, HOUR, DAY]),
    later=st.floats(0, 10 * DAY),
)
def test_until_next_at_nothing_changes_and_at_next_at_something_may(
    kind: CheckKind,
    succeeded_at: float | None,
    began_at: float | None,
    grace: float,
    period: float | None,
    later: float,
) -> None:
    check = spec(kind, grace=grace, period=period)
    evidence = Evidence(
        first_seen_at=T - 6 * DAY,
        last_success_at=succeeded_at,
        counted_from=succeeded_at,
        started_at=began_at,
    )
    evidence = expected(check, evidence)
    now = T + later
    present = found(check, evidence, now)
    last = T + 99 * DAY if present.next_at is None else nextafter(present.next_at, -inf)
    assert last >= now
    assert verdict(check, evidence, last) == (present.severity, present.cause)


@settings(max_examples=100, deadline=None)
@given(
    kind=kinds,
    succeeded_at=stamps,
    began_at=stamps,
    trouble=st.sampled_from(["", "", "failure", "suspect", "missing", "unverified"]),
    period=st.sampled_from([None, HOUR, DAY]),
    later=st.floats(-DAY, 10 * DAY),
)
def test_numbers_alone_say_that_all_is_well_exactly_when_a_look_does(
    kind: CheckKind,
    succeeded_at: float | None,
    began_at: float | None,
    trouble: str,
    period: float | None,
    later: float,
) -> None:
    check = spec(kind, period=period, grace=HOUR)
    broken = {trouble: "broken"} if trouble else {}
    evidence = expected(check, seen(last_success_at=succeeded_at, started_at=began_at, **broken))
    present = found(check, evidence, T + later)
    until = well_until(check, POLICY, evidence, T + later)
    assert (until is not None) == (present.severity is OK)
    if until is not None:
        assert until >= T + later
        assert after(until) == present.next_at


@settings(max_examples=100, deadline=None)
@given(
    kind=st.sampled_from([CheckKind.BACKUP, CheckKind.PING]), hours=st.lists(st.integers(0, 200))
)
def test_with_no_new_evidence_a_check_only_gets_worse(kind: CheckKind, hours: list[int]) -> None:
    check = spec(kind, period=DAY)
    evidence = expected(check, seen(last_success_at=T, counted_from=T))
    ranks = [found(check, evidence, T + hour * HOUR).severity.rank for hour in sorted(hours)]
    assert ranks == sorted(ranks)


def test_what_the_hub_finds_of_itself_is_in_its_own_words() -> None:
    old = seen(last_success_at=T)
    words = {
        name: look(spec(CheckKind.MACHINE, name=name, warning_after=60.0), POLICY, old, T + 61).why
        for name in ("hub-evaluator", "hub-outbox", "machine-laptop")
    }
    assert words == {
        "hub-evaluator": "checks were due more than 60s ago and nobody looked",
        "hub-outbox": "a message has waited for more than 60s",
        "machine-laptop": "no sign of life for more than 60s",
    }
