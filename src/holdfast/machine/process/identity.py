"""Which process a pid means: facts of the kernel that tell it from a later one of the same number."""

import contextlib
import functools
import os
import select
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

from holdfast.clock import boot_id
from holdfast.model.service import Identity


class Verdict(Enum):
    """What became of a process that was known once."""

    SAME = auto()
    GONE = auto()
    REUSED = auto()
    UNREADABLE = auto()
    OTHER_BOOT = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcStat:
    """One process as the kernel describes it; `start_ticks` is compared, never computed with."""

    pid: int
    state: str
    ppid: int
    pgid: int
    sid: int
    threads: int
    start_ticks: int
    cpu_s: float
    rss_bytes: int

    @property
    def is_gone(self) -> bool:
        """Tell whether it only waits to be reaped.

        A first thread that ended before the others looks like a zombie; the process lives.
        """
        return self.state in "ZX" and self.threads <= 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a process costs: processor seconds since its start, bytes in memory now."""

    cpu_s: float
    rss_bytes: int


def stat(pid: int) -> ProcStat | None:
    """Read what the kernel says of a process; zombies included, None when it says nothing."""
    if sys.platform != "linux":
        from holdfast.machine.process import portable

        return portable.stat(pid)
    fields = stat_fields(pid)
    if fields is None:
        return None
    ticks_per_s, page_bytes = _units()
    return ProcStat(
        pid=pid,
        state=fields[0].decode(),
        ppid=int(fields[1]),
        pgid=int(fields[2]),
        sid=int(fields[3]),
        threads=int(fields[17]),
        start_ticks=int(fields[19]),
        cpu_s=(int(fields[11]) + int(fields[12])) / ticks_per_s,
        rss_bytes=int(fields[21]) * page_bytes,
    )


def stat_fields(pid: int) -> list[bytes] | None:
    """Return the fields of /proc/PID/stat from the third on (proc_pid_stat(5)), None when there are none."""
    try:
        source = os.open(f"/proc/{pid}/stat", os.O_RDONLY)
    except OSError:
        return None
    try:
        text = os.read(source, 4096)
    except OSError:  # it ended between open and read
        return None
    finally:
        os.close(source)
    # The name stands in parentheses and may hold spaces and parentheses itself.
    fields = text[text.rfind(b")") + 2 :].split()
    return fields if len(fields) > 21 else None


@functools.cache
def _units() -> tuple[int, int]:
    if sys.platform == "win32":
        return 1, 1
    return os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")


def usage(pid: int) -> Usage | None:
    """Return what a living process has used, None when it is gone."""
    found = stat(pid)
    if found is None or found.is_gone:
        return None
    return Usage(cpu_s=found.cpu_s, rss_bytes=found.rss_bytes)


def identify(pid: int, pidfd: int | None = None) -> Identity | None:
    """Return who bears the pid now, None when nobody does; a zombie is nobody.

    A `pidfd` of that process, where the caller has one, rules out that the number changes hands meanwhile.
    """
    if pidfd is not None:
        return _identify(pid, pidfd)
    with _pidfd_of(pid) as opened:
        return _identify(pid, opened)


def _identify(pid: int, pidfd: int | None) -> Identity | None:
    found = stat(pid)
    if found is None or found.is_gone or (pidfd is not None and has_ended(pidfd)):
        return None
    return identity_of(found, pidfd)


def identity_of(found: ProcStat, pidfd: int | None) -> Identity:
    """Compose the identity of a process, dead or alive, from what was read of it."""
    return Identity(
        pid=found.pid,
        start_ticks=found.start_ticks,
        boot_id=boot_id(),
        pidfd_inode=None if pidfd is None else pidfd_inode(pidfd),
    )


def is_same(identity: Identity) -> Verdict:
    """Decide whether the process of old still runs under its pid.

    A process that may not be looked at is UNREADABLE: alive, and not provably this one.
    """
    if identity.boot_id != boot_id():
        return Verdict.OTHER_BOOT
    with _pidfd_of(identity.pid) as pidfd:
        found = stat(identity.pid)
        if pidfd is not None and has_ended(pidfd):
            return Verdict.GONE
        if found is None:
            return Verdict.UNREADABLE if _exists(identity.pid) else Verdict.GONE
        if found.is_gone:
            return Verdict.GONE
        return Verdict.SAME if matches(identity, found, pidfd) else Verdict.REUSED


def matches(identity: Identity, found: ProcStat, pidfd: int | None) -> bool:
    """Tell whether what was read is the process of the identity: start time, and inode where both are known."""
    if found.start_ticks != identity.start_ticks:
        return False
    inode = None if pidfd is None else pidfd_inode(pidfd)
    return inode is None or identity.pidfd_inode is None or inode == identity.pidfd_inode


def has_ended(pidfd: int) -> bool:
    """Tell whether the process of a pidfd is dead, reaped or not."""
    if sys.platform == "win32":
        return False
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(0))


def pidfd_inode(pidfd: int) -> int:
    """Return the number that names a process for the whole boot (pidfs, Linux 6.9).

    Older kernels give every pidfd the same one, which then distinguishes nothing and harms nothing.
    """
    return os.fstat(pidfd).st_ino


@contextlib.contextmanager
def _pidfd_of(pid: int) -> Iterator[int | None]:
    """Hold a pidfd for a moment; None where there are none, or no process, or no free descriptor."""
    pidfd = None
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            pidfd = os.pidfd_open(pid)
    try:
        yield pidfd
    finally:
        if pidfd is not None:
            os.close(pidfd)


def _exists(pid: int) -> bool:
    if sys.platform == "win32":
        from holdfast.machine.process import portable

        return portable.exists(pid)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody lives there who may not be signalled
        return True
    return True
