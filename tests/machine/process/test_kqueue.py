from dataclasses import dataclass, field

import pytest

from holdfast.machine.process.kqueue import NOTE_EXITSTATUS, Event, KqueueDeath
from holdfast.model.service import Exit


@dataclass
class FakeEvent:
    fflags: int
    data: int = 0


@dataclass
class FakeQueue:
    """Behaves as select.kqueue: an event registered once is given out once."""

    events: list[FakeEvent] = field(default_factory=list)
    closed: bool = False

    def fileno(self) -> int:
        return 42

    def control(self, changes: None, most: int, timeout_s: float | None) -> list[Event]:
        assert (changes, most, timeout_s) == (None, 1, 0)
        return [self.events.pop(0)] if self.events else []

    def close(self) -> None:
        self.closed = True


def test_there_is_no_exit_before_the_event() -> None:
    death = KqueueDeath(FakeQueue(), 7, lambda _: pytest.fail("reaped a living process"))

    assert death.fileno() == 42
    assert death.collect() is None


def test_a_child_is_reaped_for_its_exit_and_asked_once() -> None:
    queue = FakeQueue([FakeEvent(NOTE_EXITSTATUS, 9 << 8)])
    reaped: list[int] = []

    def reap(pid: int) -> Exit:
        reaped.append(pid)
        return Exit(code=3)

    death = KqueueDeath(queue, 7, reap)

    assert (death.collect(), death.collect()) == (Exit(code=3), Exit(code=3))
    assert reaped == [7]


def test_the_exit_of_a_stranger_comes_from_the_event() -> None:
    death = KqueueDeath(FakeQueue([FakeEvent(NOTE_EXITSTATUS, 37 << 8)]), 7, lambda _: None)

    assert death.collect() == Exit(code=37)


def test_an_event_without_status_means_an_unknown_exit() -> None:
    death = KqueueDeath(FakeQueue([FakeEvent(0)]), 7, lambda _: None)

    assert death.collect() == Exit()


def test_closing_a_death_closes_the_queue() -> None:
    queue = FakeQueue()

    KqueueDeath(queue, 7).close()

    assert queue.closed
