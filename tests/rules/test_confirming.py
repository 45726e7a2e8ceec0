from dataclasses import replace

import pytest

from holdfast.model.alert import AlertPolicy, AlertState, Situation
from holdfast.model.check import PROBED, CheckKind, CheckSpec, Look, Severity
from holdfast.model.service import Now
from holdfast.rules.confirming import confirm_for, confirmed, counted, is_due

OK, UNKNOWN, WARNING, CRITICAL = Severity.OK, Severity.UNKNOWN, Severity.WARNING, Severity.CRITICAL
POLICY = AlertPolicy(evaluate_every=100.0)
SPEC = CheckSpec(name="notes", kind=CheckKind.BACKUP)
LETTERS = {"o": OK, "u": UNKNOWN, "w": WARNING, "c": CRITICAL}


def at(seconds: float, boot: str = "one") -> Now:
    return Now(wall=1_000_000 + seconds, mono=5_000 + seconds, boot_id=boot)


def after(looks: str, spec: CheckSpec = SPEC, every: float = 100.0) -> list[Severity]:
    """Evaluate one look after another and return what was confirmed each time."""
    state, seen = AlertState(), []
    for turn, letter in enumerate(looks):
        look = Look(severity=LETTERS[letter.lower()], explicit=letter.isupper())
        state = counted(POLICY, state, look, at(turn * every))
        state = replace(state, confirmed=confirmed(POLICY, spec, state, Situation(look=look)))
        seen.append(state.confirmed)
    return seen


@pytest.mark.parametrize(
    ("looks", "confirmed_last"),
    [
        ("w", OK),
        ("ww", OK),
        ("www", WARNING),
        ("ccc", CRITICAL),
        ("wcc", WARNING),
        ("wccc", CRITICAL),
        ("cww", WARNING),
        ("wwow", OK),
        ("wwowww", WARNING),
        ("W", WARNING),
        ("C", CRITICAL),
        ("wwwC", CRITICAL),
        ("u", OK),
        ("uuu", WARNING),
        ("uuo", OK),
        ("wuwuw", WARNING),
        ("uwuwuo", OK),
        ("ccco", OK),
        ("cccw", CRITICAL),
        ("cccww", CRITICAL),
        ("cccwww", WARNING),
        ("cccwwo", OK),
        ("cccuuuu", CRITICAL),
        ("cccwuww", CRITICAL),
        ("wwwuuu", WARNING),
        ("wwwo", OK),
        ("Co", OK),
    ],
)
def test_a_severity_counts_after_three_looks_in_a_row_and_ends_with_one_good_one(
    looks: str, confirmed_last: Severity
) -> None:
    assert after(looks)[-1] is confirmed_last


def test_a_probe_needs_two_good_looks() -> None:
    for kind in CheckKind:
        spec = CheckSpec(name="it", kind=kind)
        assert after("ccco", spec)[-1] is (CRITICAL if kind in PROBED else OK)
        assert after("cccoo", spec)[-1] is OK
        assert after("cccowo", spec)[-1] is (CRITICAL if kind in PROBED else OK)


def test_a_check_may_ask_for_another_number_of_looks() -> None:
    twice = replace(SPEC, confirm=2)
    assert (confirm_for(POLICY, SPEC), confirm_for(POLICY, twice)) == (3, 2)
    assert after("ww", twice)[-1] is WARNING
    assert after("w", replace(SPEC, confirm=1))[-1] is WARNING


def test_looks_that_come_too_close_do_not_count() -> None:
    assert after("w" * 10, every=10.0)[-1] is OK
    assert after("w" * 11, every=10.0)[-1] is WARNING
    assert after("www", every=50.0)[-1] is WARNING


@pytest.mark.parametrize(
    ("seconds", "boot", "expected"),
    [
        (49.9, "one", False),
        (50.0, "one", True),
        (-1.0, "one", True),
        (49.9, "two", False),
        (50.0, "two", True),
        (-1.0, "two", True),
    ],
)
def test_half_an_interval_lies_between_two_that_count_also_across_a_boot(
    seconds: float, boot: str, expected: bool
) -> None:
    state = counted(POLICY, AlertState(), Look(severity=WARNING), at(0))
    assert is_due(POLICY, state, at(seconds, boot)) is expected


def test_a_clock_step_within_a_boot_counts_nothing_faster() -> None:
    state = counted(POLICY, AlertState(), Look(severity=WARNING), at(0))
    stepped = replace(at(1), wall=9_000_000.0)
    assert counted(POLICY, state, Look(severity=WARNING), stepped).at_least_warning == 1


@pytest.mark.parametrize(
    ("settling", "holding", "explicit", "rises"),
    [
        (False, False, False, True),
        (True, False, False, False),
        (True, False, True, True),
        (False, True, False, False),
        (False, True, True, False),
    ],
)
def test_nothing_rises_while_things_settle_or_a_storm_is_held_back_but_it_still_counts(
    settling: bool, holding: bool, explicit: bool, rises: bool
) -> None:
    state = AlertState(at_least_warning=2, at_least_critical=2)
    look = Look(severity=CRITICAL, explicit=explicit)
    state = counted(POLICY, state, look, at(0))
    situation = Situation(look=look, settling=settling, holding=holding)
    assert confirmed(POLICY, SPEC, state, situation) is (CRITICAL if rises else OK)
    assert confirmed(POLICY, SPEC, state, Situation(look=look)) is CRITICAL


def test_what_is_confirmed_goes_down_while_things_settle_or_a_storm_is_held_back() -> None:
    state = counted(POLICY, AlertState(confirmed=CRITICAL), Look(severity=OK), at(0))
    held = Situation(look=Look(severity=OK), settling=True, holding=True)
    assert confirmed(POLICY, SPEC, state, held) is OK
