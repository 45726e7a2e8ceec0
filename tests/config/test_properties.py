"""What holds for any configuration at all."""

import json
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast.config.load import load
from holdfast.config.schema import Document
from holdfast.config.shape import Leaf, ListOf, Record, Shape, TableOf, record_of
from holdfast.config.show import render
from holdfast.config.toml import write_toml
from holdfast.errors import ConfigError, Problem
from holdfast.model.spec import ServiceSpec
from holdfast.model.wire import from_plain, to_plain

NONE_TOLD = Problem(place="nowhere", what="refused without a reason")
NAMES = st.from_regex(r"[a-z][a-z0-9_-]{0,6}", fullmatch=True)
WORDS = st.text(max_size=8) | st.sampled_from(
    ["90s", "10MB", "3/1h", "none", "never", "0s", "@hourly", "127.0.0.1:1", "http://h/", "TERM",
     "${X}", "$$", "027", "x y", "'", "text", "ready", "ping", "desktop://", "2-3", "a", "./a"]
)  # fmt: skip
SCALARS = WORDS | st.booleans() | st.integers(-5, 5000) | st.floats(allow_nan=False)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)


def nonsense(shape: Shape) -> st.SearchStrategy[object]:
    """Return values that know the keys of the file and not what belongs there."""
    match shape:
        case Leaf():
            return ANYTHING
        case ListOf(item=item):
            return st.lists(nonsense(item), max_size=2) | ANYTHING
        case TableOf(item=item):
            return st.dictionaries(NAMES, nonsense(item), max_size=2) | ANYTHING
        case Record(fields=fields):
            known = {field.name: nonsense(field.shape) for field in fields}
            return st.fixed_dictionaries({}, optional=known) | ANYTHING


FILES = st.dictionaries(NAMES, ANYTHING, max_size=4) | st.one_of(
    [
        st.fixed_dictionaries({field.name: nonsense(field.shape)})
        for field in record_of(Document).fields
    ]
)


@given(FILES)
@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
def test_nonsense_is_refused_with_problems_and_nothing_else(table: dict[str, object]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "holdfast.toml")
        path.write_text(write_toml(table), encoding="utf-8")
        problems: tuple[Problem, ...] = ()
        try:
            load(path, {})
        except ConfigError as error:
            problems = error.problems or (NONE_TOLD,)

    assert all(str(problem).startswith(str(path)) for problem in problems)


DURATIONS = st.sampled_from(["1ms", "1.5s", "2m", "3h", "4d"])
SERVICES = st.fixed_dictionaries(
    {
        "command": st.lists(
            st.from_regex(r"[ -,.-<>-~]{1,6}", fullmatch=True), min_size=1, max_size=3
        )
    },
    optional={
        "cwd": NAMES,
        "env": st.dictionaries(st.sampled_from(["A", "B_1"]), WORDS),
        "user": NAMES,
        "umask": st.sampled_from(["000", "022", "0777"]),
        "enabled": st.booleans(),
        "instances": st.integers(1, 3),
        "group": NAMES,
        "on_failure": st.just(["x"]),
        "ready": st.just({"notify": True}) | st.just({"log": "x$"}),
        "live": st.fixed_dictionaries({"command": st.just("a b"), "every": DURATIONS}),
        "heartbeat": st.fixed_dictionaries({"lease": st.just("9h"), "progress_within": DURATIONS}),
        "restart": st.fixed_dictionaries(
            {},
            optional={
                "when": st.sampled_from(["always", "on-failure", "never"]),
                "limit": st.sampled_from(["none", "1/1m"]),
                "min_gap": DURATIONS | st.just("0s"),
                "no_restart_codes": st.lists(st.integers(0, 255), max_size=2),
            },
        ),
        "limits": st.fixed_dictionaries(
            {},
            optional={"memory": st.just("1GiB"), "cpu": DURATIONS, "nice": st.integers(-20, 19)},
        ),
        "watch": st.just({"paths": ["src", "~"]}),
    },
)


def escaped(value: object) -> object:
    if isinstance(value, str):
        return value.replace("$", "$$").replace("\0", "")
    if isinstance(value, list):
        return [escaped(item) for item in value]
    return {k: escaped(v) for k, v in value.items()} if isinstance(value, dict) else value


@given(st.dictionaries(st.sampled_from(["a", "b", "c"]), SERVICES, min_size=1))
@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
def test_every_spec_a_file_can_produce_survives_the_wire_and_a_second_reading(
    services: dict[str, object],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "holdfast.toml")
        path.write_text(write_toml({"service": escaped(services)}), encoding="utf-8")
        settings = load(path, {"HOME": "/h"})
        path.write_text(render(settings), encoding="utf-8")
        again = load(path, {})

    assert again.services == settings.services
    for spec in settings.services:
        assert from_plain(ServiceSpec, json.loads(json.dumps(to_plain(spec)))) == spec
