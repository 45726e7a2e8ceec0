"""A whole life in virtual time: any program, any orders, any clock, and what must hold throughout."""

import json
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias, assert_never, get_args

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast.model.event import (
    Adopted,
    AwaitNeeds,
    Effect,
    Elapsed,
    Exited,
    HistoryLost,
    LookAtTree,
    NeedsMet,
    PolicyChanged,
    Prepare,
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
    TreeLooked,
    Unproved,
    WatchMain,
)
from holdfast.model.service import (
    HISTORY_KEPT,
    Actual,
    Desired,
    Exit,
    Identity,
    Now,
    Reason,
    ServiceState,
    Wait,
)
from holdfast.model.spec import Need, RestartLimit, RestartPolicy, ServiceSpec, StopPolicy, When
from holdfast.model.wire import from_plain, to_plain
from holdfast.rules.supervise import deadline, step

AT_ANY_SPEED = settings(suppress_health_check=[HealthCheck.too_slow])
BOOTED_AT = 10.0
SLOW = 2.0
SUPERVISOR_DIES = Spawned(identity=Identity(pid=0, start_ticks=0, boot_id=""))
"""Stands in the queue for the word that never comes: the supervisor dies between the fork and its record."""

Op: TypeAlias = tuple[Any, ...]
WITH_PROCESS = {
    Actual.STARTING,
    Actual.RUNNING,
    Actual.STOPPING,
    Actual.STUCK,
    Actual.ORPHAN,
}
AT_REST = {Actual.RUNNING, Actual.DOWN, Actual.FAILED, Actual.DONE, Actual.ORPHAN}


