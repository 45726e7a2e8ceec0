"""Find, measure and end the processes that belong to one folder, through /proc."""

import os
import signal
import sys
import time
from collections.abc import Iterable
from pathlib import Path

PROC = Path("/proc")
KIB = 1024
LINUX_ONLY = "this benchmark reads /proc and waits on pidfds: it runs on Linux only"
MAX_END_SECONDS = 20.0


def belonging_to(folder: Path) -> set[int]:
    """Return the pids of living processes whose command line or environment names the folder."""
    mark = os.fsencode(folder)
    return {pid for pid in _all_pids() if pid != os.getpid() and _mentions(pid, mark)}


def _all_pids() -> Iterable[int]:
    return (int(name) for name in os.listdir(PROC) if name.isdigit())


def _mentions(pid: int, mark: bytes) -> bool:
    # A zombie has neither a command line nor an environment, so it is not found, as it should be.
    return mark in _read(pid, "cmdline") or mark in _read(pid, "environ")


def _read(pid: int, name: str) -> bytes:
    try:
        return (PROC / str(pid) / name).read_bytes()
    except OSError:
        return b""


def runs(pid: int, program: Path) -> bool:
    """Tell whether the process executes this very file."""
    try:
        return os.readlink(PROC / str(pid) / "exe") == str(program)
    except OSError:
        return False


def command_line(pid: int) -> str:
    """Return the words of a process with spaces between them; nothing for one that is gone."""
    return _read(pid, "cmdline").replace(b"\0", b" ").decode(errors="replace").strip()


def parent_of(pid: int) -> int:
    """Return the pid of the parent, 0 when there is no such process."""
    fields = _read(pid, "stat").rpartition(b")")[2].split()
    return int(fields[1]) if fields else 0


def pss_mib(pids: Iterable[int]) -> float:
    """Return the proportional set size of the processes together, in MiB."""
    return sum(_pss_kib(pid) for pid in pids) / KIB


def _pss_kib(pid: int) -> int:
    for line in _read(pid, "smaps_rollup").splitlines():
        if line.startswith(b"Pss:"):
            return int(line.split()[1])
    return 0


def cpu_seconds(pids: Iterable[int]) -> float:
    """Return the CPU time used by the processes and by their ended children, in seconds."""
    if sys.platform != "linux":
        raise OSError(LINUX_ONLY)
    return sum(_cpu_ticks(pid) for pid in pids) / os.sysconf("SC_CLK_TCK")


def _cpu_ticks(pid: int) -> int:
    # proc(5): the name in brackets may hold spaces; utime, stime, cutime and cstime are fields 14 to 17.
    fields = _read(pid, "stat").rpartition(b")")[2].split()
    return sum(int(field) for field in fields[11:15])


def kill(pid: int) -> None:
    """Send SIGKILL; raise ProcessLookupError when there is no such process."""
    if sys.platform != "linux":
        raise OSError(LINUX_ONLY)
    os.kill(pid, signal.SIGKILL)


def end_all(folder: Path, *, last: Path) -> None:
    """Kill everything that belongs to the folder, those that run the program ``last`` at the end.

    Raises TimeoutError when something is still there after 20 s.
    """
    if not folder.is_absolute() or len(folder.parts) < 3:
        raise ValueError(f"{folder} is not a folder of one peer; its name would match strangers")
    deadline = time.monotonic() + MAX_END_SECONDS
    while found := belonging_to(folder):
        if time.monotonic() > deadline:
            raise TimeoutError(f"still running after SIGKILL, 20 s long: {sorted(found)}")
        # A supervisor killed after its children would only start them again.
        for pid in sorted(found, key=lambda pid: runs(pid, last)):
            _end(pid, os.fsencode(folder))
        time.sleep(0.02)


def _end(pid: int, mark: bytes) -> None:
    if sys.platform != "linux":
        raise OSError(LINUX_ONLY)
    try:
        pidfd = os.pidfd_open(pid)
    except OSError:
        return
    try:
        if _mentions(pid, mark):  # the pid may have passed to a stranger since it was found
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    except ProcessLookupError:
        return
    finally:
        os.close(pidfd)
