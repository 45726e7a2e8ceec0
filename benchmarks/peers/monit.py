"""Monit, which looks at pid files in cycles."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.peers.peer import Plan, Program
from benchmarks.toolbox import Toolbox

HEAD = """\
set daemon {cycle_s}
set log {folder}/monit.log
set pidfile {folder}/monit.pid
set idfile {folder}/monit.id
set statefile {folder}/monit.state
set httpd unixsocket {folder}/monit.sock allow "bench":"bench"
"""
SERVICE = """\
check process {name} with pidfile {folder}/{name}.pid
  start program = "{command}"
  stop program = "/bin/true"
"""


class Monit:
    """Runs monit with a given time between two of its cycles."""

    def __init__(self, *, cycle_s: int) -> None:
        self._cycle_s = cycle_s

    def __call__(self, tools: Toolbox, folder: Path, programs: Sequence[Program]) -> Plan:
        """Write the control file; its programs must go into the background by themselves."""
        monit = str(tools.unpacked_debian("monit", "monit"))
        config = folder / "monitrc"
        services = [
            SERVICE.format(folder=folder, name=each.name, command=" ".join(each.command))
            for each in programs
        ]
        config.write_text(HEAD.format(folder=folder, cycle_s=self._cycle_s) + "".join(services))
        config.chmod(0o600)
        return Plan(
            launch=[monit, "-I", "-c", str(config)], status=[monit, "-c", str(config), "status"]
        )
