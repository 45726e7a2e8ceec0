"""The facts of /proc, as psutil tells them: processes on macOS and Windows."""

import os
import sys
from collections.abc import Iterator, Mapping

import psutil

from holdfast.machine.process.identity import ProcStat


def stat(pid: int) -> ProcStat | None:
    """Return what is known of a process; zombies included, None when it is gone."""
    try:
        return _described(psutil.Process(pid))
    except psutil.NoSuchProcess:
        return None


def stats() -> Iterator[ProcStat]:
    """Yield every process of the machine that may be looked at."""
    for pid in psutil.pids():
        found = stat(pid)
        if found is not None:
            yield found


def _described(process: psutil.Process) -> ProcStat:
    with process.oneshot():
        # The microsecond of birth is what these kernels keep in place of Linux' ticks.
        born = round(process.create_time() * 1_000_000)
        state = "Z" if process.status() == psutil.STATUS_ZOMBIE else "R"
        cpu_s, rss_bytes = _spent(process)
        return ProcStat(
            pid=process.pid,
            state=state,
            ppid=process.ppid(),
            pgid=_group(process.pid),
            sid=_session(process.pid),
            threads=1,
            start_ticks=born,
            cpu_s=cpu_s,
            rss_bytes=rss_bytes,
        )


def _spent(process: psutil.Process) -> tuple[float, int]:
    try:
        times = process.cpu_times()
        return times.user + times.system, process.memory_info().rss
    except (psutil.AccessDenied, psutil.ZombieProcess):
        return 0.0, 0


def _group(pid: int) -> int:
    if sys.platform == "win32":
        return 0
    try:
        return os.getpgid(pid)
    except OSError:
        return 0


def _session(pid: int) -> int:
    if sys.platform == "win32":
        return 0
    try:
        return os.getsid(pid)
    except OSError:
        return 0


def exists(pid: int) -> bool:
    """Tell whether any process bears the pid."""
    return psutil.pid_exists(pid)


def environment(pid: int) -> Mapping[str, str]:
    """Return the environment a process was started with; empty when it may not be read."""
    try:
        return psutil.Process(pid).environ()
    except psutil.Error:
        return {}


def send(pid: int, start_ticks: int, signum: int) -> bool:
    """Signal a process if it is still the one meant; False when it is gone or may not be signalled.

    psutil compares the time of birth again before it sends. Windows knows only the end of a process.
    """
    try:
        process = psutil.Process(pid)
        if round(process.create_time() * 1_000_000) != start_ticks:
            return False
        process.send_signal(signum)
    except (psutil.Error, ValueError):
        return False
    return True
