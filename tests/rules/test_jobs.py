"""When a job runs, what it does that is due while it runs, and what a run came to."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.job import RUNS_KEPT, JobRecord, JobSpec, Overlap, Result, Run, Trigger
from holdfast.model.service import (
    Actual,
    Exit,
    Identity,
    LastExit,
    Now,
    Reason,
    ServiceState,
)
from holdfast.model.spec import ServiceSpec
from holdfast.rules import jobs
from holdfast.rules.jobs import Meeting

AT = 1_769_846_400.0
HOUR = 3600.0
NOW = Now(wall=AT, mono=1000.0, boot_id="b")
ALIVE = Identity(pid=7, start_ticks=1, boot_id="b")


def run(number: int = 1, **facts: Any) -> Run:
    usual = {"id": f"{number:03}", "trigger": Trigger.SCHEDULE, "started_at": AT + number}
    return Run(**{**usual, **facts})


def record(*runs: Run, **facts: Any) -> JobRecord:
    return JobRecord(name="report", runs=runs, **facts)


def state(actual: Actual = Actual.DONE, **facts: Any) -> ServiceState:
    return ServiceState(name="report", actual=actual, **{"generation": 3, **facts})


def last(reason: Reason = Reason.EXIT, mono: float = 900.0, **ended: Any) -> LastExit:
    return LastExit(exit=Exit(**ended), reason=reason, at=AT, mono=mono)


@pytest.mark.parametrize("overlap", list(Overlap))
@pytest.mark.parametrize("is_waiting", [False, True])
def test_a_job_that_does_not_run_starts(overlap: Overlap, is_waiting: bool) -> None:
    met = jobs.meeting(overlap, is_running=False, is_waiting=is_waiting)
    assert met is Meeting.START


@pytest.mark.parametrize(
    ("overlap", "is_waiting", "expected"),
    [
        (Overlap.SKIP, False, Meeting.SKIP),
        (Overlap.SKIP, True, Meeting.SKIP),
        (Overlap.QUEUE, False, Meeting.QUEUE),
        (Overlap.QUEUE, True, Meeting.SKIP),
        (Overlap.KILL, False, Meeting.REPLACE),
        (Overlap.KILL, True, Meeting.SKIP),
    ],
)
def test_a_job_that_still_runs_does_what_its_overlap_says_and_one_run_at_most_waits(
    overlap: Overlap, is_waiting: bool, expected: Meeting
) -> None:
    assert jobs.meeting(overlap, is_running=True, is_waiting=is_waiting) is expected


@pytest.mark.parametrize(
    ("schedule", "zone", "enabled", "expected"),
    [
        ("0 7 * * *", "Europe/Berlin", True, "0 7 * * * Europe/Berlin"),
        ("0 7 * * *", None, True, "0 7 * * *"),
        ("0 7 * * *", None, False, ""),
        (None, "Europe/Berlin", True, ""),
    ],
)
def test_a_schedule_is_its_expression_and_its_zone(
    schedule: str | None, zone: str | None, enabled: bool, expected: str
) -> None:
    program = ServiceSpec(name="report", command=("true",), cwd="/", enabled=enabled)
    assert jobs.schedule_of(JobSpec(program=program, schedule=schedule, timezone=zone)) == expected


def test_a_new_schedule_counts_from_now_so_nothing_of_it_was_missed() -> None:
    old = record(run(), schedule="0 7 * * *", since_at=1.0, last_due_at=2.0, next_due_at=3.0)
    new = jobs.rescheduled(old, "0 8 * * *", NOW)
    assert (new.schedule, new.since_at, new.last_due_at, new.next_due_at) == (
        "0 8 * * *",
        AT,
        None,
        None,
    )
    assert new.runs == old.runs
    assert jobs.counted_from(new, NOW) == AT


def test_the_same_schedule_goes_on_from_where_it_was() -> None:
    old = record(schedule="@daily", since_at=AT - 99, last_due_at=AT - 50)
    assert jobs.rescheduled(old, "@daily", NOW) is old
    assert jobs.counted_from(old, NOW) == AT - 50


@pytest.mark.parametrize(
    ("ahead", "expected"), [(2.0, AT + 2.0), (2 * HOUR, AT + 2 * HOUR), (4 * HOUR, AT)]
)
def test_a_clock_put_back_a_little_repeats_nothing_and_one_far_ahead_is_not_waited_for(
    ahead: float, expected: float
) -> None:
    assert jobs.counted_from(record(last_due_at=AT + ahead), NOW) == expected


@pytest.mark.parametrize(
    ("late", "expected"),
    [(0.0, Trigger.SCHEDULE), (60.0, Trigger.SCHEDULE), (60.1, Trigger.MISSED)],
)
def test_a_run_more_than_a_minute_late_was_missed(late: float, expected: Trigger) -> None:
    assert jobs.trigger_for(AT - late, NOW) is expected


@given(draw=st.floats(0, 1, exclude_max=True))
def test_missed_runs_are_spread_over_ten_seconds_and_others_wait_for_nothing(draw: float) -> None:
    now = replace(NOW, draw=draw)
    assert 0 <= jobs.wait_before(Trigger.MISSED, now) < 10
    assert jobs.wait_before(Trigger.SCHEDULE, now) == 0


def test_the_open_run_is_ours_and_the_newest_without_a_result() -> None:
    external = run(3, trigger=Trigger.EXTERNAL)
    done, ours = run(1, result=Result.SUCCESS), run(2)
    assert jobs.open_run(record(done, ours, external)) == ours
    assert jobs.open_run(record(done, external)) is None


@pytest.mark.parametrize("actual", list(Actual))
def test_a_run_is_over_once_nothing_of_its_process_is_left(actual: Actual) -> None:
    ours = run(generation=3)
    expected = actual in (Actual.DOWN, Actual.DONE, Actual.FAILED)
    assert jobs.is_over(ours, state(actual)) is expected
    assert not jobs.is_over(ours, state(actual, process=ALIVE))
    assert not jobs.is_over(run(generation=4), state(actual))


def test_a_run_never_began_when_its_generation_was_never_reached() -> None:
    assert jobs.never_began(run(generation=4), state(Actual.DOWN))
    assert not jobs.never_began(run(generation=3), state(Actual.DOWN))
    assert not jobs.never_began(run(generation=5), state(Actual.DOWN))
    assert not jobs.never_began(run(generation=4), state(Actual.RUNNING, process=ALIVE))


@pytest.mark.parametrize(
    ("actual", "ended", "ending", "expected"),
    [
        (Actual.DONE, last(code=0), None, Result.SUCCESS),
        (Actual.FAILED, last(code=3), None, Result.FAILED),
        (Actual.FAILED, last(signal=9, reason=Reason.SIGNAL), None, Result.FAILED),
        (Actual.FAILED, last(), None, Result.UNKNOWN),
        (Actual.FAILED, None, None, Result.FAILED),
        (Actual.DOWN, None, None, Result.UNKNOWN),
        (Actual.DOWN, last(signal=15, reason=Reason.MANUAL), None, Result.KILLED),
        (Actual.DOWN, last(code=0, reason=Reason.MANUAL), Result.TIMEOUT, Result.TIMEOUT),
        (Actual.DOWN, last(signal=15, reason=Reason.MANUAL), Result.KILLED, Result.KILLED),
        (Actual.DONE, last(code=0, reason=Reason.ADOPTED_EXIT), None, Result.SUCCESS),
        (Actual.DOWN, last(code=0, mono=100.0), None, Result.UNKNOWN),
    ],
)
def test_the_result_says_how_its_own_process_ended(
    actual: Actual, ended: LastExit | None, ending: Result | None, expected: Result
) -> None:
    over = jobs.ended(
        run(ending=ending), state(actual, last_exit=ended, started_mono=500.0), NOW, "tail"
    )
    assert over.result is expected
    assert over.output_tail == "tail"


def test_an_end_carries_code_signal_and_duration_and_lets_go_of_what_was_only_needed_for_it() -> (
    None
):
    ended = state(last_exit=last(code=0, mono=900.5), started_mono=500.25)
    over = jobs.ended(run(ending=Result.TIMEOUT), ended, NOW, "")
    assert (over.ended_at, over.duration_s, over.exit_code, over.signal) == (AT, 400.25, 0, None)
    assert (over.ending, over.began) == (None, None)


def test_a_program_that_could_not_be_executed_says_why() -> None:
    ended = state(Actual.FAILED, failure="no such file", started_mono=500.0)
    over = jobs.ended(run(), ended, NOW, "")
    assert (over.result, over.why, over.exit_code) == (Result.FAILED, "no such file", None)


def test_a_row_takes_the_place_of_the_one_of_its_id() -> None:
    over = run(1, result=Result.SUCCESS)
    assert jobs.with_run(record(run(1), run(2)), over).runs == (over, run(2))
    assert jobs.with_run(record(run(1)), run(2)).runs == (run(1), run(2))


def test_the_newest_hundred_are_kept_and_the_one_under_way_always() -> None:
    rows = [run(1), *(run(n, result=Result.SKIPPED) for n in range(2, RUNS_KEPT + 20))]
    kept = jobs.kept(tuple(rows))
    assert len(kept) == RUNS_KEPT
    assert kept[0] == run(1)
    assert kept[1:] == tuple(rows[-(RUNS_KEPT - 1) :])


def test_what_two_know_is_merged_and_an_end_is_never_taken_back() -> None:
    over = run(1, trigger=Trigger.EXTERNAL, result=Result.SUCCESS)
    disk = record(over, run(3, trigger=Trigger.EXTERNAL), schedule="old")
    own = record(run(1, trigger=Trigger.EXTERNAL), run(2, result=Result.FAILED), schedule="@daily")
    merged = jobs.merged(disk, own)
    assert merged.runs == (
        over,
        run(2, result=Result.FAILED),
        run(3, trigger=Trigger.EXTERNAL),
    )
    assert merged.schedule == "@daily"


def test_an_external_run_whose_runner_was_killed_ended_nobody_knows_how() -> None:
    dead, alive = run(1, trigger=Trigger.EXTERNAL), run(2, trigger=Trigger.EXTERNAL, runner=ALIVE)
    ours = run(3)
    found = jobs.settled(record(dead, alive, ours), frozenset({ALIVE}), NOW).runs
    assert [one.result for one in found] == [Result.UNKNOWN, None, None]


@pytest.mark.parametrize(
    ("result", "kind", "is_warning"),
    [
        (Result.SUCCESS, "job.finished", False),
        (Result.KILLED, "job.finished", False),
        (Result.SKIPPED, "job.skipped", False),
        (Result.FAILED, "job.failed", True),
        (Result.TIMEOUT, "job.failed", True),
        (Result.UNKNOWN, "job.failed", True),
    ],
)
def test_each_result_has_its_event(result: Result, kind: str, is_warning: bool) -> None:
    told = jobs.told(run(result=result, why="because"))
    assert told.kind == kind
    assert ("severity" in told.facts) is is_warning
    assert (told.facts["result"], told.facts["why"]) == (result.value, "because")
