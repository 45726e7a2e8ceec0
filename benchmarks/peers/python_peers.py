"""The peers written in Python: supervisord and circus."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.peers.peer import Plan, Program
from benchmarks.toolbox import Toolbox

SUPERVISORD = """\
[supervisord]
nodaemon = true
logfile = {folder}/supervisord.log
pidfile = {folder}/supervisord.pid
childlogdir = {folder}
minfds = {descriptors}
[unix_http_server]
file = {folder}/supervisor.sock
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl = unix://{folder}/supervisor.sock
"""
CIRCUS = """\
[circus]
check_delay = {check_delay}
endpoint = ipc://{folder}/endpoint
pubsub_endpoint = ipc://{folder}/pubsub
"""


def supervisord(tools: Toolbox, folder: Path, programs: Sequence[Program]) -> Plan:
    """Run supervisord with its defaults; its loop of one second cannot be set."""
    config = folder / "supervisord.conf"
    sections = [
        f"[program:{each.name}]\ncommand = {' '.join(each.command)}\n" for each in programs
    ]
    config.write_text(
        SUPERVISORD.format(folder=folder, descriptors=max(1024, 8 * len(programs)))
        + "".join(sections)
    )
    ctl = str(tools.python_script("supervisor", "supervisorctl"))
    return Plan(
        launch=[str(tools.python_script("supervisor", "supervisord")), "-c", str(config)],
        status=[ctl, "-c", str(config), "status"],
    )


class Circus:
    """Runs circusd with a given time between two of its looks."""

    def __init__(self, *, check_delay: float) -> None:
        self._check_delay = check_delay

    def __call__(self, tools: Toolbox, folder: Path, programs: Sequence[Program]) -> Plan:
        """Write the file with a watcher for each program."""
        config = folder / "circus.ini"
        head = CIRCUS.format(folder=folder, check_delay=self._check_delay)
        watchers = [
            f"[watcher:{each.name}]\ncmd = {' '.join(each.command)}\n" for each in programs
        ]
        config.write_text(head + "".join(watchers))
        ctl = str(tools.python_script("circus", "circusctl"))
        return Plan(
            launch=[str(tools.python_script("circus", "circusd")), str(config)],
            status=[ctl, "--endpoint", f"ipc://{folder}/endpoint", "status"],
        )
