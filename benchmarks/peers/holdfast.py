"""Holdfast itself, through its file and its commands."""

import json
from collections.abc import Sequence
from pathlib import Path

from benchmarks.peers.peer import LOGS_KEPT, Plan, Program
from benchmarks.toolbox import Toolbox

AT_ONCE = '[defaults.restart]\ndelay = "0s"\nmin_gap = "0s"\nlimit = "none"\n'


SUPERVISOR = "-m holdfast.assemble supervisor"
WATCHDOG = "-m holdfast.assemble watchdog"


class Holdfast:
    """Runs ``holdfast up``, with the given text at the head of its file; `killed` is what a takeover is from."""

    def __init__(self, *, defaults: str = "", killed: Sequence[str] = (SUPERVISOR,)) -> None:
        self._defaults = defaults
        self._killed = killed

    def __call__(self, tools: Toolbox, folder: Path, programs: Sequence[Program]) -> Plan:
        """Write the file with a service for each program."""
        holdfast = str(tools.holdfast())
        config = folder / "holdfast.toml"
        # A list of plain strings is written alike in JSON and in TOML.
        services = [
            f"[service.{each.name}]\ncommand = {json.dumps(each.command)}\n{_log(each)}"
            for each in programs
        ]
        config.write_text(self._defaults + "".join(services))
        (folder / "run").mkdir(mode=0o700)
        return Plan(
            launch=[holdfast, "up", "--no-hub", "-c", str(config)],
            returns=True,
            status=[holdfast, "status"],
            status_json=[holdfast, "status", "--json"],
            stop=[holdfast, "down"],
            supervisors=self._killed,
            logs=folder / "home" / "logs",
            environment={
                "HOLDFAST_HOME": str(folder / "home"),
                "XDG_RUNTIME_DIR": str(folder / "run"),
            },
        )


def _log(program: Program) -> str:
    if program.log_bytes is None:
        return ""
    return f'log = {{ max_size = "{program.log_bytes}B", keep = {LOGS_KEPT} }}\n'
