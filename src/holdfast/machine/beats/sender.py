"""Whether a datagram came from one of a service's own processes."""

from holdfast.machine.process.identity import ProcStat, stat
from holdfast.machine.process.tree import instance_of_pid
from holdfast.model.service import Identity

DEEPEST = 64
"""Ancestors that are asked; a longer line is refused."""


def is_own(pid: int, main: Identity, instance: str) -> bool | None:
    """Tell whether a living process belongs to the service with this main process; None when it is gone.

    It does when it shares the session or the group of the main process, was started for this instance, or descends
    from the main process.
    """
    if pid == main.pid:
        return True
    found = stat(pid) if pid > 0 else None
    if found is None:
        return None
    if main.pid in (found.sid, found.pgid) or instance_of_pid(pid) == instance:
        return True
    return _descends(found, main) or (None if found.is_gone else False)


def is_trusted(
    pid: int | None, uid: int | None, main: Identity, instance: str, own_uid: int
) -> bool:
    """Tell whether to believe a sender: one of the service's processes, or one that is gone and was of its user.

    `systemd-notify` ends before anybody can look at it. To know the address it must have been told, and only the
    user of the service may send there. Where the kernel names no sender that alone decides.
    """
    own = None if pid is None else is_own(pid, main, instance)
    if own is None:
        return uid is None or uid == own_uid
    return own


def _descends(found: ProcStat, main: Identity) -> bool:
    for _ in range(DEEPEST):
        if found.ppid == main.pid:
            return True
        parent = stat(found.ppid) if found.ppid > 1 else None
        if parent is None:
            return False
        found = parent
    return False
