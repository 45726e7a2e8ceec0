"""Every cell of the service table: what each event does in each state."""

from dataclasses import replace
from typing import assert_never, get_args

import pytest

from holdfast.model.event import (
    Adopted,
    AwaitNeeds,
    BecameReady,
    Effect,
    Elapsed,
    Exited,
    HealthJudged,
    HistoryLost,
    LookAtTree,
    MainChanged,
    NeedsMet,
    PolicyChanged,
    Prepare,
    Prepared,
    PrepareFailed,
    Record,
    RecordStale,
    RestartOrdered,
    ServiceEvent,
    SignalTree,
    Spawn,
    Spawned,
    SpawnFailed,
    StartOrdered,
    StartUnseen,
    StopOrdered,
    TimeExtended,
    TreeLooked,
    Unproved,
    WatchMain,
)
from holdfast.model.service import (
    Actual,
    Desired,
    Exit,
    Health,
    Identity,
    LastExit,
    Now,
    Reason,
    ServiceState,
    Start,
    Step,
    Wait,
)
from holdfast.model.spec import Need, ServiceSpec
from holdfast.rules import supervise

SPEC = ServiceSpec(name="api", command=("api",), cwd="/")
NEEDY = replace(SPEC, needs=(Need(name="db"),))
MAIN = Identity(pid=41, start_ticks=7, boot_id="boot-1")
NOW = Now(wall=1e9, mono=1000.0, boot_id="boot-1", draw=0.5)
UP = ServiceState(name="api", desired=Desired.UP, since=1e9)
ENDED = replace(
    UP, last_exit=LastExit(exit=Exit(code=1), reason=Reason.EXIT, at=1e9 - 1, mono=999.0)
)

STATES = {
    Actual.DOWN: ServiceState(name="api", since=1e9),
    Actual.WAITING: replace(UP, actual=Actual.WAITING),
    Actual.STARTING: replace(UP, actual=Actual.STARTING, process=MAIN, deadline_mono=1000.0),
    Actual.RUNNING: replace(UP, actual=Actual.RUNNING, process=MAIN, ready_mono=500.0),
    Actual.STOPPING: replace(
        UP, actual=Actual.STOPPING, process=MAIN, step=Step.ASKED, deadline_mono=1000.0
    ),
    Actual.BACKOFF: replace(
        ENDED, actual=Actual.BACKOFF, next_start=Start(at=1e9, mono=1000.0, wait=Wait.DELAY)
    ),
    Actual.HELD: replace(
        ENDED, actual=Actual.HELD, next_start=Start(at=1e9, mono=1000.0, wait=Wait.LIMIT)
    ),
    Actual.FAILED: replace(ENDED, actual=Actual.FAILED, failure="no such file"),
    Actual.DONE: replace(ENDED, actual=Actual.DONE),
    Actual.STUCK: replace(
        UP, actual=Actual.STUCK, process=MAIN, step=Step.KILLED, deadline_mono=1000.0
    ),
    Actual.ORPHAN: replace(UP, actual=Actual.ORPHAN, process=MAIN),
}
"""One service in each state, its process alive where the state has one, its timer due where it has one."""

WITHOUT_PROCESS = (Spawned, SpawnFailed, StartUnseen, TreeLooked)
"""Events that come only while no main process is known."""

