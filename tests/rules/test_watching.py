"""A service that changes its own files does not go round in circles for ever."""

import pytest

from holdfast.model.service import Exit, Now, Reason, Restart
from holdfast.rules import watching
from holdfast.rules.watching import Guard, after_change


def at(mono: float) -> Now:
    return Now(wall=1e9 + mono, mono=mono, boot_id="boot-1")


def rows(*monos: float, reason: Reason = Reason.WATCH) -> list[Restart]:
    return [
        Restart(at=1e9 + mono, mono=mono, boot_id="boot-1", reason=reason, exit=Exit())
        for mono in monos
    ]


def test_five_restarts_in_a_minute_are_allowed_and_the_sixth_waits() -> None:
    assert not after_change(rows(1, 2, 3, 4), Guard(), at(5)).is_pausing(at(5))
    guard = after_change(rows(1, 2, 3, 4, 5), Guard(), at(6))
    assert guard.is_pausing(at(6))
    assert guard.until_mono == 6 + watching.FIRST_PAUSE_S
    assert not guard.is_pausing(at(66))


def test_restarts_longer_ago_or_for_other_reasons_do_not_count() -> None:
    assert not after_change(rows(1, 2, 3, 4, 5), Guard(), at(62)).is_pausing(at(62))
    others = rows(1, 2, 3, 4, 5, reason=Reason.MANUAL)
    assert not after_change(others, Guard(), at(6)).is_pausing(at(6))


def test_a_change_during_a_pause_does_not_lengthen_it() -> None:
    guard = Guard(pause_s=60.0, until_mono=100.0)
    assert after_change(rows(36, 37, 38, 39, 40), guard, at(50)) is guard


def test_the_pause_doubles_up_to_an_hour_while_it_goes_on() -> None:
    guard, mono, pauses = Guard(), 0.0, []
    for _ in range(9):
        guard = after_change(rows(*(mono - past for past in range(5))), guard, at(mono))
        pauses.append(guard.pause_s)
        mono = guard.until_mono + 10
    assert pauses == [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]


@pytest.mark.parametrize(("peace", "pause"), [(3599.0, 240.0), (3601.0, 60.0)])
def test_an_hour_of_peace_forgives(peace: float, pause: float) -> None:
    guard = Guard(pause_s=120.0, until_mono=1000.0)
    mono = 1000.0 + peace
    found = after_change(rows(*(mono - past for past in range(5))), guard, at(mono))
    assert found.pause_s == pause
