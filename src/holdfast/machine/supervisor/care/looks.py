"""Which look a probe of a service stands for."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeAlias, assert_never

from holdfast.errors import StartFailed
from holdfast.home import Home
from holdfast.machine.probes import command, file, http, https, log, tcp
from holdfast.machine.probes.errand import Errands
from holdfast.machine.supervisor.care.beside import environment_beside, launch_beside
from holdfast.machine.supervisor.service import Service
from holdfast.model.finding import Finding, unknown
from holdfast.model.spec import Probe, ProbeKind
from holdfast.rules.probing import Purpose, look_within

Look: TypeAlias = Callable[[], Awaitable[Finding]]
"""Looks once. It may be cancelled at any moment and leaves nothing behind."""


class Looks:
    """Makes the looks of the services of one home."""

    def __init__(self, home: Home, errands: Errands) -> None:
        self.home = home
        self.errands = errands

    def at(self, service: Service, probe: Probe, purpose: Purpose) -> Look:
        """Return the look of a probe at the present generation of a service; what counts as new counts from now."""
        target = " ".join(probe.target)
        match probe.kind:
            case ProbeKind.TCP:
                return partial(tcp.look, target)
            case ProbeKind.HTTP:
                return self._web(target, look_within(probe, purpose))
            case ProbeKind.COMMAND:
                return partial(self._run, service, probe.target)
            case ProbeKind.LOG:
                return self._log(service, target, purpose)
            case ProbeKind.FILE:
                if purpose is Purpose.READY:
                    return file.NewFile(target, service.state.since).look
                return partial(file.look, target)
            case ProbeKind.NOTIFY:
                return _told
            case _:
                assert_never(probe.kind)

    def _web(self, url: str, within: float) -> Look:
        if url.lower().startswith("https:"):
            return partial(https.look, self.errands, url, within, str(self.home.root))
        return partial(http.look, url)

    def _log(self, service: Service, pattern: str, purpose: Purpose) -> Look:
        path = str(self.home.log(service.name))
        # Nobody knows where the log stood when an adopted service was started: its newest file has to do.
        is_lost = purpose is Purpose.READY and service.state.adopted
        mark = log.beginning_of(path) if is_lost else log.end_of(path)
        return log.LogWatch(path, pattern, service.spec.log.format, mark).look

    async def _run(self, service: Service, argv: tuple[str, ...]) -> Finding:
        try:
            env = environment_beside(service.spec, service.state, self.home.root)
        except StartFailed as error:
            return unknown(str(error))
        return await command.look(
            self.errands, launch_beside(service.spec, env, argv, str(self.home.root))
        )


async def _told() -> Finding:
    """Leave it to the service, which says itself how it does."""
    return unknown("the service says so itself")
