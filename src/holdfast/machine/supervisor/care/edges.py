"""Carries the end or restart of a needed service on to those whose edge to it says so."""

from collections.abc import Callable, Mapping

from holdfast.machine.supervisor.care.attendant import Tell
from holdfast.machine.supervisor.service import Service
from holdfast.model.event import RestartOrdered
from holdfast.model.service import Reason
from holdfast.model.spec import ServiceSpec
from holdfast.rules import edges
from holdfast.rules.edges import Standing, Ties


class EdgeCare:
    """Knows beside which generation of its needs each process was started."""

    def __init__(self, services: Callable[[], Mapping[str, Service]], tell: Tell) -> None:
        self.services = services
        self.tell = tell
        self._specs: dict[str, ServiceSpec] = {}
        self._ties: dict[str, tuple[int, Ties]] = {}
        """The generation of each service with edges, and what its process is tied to."""
        self._dependents: dict[str, set[str]] = {}

    def attend(self, service: Service) -> None:
        """Judge the service by those it needs, and those who need it by what became of it."""
        if self._specs.get(service.name) is not service.spec:
            self._relearn(service)
        if service.name in self._ties:
            self._judge(service)
        for name in sorted(self._dependents.get(service.name, ())):
            dependent = self.services().get(name)
            if dependent is not None and name in self._ties:
                self._judge(dependent)

    def forget(self, service: Service) -> None:
        """Let go of a service, and of the edges it had."""
        self._specs.pop(service.name, None)
        self._ties.pop(service.name, None)
        self._unlink(service.name)

    def _relearn(self, service: Service) -> None:
        """Take note of the edges a service has by its present spec; a need that is added counts from now on."""
        was_known = service.name in self._specs
        self._specs[service.name] = service.spec
        self._unlink(service.name)
        if not edges.has_edges(service.spec):
            self._ties.pop(service.name, None)
            return
        for need in service.spec.needs:
            self._dependents.setdefault(need.name, set()).add(service.name)
        generation, ties = self._ties.get(service.name, (service.state.generation, {}))
        added: Ties = {need.name: None for need in service.spec.needs} if was_known else {}
        self._ties[service.name] = (generation, {**added, **ties})

    def _unlink(self, name: str) -> None:
        for needed in [key for key, names in self._dependents.items() if name in names]:
            self._dependents[needed].discard(name)
            if not self._dependents[needed]:
                del self._dependents[needed]

    def _judge(self, service: Service) -> None:
        self._tie(service)
        name = edges.cause(self._standing(service), self._find)
        if name is not None:
            self.tell(service, RestartOrdered(reason=Reason.DEPENDENCY, forgive=False))

    def _tie(self, service: Service) -> None:
        """Tie a process that was not seen before, and every process to what has come up since."""
        generation, ties = self._ties[service.name]
        if generation != service.state.generation:
            ties = {}
        standing = Standing(spec=service.spec, state=service.state, ties=ties)
        self._ties[service.name] = (service.state.generation, edges.tied(standing, self._find))

    def _standing(self, service: Service) -> Standing:
        _, ties = self._ties.get(service.name, (0, {}))
        return Standing(spec=service.spec, state=service.state, ties=ties)

    def _find(self, name: str) -> Standing | None:
        service = self.services().get(name)
        return None if service is None else self._standing(service)
