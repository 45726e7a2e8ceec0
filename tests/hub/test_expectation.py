from dataclasses import replace

from holdfast.hub import expectation
from holdfast.hub.check import Check
from holdfast.model.check import CheckKind, CheckSpec, Evidence
from holdfast.model.service import Now

HOUR, DAY = 3600.0, 86_400.0
MIDNIGHT = 20_000 * DAY
NIGHTLY = CheckSpec(name="a", kind=CheckKind.JOB, schedule="0 3 * * *", timezone="UTC")


def known(evidence: Evidence, spec: CheckSpec = NIGHTLY) -> Check:
    return Check(id=1, uuid="u", spec=spec, evidence=evidence)


def test_a_schedule_is_due_at_its_first_slot_and_overdue_at_its_third() -> None:
    evidence = expectation.of(NIGHTLY, Evidence(first_seen_at=MIDNIGHT))

    assert evidence.due_at == MIDNIGHT + 3 * HOUR
    assert evidence.overdue_at == MIDNIGHT + 3 * HOUR + 2 * DAY


def test_slots_follow_the_zone_of_the_check_over_a_change_of_its_clock() -> None:
    berlin = replace(NIGHTLY, timezone="Europe/Berlin")
    eve = 1_774_738_800.0  # 29 March 2026, 00:00 in Berlin; the clocks go forward at 02:00

    evidence = expectation.of(berlin, Evidence(first_seen_at=eve))

    assert evidence.due_at == eve + 2 * HOUR
    assert evidence.overdue_at == eve + 2 * HOUR + 2 * DAY


def test_a_schedule_that_never_comes_expects_nothing() -> None:
    never = replace(NIGHTLY, schedule="0 0 30 2 *")

    evidence = expectation.of(never, Evidence(first_seen_at=MIDNIGHT, due_at=1.0, overdue_at=2.0))

    assert (evidence.due_at, evidence.overdue_at) == (None, None)


def test_a_period_is_counted_from_now_when_it_is_counted_anew() -> None:
    hourly = CheckSpec(name="a", kind=CheckKind.PING, period=HOUR)
    old = Evidence(first_seen_at=0.0, last_success_at=5.0, counted_from=5.0)
    now = Now(wall=MIDNIGHT, mono=0.0, boot_id="boot")

    assert expectation.of(hourly, old).due_at == 5.0 + HOUR
    anew = expectation.anew(hourly, old, now)
    assert (anew.due_at, anew.last_success_at) == (MIDNIGHT + HOUR, 5.0)


def test_the_slots_move_on_only_when_a_success_has_passed_them() -> None:
    evidence = expectation.of(NIGHTLY, Evidence(first_seen_at=MIDNIGHT))

    for counted_from, due_at in (
        (MIDNIGHT + HOUR, MIDNIGHT + 3 * HOUR),
        (MIDNIGHT + 3 * HOUR, MIDNIGHT + 3 * HOUR + DAY),
        (MIDNIGHT + 5 * HOUR, MIDNIGHT + 3 * HOUR + DAY),
        (MIDNIGHT - 5 * HOUR, MIDNIGHT + 3 * HOUR),
        (MIDNIGHT - 30 * HOUR, MIDNIGHT + 3 * HOUR - DAY),
    ):
        later = replace(evidence, counted_from=counted_from)
        assert expectation.after(known(evidence), later).due_at == due_at


def test_only_another_period_schedule_or_zone_is_another_expectation() -> None:
    for change, is_other in (
        ({"period": 5.0}, True),
        ({"schedule": "0 4 * * *"}, True),
        ({"timezone": None}, True),
        ({"grace": 5.0}, False),
        ({"warning_after": 5.0}, False),
    ):
        changed = replace(NIGHTLY, **change)
        assert expectation.is_other(NIGHTLY, changed) is is_other