@dataclass
class Machine:
    """One service, its program and the kernel below it; performs effects and keeps the promises in view."""

    spec: ServiceSpec
    state: ServiceState = field(default_factory=lambda: ServiceState(name="api"))
    mono: float = 1000.0
    wall: float = 1e9
    boot: int = 1
    draw: float = 0.5
    pids: int = 100
    main: Identity | None = None
    children: int = 0
    fate: str = "lives"
    deaf: bool = False
    unkillable: bool = False
    needs_there: bool = True
    asked: bool = False
    clock_was_stepped: bool = False
    counted: list[float] = field(default_factory=list)
    heard: deque[ServiceEvent] = field(default_factory=deque)
    looks_again: bool = False
    trace: list[tuple[float, Actual, float | None]] = field(default_factory=list)

    def now(self) -> Now:
        return Now(wall=self.wall, mono=self.mono, boot_id=f"boot-{self.boot}", draw=self.draw)

    def tell(self, event: ServiceEvent) -> None:
        self._mark_orders(event)
        self.state, effects = step(self.spec, self.state, event, self.now())
        self.trace.append((self.mono, self.state.actual, deadline(self.state)))
        check_shape(self.state)
        for effect in effects:
            self._perform(effect)

    def hear(self) -> None:
        """Deliver the oldest word of the kernel that is still under way."""
        if not self.heard:
            return
        event = self.heard.popleft()
        if event is SUPERVISOR_DIES:
            self.replace_supervisor(True)
            return
        if isinstance(event, TreeLooked):
            left = self.children + (self.main is not None)
            self.looks_again = left > 0
            event = TreeLooked(left=left)
        self.tell(event)

    def pass_time(self, seconds: float) -> None:
        """Let time go by; a deadline on the way is met at its own moment.

        Words of the kernel arrive in time, or late by less than `SLOW`.
        """
        end = self.mono + seconds
        for _ in range(200):
            while self.heard and seconds > SLOW:
                self.hear()
            due = deadline(self.state)
            if due is None or due > end:
                break
            self._go_to(max(due, self.mono))
            self.tell(Elapsed())
        self._go_to(max(end, self.mono))

    def die(self, ended: Exit, children: int = 0) -> None:
        if self.main is None:
            return
        reason = Reason.SIGNAL if ended.signal else Reason.EXIT
        gone, self.main = self.main, None
        self.children += children
        if self.state.actual is not Actual.ORPHAN:  # nobody can watch what cannot be proved
            self.heard.append(Exited(identity=gone, exit=ended, reason=reason))

    def replace_supervisor(self, provable: bool) -> None:
        """Kill the supervisor; the next one reads the record and judges what lives."""
        self.heard.clear()
        self.state = read_back(self.state)
        known = self.state.process
        if known is None and self.state.actual is Actual.STARTING:
            self._judge_intent()
        elif known is not None and known != self.main:
            self.tell(Exited(identity=known, exit=Exit(), reason=Reason.UNKNOWN))
        elif known is not None:
            self.tell(Adopted(identity=known) if provable else Unproved(why="unreadable"))
        if self.state.actual in (Actual.STOPPING, Actual.STUCK) and self.state.process is None:
            self.heard.append(TreeLooked(left=0))
        if self.state.desired is Desired.UP:
            self.tell(StartOrdered(forgive=False))

    def reboot(self) -> None:
        """Begin the monotonic clock anew; over a boot ages are told by the wall clock, so they hold if it was true."""
        self._go_to(self.mono + BOOTED_AT)
        ages = [] if self.clock_was_stepped else [self.mono - at for at in self.counted]
        self.boot, self.mono = self.boot + 1, BOOTED_AT
        self.counted = [self.mono - age for age in ages]
        self.main, self.children = None, 0
        self.heard.clear()
        self.state = read_back(self.state)
        self.tell(RecordStale())
        if self.state.desired is Desired.UP:
            self.tell(StartOrdered(forgive=False))

    def become(self, fact: str, value: object) -> None:
        setattr(self, fact, value)

    def step_clock(self, seconds: float) -> None:
        self.wall += seconds
        self.clock_was_stepped = True
        self.counted = [at for at in self.counted if self.boot == 1 or at >= BOOTED_AT]

    def go_on(self) -> None:
        """Hear everything that is under way, then wait for the next deadline."""
        if self.state.actual is Actual.WAITING and self.needs_there:
            self.heard.append(NeedsMet())
        while self.heard:
            self.hear()
        due = deadline(self.state)
        if due is not None:
            self.pass_time(max(0.0, due - self.mono))

    def crash_and_go_on(self, ended: Exit) -> None:
        self.die(ended)
        self.go_on()

    def calm_down(self) -> None:
        """From here on the program is obedient and stays up, and time goes by."""
        self.fate, self.deaf, self.unkillable, self.needs_there = "lives", False, False, True
        self.draw = 0.5
        if self.state.desired is Desired.UP:
            self.tell(StartOrdered(forgive=False))
        for _ in range(60):
            self.go_on()

    def _perform(self, effect: Effect) -> None:
        match effect:
            case Spawn():
                self._spawn()
            case Prepare() | WatchMain():
                raise AssertionError("no program here prepares, or names another main process")
            case AwaitNeeds():
                self.heard.extend([NeedsMet()] * self.needs_there)
            case SignalTree(signal=signal):
                self._signal(signal)
            case LookAtTree():
                self.heard.append(TreeLooked(left=0))
            case Record(facts=facts):
                json.dumps(facts, allow_nan=False)
            case _:
                assert_never(effect)

    def _spawn(self) -> None:
        assert self.main is None, "a second copy"
        assert self.children == 0, "a start while children of the old process live"
        assert self.asked, "a start nobody asked for"
        if self.state.history and self.state.history[-1].success is None:
            self._count()
        fate, self.fate = self.fate, "lives"
        if fate == "refused":
            self.tell(SpawnFailed(why="no such file", permanent=True))
        elif fate == "short":
            if self.counted and self.state.history and self.state.history[-1].counted:
                self.counted.pop()
            self.tell(SpawnFailed(why="out of processes", permanent=False))
        else:
            self.main = self._new_pid()
            if fate == "supervisor dies":
                self.heard.append(SUPERVISOR_DIES)
            else:
                self.tell(Spawned(identity=self.main))

    def _judge_intent(self) -> None:
        """Know the process of an open intent by its tag, which its children bear too."""
        if self.main is None and self.children:
            self.main, self.children = self._new_pid(), self.children - 1
        self.tell(StartUnseen() if self.main is None else Adopted(identity=self.main))

    def _new_pid(self) -> Identity:
        self.pids += 1
        return Identity(pid=self.pids, start_ticks=self.pids, boot_id=f"boot-{self.boot}")

    def _count(self) -> None:
        """Take down an automatic restart, and hold it against the policy."""
        if not self.state.history[-1].counted:
            return
        policy = self.spec.restart
        assert not self.counted or self.mono - self.counted[-1] >= policy.min_gap - 1e-6
        self.counted.append(self.mono)
        if policy.limit is not None:
            within = [at for at in self.counted if self.mono - at < policy.limit.within]
            assert len(within) <= policy.limit.count

    def _signal(self, signal: str) -> None:
        assert self.state.actual is not Actual.ORPHAN, "an orphan was signalled"
        if self.unkillable or (self.deaf and signal != "KILL"):
            return
        if self.looks_again and self.children:
            self.heard.append(TreeLooked(left=0))
        self.children = 0
        self.die(Exit(signal=9 if signal == "KILL" else 15))

    def _mark_orders(self, event: ServiceEvent) -> None:
        match event:
            case StartOrdered(forgive=forgive):
                self.asked = True
                if forgive:
                    self.counted.clear()
            case RestartOrdered(reason=Reason.MANUAL):
                self.asked = True
                self.counted.clear()
            case StopOrdered():
                self.asked = False
            case _:
                pass

    def _go_to(self, mono: float) -> None:
        self.wall += mono - self.mono
        self.mono = mono


