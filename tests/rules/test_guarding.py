"""When a supervisor is started again, when it counts as hung, and when all is over."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.service import Exit, Now
from holdfast.rules import guarding
from holdfast.rules.guarding import Act, Beat, Guard, Phase, Policy, Verdict

POLICY = Policy(check_every=60.0, stale_after=300.0, failures=3)
KILLED = Exit(signal=9)
FAILED = Exit(code=1)


def at(mono: float) -> Now:
    return Now(wall=1_000_000.0 + mono, mono=mono, boot_id="boot")


def beat_at(mono: float, pid: int = 7) -> Beat:
    return Beat(pid=pid, wall=1_000_000.0 + mono, mono=mono, boot_id="boot")


def running(since: float = 0.0) -> Guard:
    return guarding.became_ready(guarding.started(Guard(), 7, at(since)))


def test_one_that_had_served_is_replaced_at_once() -> None:
    guard, act = guarding.ended(running(), KILLED, at(50))
    assert (act, guard.phase, guard.due_mono) == (None, Phase.GONE, 50)
    assert guarding.elapsed(guard, at(50))[1] is Act.START


def test_two_starts_keep_a_distance() -> None:
    guard, _ = guarding.ended(running(since=50.0), KILLED, at(50.01))
    assert guard.due_mono == 50.1
    assert guarding.elapsed(guard, at(50.05))[1] is None


def test_one_that_was_never_ready_is_tried_again_ever_more_slowly() -> None:
    guard, waits = Guard(), []
    for _ in range(9):
        guard, act = guarding.ended(guarding.started(guard, 7, at(0)), FAILED, at(0))
        assert act is None
        waits.append(guard.due_mono)
    assert waits[:4] == [0.1, 0.2, 0.4, 0.8]
    assert waits[-1] == guarding.LONGEST_BACKOFF
    assert guarding.became_ready(guarding.started(guard, 7, at(0))).failed == 0


def test_the_first_one_is_given_up_when_a_person_waits_for_it() -> None:
    asked = guarding.started(Guard(is_asked=True), 7, at(0))
    assert guarding.ended(asked, FAILED, at(1))[1] is Act.GIVE_UP
    assert guarding.ended(guarding.became_ready(asked), KILLED, at(1))[1] is None


@pytest.mark.parametrize(
    ("guard", "how"), [(replace(running(), is_ending=True), KILLED), (running(), Exit(code=0))]
)
def test_an_end_by_order_ends_the_watch(guard: Guard, how: Exit) -> None:
    assert guarding.ended(guard, how, at(1))[1] is Act.LEAVE


def test_a_found_one_is_replaced_at_once() -> None:
    guard, _ = guarding.ended(guarding.found(Guard(), 7, at(0)), Exit(), at(9))
    assert guard.due_mono == 9
    assert guard.fate is not None
    assert guard.fate.died == "unknown"


def test_the_fate_told_is_that_of_the_one_that_served() -> None:
    guard, _ = guarding.ended(running(), KILLED, at(1))
    guard, _ = guarding.ended(guarding.started(guard, 8, at(2)), FAILED, at(3))
    assert guard.fate == guarding.Fate(died="signal 9", reason="killed", at=1_000_001.0, count=2)
    assert guarding.became_ready(guarding.started(guard, 9, at(4))).fate is None


def test_stale_looks_in_a_row_make_it_hung() -> None:
    guard = running()
    for look in (301, 361):
        guard, act = guarding.looked(POLICY, guard, beat_at(0), at(look), 0.0)
        assert act is None
    guard, act = guarding.looked(POLICY, guard, beat_at(0), at(421), 0.0)
    assert (act, guard.phase) == (Act.ABORT, Phase.HANGING)
    assert guarding.elapsed(guard, at(430.9))[1] is None
    guard, act = guarding.elapsed(guard, at(431))
    assert act is Act.KILL
    guard, _ = guarding.ended(guard, KILLED, at(431))
    assert guard.fate is not None
    assert guard.fate.reason == "hung"


def test_one_fresh_beat_forgives_all() -> None:
    guard, _ = guarding.looked(POLICY, running(), beat_at(0), at(301), 0.0)
    assert guard.stale == 1
    assert guarding.looked(POLICY, guard, beat_at(360), at(361), 0.0)[0].stale == 0


def test_a_look_that_came_late_counts_for_nothing() -> None:
    assert guarding.looked(POLICY, running(), beat_at(0), at(900), 31.0)[0].stale == 0
    assert guarding.looked(POLICY, running(), beat_at(0), at(900), 29.0)[0].stale == 1


@pytest.mark.parametrize("phase", [Phase.GONE, Phase.HANGING])
def test_one_that_is_gone_or_on_its_way_out_is_not_judged(phase: Phase) -> None:
    guard = replace(running(), phase=phase)
    assert guarding.looked(POLICY, guard, None, at(9000), 0.0) == (guard, None)


@pytest.mark.parametrize(
    ("beat", "age"),
    [
        (None, 100),
        (beat_at(160), 40),
        (beat_at(50), 100),
        (beat_at(160, pid=8), 100),
        (Beat(pid=7, wall=1_000_170.0, mono=None, boot_id="boot"), 30),
        (Beat(pid=7, wall=1_000_170.0, mono=1.0, boot_id="other"), 30),
        (Beat(pid=7, wall=1_009_000.0, mono=None, boot_id="boot"), 100),
    ],
    ids=["none", "mono", "older than it", "another's", "wall", "other boot", "future"],
)
def test_a_new_supervisor_is_judged_from_its_own_start(beat: Beat | None, age: float) -> None:
    assert guarding.age_of(running(since=100.0), beat, at(200)) == age


def test_a_step_of_the_clock_makes_nobody_stale() -> None:
    later = replace(at(200), wall=9e9)
    assert guarding.age_of(running(), beat_at(190), later) == 10


def test_the_verdict_says_how_things_stand() -> None:
    assert guarding.verdict(running()) is Verdict.HEALTHY
    assert guarding.verdict(guarding.started(Guard(), 7, at(0))) is Verdict.WARNING
    assert guarding.verdict(replace(running(), stale=1)) is Verdict.WARNING
    assert guarding.verdict(replace(running(), failed=1)) is Verdict.ERROR


def test_it_is_out_of_control_only_when_the_kernel_does_not_let_go() -> None:
    hanging = replace(running(), phase=Phase.HANGING, due_mono=0.0)
    assert guarding.is_in_control(hanging)
    once, _ = guarding.elapsed(hanging, at(1))
    twice, _ = guarding.elapsed(once, at(20))
    assert (guarding.is_in_control(once), guarding.is_in_control(twice)) == (True, False)


def test_the_watchdog_itself_is_stale_after_three_beats_and_a_minute() -> None:
    watchdog = guarding.found(Guard(), 7, at(0))
    assert not guarding.is_watchdog_stale(watchdog, beat_at(100), 10.0, at(190))
    assert guarding.is_watchdog_stale(watchdog, beat_at(100), 10.0, at(190.5))
    assert guarding.interval_of({"interval": 5}) == 5
    assert guarding.interval_of({"interval": "5"}) == guarding.interval_of(None) == 60


def test_settings_that_make_no_sense_change_nothing() -> None:
    told = {"check_every": 5, "stale_after": 25.0, "failures": 4}
    wanted = Policy(check_every=5, stale_after=25.0, failures=4)
    assert guarding.policy_of(told, POLICY) == wanted
    odd = {"check_every": -1, "stale_after": True, "failures": 0}
    assert guarding.policy_of(odd, POLICY) == POLICY
    assert guarding.policy_of("nonsense", POLICY) == POLICY


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(
    st.dictionaries(
        st.sampled_from(["pid", "timestamp", "mono", "check_every", "failures"]), json_values
    )
)
def test_whatever_a_file_holds_it_is_read_or_passed_over(content: object) -> None:
    beat = guarding.beat_of(content)
    assert beat is None or guarding.age_of(running(), beat, at(10)) <= 10
    assert guarding.policy_of(content, POLICY).failures >= 1


@pytest.mark.parametrize(
    ("how", "words"),
    [(KILLED, "signal 9"), (FAILED, "exit code 1"), (Exit(), "unknown")],
)
def test_an_end_is_told_in_words(how: Exit, words: str) -> None:
    assert guarding.in_words(how) == words
