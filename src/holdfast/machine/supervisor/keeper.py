"""Decides when a record goes to disk: before an act, at the end of a turn, or with the next slice of quiet writes."""

import asyncio

from holdfast.errors import StateError
from holdfast.journal import Journal
from holdfast.machine.supervisor.notes import Notes
from holdfast.machine.supervisor.records import Records
from holdfast.machine.supervisor.service import Service
from holdfast.model.service import Actual, ServiceState, Step
from holdfast.statefile import Durability

SETTLE_AFTER = 1.0
"""Seconds after a change in which everything is on disk."""

QUIET_FOR = 0.1
"""Seconds without a change after which flushing begins."""

POSTPONED_AT_MOST = 5.0
"""Seconds flushing may be put off while changes keep coming."""

SETTLE_EVERY = 0.05
"""Seconds between two slices of quiet writes."""

SETTLE_SLICE = 10
"""Records written in one slice: a slow disk never holds up the loop for long."""

_WORTH_A_WRITE = frozenset(
    {
        Actual.WAITING,
        Actual.STARTING,
        Actual.BACKOFF,
        Actual.HELD,
        Actual.FAILED,
        Actual.DONE,
        Actual.STUCK,
        Actual.ORPHAN,
    }
)


class Keeper:
    """The records that changed in memory, and when each is written.

    What a new supervisor could not find out by itself is written in the same turn: which process was started, why the
    next start waits. The rest follows within a second, and then a power cut can undo nothing of it; what a person is
    told is durable before the answer.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, records: Records, notes: Notes, journal: Journal
    ) -> None:
        self.loop = loop
        self.records = records
        self.notes = notes
        self.journal = journal
        self._urgent: dict[str, Service] = {}
        self._quiet: dict[str, Service] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._since = 0.0
        self._noted_at = 0.0

    def note(self, service: Service, before: ServiceState) -> None:
        """Take note that a service is no longer in the state `before`."""
        after = service.state
        is_urgent = _is_urgent(before, after) or (
            service.spec.ready is not None and after.ready_mono != before.ready_mono
        )
        if not self._quiet and not self._urgent:
            self._since = self.loop.time()
        self._noted_at = self.loop.time()
        (self._urgent if is_urgent else self._quiet)[service.name] = service
        self._wind()

    def note_new(self, service: Service) -> None:
        """Take note of a service without a record: what is configured must not be forgotten with this supervisor."""
        self._urgent[service.name] = service
        self._wind()

    def write(self, service: Service) -> bool:
        """Write one record now, because an act follows that a crash must not repeat; False when the disk refuses."""
        self._urgent.pop(service.name, None)
        return self._written(service, Durability.ATOMIC)

    def end_turn(self) -> None:
        """Write what must not wait."""
        while self._urgent:
            _, service = self._urgent.popitem()
            self._written(service, Durability.ATOMIC)

    def make_durable(self, service: Service) -> None:
        """Write one record so that a power cut keeps it, because a person is told that the wish is known.

        Raises:
            StateError: the disk refused it; it is tried again every second.
        """
        self._quiet[service.name] = service
        self._wind()
        self.records.save(service.spec, service.state, Durability.FILE)
        self._forget(service)

    def forget(self, service: Service) -> None:
        """Delete the record of a service that is no longer configured."""
        self._forget(service)
        self.records.forget(service.name)

    def finish(self) -> None:
        """Write all that is left; what the disk refuses now is lost."""
        left = {**self._urgent, **self._quiet}
        for service in left.values():
            self._settle_one(service)
        self._urgent.clear()
        self._quiet.clear()
        if self._timer is not None:
            self._timer.cancel()

    def _forget(self, service: Service) -> None:
        self._urgent.pop(service.name, None)
        self._quiet.pop(service.name, None)

    def _written(self, service: Service, durability: Durability) -> bool:
        """Write; what the disk refuses is told once and tried again every second."""
        try:
            self.records.save(service.spec, service.state, durability)
        except StateError as error:
            self.notes.disk_refused(service.name, str(error))
            self._quiet[service.name] = service
            self._wind()
            return False
        self.notes.disk_accepted(service.name)
        self._quiet.pop(service.name, None)
        if durability is not Durability.FILE:
            self._quiet[service.name] = service
            self._wind()
        return True

    def _wind(self, after: float = SETTLE_AFTER) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(after, self._settle)

    def _settle(self) -> None:
        self._timer = None
        if self._is_busy():
            self._wind(SETTLE_EVERY)
            return
        self._sync_journal()
        slice_ = [self._quiet.pop(name) for name in list(self._quiet)[:SETTLE_SLICE]]
        refused = [service for service in slice_ if not self._settle_one(service)]
        if self._quiet:
            self._wind(SETTLE_AFTER if refused else SETTLE_EVERY)

    def _is_busy(self) -> bool:
        """Tell whether changes still come thick and fast: a thousand starts are not held up by flushing each."""
        now = self.loop.time()
        return now - self._noted_at < QUIET_FOR and now - self._since < POSTPONED_AT_MOST

    def _sync_journal(self) -> None:
        try:
            self.journal.sync()
        except OSError as error:
            self.notes.disk_refused("journal", str(error))
        else:
            self.notes.disk_accepted("journal")

    def _settle_one(self, service: Service) -> bool:
        return self._written(service, Durability.FILE)


def _is_urgent(before: ServiceState, after: ServiceState) -> bool:
    """Tell whether a new supervisor would act otherwise than this one if it did not know of the change."""
    is_moved = after.actual is not before.actual
    return (
        (is_moved and after.actual in _WORTH_A_WRITE)
        or (is_moved and after.step is Step.ASKED)  # else an end by order would pass for a crash
        or after.desired is not before.desired
        or after.closing is not before.closing
        or (after.process is not None and after.process != before.process)
    )
