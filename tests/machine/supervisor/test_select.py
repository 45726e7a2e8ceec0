"""What people type, and which services it means."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import UnknownName, UsageError
from holdfast.machine.supervisor.select import select
from holdfast.machine.supervisor.service import Service
from holdfast.model.service import ServiceState
from holdfast.model.spec import ServiceSpec

GROUPS = {"api-1": "web", "api-2": "web", "db": "data", "worker": None, "api-x": None}


def services(groups: dict[str, str | None]) -> dict[str, Service]:
    return {
        name: Service(
            spec=ServiceSpec(name=name, command=("x",), cwd="/", group=group),
            state=ServiceState(name=name),
        )
        for name, group in groups.items()
    }


ALL = services(GROUPS)


def chosen(*words: str, everything: bool = False) -> list[str]:
    return [service.name for service in select(ALL, words, everything=everything)]


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["db"], ["db"]),
        (["worker", "db"], ["db", "worker"]),
        (["db", "db", "d*"], ["db"]),
        (["api-*"], ["api-1", "api-2", "api-x"]),
        (["api-?"], ["api-1", "api-2", "api-x"]),
        (["api-[12]"], ["api-1", "api-2"]),
        (["api"], ["api-1", "api-2"]),
        (["group:web"], ["api-1", "api-2"]),
        (["group:data", "worker"], ["db", "worker"]),
        (["*"], list(GROUPS)),
    ],
)
def test_each_is_meant_once_in_the_order_of_the_configuration(
    words: list[str], names: list[str]
) -> None:
    assert chosen(*words) == names


def test_all_means_all_even_when_there_is_none() -> None:
    assert chosen(everything=True) == list(GROUPS)
    assert select({}, [], everything=True) == []


def test_naming_nothing_is_wrong_use() -> None:
    with pytest.raises(UsageError, match="no service was named; name one, a pattern"):
        chosen()


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["workr"], "there is no service 'workr'; did you mean 'worker'?"),
        (
            ["zzz"],
            "there is no service 'zzz'; services: api-1, api-2, db, worker, api-x",
        ),
        (["q*"], "no service matches 'q*'; services: api-1, api-2, db, worker, api-x"),
        (["group:q"], "no service is in 'group:q'; groups: data, web"),
        (
            ["workr", "db", "q?"],
            "there is no service 'workr'; did you mean 'worker'?; no service matches 'q?'",
        ),
        ([""], "there is no service ''"),
    ],
)
def test_what_means_nothing_is_named_with_advice(words: list[str], complaint: str) -> None:
    with pytest.raises(UnknownName) as told:
        chosen(*words)
    assert complaint in str(told.value)


def test_advice_stays_short_when_there_are_many() -> None:
    many = services({f"s{number:03}": None for number in range(100)})
    with pytest.raises(UnknownName, match=r"s000, .*, s007 and 92 more$"):
        select(many, ["zzz"])
    with pytest.raises(UnknownName, match=r"services: none$"):
        select({}, ["zzz"])
    with pytest.raises(UnknownName, match=r"groups: none$"):
        select({}, ["group:a"])


@given(st.lists(st.text(max_size=8), max_size=4))
def test_whatever_is_typed_gives_services_or_a_complaint(words: list[str]) -> None:
    try:
        names = chosen(*words)
    except UsageError:
        return
    assert names
    assert names == [name for name in GROUPS if name in names]