def read_back(state: ServiceState) -> ServiceState:
    """Return the state as the next supervisor reads it from disk."""
    return from_plain(ServiceState, json.loads(json.dumps(to_plain(state), allow_nan=False)))


def check_shape(state: ServiceState) -> None:
    """Hold a state against what must be true of every reachable one."""
    assert read_back(state) == state
    assert len(state.history) <= HISTORY_KEPT
    assert (state.next_start is not None) == (state.actual in (Actual.BACKOFF, Actual.HELD))
    assert state.process is None or state.actual in WITH_PROCESS
    if state.next_start is not None:
        assert (state.next_start.wait is Wait.LIMIT) == (state.actual is Actual.HELD)
    if state.actual in (Actual.STOPPING, Actual.STUCK):
        assert state.deadline_mono is not None
    if state.actual is Actual.STARTING and state.process is not None:
        assert state.deadline_mono is not None


exits = st.one_of(
    st.builds(Exit, code=st.sampled_from([0, 1, 78])),
    st.builds(Exit, signal=st.sampled_from([9, 15])),
)
ORDERS: tuple[ServiceEvent, ...] = (
    StartOrdered(),
    StartOrdered(forgive=False),
    StopOrdered(),
    StopOrdered(kill=True),
    StopOrdered(closing=True),
    RestartOrdered(),
    RestartOrdered(reason=Reason.WATCH),
    RestartOrdered(reason=Reason.LEASE, counted=True),
    PolicyChanged(),
    PolicyChanged(process=True),
    HistoryLost(),
)


def become(fact: str, values: st.SearchStrategy[Any]) -> st.SearchStrategy[Op]:
    return st.tuples(st.just("become"), st.just(fact), values)


within_a_boot: tuple[st.SearchStrategy[Op], ...] = (
    st.tuples(
        st.just("pass_time"),
        st.sampled_from([0.0, 0.05, 0.5, 1.0, 2.5, 10.0, 61.0, 700.0, 4000.0]),
    ),
    st.tuples(st.just("hear")),
    *[st.tuples(st.just("go_on"))] * 4,
    *[st.tuples(st.just("crash_and_go_on"), exits)] * 4,
    st.tuples(st.just("die"), exits, st.integers(0, 2)),
    st.tuples(st.just("die"), exits, st.just(0)),
    st.tuples(st.just("tell"), st.sampled_from(ORDERS)),
    become("fate", st.sampled_from(["refused", "short", "supervisor dies"])),
    become("deaf", st.booleans()),
    become("unkillable", st.sampled_from([True, False, False])),
    become("needs_there", st.booleans()),
    become("draw", st.floats(0, 1, exclude_max=True)),
    st.tuples(st.just("replace_supervisor"), st.booleans()),
    st.tuples(
        st.just("step_clock"), st.sampled_from([-86_400.0, -3600.0, -1.0, 3600.0, 86_400.0])
    ),
)
crashes: tuple[st.SearchStrategy[Op], ...] = (
    *[st.tuples(st.just("crash_and_go_on"), exits)] * 6,
    st.tuples(st.just("pass_time"), st.sampled_from([0.3, 5.0, 61.0, 700.0, 4000.0])),
    st.tuples(
        st.just("tell"),
        st.sampled_from([StartOrdered(forgive=False), PolicyChanged(), *ORDERS[6:8]]),
    ),
    become("draw", st.floats(0, 1, exclude_max=True)),
    become("fate", st.just("short")),
    st.tuples(st.just("replace_supervisor"), st.just(True)),
    st.tuples(st.just("step_clock"), st.sampled_from([-86_400.0, 86_400.0])),
)
storms = st.lists(st.one_of(*crashes), min_size=15, max_size=40)
lives = st.lists(st.one_of(*within_a_boot, st.tuples(st.just("reboot"))), min_size=10, max_size=50)
lives_of_one_boot = st.lists(st.one_of(*within_a_boot), min_size=10, max_size=50)
policies = st.builds(
    RestartPolicy,
    when=st.sampled_from([When.ALWAYS, When.ALWAYS, When.ALWAYS, When.ON_FAILURE, When.NEVER]),
    delay=st.sampled_from([0.0, 0.1, 5.0]),
    max_delay=st.sampled_from([1.0, 60.0]),
    min_gap=st.sampled_from([0.0, 0.5, 60.0]),
    limit=st.sampled_from(
        [
            None,
            RestartLimit(count=1, within=10.0),
            RestartLimit(count=2, within=3600.0),
            RestartLimit(count=3, within=3600.0),
        ]
    ),
    no_restart_codes=st.sampled_from([(), (78,)]),
)
specs = st.builds(
    ServiceSpec,
    name=st.just("api"),
    command=st.just(("api",)),
    cwd=st.just("/"),
    needs=st.sampled_from([(), (Need(name="db"),)]),
    restart=policies,
    stop=st.builds(StopPolicy, timeout=st.sampled_from([0.0, 10.0])),
)


