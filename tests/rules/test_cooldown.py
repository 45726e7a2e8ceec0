from dataclasses import replace

import pytest

from holdfast.model.alert import AlertPolicy, AlertState
from holdfast.model.check import Severity
from holdfast.rules import cooldown

WARNING, CRITICAL = Severity.WARNING, Severity.CRITICAL
T = 1_000_000.0
HOUR = 3600.0
POLICY = AlertPolicy()


def test_each_severity_has_its_own_stamp_and_length() -> None:
    state = cooldown.stamped(AlertState(), WARNING, T)
    assert (state.warning_told_at, state.critical_told_at) == (T, None)
    assert cooldown.ends_at(POLICY, state, WARNING) == T + 4 * HOUR
    assert cooldown.ends_at(POLICY, state, CRITICAL) is None
    state = cooldown.stamped(state, CRITICAL, T + 1)
    assert cooldown.ends_at(POLICY, state, CRITICAL) == T + 1 + 2 * HOUR
    assert cooldown.stamp(state, WARNING) == T


def test_a_stamp_in_the_future_counts_as_now() -> None:
    ahead = AlertState(
        warning_told_at=T + 9, critical_told_at=T - 9, quieted_at=T + 9, opened_at=T + 9
    )
    state = cooldown.anchored(ahead, T)
    assert (state.warning_told_at, state.critical_told_at) == (T, T - 9)
    assert (state.quieted_at, state.opened_at) == (T, T)
    assert cooldown.anchored(state, T) is state


@pytest.mark.parametrize(
    ("state", "since"),
    [
        (AlertState(confirmed=WARNING, warning_told_at=T), T),
        (AlertState(confirmed=WARNING, warning_told_at=T, critical_told_at=T + 9), T + 9),
        (AlertState(confirmed=CRITICAL, warning_told_at=T + 9, critical_told_at=T), T),
        (AlertState(confirmed=CRITICAL, critical_told_at=T, quieted_at=T + 9), T + 9),
        (AlertState(confirmed=CRITICAL, critical_told_at=T - 9, opened_at=T), T),
    ],
)
def test_a_reminder_counts_from_what_people_heard_last(state: AlertState, since: float) -> None:
    length = cooldown.length(POLICY, state.confirmed)
    assert cooldown.reminder_at(POLICY, state) == since + length


@pytest.mark.parametrize(
    ("backoff", "cooldown_s", "hours"),
    [
        (0, HOUR, 1),
        (1, HOUR, 2),
        (4, HOUR, 16),
        (5, HOUR, 24),
        (999, HOUR, 24),
        (3, 48 * HOUR, 48),
    ],
)
def test_reminders_that_back_off_double_up_to_a_day(
    backoff: int, cooldown_s: float, hours: int
) -> None:
    policy = AlertPolicy(remind_backoff=True, warning_cooldown=cooldown_s)
    state = AlertState(confirmed=WARNING, warning_told_at=T, backoff=backoff)
    assert cooldown.reminder_at(policy, state) == T + hours * HOUR
    steady = replace(policy, remind_backoff=False)
    assert cooldown.reminder_at(steady, state) == T + cooldown_s
