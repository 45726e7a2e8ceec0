from dataclasses import replace

import pytest

from holdfast.model.check import PROBED, CheckKind, CheckSpec, Evidence, Observation
from holdfast.rules import freshness
from holdfast.rules.evidence import (
    LONGEST_RUN,
    PROBE_EVERY,
    expected,
    failed,
    logged,
    observed,
    slots_after,
    started,
    succeeded,
)

T = 1_000_000.0
NEW = Evidence(first_seen_at=T)
PING = CheckSpec(name="nightly", kind=CheckKind.PING, period=100.0, grace=10.0)
CRON = CheckSpec(name="nightly", kind=CheckKind.JOB, schedule="0 2 * * *")
BACKUP = CheckSpec(name="notes", kind=CheckKind.BACKUP)


def test_a_success_makes_a_check_fresher_and_expects_the_next() -> None:
    after = succeeded(PING, replace(NEW, failure="exit 1", extra_grace=5.0), T + 7, T + 7)
    assert after.last_success_at == after.last_attempt_at == after.counted_from == T + 7
    assert (after.due_at, after.overdue_at) == (T + 107, T + 307)
    assert (after.failure, after.extra_grace) == ("", 0.0)


def test_only_a_success_makes_a_check_fresher() -> None:
    fresh = succeeded(PING, NEW, T, T)
    for act in (started, failed, logged):
        after = act(PING, fresh, T + 50, T + 50)
        assert (after.last_success_at, after.due_at) == (T, T + 100)


def test_a_start_leaves_the_last_success_and_a_log_changes_nothing() -> None:
    after = started(PING, NEW, T + 1, T + 1, "a")
    assert (after.started_at, after.run, after.last_attempt_at) == (T + 1, "a", T + 1)
    assert logged(PING, after, T + 2, T + 2, "a") == after


def test_a_failure_ends_whichever_run_was_under_way_and_says_why() -> None:
    running = started(PING, NEW, T + 1, T + 1, "a")
    after = failed(PING, running, T + 2, T + 2, "b", "exit code 3")
    assert (after.started_at, after.run) == (None, "")
    assert (after.failure, after.last_failure_at) == ("exit code 3", T + 2)
    assert failed(PING, NEW, T, T).failure


def test_what_a_backup_saw_says_more_than_the_exit_code_that_ends_its_run() -> None:
    running = started(BACKUP, NEW, T + 1, T + 1, "a")
    seen = observed(BACKUP, running, Observation(at=T + 2, failure="the disk is full"), T + 2)
    ended = failed(BACKUP, seen, T + 3, T + 3, "a", "its run ended with exit code 1")
    assert (ended.failure, ended.started_at) == ("the disk is full", None)

    later = started(BACKUP, ended, T + 9, T + 9, "b")
    killed = failed(BACKUP, later, T + 10, T + 10, "b", "its run was ended by signal 9")
    assert killed.failure == "its run was ended by signal 9"


@pytest.mark.parametrize(
    ("began", "ended", "is_over"),
    [("", "", True), ("a", "a", True), ("a", "b", False), ("a", "", False), ("", "a", False)],
)
def test_a_success_ends_only_the_run_of_its_own_id(began: str, ended: str, is_over: bool) -> None:
    running = started(PING, NEW, T + 1, T + 1, began)
    after = succeeded(PING, running, T + 5, T + 5, ended)
    assert after.last_success_at == T + 5
    assert (after.started_at, after.duration_s) == ((None, 4.0) if is_over else (T + 1, None))


def test_a_period_counts_from_the_start_of_the_run_unless_it_took_more_than_three_days() -> None:
    after = succeeded(PING, started(PING, NEW, T, T), T + 40, T + 40)
    assert (after.last_success_at, after.due_at) == (T + 40, T + 100)
    late = T + LONGEST_RUN + 1
    after = succeeded(PING, started(PING, NEW, T, T), late, late)
    assert (after.due_at, after.duration_s) == (late + 100, None)