EVENTS: dict[str, ServiceEvent] = {
    "a person starts it": StartOrdered(),
    "up": StartOrdered(forgive=False),
    "a person stops it": StopOrdered(),
    "a person kills it": StopOrdered(kill=True),
    "holdfast goes away": StopOrdered(closing=True),
    "a person restarts it": RestartOrdered(),
    "a planned restart": RestartOrdered(reason=Reason.WATCH),
    "a restart after a fault": RestartOrdered(reason=Reason.LEASE, counted=True),
    "needs met": NeedsMet(),
    "spawned": Spawned(identity=MAIN),
    "cannot be executed": SpawnFailed(why="no such file", permanent=True),
    "shortage": SpawnFailed(why="out of processes", permanent=False),
    "process proved": Adopted(identity=MAIN),
    "process not provable": Unproved(why="unreadable"),
    "record stale": RecordStale(),
    "start unseen": StartUnseen(),
    "exited": Exited(identity=MAIN, exit=Exit(code=1), reason=Reason.EXIT),
    "exit of another process": Exited(
        identity=replace(MAIN, pid=40), exit=Exit(code=1), reason=Reason.EXIT
    ),
    "tree empty": TreeLooked(left=0),
    "tree not empty": TreeLooked(left=2),
    "deadline": Elapsed(),
    "prepared": Prepared(),
    "preparation failed": PrepareFailed(why="no migration"),
    "ready without a probe": BecameReady(),
    "more time": TimeExtended(until_mono=2000.0),
    "another main process": MainChanged(identity=replace(MAIN, pid=43)),
    "judged bad": HealthJudged(health=Health.BAD, why="it says so"),
    "policy changed": PolicyChanged(),
    "program changed": PolicyChanged(process=True),
    "history lost": HistoryLost(),
}


def told(actual: Actual, event: ServiceEvent) -> str:
    """Return in words what the table does: the next state, then the effects in their order."""
    before = STATES[actual]
    if isinstance(event, WITHOUT_PROCESS):
        before = replace(before, process=None)
    spec = NEEDY if actual is Actual.WAITING else SPEC
    after, effects = supervise.step(spec, before, event, NOW)
    if after == before and not effects:
        return "nothing"
    return ", ".join([after.actual.value, *map(_in_words, effects)])


def _in_words(effect: Effect) -> str:
    match effect:
        case Spawn():
            return "spawn"
        case Prepare():
            return "prepare"
        case WatchMain():
            return "watch"
        case AwaitNeeds():
            return "await needs"
        case SignalTree(signal=signal):
            return signal
        case LookAtTree():
            return "look"
        case Record(kind=kind):
            return kind.removeprefix("service.")
        case _:
            assert_never(effect)


