"""The death of a process on macOS, seen through kqueue."""

import contextlib
import select
import sys
from collections.abc import Callable, Sequence
from typing import Protocol

from holdfast.machine.process.identity import Verdict, is_same
from holdfast.machine.process.wait import Death, exit_from_status, reap
from holdfast.model.service import Exit, Identity

# sys/event.h; the standard library does not name it.
NOTE_EXITSTATUS = 0x04000000


class Event(Protocol):
    """What a kqueue reports."""

    @property
    def fflags(self) -> int:
        """Return which notes are set."""

    @property
    def data(self) -> int:
        """Return the wait status where NOTE_EXITSTATUS is set."""


class Queue(Protocol):
    """The part of select.kqueue that is used."""

    def fileno(self) -> int:
        """Return the descriptor, readable when an event waits."""

    def control(self, changes: None, most: int, timeout_s: float | None, /) -> Sequence[Event]:
        """Return the events that wait."""

    def close(self) -> None:
        """Close the descriptor."""


class KqueueDeath:
    """Death of one process; owns a kqueue in which its end was registered."""

    def __init__(
        self, queue: Queue, pid: int, reap_child: Callable[[int], Exit | None] = reap
    ) -> None:
        self._queue = queue
        self._pid = pid
        self._reap_child = reap_child
        self._exit: Exit | None = None

    def fileno(self) -> int:
        """Return the descriptor of the queue."""
        return self._queue.fileno()

    def collect(self) -> Exit | None:
        """Return how it ended: from the kernel as its parent, else from the event, else unknown."""
        if self._exit is not None:
            return self._exit
        events = self._queue.control(None, 1, 0)
        if not events:
            return None
        self._exit = self._reap_child(self._pid) or _told_by(events[0])
        return self._exit

    def close(self) -> None:
        """Close the queue."""
        self._queue.close()


def _told_by(event: Event) -> Exit:
    return exit_from_status(event.data) if event.fflags & NOTE_EXITSTATUS else Exit()


if sys.platform == "darwin":

    def open_kqueue(identity: Identity) -> Death | None:
        """Watch a process; None when it is gone or its pid is another's now.

        Raises:
            OSError: no descriptor was free.
        """
        queue = select.kqueue()
        end = select.kevent(
            identity.pid,
            filter=select.KQ_FILTER_PROC,
            flags=select.KQ_EV_ADD | select.KQ_EV_ONESHOT,
            fflags=select.KQ_NOTE_EXIT | NOTE_EXITSTATUS,
        )
        with contextlib.suppress(ProcessLookupError):
            queue.control([end], 0, 0)
            # Asked after the registration: the process registered is the one judged, or it has ended.
            if is_same(identity) is Verdict.SAME:
                return KqueueDeath(queue, identity.pid)
        queue.close()
        return None