@pytest.mark.parametrize(
    ("came", "counted"),
    [(-61.0, -61.0), (-60.0, 0.0), (-1.0, 0.0), (0.0, 0.0), (30.0, 30.0), (3_500.0, 3_500.0)],
)
def test_a_success_up_to_a_minute_before_its_slot_satisfies_it(
    came: float, counted: float
) -> None:
    slot = T + 10_000
    waiting = expected(CRON, NEW, slots=(slot, slot + 7_200))
    after = succeeded(CRON, waiting, slot + came, slot + 9_999)
    assert slots_after(after) == slot + counted


def test_a_run_that_began_a_minute_early_satisfies_its_slot_and_not_the_one_it_ended_before() -> (
    None
):
    slot, following = T + 1_000, T + 4_600
    early = started(CRON, expected(CRON, NEW, slots=(slot, slot)), slot - 30, T + 9_999)
    assert slots_after(succeeded(CRON, early, slot - 5, T + 9_999)) == slot
    running = started(CRON, expected(CRON, NEW, slots=(following, following)), slot, T + 9_999)
    ended = succeeded(CRON, running, following - 5, T + 9_999)
    assert slots_after(ended) == following - 5


def test_a_schedule_stays_until_its_slots_are_told_and_a_period_needs_none() -> None:
    waiting = expected(CRON, NEW, slots=(T + 5, T + 15))
    assert (waiting.due_at, waiting.overdue_at) == (T + 5, T + 15)
    assert expected(CRON, waiting) == waiting
    assert expected(PING, NEW).due_at == T + 100
    no_more = expected(replace(PING, period=None), expected(PING, NEW))
    assert (no_more.due_at, no_more.overdue_at) == (None, None)


def test_a_stamp_is_never_stored_in_the_future_and_old_ones_are_taken_back() -> None:
    assert succeeded(PING, NEW, T + 99, T + 1).last_success_at == T + 1
    ran_ahead = replace(
        NEW,
        first_seen_at=T + 500,
        last_success_at=T + 900,
        last_attempt_at=T + 900,
        last_failure_at=T + 800,
        started_at=T + 900,
    )
    after = succeeded(PING, ran_ahead, T + 1, T + 1)
    assert after.last_success_at == after.last_failure_at == after.first_seen_at == T + 1
    assert after.due_at == T + 101


def test_no_attempt_makes_evidence_from_a_clock_that_ran_ahead_last_until_that_clock_is_there() -> (
    None
):
    year = 365 * 86_400.0
    ahead = succeeded(PING, replace(NEW, first_seen_at=T + year), T + year, T + year)
    never = expected(PING, replace(NEW, first_seen_at=T + year))

    for before in (ahead, never):
        for after in (started(PING, before, T, T), failed(PING, before, T, T)):
            assert (after.due_at, after.overdue_at) == (T + 100, T + 300)
            assert slots_after(after) == T


def test_news_that_comes_late_takes_nothing_back() -> None:
    fresh = succeeded(PING, NEW, T + 50, T + 50)
    assert succeeded(PING, fresh, T + 20, T + 60).last_success_at == T + 50
    late_failure = failed(PING, fresh, T + 20, T + 60)
    assert (late_failure.failure, late_failure.last_failure_at) == ("", T + 20)
    failing = failed(PING, NEW, T + 50, T + 50, why="exit 1")
    late_success = succeeded(PING, failing, T + 20, T + 60)
    assert (late_success.failure, late_success.last_success_at) == ("exit 1", T + 20)


def test_a_backup_gets_no_fresher_by_its_own_word() -> None:
    running = started(BACKUP, failed(BACKUP, NEW, T, T, why="exit 1"), T + 1, T + 1)
    after = succeeded(BACKUP, running, T + 5, T + 5)
    assert after.last_success_at is None
    assert (after.failure, after.started_at, after.duration_s) == ("", None, 4.0)


