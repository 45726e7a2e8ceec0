"""How the death of a process is seen and its exit learned, whoever its parent is."""

import errno
import os
import sys
from collections.abc import Container, Iterator
from typing import Protocol

from holdfast.machine.process import kernel
from holdfast.machine.process.identity import has_ended, matches, stat, stat_fields
from holdfast.model.service import Exit, Identity


class Death(Protocol):
    """A descriptor to watch, and the exit to collect once it is readable."""

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when the process died."""

    def collect(self) -> Exit | None:
        """Return how it ended, reaping it if it is ours; None while it lives. May be called again."""

    def close(self) -> None:
        """Let go of the descriptor; the process is not touched. May be called again."""


class PidfdDeath:
    """Death of a process on Linux; owns the pidfd."""

    def __init__(self, identity: Identity, pidfd: int) -> None:
        self.identity = identity
        self._pidfd = pidfd
        self._exit: Exit | None = None

    def fileno(self) -> int:
        """Return the pidfd."""
        return self._pidfd

    def collect(self) -> Exit | None:
        """Return how it ended; an exit without code and signal when nobody could learn it."""
        if self._exit is None and sys.platform == "linux":
            try:
                ended = os.waitid(os.P_PIDFD, self._pidfd, os.WEXITED | os.WNOHANG)
            except ChildProcessError:  # somebody else's child, or reaped already
                if has_ended(self._pidfd):
                    self._exit = self._learned()
            else:
                self._exit = None if ended is None else _exit_of(ended.si_code, ended.si_status)
        return self._exit

    def _learned(self) -> Exit:
        status = kernel.exit_status_of(self._pidfd)
        if status is None:  # its parent has not reaped it yet: the zombie still knows
            status = _zombie_status(self.identity)
        if status is None:  # or reaped it between the two questions
            status = kernel.exit_status_of(self._pidfd)
        return Exit() if status is None else exit_from_status(status)

    def close(self) -> None:
        """Close the pidfd."""
        if self._pidfd >= 0:
            os.close(self._pidfd)
            self._pidfd = -1


class Ended:
    """A death that was over before anybody could watch it; readable at once."""

    def __init__(self, exit_: Exit) -> None:
        self._exit = exit_
        # The read end of a pipe without a writer is at its end, hence readable.
        self._reader, writer = os.pipe()
        os.close(writer)

    def fileno(self) -> int:
        """Return a descriptor that is readable now."""
        return self._reader

    def collect(self) -> Exit | None:
        """Return how it ended."""
        return self._exit

    def close(self) -> None:
        """Close the descriptor."""
        if self._reader >= 0:
            os.close(self._reader)
            self._reader = -1


def watch_child(identity: Identity, pidfd: int | None) -> Death:
    """Watch a child that was not reaped yet; takes over its pidfd.

    Raises:
        OSError: no descriptor was free.
    """
    if pidfd is not None:
        return PidfdDeath(identity, pidfd)
    return open_death(identity) or Ended(reap(identity.pid) or Exit())


def open_death(identity: Identity) -> Death | None:
    """Watch a process whoever started it; None when it is gone or its pid is another's now.

    A zombie that still is the process of the identity is accepted: it has an exit to tell.

    Raises:
        OSError: no descriptor was free.
    """
    if sys.platform == "linux":
        return _open_pidfd(identity)
    if sys.platform == "darwin":
        from holdfast.machine.process.kqueue import open_kqueue

        return open_kqueue(identity)
    from holdfast.machine.process.windows import open_handle

    return open_handle(identity)


def _open_pidfd(identity: Identity) -> Death | None:
    if sys.platform != "linux":
        return None
    try:
        pidfd = os.pidfd_open(identity.pid)
    except OSError as error:
        # The last two: the number names a mere thread now (before and since Linux 6.15).
        if error.errno in {errno.ESRCH, errno.EINVAL, errno.ENOENT}:
            return None
        raise
    # Read after the pidfd was opened: what is read belongs to it, or it has ended.
    found = stat(identity.pid)
    if found is not None and matches(identity, found, pidfd):
        return PidfdDeath(identity, pidfd)
    os.close(pidfd)
    return None


def _zombie_status(identity: Identity) -> int | None:
    """Read the wait status from /proc/PID/stat, whose last field tells it to those who may trace the process."""
    fields = stat_fields(identity.pid)
    if fields is None or fields[0] != b"Z" or int(fields[19]) != identity.start_ticks:
        return None
    status = int(fields[-1])
    return status if status != 0 or _may_trace(identity.pid) else None


def _may_trace(pid: int) -> bool:
    # Who may not trace reads 0 in place of the status, which must not pass for a success.
    if sys.platform == "win32":
        return False
    if os.geteuid() == 0:
        return True
    try:
        return os.stat(f"/proc/{pid}").st_uid == os.geteuid() == os.getuid()
    except OSError:
        return False


def reap(pid: int) -> Exit | None:
    """Wait for a child that is known to be dead or dying, and return its exit; None when it is no child of ours."""
    if sys.platform == "win32":
        return None
    try:
        _, status = os.waitpid(pid, 0)
    except ChildProcessError:
        return None
    return exit_from_status(status)


def reap_strangers(known: Container[int]) -> list[tuple[int, Exit]]:
    """Reap dead children nobody here started: orphans that came to a subreaper.

    The exit of a child in `known` is left to whoever watches it.
    """
    if sys.platform != "linux":
        return []
    reaped: list[tuple[int, Exit]] = []
    while True:
        pid = _first_dead_child()
        if pid is None:
            return reaped
        if pid in known:  # the kernel shows only the first one, and strangers may stand behind it
            return reaped + [end for other in _dead_children() for end in _reaped(other, known)]
        reaped += _reaped(pid, known)


def _first_dead_child() -> int | None:
    if sys.platform != "linux":
        return None
    try:
        seen = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    return None if seen is None else seen.si_pid


def _dead_children() -> Iterator[int]:
    ourselves = os.getpid()
    for name in os.listdir("/proc"):
        if name.isdigit():
            found = stat(int(name))
            if found is not None and found.ppid == ourselves and found.is_gone:
                yield found.pid


def _reaped(pid: int, known: Container[int]) -> Iterator[tuple[int, Exit]]:
    if pid in known:
        return
    exit_ = reap(pid)
    if exit_ is not None:
        yield pid, exit_


def exit_from_status(status: int) -> Exit:
    """Translate a wait status, see wait(2)."""
    if sys.platform != "win32" and os.WIFSIGNALED(status):
        return Exit(signal=os.WTERMSIG(status), core=os.WCOREDUMP(status))
    return Exit(code=os.waitstatus_to_exitcode(status))


def _exit_of(how: int, status: int) -> Exit:
    if sys.platform == "win32" or how == os.CLD_EXITED:
        return Exit(code=status)
    return Exit(signal=status, core=how == os.CLD_DUMPED)
