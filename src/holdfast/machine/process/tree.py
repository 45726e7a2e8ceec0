"""Which processes belong to a service, and how a signal reaches all of them and nobody else.

Its main process, the descendants of that, its process group, its session, and whoever carries the instance of the
service in its environment: a daemonized grandchild has none of the others left.
"""

import functools
import os
import signal
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field

from holdfast.clock import boot_id
from holdfast.machine.process.identity import ProcStat, has_ended, stat
from holdfast.model.service import Identity

INSTANCE_VARIABLE = "HOLDFAST_INSTANCE"

# A stopped process acts on these only once it goes on.
_ENDING = {signal.SIGTERM, signal.SIGINT, signal.SIGABRT}
if sys.platform != "win32":
    _ENDING |= {signal.SIGHUP, signal.SIGQUIT}


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A process of a service, as seen at one moment."""

    pid: int
    start_ticks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Roots:
    """What the processes of one service are recognised by.

    `main` leads a group and a session of its own and may be dead; `spared` are processes that are never members,
    whatever they descend from: the supervisor and the watchdog.
    """

    main: Identity | None
    instance: str
    spared: Set[int] = field(default_factory=frozenset)


class Snapshot:
    """Every process of the machine at one moment; one snapshot serves any number of services."""

    def __init__(
        self, rows: Mapping[int, ProcStat], instance_of: Callable[[ProcStat], str | None]
    ) -> None:
        self.rows = rows
        self.instance_of = instance_of
        self._unread: list[ProcStat] | None = None
        self._by_instance: dict[str, list[ProcStat]] = defaultdict(list)

    @functools.cached_property
    def by_parent(self) -> Mapping[int, list[ProcStat]]:
        """Return the children of each process."""
        return self._indexed(lambda row: row.ppid)

    @functools.cached_property
    def by_group(self) -> Mapping[int, list[ProcStat]]:
        """Return the members of each process group."""
        return self._indexed(lambda row: row.pgid)

    @functools.cached_property
    def by_session(self) -> Mapping[int, list[ProcStat]]:
        """Return the members of each session."""
        return self._indexed(lambda row: row.sid)

    def _indexed(self, key: Callable[[ProcStat], int]) -> Mapping[int, list[ProcStat]]:
        index: dict[int, list[ProcStat]] = {}
        for row in self.rows.values():
            index.setdefault(key(row), []).append(row)
        return index

    def bearing(self, instance: str, since_ticks: int) -> list[ProcStat]:
        """Return the processes started for an instance; only those not older than it are asked."""
        if self._unread is None:
            self._unread = sorted(self.rows.values(), key=lambda row: row.start_ticks)
        while self._unread and self._unread[-1].start_ticks >= since_ticks:
            row = self._unread.pop()
            found = self.instance_of(row)
            if found is not None:
                self._by_instance[found].append(row)
        return self._by_instance.get(instance, [])


class Roster:
    """Looks at the processes of the machine, and reads the environment of each once it has one."""

    def __init__(
        self,
        rows: Callable[[int, Set[int]], Iterable[ProcStat]] | None = None,
        instance_of: Callable[[int], str | None] | None = None,
    ) -> None:
        self._rows = rows or Processes().read
        self._read_instance = instance_of or instance_of_pid
        self._instances: dict[tuple[int, int], str | None] = {}

    def look(self, since_ticks: int = 0, passing_over: Set[int] = frozenset()) -> Snapshot:
        """Take a snapshot; about 10 microseconds for each process that is read.

        Who asks for what an ended service left needs neither processes older than it (`since_ticks`) nor those known
        to be others' (`passing_over`), and gets a snapshot without them at a fraction of the cost.
        """
        rows = {row.pid: row for row in self._rows(since_ticks, passing_over)}
        self._instances = {
            key: instance
            for key, instance in self._instances.items()
            if (row := rows.get(key[0])) is not None and row.start_ticks == key[1]
        }
        return Snapshot(rows, self._instance_of)

    def _instance_of(self, row: ProcStat) -> str | None:
        key = (row.pid, row.start_ticks)
        if key not in self._instances:
            found = self._read_instance(row.pid)
            if found == "":
                return None  # within execve, perhaps: asked again at the next look
            self._instances[key] = found
        return self._instances[key]


def members(snapshot: Snapshot, roots: Roots) -> tuple[Member, ...]:
    """Return the living processes of a service, the main process and its descendants first.

    Zombies are none. Not found: a daemonized process that wiped its environment before anybody looked.
    """
    never = {0, 1, os.getpid(), *roots.spared}
    found: dict[int, ProcStat] = {}
    waiting = list(_starting_points(snapshot, roots))
    for row in waiting:  # grows while it is walked
        if row.pid not in found and row.pid not in never:
            found[row.pid] = row
            waiting.extend(snapshot.by_parent.get(row.pid, ()))
    return tuple(
        Member(pid=row.pid, start_ticks=row.start_ticks)
        for row in found.values()
        if not row.is_gone
    )


def _starting_points(snapshot: Snapshot, roots: Roots) -> Iterator[ProcStat]:
    main = roots.main
    if main is None or main.boot_id != boot_id():
        yield from snapshot.bearing(roots.instance, since_ticks=0)
        return
    bearer = snapshot.rows.get(main.pid)
    if bearer is not None and bearer.start_ticks == main.start_ticks:
        yield bearer
        yield from snapshot.by_group.get(main.pid, ())
        yield from snapshot.by_session.get(main.pid, ())
    elif bearer is None:
        yield from _left_behind(snapshot, main, roots.instance)
    # Else the number has a new bearer. The kernel gives out none that is still in use as a group or session, so
    # both are empty, or not ours.
    yield from snapshot.bearing(roots.instance, main.start_ticks)


def _left_behind(snapshot: Snapshot, main: Identity, instance: str) -> Iterator[ProcStat]:
    # The leader is gone, and the number may have been used and left again since: whoever is older than it, or was
    # started for somebody else, is not meant.
    for row in (*snapshot.by_group.get(main.pid, ()), *snapshot.by_session.get(main.pid, ())):
        if row.start_ticks >= main.start_ticks and snapshot.instance_of(row) in {None, instance}:
            yield row


class Processes:
    """Reads the processes of the machine, and remembers how old those are that it has read before.

    The inode of /proc/PID is made anew for each process, so a number that is used again is noticed for nothing.
    """

    def __init__(self) -> None:
        self._ages: dict[int, tuple[int, int]] = {}

    def read(self, since_ticks: int, passing_over: Set[int]) -> Iterator[ProcStat]:
        """Yield the processes not older than `since_ticks`, but for those to be passed over."""
        if sys.platform != "linux":
            from holdfast.machine.process import portable

            yield from portable.stats()
            return
        ages: dict[int, tuple[int, int]] = {}
        with os.scandir("/proc") as entries:
            for entry in entries:
                if not entry.name.isdecimal():
                    continue
                pid, inode = int(entry.name), entry.inode()
                known = self._ages.get(pid)
                if known is not None and known[0] == inode and known[1] < since_ticks:
                    ages[pid] = known
                elif pid not in passing_over and (found := stat(pid)) is not None:
                    ages[pid] = (inode, found.start_ticks)
                    yield found
        self._ages = ages


def own_children() -> set[int] | None:
    """Return every child of this process, dead ones too; None where the kernel does not tell.

    proc_pid_children(5) may miss one when others are reaped while it is read: nobody but the caller, who has one
    thread that reaps, can do that.
    """
    if sys.platform != "linux":
        return None
    found: set[int] = set()
    try:
        for thread in os.listdir("/proc/self/task"):
            with open(f"/proc/self/task/{thread}/children", "rb", buffering=0) as source:
                found.update(map(int, source.readall().split()))
    except OSError:  # a kernel without CONFIG_PROC_CHILDREN
        return None
    return found


def _has_program(pid: int) -> bool:
    """Tell whether a process runs a program: a thread of the kernel and a zombie never get an environment."""
    try:
        os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return False
    return True


def instance_of_pid(pid: int) -> str | None:
    """Return the instance a process was started for; None without one, and when its environment may not be read.

    Empty while there is no environment at all, as for a moment in execve(2).
    """
    if sys.platform != "linux":
        from holdfast.machine.process import portable

        return portable.environment(pid).get(INSTANCE_VARIABLE)
    try:
        with open(f"/proc/{pid}/environ", "rb", buffering=0) as source:
            entries = b"\0" + source.read()
    except OSError:
        return None
    if entries == b"\0":
        return "" if _has_program(pid) else None
    _, found, rest = entries.partition(b"\0" + INSTANCE_VARIABLE.encode() + b"=")
    return os.fsdecode(rest.partition(b"\0")[0]) if found else None


def variables_of_pid(pid: int) -> Mapping[str, str]:
    """Return the environment a process was started with, as far as it may be read."""
    if sys.platform != "linux":
        from holdfast.machine.process import portable

        return portable.environment(pid)
    try:
        with open(f"/proc/{pid}/environ", "rb", buffering=0) as source:
            entries = os.fsdecode(source.read()).split("\0")
    except OSError:
        return {}
    return dict(entry.split("=", 1) for entry in entries if "=" in entry)


def group_is_empty(pgid: int) -> bool:
    """Tell, at the cost of one system call, that a process group has nobody left, not even a zombie.

    False proves nothing: the number may have been used again.
    """
    if sys.platform == "win32":
        return False
    try:
        os.killpg(pgid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def signal_member(member: Member, signum: int) -> bool:
    """Signal a process if it is still the one that was seen; False when it is gone or may not be signalled."""
    if sys.platform != "linux":
        from holdfast.machine.process import portable

        return portable.send(member.pid, member.start_ticks, signum)
    try:
        pidfd = os.pidfd_open(member.pid)
    except OSError:
        return False
    try:
        found = stat(member.pid)
        if found is None or found.start_ticks != member.start_ticks or has_ended(pidfd):
            return False
        signal.pidfd_send_signal(pidfd, signum)
    except OSError:
        return False
    finally:
        os.close(pidfd)
    return True


def signal_tree(tree: Iterable[Member], signum: int) -> int:
    """Signal all members, and let stopped ones go on where the signal is to end them; return how many got it.

    What starts meanwhile gets nothing: for KILL, look and signal again until nobody is left.
    """
    reached = 0
    for member in tree:
        if not signal_member(member, signum):
            continue
        reached += 1
        if sys.platform != "win32" and signum in _ENDING:
            signal_member(member, signal.SIGCONT)
    return reached
