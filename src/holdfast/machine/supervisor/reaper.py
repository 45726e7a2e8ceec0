"""Lets orphans that landed with the supervisor come to their end; the services' own deaths are heard of elsewhere."""

from holdfast.machine.process.wait import reap_strangers
from holdfast.machine.supervisor.loop import Supervisor

REAP_AFTER = 0.2
"""Seconds from a child's death to the reaping of strangers: services are collected by then, and deaths come in crowds."""


class Reaper:
    """Hears SIGCHLD and reaps once for many of them."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.supervisor = supervisor
        self._is_set = False

    def hear(self) -> None:
        """Take note that some child died."""
        if not self._is_set:
            self._is_set = True
            self.supervisor.parts.loop.call_later(REAP_AFTER, self._reap)

    def _reap(self) -> None:
        self._is_set = False
        services = self.supervisor.services.values()
        known = {service.state.process.pid for service in services if service.state.process}
        reap_strangers(known | self.supervisor.parts.errands.pids)
