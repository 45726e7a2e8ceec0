from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.alert import Hush, Silence
from holdfast.model.check import Severity
from holdfast.rules.hushing import Hour, covers, hush_for

NOON = Hour(local=12)


def silence(pattern: str = "*", *, maintenance: bool = False, note: str = "") -> Silence:
    return Silence(
        id=1,
        pattern=pattern,
        starts_at=100.0,
        ends_at=200.0,
        by="ann",
        note=note,
        maintenance=maintenance,
    )


def test_a_silence_holds_from_its_beginning_to_just_before_its_end() -> None:
    rows = [(99.9, False), (100.0, True), (199.9, True), (200.0, False)]
    assert [covers(silence(), "a", at) for at, _ in rows] == [expected for _, expected in rows]


def test_a_silence_covers_the_names_that_match_its_pattern_letter_by_letter() -> None:
    names = ["db-1", "DB-1", "web", "db-"]
    assert [covers(silence("db-*"), name, 150.0) for name in names] == [True, False, False, True]


def test_the_words_say_who_silenced_and_why() -> None:
    hush = hush_for("a", [silence(note="moving house")], NOON, (), 150.0)
    assert hush == Hush(why="silence by ann: moving house")
    hush = hush_for("a", [silence(maintenance=True)], NOON, (), 150.0)
    assert hush == Hush(why="maintenance by ann")


def test_nothing_passes_what_a_person_ordered_even_in_quiet_hours() -> None:
    night = Hour(local=23, quiet=(22, 7))
    assert hush_for("a", [silence()], night, ("b",), 150.0).passes is None


def test_an_elder_that_is_not_well_hushes_those_that_depend_on_it() -> None:
    assert hush_for("a", [], NOON, ("router", "isp"), 0.0) == Hush(why="depends on router, isp")


def test_a_critical_passes_the_quiet_hours() -> None:
    night = Hour(local=3, quiet=(22, 7))
    assert hush_for("a", [], night, (), 0.0) == Hush(why="quiet hours", passes=Severity.CRITICAL)


def test_quiet_hours_go_over_midnight_and_end_when_their_last_hour_begins() -> None:
    rows = {
        ((22, 7), 21): False,
        ((22, 7), 22): True,
        ((22, 7), 0): True,
        ((22, 7), 6): True,
        ((22, 7), 7): False,
        ((1, 5), 0): False,
        ((1, 5), 1): True,
        ((1, 5), 5): False,
        ((8, 8), 8): False,
        ((), 3): False,
    }
    found = {(quiet, local): Hour(local=local, quiet=quiet).is_quiet() for quiet, local in rows}
    assert found == rows


@given(first=st.integers(0, 23), end=st.integers(0, 23))
def test_quiet_hours_are_as_many_as_lie_between_their_ends(first: int, end: int) -> None:
    quiet = sum(Hour(local=local, quiet=(first, end)).is_quiet() for local in range(24))
    assert quiet == (end - first) % 24
