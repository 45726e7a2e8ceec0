"""Frozen values to JSON and back."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.model.event import Event
from holdfast.model.service import Actual, Exit, Identity, ServiceState
from holdfast.model.spec import RestartPolicy, ServiceSpec, When
from holdfast.model.wire import from_plain, to_plain


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    size: int
    share: float = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Outer:
    name: str
    flag: bool = False
    colour: Colour = Colour.RED
    inner: Inner | None = None
    many: tuple[Inner, ...] = ()
    words: dict[str, str] | None = None


def outer(**facts: Any) -> Outer:
    return from_plain(Outer, {"name": "x", **facts})


def test_everything_a_dataclass_holds_becomes_plain_json() -> None:
    whole = Outer(name="x", inner=Inner(size=1), many=(Inner(size=2),), words={"a": "b"})

    assert to_plain(whole) == {
        "name": "x",
        "flag": False,
        "colour": "red",
        "inner": {"size": 1, "share": 0.5},
        "many": [{"size": 2, "share": 0.5}],
        "words": {"a": "b"},
    }


def test_a_value_without_a_json_form_is_refused() -> None:
    with pytest.raises(TypeError, match="set has no JSON form"):
        to_plain({"facts": {1, 2}})


def test_unknown_fields_are_passed_over_and_missing_ones_take_their_default() -> None:
    assert outer(added_by_a_newer_version=1) == Outer(name="x")


def test_a_missing_field_without_a_default_is_an_error() -> None:
    with pytest.raises(ValueError, match="name"):
        from_plain(Outer, {"flag": True})


@pytest.mark.parametrize(
    "facts",
    [
        {"name": None},
        {"name": 5},
        {"flag": "yes"},
        {"flag": 1},
        {"colour": "blue"},
        {"colour": None},
        {"colour": []},
        {"inner": []},
        {"inner": {}},
        {"inner": {"size": "1"}},
        {"inner": {"size": 1.5}},
        {"inner": {"size": True}},
        {"inner": {"size": 1, "share": "much"}},
        {"inner": {"size": 1, "share": True}},
        {"inner": {"size": 1, "share": float("nan")}},
        {"inner": {"size": 1, "share": float("inf")}},
        {"inner": {"size": 1, "share": 10**400}},
        {"many": {}},
        {"many": [{"size": 1}, None]},
        {"words": []},
        {"words": {"a": 1}},
    ],
)
def test_a_value_of_the_wrong_kind_is_an_error(facts: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        outer(**facts)


def test_the_error_names_the_place() -> None:
    with pytest.raises(ValueError, match=r"Outer\.inner: Inner\.size: expected int, found 'big'"):
        outer(inner={"size": "big"})


@pytest.mark.parametrize("plain", [None, 1, "text", [], True])
def test_what_is_no_object_is_an_error(plain: object) -> None:
    with pytest.raises(ValueError, match="Outer: expected an object"):
        from_plain(Outer, plain)


def test_a_whole_number_is_read_where_a_fraction_may_stand() -> None:
    share = from_plain(Inner, {"size": 1, "share": 2}).share

    assert (share, type(share)) == (2.0, float)


def test_a_record_of_an_older_version_is_still_read() -> None:
    state = from_plain(ServiceState, {"name": "api", "actual": "held"})

    assert state == ServiceState(name="api", actual=Actual.HELD)


def test_a_record_with_a_state_of_a_newer_version_is_an_error() -> None:
    with pytest.raises(ValueError, match="asleep"):
        from_plain(ServiceState, {"name": "api", "actual": "asleep"})


def test_free_facts_of_an_event_pass_unchanged() -> None:
    event = Event(id=1, at=2.0, kind="service.ready", subject="api", facts={"a": [1, {"b": None}]})

    assert from_plain(Event, json.loads(json.dumps(to_plain(event)))) == event


@pytest.fixture(autouse=True, scope="module")
def only_finite_numbers() -> Iterator[None]:
    """Draw what JSON can hold: it knows no infinity."""
    st.register_type_strategy(float, st.floats(allow_nan=False, allow_infinity=False))
    yield
    st.register_type_strategy(float, st.floats())


@pytest.mark.parametrize("kind", [ServiceState, ServiceSpec, RestartPolicy, Identity, Exit])
@given(draw=st.data())
@settings(max_examples=40)
def test_what_is_written_is_read_back_unchanged(kind: type[Any], draw: st.DataObject) -> None:
    value = draw.draw(st.from_type(kind))

    assert from_plain(kind, json.loads(json.dumps(to_plain(value), allow_nan=False))) == value


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


@given(
    field=st.sampled_from(
        ["name", "desired", "process", "history", "next_start", "level", "since"]
    ),
    value=json_values,
)
@settings(max_examples=150)
def test_any_damage_to_a_record_is_read_or_is_a_value_error(field: str, value: object) -> None:
    plain = {"name": "api", "desired": "up", field: value}

    try:
        state = from_plain(ServiceState, plain)
    except ValueError:
        return

    json.dumps(to_plain(state), allow_nan=False)


def test_an_enum_keeps_its_kind() -> None:
    assert from_plain(RestartPolicy, {"when": "never"}).when is When.NEVER
