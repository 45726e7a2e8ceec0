"""Runs what a person wants run around the life of a service: before each start, after each end, after each failure."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeAlias

from holdfast.clock import Clock
from holdfast.errors import StartFailed
from holdfast.home import Home
from holdfast.machine.output.pipes import Outlets
from holdfast.machine.probes.command import judged
from holdfast.machine.probes.errand import Errands
from holdfast.machine.process.launch import Launch, with_user_resolved
from holdfast.machine.supervisor.care.beside import environment_beside, launch_beside
from holdfast.machine.supervisor.notes import Notes
from holdfast.machine.supervisor.service import Service
from holdfast.model.spec import ServiceSpec
from holdfast.rules import aftermath
from holdfast.rules.aftermath import End

HOOK_WITHIN = 60.0
"""Seconds a hook after an end may take."""

BEFORE_START_WITHIN = 300.0
"""Seconds a hook before a start may take: it may have a database to migrate."""

MOST_AT_ONCE = 20
"""Hooks under way at the same time, however many services end together."""

MOST_WAITING = 10
"""Ends of one service whose hooks wait for those of an earlier one."""

OpenOutlets: TypeAlias = Callable[[ServiceSpec, int | None], Outlets]
"""From a service and the user it runs as to where its output goes; the caller closes it. Raises StartFailed."""


async def run_before_start(
    spec: ServiceSpec,
    env: Mapping[str, str],
    *,
    errands: Errands | None = None,
    outlets: OpenOutlets | None = None,
) -> str | None:
    """Run the hook before a start; None when it went well or there is none, else why the start cannot go on.

    Without outlets its output is dropped. Cancelled, it is killed with its whole group.
    """
    if not spec.hooks.before_start:
        return None
    errands = errands or Errands(asyncio.get_running_loop())
    home = env.get("HOLDFAST_HOME", "")
    launch = launch_beside(spec, env, spec.hooks.before_start, home)
    why = await _ran(errands, spec, launch, outlets, BEFORE_START_WITHIN)
    return None if why is None else f"before_start: {why}"


class AfterHooks:
    """Runs the hooks of each end once, in order, and never in the way of the service.

    They begin when nothing is left of the old process; the next start does not wait for them. An end that an earlier
    supervisor saw is its own: a hook that fell to a crash of the supervisor is not made up for.
    """

    def __init__(
        self, home: Home, clock: Clock, errands: Errands, notes: Notes, outlets: OpenOutlets
    ) -> None:
        self.home = home
        self.clock = clock
        self.errands = errands
        self.notes = notes
        self.outlets = outlets
        self._began_mono = clock.monotonic()
        self._began_at = clock.wall()
        self._seen: dict[str, tuple[int, float] | None] = {}
        self._waiting: dict[str, deque[tuple[Service, End]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._room = asyncio.Semaphore(MOST_AT_ONCE)

    def attend(self, service: Service) -> None:
        """Notice an end of the service."""
        name = service.name
        end = aftermath.end_of(service.state)
        mark = end.mark if end is not None else self._seen.get(name)
        is_first_sight = name not in self._seen
        is_known = not is_first_sight and self._seen[name] == mark
        self._seen[name] = mark
        if end is None or is_known or (is_first_sight and self._is_old(end)):
            return
        if aftermath.due(service.spec.hooks, end):
            self._take(service, end)

    def forget(self, service: Service) -> None:
        """Notice no more ends; what runs for one that was runs on."""
        self._seen.pop(service.name, None)

    async def finish(self, within: float) -> None:
        """Wait for the hooks under way, so that a supervisor that leaves cuts none short; then kill what is left."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=within)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _is_old(self, end: End) -> bool:
        """Tell whether an end came before this supervisor; a monotonic moment may be of another boot."""
        return end.mark[1] < self._began_mono or end.at < self._began_at

    def _take(self, service: Service, end: End) -> None:
        waiting = self._waiting.get(service.name)
        if waiting is None:
            self._waiting[service.name] = deque([(service, end)])
            task = self.errands.loop.create_task(self._work(service.name))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif len(waiting) < MOST_WAITING:
            waiting.append((service, end))
        else:
            self._note(service, "after_stop", f"the hooks of {MOST_WAITING} ends wait already")

    async def _work(self, name: str) -> None:
        waiting = self._waiting[name]
        try:
            while waiting:
                await self._after(*waiting.popleft())
        finally:
            del self._waiting[name]

    async def _after(self, service: Service, end: End) -> None:
        for hook, command in aftermath.due(service.spec.hooks, end):
            async with self._room:
                why = await self._run(service, command, end)
            if why is not None:
                self._note(service, hook, why)

    async def _run(self, service: Service, command: tuple[str, ...], end: End) -> str | None:
        try:
            env = environment_beside(service.spec, service.state, self.home.root)
        except StartFailed as error:
            return str(error)
        told = env | aftermath.variables(end)
        launch = launch_beside(service.spec, told, command, str(self.home.root))
        # The pipes of a service that was removed are closed, and stay so.
        outlets = None if service.removed else self.outlets
        return await _ran(self.errands, service.spec, launch, outlets, HOOK_WITHIN)

    def _note(self, service: Service, hook: str, why: str) -> None:
        facts: dict[str, object] = {"severity": "warning", "hook": hook, "why": why}
        self.notes.record(service, "hook.failed", facts)


async def _ran(
    errands: Errands,
    spec: ServiceSpec,
    launch: Launch,
    outlets: OpenOutlets | None,
    within: float,
) -> str | None:
    """Run a hook within its time, its output into the log of its service; return what went wrong, if anything."""
    try:
        async with asyncio.timeout(within):
            resolved = with_user_resolved(launch)
            if outlets is None:
                ended = await errands.run(resolved)
            else:
                streams = outlets(spec, resolved.uid)
                try:
                    ended = await errands.run(
                        replace(resolved, stdout=streams.stdout_fd, stderr=streams.stderr_fd)
                    )
                finally:
                    streams.close()
    except StartFailed as error:
        return str(error)
    except TimeoutError:
        return f"it did not end within {within:g} s and was killed"
    return None if ended.is_success else judged(ended).why
