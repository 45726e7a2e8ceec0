"""What the restart or end of a needed service does to those who need it."""

import itertools
from typing import Any

import pytest

from holdfast.model.service import Actual, Desired, ServiceState
from holdfast.model.spec import Condition, Need, OnRestart, ServiceSpec
from holdfast.rules import edges
from holdfast.rules.edges import Standing

RESTART, STOP, IGNORE = OnRestart.RESTART, OnRestart.STOP, OnRestart.IGNORE


class World:
    """Some services, by name."""

    def __init__(self) -> None:
        self.found: dict[str, Standing] = {}

    def put(
        self, name: str, *needed: Need, ties: dict[str, int | None] | None = None, **facts: Any
    ) -> Standing:
        given = {
            "actual": Actual.RUNNING,
            "desired": Desired.UP,
            "generation": 1,
            "started_mono": 10.0,
        }
        state = ServiceState(name=name, **{**given, **facts})
        spec = ServiceSpec(name=name, command=("x",), cwd="/", needs=needed)
        self.found[name] = Standing(spec=spec, state=state, ties=ties or {})
        return self.found[name]

    def find(self, name: str) -> Standing | None:
        return self.found.get(name)

    def cause(self, name: str) -> str | None:
        return edges.cause(self.found[name], self.find)

    def ties(self, name: str) -> edges.Ties:
        return edges.tied(self.found[name], self.find)


def need(name: str, reaction: OnRestart = RESTART, condition: Condition = Condition.READY) -> Need:
    return Need(name=name, on_restart=reaction, condition=condition)


@pytest.mark.parametrize(
    ("reaction", "actual", "generation", "expected"),
    [
        (IGNORE, Actual.RUNNING, 2, None),
        (IGNORE, Actual.STOPPING, 1, None),
        (RESTART, Actual.RUNNING, 1, None),
        (RESTART, Actual.STOPPING, 1, None),
        (RESTART, Actual.BACKOFF, 1, None),
        (RESTART, Actual.STARTING, 2, None),
        (RESTART, Actual.RUNNING, 2, "db"),
        (RESTART, Actual.RUNNING, 5, "db"),
        (STOP, Actual.RUNNING, 1, None),
        (STOP, Actual.STOPPING, 1, "db"),
        (STOP, Actual.BACKOFF, 1, "db"),
        (STOP, Actual.HELD, 1, "db"),
        (STOP, Actual.STARTING, 2, "db"),
        (STOP, Actual.RUNNING, 2, "db"),
    ],
)
def test_each_edge_answers_to_what_became_of_the_needed_service(
    reaction: OnRestart, actual: Actual, generation: int, expected: str | None
) -> None:
    world = World()
    world.put("db", actual=actual, generation=generation)
    world.put("api", need("db", reaction), ties={"db": 1})
    assert world.cause("api") == expected


@pytest.mark.parametrize("actual", sorted(set(Actual) - edges.ALIVE))
def test_a_service_that_does_not_live_is_left_alone(actual: Actual) -> None:
    world = World()
    world.put("db", generation=2)
    world.put("api", need("db"), ties={"db": 1}, actual=actual)
    assert world.cause("api") is None


def test_a_job_done_again_counts_where_completion_is_the_condition() -> None:
    world = World()
    world.put("migrate", actual=Actual.STARTING, generation=2)
    world.put("api", need("migrate", RESTART, Condition.COMPLETED), ties={"migrate": 1})
    assert world.cause("api") is None
    world.put("migrate", actual=Actual.DONE, generation=2)
    assert world.cause("api") == "migrate"


def test_a_needed_service_that_is_not_there_yet_ends_nobody() -> None:
    world = World()
    world.put("db-2", actual=Actual.STARTING, started_mono=50.0)
    world.put("api", need("db-2", STOP), ties={"db-2": None})
    assert world.cause("api") is None
    assert world.ties("api") == {"db-2": None}
    world.put("db-2", started_mono=50.0)
    assert world.ties("api") == {"db-2": 1}


def test_a_restart_waits_until_everything_needed_is_there() -> None:
    world = World()
    world.put("db", generation=2)
    world.put("cache", actual=Actual.STARTING, generation=2)
    world.put("api", need("db"), need("cache", IGNORE), ties={"db": 1, "cache": 1})
    assert world.cause("api") is None
    world.put("cache", generation=2)
    assert world.cause("api") == "db"


def test_a_diamond_of_unequal_ways_restarts_its_last_once() -> None:
    world = World()
    world.put("a", generation=2)
    world.put("b", need("a"), ties={"a": 2}, generation=2)
    world.put("c", need("a"), ties={"a": 1})
    world.put("e", need("c"), ties={"c": 1})
    world.put("d", need("b"), need("e"), ties={"b": 1, "e": 1})
    assert (world.cause("c"), world.cause("e"), world.cause("d")) == ("a", None, None)
    world.put("c", need("a"), ties={"a": 2}, generation=2, actual=Actual.STARTING)
    assert (world.cause("e"), world.cause("d")) == (None, None)
    world.put("c", need("a"), ties={"a": 2}, generation=2)
    assert (world.cause("e"), world.cause("d")) == ("c", None)
    world.put("e", need("c"), ties={"c": 2}, generation=2)
    assert world.cause("d") == "b"


def test_who_is_down_for_good_further_off_holds_up_nobody() -> None:
    world = World()
    world.put("c", actual=Actual.DOWN, desired=Desired.DOWN)
    world.put("e", need("c"), ties={"c": 1})
    world.put("b", generation=2)
    world.put("d", need("b"), need("e"), ties={"b": 1, "e": 1})
    assert world.cause("d") == "b"


def test_a_wide_and_deep_net_of_needs_is_walked_once() -> None:
    world = World()
    names = [(f"l{level}", f"r{level}") for level in range(60)]
    world.put("l0")
    world.put("r0")
    for below, here in itertools.pairwise(names):
        for name in here:
            world.put(name, *map(need, below), ties=dict.fromkeys(below, 1))
    world.put("top", *map(need, names[-1]), ties={"l59": 0, "r59": 1})
    assert world.cause("top") == "l59"


@pytest.mark.parametrize(
    ("generation", "started_mono", "tie"),
    [
        (3, 5.0, 3),
        (3, 10.0, 3),
        (3, 15.0, 2),
        (3, None, 3),
        (1, 15.0, 1),
        (0, None, 0),
    ],
)
def test_an_adopted_process_is_tied_by_what_was_started_before_it(
    generation: int, started_mono: float | None, tie: int
) -> None:
    world = World()
    world.put("db", generation=generation, started_mono=started_mono)
    world.put("api", need("db"))
    assert world.ties("api") == {"db": tie}


def test_ties_once_made_stay_and_a_need_nobody_knows_is_not_tied() -> None:
    world = World()
    world.put("db", generation=7)
    world.put("api", need("db"), need("late"), ties={"db": 6, "late": 2, "former": 1})
    assert world.ties("api") == {"db": 6, "late": 2}
    world.put("api", need("late"))
    assert world.ties("api") == {}


def test_only_a_service_with_an_edge_that_is_not_ignored_has_edges() -> None:
    world = World()
    assert not edges.has_edges(world.put("api", need("db", IGNORE)).spec)
    assert edges.has_edges(world.put("api", need("db", IGNORE), need("q", STOP)).spec)
