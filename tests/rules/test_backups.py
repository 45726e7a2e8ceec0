"""Which snapshots are believed, how fresh they make a project, what is forgotten and what is read next."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.errors import UnknownName
from holdfast.model.backup import DAY, HOUR, BackupRecord, BackupSpec, Keep, Snapshot, Taken
from holdfast.rules import backups as rules

NOW = 1_800_000_000.0
SPEC = BackupSpec(name="notes", path="/notes", repository="/repository")


def snap(
    identity: str, age: float, *, files: int | None = 10, size: int = 1000, partial: bool = False
) -> Snapshot:
    return Snapshot(id=identity, at=NOW - age, files=files, bytes=size, partial=partial)


def listing(
    *found: Snapshot, record: BackupRecord | None = None, now: float = NOW, settle: float = DAY
) -> BackupRecord:
    return rules.merged(record or BackupRecord(name="notes"), found, now, settle_after=settle)


def test_what_is_not_a_whole_snapshot_of_the_past_is_not_believed() -> None:
    cases = {
        "holds no file": snap("a", 0, files=0),
        "dated in the future": snap("a", -rules.FUTURE_SLACK - 1),
        "could not be read": snap("a", 0, partial=True),
        "could count": snap("a", 0, files=None),
        "2 more could not": replace(snap("a", 0, partial=True), unread=("x", "y", "z")),
        "10 files": snap("a", 0, files=10),
        "400 bytes": snap("a", 0, files=30, size=400),
    }
    before = snap("b", HOUR, files=30)
    for why, one in cases.items():
        assert why in rules.fault(replace(one, first_observed_at=NOW), before)


def test_half_of_the_files_may_go_and_a_little_ahead_of_the_clock_is_no_future() -> None:
    one = replace(snap("a", -rules.FUTURE_SLACK, files=5), first_observed_at=NOW)
    assert rules.fault(one, snap("b", HOUR, files=10)) == ""


def test_a_suspect_snapshot_makes_nothing_fresher_and_is_told() -> None:
    good = listing(snap("good", 5 * HOUR))
    for bad in (
        snap("bad", HOUR, files=0),
        snap("bad", -DAY),
        snap("bad", HOUR, files=4),
        snap("bad", HOUR, partial=True),
        snap("bad", HOUR, files=None),
    ):
        found = listing(snap("good", 5 * HOUR), bad, record=good)
        assert found.covered_at == NOW - 5 * HOUR
        assert "bad" in found.suspect
        assert rules.doubt(SPEC, found, NOW) == found.suspect


def test_a_good_snapshot_after_a_suspect_one_takes_the_doubt_away() -> None:
    bad = listing(snap("good", 3 * HOUR), snap("bad", 2 * HOUR, files=0))
    found = listing(*bad.snapshots, snap("new", HOUR), record=bad)
    assert (found.covered_at, found.suspect) == (NOW - HOUR, "")


def test_a_snapshot_is_no_fresher_than_it_was_first_seen() -> None:
    ahead = listing(snap("a", -60))
    assert ahead.covered_at == NOW
    later = listing(snap("a", -60), record=ahead, now=NOW + HOUR)
    assert later.covered_at == NOW


def test_a_verdict_given_while_the_clock_was_ahead_is_given_again() -> None:
    year = 365 * DAY
    ahead = listing(snap("old", HOUR), snap("a", -year), now=NOW + year)
    assert ahead.covered_at == NOW + year
    corrected = listing(snap("old", HOUR), snap("a", -year), record=ahead)
    assert corrected.covered_at == NOW - HOUR
    assert "future" in corrected.suspect


def test_a_project_that_shrank_is_suspect_until_it_stayed_so_for_the_time_given() -> None:
    record = listing(snap("big", 40 * HOUR, files=100))
    for age, is_believed in ((30.0, False), (10.0, False), (6.5, False), (6.0, True), (1.0, True)):
        found = (*record.snapshots, snap(f"small-{age}", age * HOUR, files=20))
        record = listing(*found, record=record)
        assert record.snapshots[-1].valid is is_believed
    back = listing(snap("big", 9 * HOUR, files=100), snap("small", 8 * HOUR, files=20))
    again = listing(*back.snapshots, snap("big-2", 7 * HOUR, files=90), record=back)
    assert (again.shrunk_at, again.suspect) == (None, "")


def test_a_project_that_stays_small_without_another_change_is_believed_in_the_end() -> None:
    big, small = snap("big", 2 * DAY, files=100), snap("small", HOUR, files=20)
    record = listing(big, small, record=listing(big))
    for age, is_believed in ((0.5, False), (1.1, True), (2.0, True)):
        now = NOW + age * DAY
        same = Taken(snapshot=small, began_at=now, is_new=False)
        record = rules.taken(record, same, now, settle_after=DAY)
        assert rules.is_success(record, same) is is_believed
        assert (record.suspect == "") is is_believed
    assert (record.covered_at, record.shrunk_at) == (NOW + 2 * DAY, None)


def test_what_a_clock_that_was_ahead_wrote_covers_nothing_to_come() -> None:
    record = listing(snap("a", DAY))
    same = Taken(snapshot=snap("a", DAY), began_at=NOW + 9 * DAY, is_new=False)
    ahead = rules.taken(record, same, NOW + 9 * DAY, settle_after=DAY)
    assert ahead.covered_at == NOW + 9 * DAY
    back = rules.of_the_past(ahead, NOW)
    assert (back.covered_at, back.unchanged_at) == (NOW - DAY, None)
    assert rules.of_the_past(record, NOW) is record
    assert rules.of_the_past(record, NOW - 2 * DAY).covered_at is None


def test_a_project_that_was_found_the_same_was_seen_then() -> None:
    record = listing(snap("a", DAY))
    assert rules.last_seen(record) == NOW
    same = Taken(snapshot=snap("a", DAY), began_at=NOW + 9, is_new=False)
    assert rules.last_seen(rules.taken(record, same, NOW + 9, settle_after=DAY)) == NOW + 9
    assert rules.last_seen(listing()) is None


def test_a_snapshot_that_vanished_covers_nothing_any_more() -> None:
    both = listing(snap("a", 9 * HOUR), snap("b", HOUR))
    assert listing(snap("a", 9 * HOUR), record=both).covered_at == NOW - 9 * HOUR
    assert listing(record=both).covered_at is None


def test_a_scan_that_found_nothing_changed_keeps_a_project_fresh_only_with_its_snapshot() -> None:
    record = listing(snap("a", DAY))
    same = Taken(snapshot=snap("a", DAY), began_at=NOW - 10, is_new=False)
    fresh = rules.taken(record, same, NOW, settle_after=DAY)
    assert fresh.covered_at == NOW - 10
    assert rules.is_success(fresh, same)
    assert listing(snap("b", 2 * DAY), record=fresh).covered_at == NOW - 2 * DAY
    partial = listing(snap("p", DAY, partial=True))
    same = Taken(snapshot=snap("p", DAY, partial=True), began_at=NOW, is_new=False)
    stale = rules.taken(partial, same, NOW, settle_after=DAY)
    assert stale.covered_at is None
    assert not rules.is_success(stale, same)


def test_an_attempt_and_a_failure_make_nothing_fresher_and_a_success_clears_the_failure() -> None:
    record = listing(snap("a", DAY))
    worse = rules.failed(rules.attempted(record, NOW - 5), "no room", NOW)
    assert (worse.covered_at, worse.last_error) == (record.covered_at, "no room")
    run = Taken(snapshot=snap("b", 0), began_at=NOW)
    assert rules.taken(worse, run, NOW, settle_after=DAY).last_error == ""


def test_what_was_known_of_one_repository_proves_nothing_of_another() -> None:
    record = replace(listing(snap("a", DAY)), repository="/old", last_error="x")
    assert rules.moved(record, "/old") is record
    assert rules.moved(record, "/new") == BackupRecord(name="notes", last_error="x")


def test_all_parts_are_read_in_turn_and_a_damaged_one_again_until_it_is_sound() -> None:
    record = listing(snap("a", HOUR))
    read = []
    for _ in range(rules.PARTS + 1):
        read.append(rules.next_part(record))
        record = rules.verified(record, "", NOW, part=read[-1])
    assert read == [*range(rules.PARTS), 0]
    broken = rules.verified(record, "x is gone", NOW + 1, part=1)
    assert (rules.next_part(broken), broken.verified_at) == (1, NOW)
    assert "x is gone" in rules.doubt(SPEC, broken, NOW)
    other = rules.verified(broken, "", NOW + 2, part=2)
    assert other.verify_error == "x is gone"
    for part in (1, None):
        assert rules.verified(broken, "", NOW + 2, part=part).verify_error == ""


def test_a_verify_is_due_once_there_is_a_snapshot_and_again_after_its_time() -> None:
    record = listing(snap("a", HOUR))
    every = SPEC.verify_every or 0.0
    assert rules.is_verify_due(SPEC, record, NOW)
    assert not rules.is_verify_due(SPEC, BackupRecord(name="notes"), NOW)
    assert not rules.is_verify_due(replace(SPEC, verify_every=None), record, NOW)
    done = rules.verified(record, "", NOW, part=0)
    for later, is_due in ((1.0, False), (every - 1, False), (every, True), (-DAY, True)):
        assert rules.is_verify_due(SPEC, done, NOW + later) is is_due
    failed = rules.verified(record, "bad", NOW, part=0)
    assert not rules.is_verify_due(SPEC, failed, NOW + HOUR)
    assert rules.is_verify_due(SPEC, failed, NOW + DAY)


def test_not_to_have_been_read_back_for_long_is_a_doubt() -> None:
    record = listing(snap("a", HOUR))
    assert rules.doubt(SPEC, record, NOW + 14 * DAY) == ""
    assert "14 days" in rules.doubt(SPEC, record, NOW + 14 * DAY + 1)
    assert rules.doubt(replace(SPEC, verify_every=None), record, NOW + 99 * DAY) == ""


def test_latest_is_the_newest_that_is_believed_and_an_id_may_be_cut() -> None:
    found = listing(snap("abc", 3), snap("abd", 2), snap("future", -9 * DAY)).snapshots
    assert rules.pick(found, "latest", name="notes").id == "abd"
    assert rules.pick(found, "abc", name="notes").id == "abc"
    for wrong in ("ab", "x", ""):
        with pytest.raises(UnknownName, match="notes"):
            rules.pick(found, wrong, name="notes")
    with pytest.raises(UnknownName):
        rules.pick((), "latest", name="notes")


def local(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)


def test_each_period_keeps_its_newest_and_prefers_one_that_is_believed() -> None:
    noon = datetime(2026, 3, 10, 12, 30, tzinfo=UTC).timestamp()
    found = [
        Snapshot(id=f"{day}-{hour}", at=noon - day * DAY - hour * HOUR)
        for day in range(60)
        for hour in range(5)
    ]
    found[0] = replace(found[0], valid=False)
    found.append(Snapshot(id="same-hour", at=noon - 60))
    gone = rules.forgettable(found, Keep(hourly=3, daily=4, weekly=2, monthly=2), local)
    left = {one.id for one in found} - set(gone)
    # 0-0 stays as the newest of all, 2-0 as the Sunday of the week before too, 10-0 as the last of February.
    assert left == {"same-hour", "0-0", "0-1", "0-2", "1-0", "2-0", "3-0", "10-0"}
    assert gone == tuple(sorted(gone, key=lambda one: next(s.at for s in found if s.id == one)))


keeps = st.builds(
    Keep,
    hourly=st.integers(0, 4),
    daily=st.integers(0, 4),
    weekly=st.integers(0, 3),
    monthly=st.integers(0, 3),
)


@settings(max_examples=100)
@given(st.lists(st.tuples(st.floats(0, 90 * DAY), st.booleans()), max_size=30), keeps)
def test_the_newest_and_the_newest_believed_are_never_forgotten(
    ages: list[tuple[float, bool]], keep: Keep
) -> None:
    found = [
        Snapshot(id=str(number), at=NOW - age, valid=valid)
        for number, (age, valid) in enumerate(ages)
    ]
    gone = rules.forgettable(found, keep, local)
    left = [one for one in found if one.id not in gone]
    if found:
        assert max(left, key=rules.ts).at == max(found, key=rules.ts).at
        assert (best := rules.newest_valid(found)) is None or best.id not in gone
    # What was kept is kept the next time: forgetting twice forgets no more.
    assert rules.forgettable(left, keep, local) == ()


def test_a_hash_is_shown_by_its_beginning_and_a_date_whole() -> None:
    assert rules.short("ab" * 32) == "abababab"
    assert rules.short("20260310T123000Z-ab12cd") == "20260310T123000Z-ab12cd"
