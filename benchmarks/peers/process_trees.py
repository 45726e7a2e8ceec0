"""The peers with one small supervising process a service: runit and s6."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.peers.peer import PATH, Plan, Program
from benchmarks.toolbox import Toolbox

MOST_SERVICES = "1100"


def runit(tools: Toolbox, folder: Path, programs: Sequence[Program]) -> Plan:
    """Run runsvdir over a folder of services."""
    runsvdir = tools.unpacked_debian("runit", "runsvdir")
    services = _folders(folder, programs)
    return Plan(
        launch=[str(runsvdir), str(folder / "services")],
        status=[str(runsvdir.with_name("sv")), "status", *map(str, services)],
        environment={"PATH": f"{runsvdir.parent}:{PATH}"},  # runsvdir looks for runsv there
    )


class S6:
    """Runs s6-svscan; a service that declares readiness is restarted at once, another after a second."""

    def __init__(self, *, readiness: bool) -> None:
        self._readiness = readiness

    def __call__(self, tools: Toolbox, folder: Path, programs: Sequence[Program]) -> Plan:
        """Write a service folder for each program."""
        svscan = tools.installed_debian("s6", "s6-svscan")
        for service in _folders(folder, programs):
            if self._readiness:
                (service / "notification-fd").write_text("3\n")
        each = f'for one in "$0"/*; do {svscan.with_name("s6-svstat")} "$one" || exit; done'
        return Plan(
            launch=[str(svscan), "-c", MOST_SERVICES, str(folder / "services")],
            status=["/bin/sh", "-c", each, str(folder / "services")],
        )


def _folders(folder: Path, programs: Sequence[Program]) -> list[Path]:
    services = []
    for program in programs:
        service = folder / "services" / program.name
        service.mkdir(parents=True)
        (service / "run").write_text(f"#!/bin/sh\nexec {' '.join(program.command)}\n")
        (service / "run").chmod(0o755)
        services.append(service)
    return services
