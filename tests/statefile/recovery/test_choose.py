"""Which of several takes the place of a lost file: every rule, without a disk."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.statefile.recovery.choose import Case, Choice, Doubt, Rank, choose
from holdfast.statefile.recovery.judge import Backup, FoundTemp, State, Status

STAMP = 1000


def temp(
    name: str,
    changed_ns: int,
    status: Status = Status.COMPLETE,
    *,
    generation: int | None = None,
    checksum: str | None = None,
    age_s: float = 5.0,
) -> FoundTemp:
    return FoundTemp(name, status, 3, age_s, None, changed_ns, checksum or name, generation)


def case(state: State, *temps: FoundTemp, **facts: tuple[object, ...]) -> Case:
    backups = facts.get("backups", ())
    strangers = facts.get("strangers", ())
    return Case(state, temps, backups, strangers, STAMP)  # type: ignore[arg-type]  # short for tests


LOST = [State.INVALID, State.MISSING]
OLD, FRESH, YOUNGER = (
    temp(name, ns) for name, ns in (("old", 999), ("fresh", 1000), ("young", 1001))
)
BACKUPS = (
    Backup("~1~", valid=False, why="cut"),
    Backup("~2~", valid=True),
    Backup("~3~", valid=True),
)


@pytest.mark.parametrize("state", LOST)
def test_the_newest_temp_of_the_last_writer_comes_first(state: State) -> None:
    found = case(state, OLD, YOUNGER, FRESH, backups=BACKUPS, strangers=(temp("foreign", 5000),))

    assert choose(found) == Choice("young", Rank.TEMP)


@pytest.mark.parametrize("state", LOST)
def test_then_the_youngest_valid_backup(state: State) -> None:
    assert choose(case(state, OLD, backups=BACKUPS)) == Choice("~2~", Rank.BACKUP)


def test_then_an_older_temp_but_only_where_a_file_is_corrupt() -> None:
    assert choose(case(State.INVALID, OLD)) == Choice("old", Rank.TEMP)
    offered = choose(case(State.MISSING, OLD))
    assert isinstance(offered, Doubt)
    assert offered.names == ("old",)
    assert "deleted on purpose" in offered.why


@pytest.mark.parametrize("state", LOST)
def test_other_programs_come_last(state: State) -> None:
    strangers = (temp("a", 10), temp("b", 20))

    assert choose(case(state, strangers=strangers)) == Choice("b", Rank.STRANGER)
    assert choose(case(state, backups=BACKUPS, strangers=strangers)) == Choice("~2~", Rank.BACKUP)


@pytest.mark.parametrize("state", LOST)
@pytest.mark.parametrize("status", [Status.LIVE, Status.PARTIAL, Status.FOREIGN])
def test_nothing_but_a_complete_temp_is_a_candidate(state: State, status: Status) -> None:
    assert choose(case(state, temp("new", 5000, status), backups=BACKUPS[:1])) is None


def test_without_a_stamp_no_temp_is_old() -> None:
    assert choose(Case(State.MISSING, (OLD,), (), (), None)) == Choice("old", Rank.TEMP)


def test_generations_stand_above_times_where_all_have_one() -> None:
    low, high = temp("low", 2000, generation=7, age_s=-99), temp("high", 1500, generation=8)

    assert choose(case(State.INVALID, low, high)) == Choice("high", Rank.TEMP)
    assert choose(case(State.INVALID, temp("low", 2000), high)) == Choice("low", Rank.TEMP)


def test_equal_times_or_generations_with_different_contents_are_asked_about() -> None:
    by_time = choose(case(State.INVALID, temp("a", 2000), temp("b", 2000), temp("c", 1500)))
    by_generation = choose(
        case(State.INVALID, temp("a", 2000, generation=1), temp("b", 1500, generation=1))
    )

    assert isinstance(by_time, Doubt)
    assert set(by_time.names) == {"a", "b"}
    assert isinstance(by_generation, Doubt)


def test_a_time_in_the_future_is_asked_about_unless_it_stands_alone() -> None:
    future = temp("future", 9000, age_s=-60)

    assert isinstance(choose(case(State.INVALID, FRESH, future)), Doubt)
    assert choose(case(State.INVALID, future)) == Choice("future", Rank.TEMP)


def test_equal_contents_need_no_question() -> None:
    twins = (temp("a", 2000, checksum="same"), temp("b", 2000, checksum="same"))

    assert choose(case(State.INVALID, *twins)) == Choice("b", Rank.TEMP)


temps = st.builds(
    temp,
    st.uuids().map(str),
    st.integers(900, 1100),
    st.sampled_from(Status),
    generation=st.none() | st.integers(0, 3),
    age_s=st.floats(-10, 100),
)


@given(found=st.lists(temps, max_size=6), state=st.sampled_from(LOST), data=st.data())
def test_order_never_matters_and_only_the_complete_are_named(
    found: list[FoundTemp], state: State, data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(found))

    choice = choose(case(state, *found))

    again = choose(case(state, *shuffled))
    complete = {one.name for one in found if one.status is Status.COMPLETE}
    assert again == choice
    if isinstance(choice, Choice):
        assert choice.name in complete
    elif isinstance(choice, Doubt):
        assert set(choice.names) <= complete
    else:
        assert not complete
