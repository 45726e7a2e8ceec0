"""Whether everything needed is there, and in which order services leave."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.service import Actual, ServiceState
from holdfast.model.spec import Condition, Need, ServiceSpec
from holdfast.rules.needs import leaving_order, missing

MET = {
    Condition.STARTED: {Actual.STARTING, Actual.RUNNING, Actual.DONE},
    Condition.READY: {Actual.RUNNING},
    Condition.COMPLETED: {Actual.DONE},
}


def spec(name: str, *needs: Need) -> ServiceSpec:
    return ServiceSpec(name=name, command=("x",), cwd="/", needs=needs)


@pytest.mark.parametrize("condition", list(Condition))
@pytest.mark.parametrize("actual", list(Actual))
def test_every_condition_is_met_in_its_own_states_alone(
    condition: Condition, actual: Actual
) -> None:
    need = Need(name="db", condition=condition)
    found = missing(spec("web", need), {"db": ServiceState(name="db", actual=actual)})
    assert found == (() if actual in MET[condition] else (need,))


def test_what_nobody_knows_is_missing() -> None:
    need = Need(name="db")
    assert missing(spec("web", need), {}) == (need,)


def test_every_missing_need_is_named_in_order() -> None:
    needs = tuple(Need(name=name) for name in "abc")
    states = {"b": ServiceState(name="b", actual=Actual.RUNNING)}
    assert [need.name for need in missing(spec("web", *needs), states)] == ["a", "c"]


def test_what_needs_nothing_misses_nothing() -> None:
    assert missing(spec("web"), {}) == ()


def test_those_who_need_leave_before_what_they_need() -> None:
    specs = {
        "db": spec("db"),
        "api": spec("api", Need(name="db")),
        "web": spec("web", Need(name="api"), Need(name="db")),
        "cron": spec("cron"),
    }
    assert leaving_order(specs) == [["web", "cron"], ["api"], ["db"]]


def test_needs_outside_the_chosen_services_hold_nobody_up() -> None:
    assert leaving_order({"api": spec("api", Need(name="db"))}) == [["api"]]
    assert leaving_order({}) == []


def test_a_circle_leaves_together_at_the_end() -> None:
    specs = {
        "a": spec("a", Need(name="b")),
        "b": spec("b", Need(name="a")),
        "c": spec("c", Need(name="a")),
    }
    assert leaving_order(specs) == [["c"], ["a", "b"]]


@given(st.dictionaries(st.sampled_from("abcdef"), st.sets(st.sampled_from("abcdef"), max_size=3)))
def test_everybody_leaves_exactly_once_and_nobody_too_early(needs: dict[str, set[str]]) -> None:
    acyclic = {name: {other for other in needed if other < name} for name, needed in needs.items()}
    specs = {
        name: spec(name, *(Need(name=other) for other in sorted(needed)))
        for name, needed in acyclic.items()
    }
    rounds = leaving_order(specs)
    place = {name: at for at, names in enumerate(rounds) for name in names}
    assert sorted(name for names in rounds for name in names) == sorted(specs)
    for name, needed in acyclic.items():
        assert all(place[other] > place[name] for other in needed if other in place)


@given(st.dictionaries(st.sampled_from("abcd"), st.sets(st.sampled_from("abcd"), max_size=3)))
def test_whatever_needs_whatever_everybody_leaves(needs: dict[str, set[str]]) -> None:
    specs = {
        name: spec(name, *(Need(name=other) for other in sorted(needed)))
        for name, needed in needs.items()
    }
    assert sorted(name for names in leaving_order(specs) for name in names) == sorted(specs)
