"""When pipes are looked at, counted on a real event loop with real pipes."""

import asyncio
import os
import selectors
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

if sys.platform == "win32":
    pytest.skip("named pipes in the file system are a POSIX thing", allow_module_level=True)

from holdfast.clock import Clock, SystemClock
from holdfast.machine.output.pace import TICK_S, Pace


class CountingSelector(selectors.DefaultSelector):
    """Counts how often the loop wakes up."""

    wakes = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.wakes += 1
        return super().select(timeout)


def _nothing(source: "Source") -> None:
    """Leave it at reading."""


@dataclass(eq=False)
class Source:
    """A pipe that is read in turns of a few bytes."""

    most: int = 100
    content: bytes = b""
    turns: int = 0
    is_lingering: bool = False
    on_turn: Callable[["Source"], None] = _nothing
    ends: tuple[int, int] = field(default_factory=os.pipe)

    @property
    def fd(self) -> int:
        return self.ends[0]

    def turn(self) -> float:
        self.turns += 1
        if not self.is_lingering:
            self.content += os.read(self.fd, self.most)
        self.on_turn(self)
        return TICK_S

    def lingers(self) -> bool:
        return self.is_lingering

    def write(self, content: bytes) -> None:
        os.write(self.ends[1], content)


class JumpingClock(SystemClock):
    """A second passes whenever somebody looks."""

    seen = 0.0

    def monotonic(self) -> float:
        self.seen += 1.0
        return self.seen


class Stage:
    def __init__(self, clock: Clock | None = None) -> None:
        self.selector = CountingSelector()
        self.loop = asyncio.SelectorEventLoop(self.selector)
        self.rested = 0
        self.pace = Pace(self.loop, clock or SystemClock(), self._rest)
        self.sources: list[Source] = []
        self.failures: list[object] = []
        self.loop.set_exception_handler(lambda _, context: self.failures.append(context))

    def _rest(self) -> None:
        self.rested += 1

    def add(self, source: Source) -> Source:
        self.sources.append(source)
        self.pace.add(source)
        return source

    def until(self, is_so: Callable[[], bool]) -> None:
        """Run the loop one wake-up at a time until something is so."""
        while not is_so():
            self.loop.call_soon(self.loop.stop)
            self.loop.run_forever()

    def until_rest(self) -> None:
        before = self.rested
        self.until(lambda: self.rested > before)

    def close(self) -> None:
        self.pace.close()
        self.loop.close()
        for source in self.sources:
            for fd in source.ends:
                os.close(fd)


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage()
    yield stage
    stage.close()


def test_the_first_line_after_a_silence_is_moved_at_once(stage: Stage) -> None:
    source = stage.add(Source())

    source.write(b"line\n")
    stage.until_rest()

    assert source.content == b"line\n"
    assert source.turns == 1


def test_when_output_stops_the_loop_sleeps(stage: Stage) -> None:
    source = stage.add(Source(most=1))
    source.write(b"x" * 50)
    stage.until(lambda: len(source.content) == 50)
    stage.until_rest()
    before = stage.selector.wakes

    stage.loop.run_until_complete(asyncio.sleep(20 * TICK_S))

    # Those of the sleep itself; every tick would be one more.
    assert stage.selector.wakes - before <= 5


def test_while_output_keeps_coming_the_pipe_is_not_watched(stage: Stage) -> None:
    source = stage.add(Source(most=1))
    source.write(b"x" * 5)

    stage.until(lambda: len(source.content) == 2)
    watched = list(stage.selector.get_map().values())
    source.write(b"y" * 5)
    stage.until(lambda: len(source.content) == 10)

    # Only the pipe by which the loop wakes itself.
    assert len(watched) == 1
    assert source.content == b"xxxxxyyyyy"


def test_one_that_always_has_more_keeps_nobody_waiting(stage: Stage) -> None:
    loud = stage.add(Source(most=1, on_turn=lambda source: source.write(b"x")))
    quiet = stage.add(Source())
    loud.write(b"x")
    stage.until(lambda: loud.turns > 5)

    quiet.write(b"line\n")
    before = loud.turns
    stage.until(lambda: quiet.turns > 0)

    assert loud.turns - before <= 2


def test_what_was_left_on_purpose_is_looked_at_by_time_alone(stage: Stage) -> None:
    source = stage.add(Source())

    def linger_for_three_turns(source: Source) -> None:
        source.is_lingering = source.turns < 3

    source.on_turn = linger_for_three_turns
    source.write(b"no end")
    stage.until_rest()

    assert source.turns == 3
    source.write(b"\n")
    stage.until_rest()
    assert source.content == b"no end\n"


def test_what_is_open_is_let_go_now_and_then_even_if_output_never_stops() -> None:
    stage = Stage(JumpingClock())
    source = stage.add(Source())

    def linger_for_ever(source: Source) -> None:
        source.is_lingering = True

    source.on_turn = linger_for_ever
    source.write(b"no end")
    stage.until_rest()
    stage.until_rest()

    assert source.turns > 1
    stage.close()


def test_more_pipes_than_one_round_serves_are_all_served(stage: Stage) -> None:
    sources = [stage.add(Source()) for _ in range(150)]

    for source in sources:
        source.write(b"line\n")
    stage.until_rest()

    assert [source.content for source in sources] == [b"line\n"] * 150


def test_a_pipe_that_is_removed_is_not_touched_again(stage: Stage) -> None:
    sources = [stage.add(Source()) for _ in range(3)]

    def remove_the_others(source: Source) -> None:
        for other in sources:
            if other is not source:
                stage.pace.remove(other)

    for source in sources:
        source.on_turn = remove_the_others
    for source in sources:
        source.write(b"line\n")
    stage.until_rest()

    assert sum(source.turns for source in sources) == 1


def test_a_failure_of_one_stops_no_other(stage: Stage) -> None:
    def fail(_: Source) -> None:
        raise ZeroDivisionError

    broken = stage.add(Source(on_turn=fail))
    sound = stage.add(Source())
    broken.write(b"line\n")
    sound.write(b"line\n")

    stage.until(lambda: sound.content == b"line\n")

    assert stage.failures
