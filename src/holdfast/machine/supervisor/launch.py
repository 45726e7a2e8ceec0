"""Turn the spec of a service into a running process with its output captured."""

import contextlib
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from holdfast import statefile
from holdfast.errors import HoldfastError, StartFailed, StateError
from holdfast.home import Home, make_runtime
from holdfast.machine.output.pipes import Outlets, Pipes
from holdfast.machine.process.headroom import Headroom
from holdfast.machine.process.launch import Launch, with_user_resolved
from holdfast.machine.process.spawn import Spawned, spawn
from holdfast.machine.supervisor.environment import environment_of, own_environment
from holdfast.machine.supervisor.look import read_pid
from holdfast.model.service import ServiceState
from holdfast.model.spec import ServiceSpec
from holdfast.statefile import Durability

NotifyAddress: TypeAlias = Callable[[str, int, int | None], str]
"""From the name of a service, a generation and a user to the address its processes may speak to."""


class Launcher:
    """Starts services, and keeps the pid files other tools read."""

    def __init__(self, home: Home, runtime: Path, pipes: Pipes, headroom: Headroom) -> None:
        self.home = home
        self.runtime = runtime
        self.pipes = pipes
        self.headroom = headroom
        self.notify_address: NotifyAddress | None = None
        """Opens the notify socket of a start; set by whoever hears what comes in."""

    def launch(self, spec: ServiceSpec, state: ServiceState) -> Spawned:
        """Execute the program of a service under the generation and instance of its state.

        Raises:
            StartFailed: it could not be executed; says whether a retry may help.
        """
        env = self.environment(spec, state)
        order = Launch(
            argv=spec.command,
            env=env,
            cwd=spec.cwd,
            user=spec.user,
            umask=spec.umask,
            nofile=spec.limits.nofile,
            nice=spec.limits.nice,
            oom_score=spec.limits.oom_score,
            cpu_seconds=math.ceil(spec.limits.cpu) if spec.limits.cpu is not None else None,
        )
        return self._spawn(spec, state.generation, with_user_resolved(order))

    def environment(self, spec: ServiceSpec, state: ServiceState) -> dict[str, str]:
        """Return the environment of this start of a service.

        Raises:
            StartFailed: a file or a user it names is missing.
        """
        return environment_of(
            spec,
            own_environment(),
            generation=state.generation,
            instance=state.instance,
            home=self.home.root,
        )

    def outlets(self, spec: ServiceSpec, uid: int | None) -> Outlets:
        """Open what a program writes to, so that it comes into the log of the service; the caller closes it.

        Raises:
            StartFailed: its output cannot be captured.
        """
        folder = self.runtime / spec.name
        try:
            make_runtime(self.runtime)  # the folder of a session goes with the session
            folder.mkdir(mode=0o700, exist_ok=True)
            return self.pipes.open(spec.name, spec.log, self.home.log(spec.name), folder, uid)
        except (OSError, StateError) as error:
            raise StartFailed(
                f"its output cannot be captured: {error}", permanent=False
            ) from error
        except HoldfastError as error:
            raise StartFailed(f"its output cannot be captured: {error}", permanent=True) from error

    def reopen(self, spec: ServiceSpec) -> None:
        """Go on capturing the output of a service that was started before."""
        self.outlets(spec, None).close()

    def write_pid(self, name: str, pid: int) -> None:
        """Write the pid file; other tools read it, Holdfast never believes it, so a full disk is no fault here."""
        if read_pid(self.home, name) == pid:
            return  # adopted: an earlier supervisor wrote it
        with contextlib.suppress(StateError):
            statefile.write_atomic(
                self.home.pid(name), f"{pid}\n", durability=Durability.ATOMIC, mode=0o600
            )

    def remove_pid(self, name: str, pid: int) -> None:
        """Remove the pid file of a process that ended, unless it names another by now."""
        if read_pid(self.home, name) == pid:
            self.home.pid(name).unlink(missing_ok=True)

    def clear(self, name: str) -> None:
        """Remove the pipes and sockets of a service that is gone; a folder with anything else in it stays."""
        folder = self.runtime / name
        with contextlib.suppress(OSError):
            for found in (*folder.glob(f"{name}.*"), *folder.glob("notify-*.sock")):
                found.unlink()
            folder.rmdir()

    def clear_runtime(self) -> None:
        """Remove what is left of services that are all gone, and the folder if nothing else is in it."""
        for folder in self.runtime.iterdir():
            if folder.is_dir():
                self.clear(folder.name)
        with contextlib.suppress(OSError):
            self.runtime.rmdir()

    def _spawn(self, spec: ServiceSpec, generation: int, order: Launch) -> Spawned:
        outlets = self.outlets(spec, order.uid)
        try:
            streams = replace(order, stdout=outlets.stdout_fd, stderr=outlets.stderr_fd)
            return spawn(self._addressed(spec, generation, streams), self.headroom)
        finally:
            outlets.close()

    def _addressed(self, spec: ServiceSpec, generation: int, order: Launch) -> Launch:
        if self.notify_address is None:
            return order
        try:
            address = self.notify_address(spec.name, generation, order.uid)
        except OSError as error:
            raise StartFailed(f"it has no notify socket: {error}", permanent=False) from error
        return replace(order, env={**order.env, "NOTIFY_SOCKET": address})
