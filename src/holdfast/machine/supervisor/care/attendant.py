"""The shape of whoever looks after one side of a living service."""

from collections.abc import Callable
from typing import Protocol, TypeAlias

from holdfast.machine.supervisor.service import Service
from holdfast.model.event import ServiceEvent

Tell: TypeAlias = Callable[[Service, ServiceEvent], None]
"""Let an event happen to a service; inside an event that is being handled it happens right after it."""


class Attendant(Protocol):
    """Begins, goes on with or ends what it does for a service, by what the service is and wants now.

    `attend` is called after every change of `actual`, `generation`, `process` or `spec` of a service, very often: a
    service that wants nothing of it must cost it next to nothing. It may `tell` from within.
    """

    def attend(self, service: Service) -> None:
        """Look at a service that has changed."""

    def forget(self, service: Service) -> None:
        """Let go of a service: it was removed, or the supervisor leaves; may be called for one it never knew."""
