"""From where a process can be seen: its machine, the boot of that machine, its space of pids."""

import functools
import os
import platform
from typing import NamedTuple

from holdfast import clock

_STATE, _STARTED = 0, 19


class Origin(NamedTuple):
    """Where a pid means a process; two processes of one origin can tell whether the other lives.

    `machine` and `pid_space` are empty where the platform does not tell them. Containers on one
    machine share its boot, often even a host name, and still not their pids.
    """

    host: str
    machine: str
    boot_id: str
    pid_space: str


@functools.cache
def origin() -> Origin:
    """Return the origin of this process.

    Raises:
        OSError: Linux does not tell its boot, as /proc is not mounted.
    """
    return Origin(platform.node(), _machine(), clock.boot_id(), _pid_space())


def _machine() -> str:
    # Host names repeat; this is random and stays for the life of an installation, machine-id(5).
    try:
        with open("/etc/machine-id", encoding="ascii") as source:
            return source.read().strip()
    except (OSError, ValueError):
        return ""


def _pid_space() -> str:
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def start_of(pid: int) -> str | None:
    """Return in which tick of the boot a process started, field 22 of proc_pid_stat(5); None for a zombie.

    Raises:
        OSError: there is no such process, or no such file on this platform.
    """
    with open(f"/proc/{pid}/stat", "rb") as source:
        # The name in parentheses may hold anything, more of them too.
        fields = source.read().rpartition(b")")[2].split()
    return None if fields[_STATE] in (b"Z", b"X") else fields[_STARTED].decode()
