"""One supervised service in memory: what is wanted, what is the case, and what the supervisor holds for it."""

import asyncio
from dataclasses import dataclass, field

from holdfast.machine.process.wait import Death
from holdfast.machine.supervisor.use import Sample
from holdfast.model.service import Identity, ServiceState
from holdfast.model.spec import ServiceSpec


@dataclass(slots=True, kw_only=True)
class Service:
    """Mutable on purpose: the supervisor's loop is the only one that touches it."""

    spec: ServiceSpec
    state: ServiceState
    removed: bool = False
    is_job: bool = False
    """It is run to completion when it is due, and no part of what is kept up."""
    leaving: bool = False
    """It was taken out of the configuration and is forgotten once nothing of it is left."""
    main: Identity | None = None
    """The last main process, by which what it left behind is recognised."""
    raised: str = ""
    """The last instance that this very supervisor started, so that its orphans come to it and nobody else."""
    death: Death | None = None
    timer: asyncio.TimerHandle | None = None
    waiters: list[asyncio.Future[None]] = field(default_factory=list)
    sample: Sample | None = None

    @property
    def name(self) -> str:
        """Return the name of the service."""
        return self.spec.name

    @property
    def is_counted(self) -> bool:
        """Tell whether it is a service of a person, and neither the program of a job nor a part of Holdfast."""
        return not (self.is_job or self.spec.builtin)

    def wake(self) -> None:
        """Let everybody who waits for a change of this service look again."""
        waiting, self.waiters = self.waiters, []
        for waiter in waiting:
            if not waiter.done():
                waiter.set_result(None)
