"""What a new configuration changes."""

from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.spec import (
    Limits,
    LogFormat,
    LogPolicy,
    Need,
    RestartPolicy,
    ServiceSpec,
    StopPolicy,
)
from holdfast.rules.reload import plan

API = ServiceSpec(name="api", command=("x",), cwd="/")


def fate(**change: object) -> str:
    """Return what happens to a service that is changed like this."""
    found = asdict(plan({"api": API}, {"api": replace(API, **change)}))  # type: ignore[arg-type]  # fields by name
    (kind,) = [kind for kind, names in found.items() if names]
    return kind


@pytest.mark.parametrize(
    "change",
    [
        {"command": ("y",)},
        {"cwd": "/tmp"},
        {"env": {"A": "b"}},
        {"env_file": "/env"},
        {"inherit_env": ("A",)},
        {"user": "www"},
        {"umask": 0},
        {"limits": Limits(nofile=9)},
        {"log": LogPolicy(format=LogFormat.JSON)},
    ],
    ids=str,
)
def test_what_a_process_was_started_with_reaches_it_by_a_restart(
    change: dict[str, object],
) -> None:
    assert fate(**change) == "restarted"


@pytest.mark.parametrize(
    "change",
    [
        {"enabled": False},
        {"autostart": False},
        {"needs": (Need(name="db"),)},
        {"reload_signal": "USR1"},
        {"group": "web"},
        {"restart": RestartPolicy(delay=9)},
        {"stop": StopPolicy(timeout=9)},
        {"log": LogPolicy(keep=9)},
    ],
    ids=str,
)
def test_any_other_change_needs_no_end(change: dict[str, object]) -> None:
    assert fate(**change) == "changed"


def test_what_is_the_same_is_not_touched() -> None:
    assert fate() == "unchanged"


def test_new_and_gone_services_are_told_apart() -> None:
    found = plan({"api": API}, {"db": replace(API, name="db")})
    assert (found.added, found.removed) == (("db",), ("api",))


@given(
    st.dictionaries(st.sampled_from("abcd"), st.integers(0, 2)),
    st.dictionaries(st.sampled_from("abcd"), st.integers(0, 2)),
)
def test_every_service_has_exactly_one_fate(old: dict[str, int], new: dict[str, int]) -> None:
    variants = [API, replace(API, group="web"), replace(API, command=("y",))]

    def specs(chosen: dict[str, int]) -> dict[str, ServiceSpec]:
        return {name: replace(variants[which], name=name) for name, which in chosen.items()}

    found = asdict(plan(specs(old), specs(new)))
    names = [name for fated in found.values() for name in fated]
    assert sorted(names) == sorted(old.keys() | new.keys())
    assert set(found["added"]) == new.keys() - old.keys()
    assert set(found["removed"]) == old.keys() - new.keys()
    assert all(old[name] == new[name] for name in found["unchanged"])
