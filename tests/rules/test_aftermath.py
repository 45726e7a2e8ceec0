from dataclasses import replace

import pytest

from holdfast.model.service import Actual, Exit, Identity, LastExit, Reason, ServiceState
from holdfast.model.spec import Hooks
from holdfast.rules.aftermath import due, end_of, is_failure, variables

HOOKS = Hooks(after_stop=("tidy",), on_failure=("page",))
SEGV = LastExit(exit=Exit(signal=11), reason=Reason.SIGNAL, at=1000.0, mono=50.0)
ASKED = LastExit(exit=Exit(signal=15), reason=Reason.MANUAL, at=1000.0, mono=50.0)
MAIN = Identity(pid=9, start_ticks=1, boot_id="b")


def service(actual: Actual, last: LastExit | None = SEGV) -> ServiceState:
    return ServiceState(name="api", actual=actual, generation=4, started_mono=40.0, last_exit=last)


@pytest.mark.parametrize("actual", [Actual.STOPPING, Actual.STUCK, Actual.ORPHAN])
def test_an_end_is_none_while_something_of_the_service_may_be_left(actual: Actual) -> None:
    assert end_of(service(actual)) is None


@pytest.mark.parametrize(
    "actual", [Actual.DOWN, Actual.BACKOFF, Actual.HELD, Actual.DONE, Actual.WAITING]
)
def test_an_end_is_known_once_nothing_is_left(actual: Actual) -> None:
    end = end_of(service(actual))
    assert end is not None
    assert (end.mark, end.generation, end.exit_signal) == ((4, 50.0), 4, 11)


def test_a_service_that_never_ended_has_no_end() -> None:
    assert end_of(service(Actual.RUNNING, None)) is None
    assert end_of(service(Actual.DOWN, None)) is None


def test_an_end_keeps_its_mark_while_the_next_process_starts_and_runs() -> None:
    before = end_of(service(Actual.BACKOFF))
    again = replace(service(Actual.STARTING), generation=5, started_mono=61.0, process=MAIN)
    assert end_of(again) == before
    assert end_of(replace(again, actual=Actual.RUNNING)) == before


def test_a_start_that_came_to_nothing_is_a_failure_without_a_stop() -> None:
    for last in (None, SEGV):
        broken = replace(service(Actual.FAILED, last), generation=5, started_mono=61.0)
        end = end_of(broken)
        assert end is not None
        assert (end.mark, end.reason) == ((5, 61.0), "start")
        assert due(HOOKS, end) == (("on_failure", ("page",)),)


def test_a_service_that_failed_by_its_exit_did_run() -> None:
    end = end_of(service(Actual.FAILED))
    assert end is not None
    assert due(HOOKS, end) == (("after_stop", ("tidy",)), ("on_failure", ("page",)))


def test_a_service_that_failed_before_it_ever_began_has_no_end() -> None:
    assert end_of(ServiceState(name="api", actual=Actual.FAILED)) is None


def test_an_end_that_was_asked_for_calls_only_for_the_hook_of_every_stop() -> None:
    end = end_of(service(Actual.DOWN, ASKED))
    assert end is not None
    assert due(HOOKS, end) == (("after_stop", ("tidy",)),)
    assert due(Hooks(), end) == ()


@pytest.mark.parametrize(
    ("reason", "exit_", "failure"),
    [
        (Reason.EXIT, Exit(code=0), False),
        (Reason.EXIT, Exit(code=3), True),
        (Reason.SIGNAL, Exit(signal=9), True),
        (Reason.ADOPTED_EXIT, Exit(code=0), False),
        (Reason.UNKNOWN, Exit(), True),
        (Reason.STALE_PID, Exit(), True),
        (Reason.NO_PID_FILE, Exit(), True),
        (Reason.LEASE, Exit(signal=6), True),
        (Reason.PROGRESS, Exit(code=0), True),
        (Reason.ERROR, Exit(code=0), True),
        (Reason.PROBE, Exit(code=0), True),
        (Reason.MEMORY, Exit(signal=15), False),
        (Reason.AGE, Exit(signal=15), False),
        (Reason.WATCH, Exit(signal=15), False),
        (Reason.DEPENDENCY, Exit(code=143), False),
        (Reason.MANUAL, Exit(code=1), False),
    ],
)
def test_what_counts_as_a_failure(reason: Reason, exit_: Exit, failure: bool) -> None:
    assert is_failure(LastExit(exit=exit_, reason=reason, at=0.0, mono=0.0)) is failure


def test_a_hook_is_told_how_it_ended() -> None:
    end = end_of(service(Actual.BACKOFF))
    assert end is not None
    assert variables(end) == {
        "HOLDFAST_GENERATION": "4",
        "HOLDFAST_EXIT_CODE": "",
        "HOLDFAST_EXIT_SIGNAL": "11",
        "HOLDFAST_REASON": "signal",
    }
    asked = end_of(service(Actual.DOWN, replace(ASKED, exit=Exit(code=0))))
    assert asked is not None
    assert variables(asked)["HOLDFAST_EXIT_CODE"] == "0"
