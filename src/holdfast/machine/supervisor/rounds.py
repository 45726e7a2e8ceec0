"""The look that is taken every few minutes beside the events: what no event told is found here and acted on."""

import asyncio
from typing import assert_never

from holdfast.machine.process.identity import Verdict, is_same
from holdfast.machine.supervisor.look import Finding, look
from holdfast.machine.supervisor.loop import Supervisor
from holdfast.machine.supervisor.service import Service
from holdfast.machine.supervisor.standing import LOOK_EVERY
from holdfast.model.event import Exited, RecordStale, StartOrdered
from holdfast.model.service import Actual, Desired, Exit, Identity, Reason


class Rounds:
    """Looks at every service from time to time."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.supervisor = supervisor
        self.every = LOOK_EVERY
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Look again and again."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.supervisor.parts.loop.call_later(self.every, self._round)

    def findings(self) -> list[Finding]:
        """Return what one look says of every service; the round goes by the same, and `check --once` is just this."""
        home = self.supervisor.parts.home
        return [look(home, service.state) for service in self.supervisor.kept_up().values()]

    def look_at_all(self) -> int:
        """Look at every service and mend what is amiss; return how many needed it."""
        if self.supervisor.closing:
            return 0
        return sum(self._mend(service) for service in list(self.supervisor.services.values()))

    def set_every(self, every: float) -> None:
        """Look in this rhythm from now on."""
        if every != self.every:
            self.every = every
            self.start()

    def _round(self) -> None:
        try:
            faults = {one.name: one.verdict for one in self.findings() if one.is_fault}
            mended = self.look_at_all()
            if mended:
                facts: dict[str, object] = {"mended": mended, "faults": faults}
                self.supervisor.parts.notes.event("supervisor.looked", "supervisor", facts)
        finally:
            self.start()

    def _mend(self, service: Service) -> bool:
        self.supervisor.rearm(service)
        process = service.state.process
        if process is None:
            return False
        verdict = is_same(process)
        match verdict:
            case Verdict.SAME:
                return self._mend_pid_file(service, process)
            case Verdict.GONE | Verdict.REUSED | Verdict.OTHER_BOOT:
                if service.death is not None and service.death.collect() is not None:
                    return False  # the loop is about to hear of it, and knows how it ended
                self._take_note_of_death(service, process)
                return True
            case Verdict.UNREADABLE:
                return False
            case _:
                assert_never(verdict)

    def _take_note_of_death(self, service: Service, process: Identity) -> None:
        if service.state.actual is not Actual.ORPHAN:
            self.supervisor.mains.unwatch(service)
            self.supervisor.tell(
                service, Exited(identity=process, exit=Exit(), reason=Reason.STALE_PID)
            )
            return
        self.supervisor.tell(service, RecordStale())
        if service.state.desired is Desired.UP:
            self.supervisor.tell(service, StartOrdered(forgive=False))

    def _mend_pid_file(self, service: Service, process: Identity) -> bool:
        home = self.supervisor.parts.home
        if look(home, service.state).verdict not in ("no_pid_file", "wrong_pid_file"):
            return False
        self.supervisor.parts.launcher.write_pid(service.name, process.pid)
        return True