def test_a_backup_is_as_fresh_as_the_newest_valid_snapshot_and_no_date_makes_it_newer() -> None:
    now = T + 100
    for covered_at, seen_at, counted in (
        (T + 50, None, T + 50),
        (T + 50, T + 40, T + 40),
        (T + 50, T + 60, T + 50),
        (T + 999, None, now),
        (T + 999, T + 80, T + 80),
    ):
        observation = Observation(at=now, covered_at=covered_at, snapshot_seen_at=seen_at)
        assert observed(BACKUP, NEW, observation, now).last_success_at == counted


def test_a_lost_snapshot_makes_a_backup_older_and_a_lost_repository_leaves_it_its_age() -> None:
    fresh = observed(BACKUP, NEW, Observation(at=T, covered_at=T), T)
    older = observed(BACKUP, fresh, Observation(at=T + 1, covered_at=T - 500), T + 1)
    assert older.last_success_at == T - 500
    empty = observed(BACKUP, fresh, Observation(at=T + 1), T + 1)
    assert empty.last_success_at is None
    for lost in (
        Observation(at=T + 1, missing="no repository"),
        Observation(at=T + 1, unverified="locked"),
    ):
        after = observed(BACKUP, fresh, lost, T + 1)
        assert after.last_success_at == T
        assert (after.missing, after.unverified) == (lost.missing, lost.unverified)
        assert observed(BACKUP, after, Observation(at=T + 2, covered_at=T), T + 2).missing == ""


def test_an_observation_tells_what_is_suspect_and_when_it_was_verified() -> None:
    first = Observation(at=T, suspect="half the files are gone", verified_at=T + 50)
    after = observed(BACKUP, NEW, first, T)
    assert (after.suspect, after.verified_at) == ("half the files are gone", T)
    second = observed(BACKUP, after, Observation(at=T + 9, duration_s=3.0), T + 9)
    assert (second.suspect, second.verified_at, second.duration_s) == ("", T, 3.0)


def test_a_failed_backup_is_well_again_once_a_newer_snapshot_is_found() -> None:
    broken = failed(BACKUP, NEW, T + 10, T + 10, why="no space")
    old = observed(BACKUP, broken, Observation(at=T + 20, covered_at=T + 5), T + 20)
    assert old.failure == "no space"
    new = observed(BACKUP, old, Observation(at=T + 30, covered_at=T + 15), T + 30)
    assert new.failure == ""
    told = observed(BACKUP, new, Observation(at=T + 40, failure="disk full"), T + 40)
    assert (told.failure, told.last_failure_at) == ("disk full", T + 40)


def test_a_probe_tells_success_and_failure_and_the_next_is_expected_from_either() -> None:
    for kind in PROBED:
        probe = CheckSpec(name="site", kind=kind)
        good = observed(probe, NEW, Observation(at=T + 1, duration_s=0.2), T + 1)
        assert (good.last_success_at, good.duration_s) == (T + 1, 0.2)
        assert good.due_at == T + 1 + PROBE_EVERY
        bad = observed(probe, good, Observation(at=T + 61, failure="503"), T + 61)
        assert (bad.failure, bad.last_success_at) == ("503", T + 1)
        assert bad.due_at == T + 61 + PROBE_EVERY
        gone = observed(probe, bad, Observation(at=T + 62, missing="no file"), T + 62)
        assert (gone.failure, gone.missing, gone.last_success_at) == ("", "no file", T + 1)
        healed = observed(probe, gone, Observation(at=T + 121), T + 121)
        assert (healed.failure, healed.missing, healed.last_success_at) == ("", "", T + 121)


def test_a_file_is_as_old_as_its_last_change_and_is_looked_at_again_from_the_look() -> None:
    probe = CheckSpec(name="dump", kind=CheckKind.FILE, period=60.0)
    after = observed(probe, NEW, Observation(at=T + 50, covered_at=T - 900), T + 50)
    assert (after.last_success_at, after.due_at) == (T - 900, T + 110)


def test_the_shell_finds_all_of_it_beside_the_look() -> None:
    assert set(freshness.__all__) >= {
        "expected",
        "failed",
        "logged",
        "look",
        "observed",
        "started",
        "succeeded",
    }
