"""What a new supervisor makes of an old record: the table of evidence."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from holdfast.clock import boot_id
from holdfast.machine.process.identity import identify
from holdfast.machine.supervisor.adopt import judge
from holdfast.model.event import (
    Adopted,
    Exited,
    RecordStale,
    RestartOrdered,
    StartUnseen,
    Unproved,
)
from holdfast.model.service import Actual, Exit, Identity, Reason, ServiceState, Step

if sys.platform != "linux":
    pytest.skip("these tests look into /proc", allow_module_level=True)

ALIVE = tuple(actual for actual in Actual if actual is not Actual.STARTING)


@pytest.fixture
def living() -> Iterator[Identity]:
    with subprocess.Popen(["sleep", "7002"]) as process:
        found = identify(process.pid)
        assert found is not None
        yield found
        process.kill()


@pytest.fixture
def dead() -> Identity:
    with subprocess.Popen(["sleep", "7003"]) as process:
        found = identify(process.pid)
        process.kill()
    assert found is not None
    return found


def state(actual: Actual = Actual.RUNNING, process: Identity | None = None) -> ServiceState:
    return ServiceState(name="api", actual=actual, process=process, instance="api.1.a")


@pytest.mark.parametrize("actual", list(Actual))
def test_a_record_of_another_boot_speaks_of_nothing_that_lives(
    actual: Actual, living: Identity
) -> None:
    found = judge(state(actual, living), same_boot=False, tagged=living)
    assert found == RecordStale()


def test_a_process_that_is_proved_is_adopted(living: Identity) -> None:
    assert judge(state(process=living), same_boot=True, tagged=None) == Adopted(identity=living)


def test_a_process_that_is_gone_has_exited_nobody_knows_how(dead: Identity) -> None:
    expected = Exited(identity=dead, exit=Exit(), reason=Reason.UNKNOWN)
    assert judge(state(process=dead), same_boot=True, tagged=None) == expected


@pytest.mark.parametrize(
    ("status", "ended", "reason"),
    [
        (37 << 8, Exit(code=37), Reason.ADOPTED_EXIT),
        (9, Exit(signal=9), Reason.SIGNAL),
    ],
)
def test_how_it_ended_is_known_when_the_watchdog_saw_it(
    dead: Identity, status: int, ended: Exit, reason: Reason
) -> None:
    exits = {(dead.pid, dead.start_ticks): status}
    found = judge(state(process=dead), same_boot=True, tagged=None, exits=exits)
    assert found == Exited(identity=dead, exit=ended, reason=reason)


def test_a_zombie_still_tells_how_it_ended() -> None:
    with subprocess.Popen(["sh", "-c", "read line; exit 37"], stdin=subprocess.PIPE) as process:
        identity = identify(process.pid)
        assert identity is not None
        assert process.stdin is not None
        process.stdin.close()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        found = judge(state(process=identity), same_boot=True, tagged=None)
    assert found == Exited(identity=identity, exit=Exit(code=37), reason=Reason.ADOPTED_EXIT)


def test_a_preparation_that_was_cut_short_is_done_once_more() -> None:
    cut = ServiceState(name="api", actual=Actual.STARTING, step=Step.PREPARING, instance="api.1.a")
    found = judge(cut, same_boot=True, tagged=None)
    assert found == RestartOrdered(reason=Reason.UNKNOWN, forgive=False, signal="KILL")


def test_a_pid_that_is_used_again_is_not_the_service(living: Identity) -> None:
    before = Identity(
        pid=living.pid, start_ticks=living.start_ticks - 1, boot_id=boot_id(), pidfd_inode=None
    )
    found = judge(state(process=before), same_boot=True, tagged=None)
    assert found == Exited(identity=before, exit=Exit(), reason=Reason.UNKNOWN)


def test_an_identity_of_another_boot_is_stale_whatever_the_record_says(living: Identity) -> None:
    other = Identity(pid=living.pid, start_ticks=living.start_ticks, boot_id="another")
    assert judge(state(process=other), same_boot=True, tagged=None) == RecordStale()


def test_an_intent_with_a_witness_is_adopted(living: Identity) -> None:
    found = judge(state(Actual.STARTING), same_boot=True, tagged=living)
    assert found == Adopted(identity=living)


def test_an_intent_without_a_witness_is_a_start_nobody_saw() -> None:
    assert judge(state(Actual.STARTING), same_boot=True, tagged=None) == StartUnseen()


@pytest.mark.parametrize("actual", ALIVE)
def test_nothing_needs_to_be_said_of_what_had_no_process(actual: Actual) -> None:
    assert judge(state(actual), same_boot=True, tagged=None) is None


def test_what_lives_and_may_not_be_looked_at_is_not_believed(
    monkeypatch: pytest.MonkeyPatch, living: Identity
) -> None:
    from holdfast.machine.process import identity

    monkeypatch.setattr(identity, "stat", lambda _pid: None)
    found = judge(state(process=living), same_boot=True, tagged=None)
    assert isinstance(found, Unproved)
    assert str(living.pid) in found.why
    os.kill(living.pid, 0)
