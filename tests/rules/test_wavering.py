from dataclasses import replace

import pytest

from holdfast.model.alert import AlertPolicy, AlertState, Note
from holdfast.model.check import CheckKind, CheckSpec, Severity
from holdfast.model.service import Now
from holdfast.rules.wavering import judged, percent, remembered

POLICY = AlertPolicy(evaluate_every=100.0)
SPEC = CheckSpec(name="site", kind=CheckKind.HTTP)
NOW = Now(wall=1_000_000.0, mono=5_000.0, boot_id="one")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ((), 0.0),
        ((0,) * 20, 0.0),
        ((1,) * 20, 99.0),
        ((1, *(0,) * 19), 4.0),
        ((*(0,) * 19, 1), 5.9),
        ((1,), 5.9),
        ((1, 0), 5.8),
    ],
)
def test_newer_changes_weigh_more(changes: tuple[int, ...], expected: float) -> None:
    assert percent(changes) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("changes", "was", "expected"),
    [
        ((1,) * 5, False, False),
        ((1,) * 6, False, True),
        ((1, 1, 1, 1, 1, *(0,) * 5), True, True),
        ((1, 1, 1, 1, 1, *(0,) * 14), True, False),
        ((1, 1, 1, 1, 1, *(0,) * 5), False, False),
    ],
)
def test_flapping_begins_above_30_and_ends_below_25_percent(
    changes: tuple[int, ...], was: bool, expected: bool
) -> None:
    state, effects = judged(SPEC, AlertState(changes=changes, is_flapping=was))
    assert state.is_flapping is expected
    kinds = [effect.kind for effect in effects if isinstance(effect, Note)]
    name = "check.flapping" if expected else "check.settled"
    assert kinds == ([] if was is expected else [name])


def test_a_check_may_opt_out_of_it() -> None:
    silent = replace(SPEC, flapping=False)
    state, effects = judged(silent, AlertState(changes=(1,) * 20))
    assert (state.is_flapping, effects) == (False, ())


def test_each_evaluation_that_counts_is_remembered_and_20_are_kept() -> None:
    before = AlertState(changes=(1,) * 20)
    counted = replace(before, counted_at=NOW.wall, counted_mono=NOW.mono, counted_boot="one")
    after = remembered(POLICY, before, counted, NOW)
    assert after.changes == (*(1,) * 19, 0)
    assert remembered(POLICY, counted, counted, NOW) is counted
    steady = replace(before, changes=(1, *(0,) * 19))
    assert remembered(POLICY, steady, replace(counted, changes=steady.changes), NOW).changes == ()
    changed = replace(counted, confirmed=Severity.WARNING)
    assert remembered(POLICY, counted, changed, NOW).changes[-1] == 1


@pytest.mark.parametrize(("passed", "unseen"), [(100, 0), (199, 0), (200, 1), (1_000, 9)])
def test_evaluations_nobody_needed_count_as_unchanged(passed: float, unseen: int) -> None:
    before = AlertState(
        changes=(1,),
        counted_at=NOW.wall - passed,
        counted_mono=NOW.mono - passed,
        counted_boot="one",
    )
    after = replace(before, confirmed=Severity.WARNING)
    assert remembered(POLICY, before, after, NOW).changes == (1, *(0,) * unseen, 1)
