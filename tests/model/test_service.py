"""The words for what is true of one service, as others rely on them."""

from dataclasses import FrozenInstanceError

import pytest

from holdfast.model.service import (
    Actual,
    Desired,
    Exit,
    Health,
    Identity,
    Now,
    Reason,
    ServiceState,
)


def test_the_states_are_those_of_the_contract() -> None:
    words = "down waiting starting running stopping backoff held failed done stuck orphan"

    assert [one.value for one in Actual] == words.split()
    assert [one.value for one in Health] == ["unknown", "ok", "degraded", "bad"]
    assert [one.value for one in Desired] == ["up", "down"]


def test_the_restart_reasons_are_those_of_the_contract() -> None:
    words = (
        "exit signal stale_pid no_pid_file lease progress probe memory age watch manual "
        "adopted-exit unknown"
    )
    more = "error dependency"

    assert {one.value for one in Reason} == {*words.split(), *more.split()}


def test_a_service_nobody_asked_for_is_wanted_down() -> None:
    state = ServiceState(name="api")

    assert (state.desired, state.actual, state.health) == (
        Desired.DOWN,
        Actual.DOWN,
        Health.UNKNOWN,
    )


@pytest.mark.parametrize(
    ("ended", "expected"),
    [
        (Exit(code=0), True),
        (Exit(code=1), False),
        (Exit(signal=15), False),
        (Exit(signal=11, core=True), False),
        (Exit(), False),
    ],
    ids=repr,
)
def test_only_the_exit_code_zero_is_a_success(ended: Exit, expected: bool) -> None:
    assert ended.is_success is expected


def test_a_pid_that_is_used_again_is_another_identity() -> None:
    first = Identity(pid=41, start_ticks=1000, boot_id="boot-1")

    assert first != Identity(pid=41, start_ticks=2000, boot_id="boot-1")
    assert first != Identity(pid=41, start_ticks=1000, boot_id="boot-2")
    assert first == Identity(pid=41, start_ticks=1000, boot_id="boot-1")


def test_a_moment_cannot_be_changed_in_place() -> None:
    now = Now(wall=1.0, mono=1.0, boot_id="boot-1")

    with pytest.raises(FrozenInstanceError):
        now.wall = 2.0  # type: ignore[misc]  # that this fails is what is tested
