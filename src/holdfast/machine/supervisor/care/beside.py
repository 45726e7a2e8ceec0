"""How a probe or a hook is started: as its service is, beside it, and not as a part of it."""

from collections.abc import Mapping
from pathlib import Path

from holdfast.machine.probes.errand import VARIABLE
from holdfast.machine.process.launch import Launch
from holdfast.machine.supervisor.environment import environment_of, own_environment
from holdfast.model.service import ServiceState
from holdfast.model.spec import ServiceSpec

WITHHELD = frozenset({"HOLDFAST_INSTANCE", "NOTIFY_SOCKET", "WATCHDOG_USEC"})
"""What makes a process a part of the service: it would be adopted, signalled and believed as such."""


def launch_beside(
    spec: ServiceSpec, env: Mapping[str, str], command: tuple[str, ...], home: str
) -> Launch:
    """Return the start of a program with the folder, user and environment of a service; its output is dropped."""
    given = {name: value for name, value in env.items() if name not in WITHHELD}
    return Launch(
        argv=command,
        env=given | {VARIABLE: home},
        cwd=spec.cwd,
        user=spec.user,
        umask=spec.umask,
    )


def environment_beside(spec: ServiceSpec, state: ServiceState, home: Path) -> dict[str, str]:
    """Return the environment of the present start of a service.

    Raises:
        StartFailed: a file or a user it names is missing.
    """
    return environment_of(
        spec,
        own_environment(),
        generation=state.generation,
        instance=state.instance,
        home=home,
    )