CELLS = {
    "a person starts it": """
        down      starting, spawn
        waiting   waiting, await needs
        starting  nothing
        running   nothing
        stopping  stopping
        backoff   starting, spawn
        held      starting, spawn
        failed    starting, spawn
        done      starting, spawn
        stuck     stuck
        orphan    nothing
    """,
    "up": """
        down      starting, spawn
        waiting   waiting, await needs
        starting  nothing
        running   nothing
        stopping  nothing
        backoff   nothing
        held      nothing
        failed    starting, spawn
        done      nothing
        stuck     nothing
        orphan    nothing
    """,
    "a person stops it": """
        down      nothing
        waiting   down, stopped
        starting  stopping, stopping, TERM
        running   stopping, stopping, TERM
        stopping  stopping
        backoff   down, stopped
        held      down, stopped
        failed    down
        done      down
        stuck     stuck
        orphan    orphan
    """,
    "a person kills it": """
        down      nothing
        waiting   down, stopped
        starting  stopping, killed, KILL, look
        running   stopping, killed, KILL, look
        stopping  stopping, killed, KILL, look
        backoff   down, stopped
        held      down, stopped
        failed    down
        done      down
        stuck     stuck
        orphan    orphan
    """,
    "holdfast goes away": """
        down      down
        waiting   down, stopped
        starting  stopping, stopping, TERM
        running   stopping, stopping, TERM
        stopping  stopping
        backoff   down, stopped
        held      down, stopped
        failed    failed
        done      done
        stuck     stuck
        orphan    orphan
    """,
    "a person restarts it": """
        down      starting, spawn
        waiting   waiting, await needs
        starting  stopping, stopping, TERM
        running   stopping, stopping, TERM
        stopping  stopping
        backoff   starting, spawn
        held      starting, spawn
        failed    starting, spawn
        done      starting, spawn
        stuck     stuck
        orphan    orphan
    """,
    "a planned restart": """
        down      nothing
        waiting   nothing
        starting  stopping, stopping, TERM
        running   stopping, stopping, TERM
        stopping  nothing
        backoff   nothing
        held      nothing
        failed    nothing
        done      nothing
        stuck     nothing
        orphan    nothing
    """,
    "a restart after a fault": """
        down      nothing
        waiting   nothing
        starting  stopping, stopping, TERM
        running   stopping, stopping, TERM
        stopping  nothing
        backoff   nothing
        held      nothing
        failed    nothing
        done      nothing
        stuck     nothing
        orphan    nothing
    """,
    "needs met": """
        down      nothing
        waiting   starting, spawn
        starting  nothing
        running   nothing
        stopping  nothing
        backoff   nothing
        held      nothing
        failed    nothing
        done      nothing
        stuck     nothing
        orphan    nothing
    """,
    "spawned": """
        down      nothing
        waiting   nothing
        starting  starting, started
        running   nothing
        stopping  stopping, started, TERM
        backoff   nothing
        held      nothing
        failed    nothing
        done      nothing
        stuck     stuck, started, KILL
        orphan    nothing
    """,
    "cannot be executed": """
        down      nothing
        waiting   nothing
        starting  failed, failed
        running   nothing
        stopping  backoff, backoff
        backoff   nothing
        held      nothing
        failed    nothing
        done      nothing
        stuck     backoff, backoff
        orphan    nothing
    """,
    "shortage": """
        down      nothing
        waiting   nothing
        starting  backoff, backoff
        running   nothing
        stopping  backoff, backoff
        backoff   nothing
        held      nothing
        failed    nothing
        done      nothing
        stuck     backoff, backoff
        orphan    nothing
    """,
    "process proved": """
        down      stopping, adopted, stopping, TERM
        waiting   nothing
        starting  running, adopted
        running   running, adopted
        stopping  stopping, adopted, stopping, TERM
        backoff   nothing
        held      nothing
        failed    nothing
        done      nothing
        stuck     stopping, adopted, stopping, TERM
        orphan    running, adopted
    """,
    "process not provable": """
        down      nothing
        waiting   nothing
        starting  orphan, orphan
        running   orphan, orphan
        stopping  orphan, orphan
        backoff   nothing
        held      nothing
        failed    nothing
        done      nothing
        stuck     orphan, orphan
        orphan    nothing
    """,
    "record stale": """
        down      nothing
        waiting   down
        starting  down
        running   down
        stopping  down
        backoff   down
        held      down
        failed    nothing
        done      down
        stuck     down
        orphan    down
    """,
    "start unseen": """
        down      nothing
        waiting   nothing
        starting  backoff, backoff
        running   nothing
        stopping  nothing
        backoff   nothing
        held      nothing
        failed    nothing
        done      nothing
        stuck     nothing
        orphan    nothing
    """,
    "exited": """
        down      nothing
        waiting   nothing
        starting  stopping, exited, look
        running   stopping, exited, look
        stopping  stopping, exited, look
        backoff   nothing
        held      nothing
        failed    nothing
        done      nothing
        stuck     stuck, exited, look
        orphan    stopping, exited, look
    """,
    "exit of another process": """
        down      nothing
        waiting   nothing
        starting  nothing
        running   nothing
        stopping  nothing
        backoff   nothing
        held      nothing
        failed    nothing
        done      nothing
        stuck     nothing
        orphan    nothing
    """,
    "tree empty": """
        down      nothing
        waiting   nothing
        starting  nothing
        running   nothing
        stopping  backoff, backoff
        backoff   nothing
        held      nothing
        failed    nothing
        done      nothing
        stuck     backoff, backoff
        orphan    nothing
    """,
    "tree not empty": """
        down      nothing
        waiting   nothing
        starting  nothing
        running   nothing
        stopping  nothing
        backoff   nothing
        held      nothing
        failed    nothing
        done      nothing
        stuck     nothing
        orphan    nothing
    """,
    "deadline": """
        down      nothing
        waiting   nothing
        starting  running, ready
        running   nothing
        stopping  stopping, killed, KILL, look
        backoff   starting, spawn
        held      starting, spawn
        failed    nothing
        done      nothing
        stuck     stuck, KILL, look
        orphan    nothing
    """,
    "policy changed": """
        down      nothing
        waiting   waiting, await needs
        starting  nothing
        running   nothing
        stopping  nothing
        backoff   backoff, backoff
        held      backoff, backoff
        failed    nothing
        done      nothing
        stuck     nothing
        orphan    nothing
    """,
    "program changed": """
        down      nothing
        waiting   waiting, await needs
        starting  nothing
        running   nothing
        stopping  nothing
        backoff   backoff, backoff
        held      backoff, backoff
        failed    starting, spawn
        done      nothing
        stuck     nothing
        orphan    nothing
    """,
    "prepared": """
        down      nothing
        waiting   nothing
        starting  nothing
        running   nothing
        stopping  nothing
        backoff   nothing
        held      nothing
        failed    nothing
        done      nothing
        stuck     nothing
        orphan    nothing
    """,
    "preparation failed": """
        down      nothing
        waiting   nothing
        starting  nothing
        running   nothing
        stopping  nothing
        backoff   nothing
        held      nothing
        failed    nothing
        done      nothing
        stuck     nothing
        orphan    nothing
    """,
    "ready without a probe": """
        down      nothing
        waiting   nothing
        starting  nothing
        running   nothing
        stopping  nothing
        backoff   nothing
        held      nothing
        failed    nothing
        done      nothing
        stuck     nothing
        orphan    nothing
    """,
    "more time": """
        down      nothing
        waiting   nothing
        starting  nothing
        running   nothing
        stopping  stopping
        backoff   nothing
        held      nothing
        failed    nothing
        done      nothing
        stuck     nothing
        orphan    nothing
    """,
    "another main process": """
        down      nothing
        waiting   nothing
        starting  starting, main_changed, watch
        running   running, main_changed, watch
        stopping  nothing
        backoff   nothing
        held      nothing
        failed    nothing
        done      nothing
        stuck     nothing
        orphan    nothing
    """,
    "judged bad": """
        down      nothing
        waiting   nothing
        starting  starting
        running   running, bad
        stopping  nothing
        backoff   nothing
        held      nothing
        failed    nothing
        done      nothing
        stuck     nothing
        orphan    nothing
    """,
    "history lost": """
        down      down, history_lost
        waiting   waiting, history_lost
        starting  starting, history_lost
        running   running, history_lost
        stopping  stopping, history_lost
        backoff   held, history_lost, held
        held      held, history_lost, held
        failed    failed, history_lost
        done      done, history_lost
        stuck     stuck, history_lost
        orphan    orphan, history_lost
    """,
}
"""What `told` is expected to say; "nothing" means that not even a remembered fact changes."""


