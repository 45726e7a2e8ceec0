"""The peers written in Python: supervisord and circus."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.peers.peer import LOGS_KEPT, Plan, Program
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
        f"[program:{each.name}]\ncommand = {' '.join(each.command)}\n{_log(each, folder)}"
        for each in programs
    ]
    config.write_text(
        SUPERVISORD.format(folder=folder, descriptors=max(1024, 8 * len(programs)))
        + "".join(sections)
    )
    ctl = str(tools.python_script("supervisor", "supervisorctl"))
    return Plan(
        launch=[str(tools.python_script("supervisor", "supervisord")), "-c", str(config)],
        status=[ctl, "-c", str(config), "status"],
        logs=folder,
    )


def _log(program: Program, folder: Path) -> str:
    if program.log_bytes is None:
        return ""
    sizes = (
        f"stdout_logfile_maxbytes = {program.log_bytes}\nstdout_logfile_backups = {LOGS_KEPT}\n"
    )
    return f"stdout_logfile = {folder}/{program.name}.log\n{sizes}"


class Circus:
    """Runs circusd with a given time between two of its looks."""

    def __init__(self, *, check_delay: float) -> None:
        self._check_delay = check_delay

    def __call__(self, tools: Toolbox, folder: Path, programs: Sequence[Program]) -> Plan:
        """Write the file with a watcher for each program."""
        config = folder / "circus.ini"
        head = CIRCUS.format(folder=folder, check_delay=self._check_delay)
        watchers = [
            f"[watcher:{each.name}]\ncmd = {' '.join(each.command)}\n{_stream(each, folder)}"
            for each in programs
        ]
        config.write_text(head + "".join(watchers))
        ctl = str(tools.python_script("circus", "circusctl"))
        return Plan(
            launch=[str(tools.python_script("circus", "circusd")), str(config)],
            status=[ctl, "--endpoint", f"ipc://{folder}/endpoint", "status"],
            logs=folder,
        )


def _stream(program: Program, folder: Path) -> str:
    if program.log_bytes is None:
        return ""
    file = f"stdout_stream.filename = {folder}/{program.name}.log\n"
    sizes = f"stdout_stream.max_bytes = {program.log_bytes}\nstdout_stream.backup_count = {LOGS_KEPT}\n"
    return f"stdout_stream.class = FileStream\n{file}{sizes}"