def live(machine: Machine, ops: Iterable[Op]) -> Machine:
    """Let everything in `ops` happen, in its order."""
    machine.tell(StartOrdered())
    for op in ops:
        name, *arguments = op
        getattr(machine, name)(*arguments)
    return machine


@given(spec=specs, ops=lives)
@settings(AT_ANY_SPEED, max_examples=150)
def test_no_life_breaks_a_promise_and_every_life_comes_to_rest(
    spec: ServiceSpec, ops: list[Op]
) -> None:
    """Every spawn on the way is held against the limit, the gap, the wish and what still lives (see `Machine`)."""
    machine = live(Machine(spec=spec), ops)

    machine.calm_down()

    assert machine.state.actual in AT_REST
    if machine.state.actual is Actual.RUNNING:
        assert machine.state.process == machine.main
        assert machine.state.desired is Desired.UP
    elif machine.state.actual is not Actual.ORPHAN:
        assert machine.main is None
        assert machine.children == 0
    if machine.state.actual is Actual.DOWN:
        assert machine.state.desired is Desired.DOWN


@given(spec=specs, ops=storms)
@settings(AT_ANY_SPEED, max_examples=80)
def test_no_storm_of_crashes_passes_the_limit_or_the_gap(spec: ServiceSpec, ops: list[Op]) -> None:
    """`Machine` holds every counted restart on the way against the policy."""
    always = replace(spec, restart=replace(spec.restart, when=When.ALWAYS, no_restart_codes=()))

    machine = live(Machine(spec=always), ops)

    assert machine.state.desired is Desired.UP


@given(spec=specs, ops=lives_of_one_boot)
@settings(AT_ANY_SPEED, max_examples=60)
def test_steps_of_the_wall_clock_change_nothing_that_happens(
    spec: ServiceSpec, ops: list[Op]
) -> None:
    without_steps = [op for op in ops if op[0] != "step_clock"]

    stepped = live(Machine(spec=spec), ops)
    steady = live(Machine(spec=spec), without_steps)

    assert stepped.trace == steady.trace


moments = st.floats(-1e6, 1e9)
states = st.from_type(ServiceState)
events: st.SearchStrategy[ServiceEvent] = st.one_of(
    *(st.from_type(kind) for kind in get_args(ServiceEvent))
)


@given(spec=specs, state=states, event=events, wall=moments, mono=moments)
@settings(AT_ANY_SPEED, max_examples=150)
def test_every_event_has_an_answer_in_every_state_even_an_impossible_one(
    spec: ServiceSpec, state: ServiceState, event: ServiceEvent, wall: float, mono: float
) -> None:
    now = Now(wall=wall, mono=mono, boot_id="boot-1", draw=0.999)

    after, effects = step(spec, replace(state, name="api"), event, now)

    assert isinstance(after, ServiceState)
    assert all(isinstance(effect, get_args(Effect)) for effect in effects)