def expectations(name: str) -> dict[Actual, str]:
    """Return one block of the table, by state."""
    rows = (line.split(None, 1) for line in CELLS[name].strip().splitlines())
    return {Actual(actual): expected for actual, expected in rows}


def test_the_table_of_expectations_knows_every_state_and_every_event() -> None:
    assert set(CELLS) == set(EVENTS)
    assert {type(event) for event in EVENTS.values()} == set(get_args(ServiceEvent))
    assert {actual for actual, state in STATES.items() if state.actual is actual} == set(Actual)
    assert all(list(expectations(name)) == list(Actual) for name in CELLS)


@pytest.mark.parametrize("actual", list(Actual))
@pytest.mark.parametrize("name", list(EVENTS))
def test_every_cell_does_what_is_written_down(name: str, actual: Actual) -> None:
    assert told(actual, EVENTS[name]) == expectations(name)[actual]


def test_the_table_speaks_only_of_events_that_exist() -> None:
    assert {event for _, event in supervise.TABLE} <= set(get_args(ServiceEvent))


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (STATES[Actual.DOWN], None),
        (STATES[Actual.STOPPING], 1000.0),
        (STATES[Actual.HELD], 1000.0),
        (replace(STATES[Actual.BACKOFF], deadline_mono=5.0), 1000.0),
    ],
    ids=["none", "of the state", "of the next start", "the next start before the state"],
)
def test_the_deadline_is_that_of_the_next_start_or_of_the_state(
    state: ServiceState, expected: float | None
) -> None:
    assert supervise.deadline(state) == expected
