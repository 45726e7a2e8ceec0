"""Programs that run to their end on behalf of a service: probes and hooks. Their whole group ends with them."""

import asyncio
import os
import signal
import sys
from collections.abc import Set

from holdfast.machine.process.headroom import Headroom
from holdfast.machine.process.identity import identify
from holdfast.machine.process.launch import Launch
from holdfast.machine.process.spawn import spawn
from holdfast.machine.process.tree import (
    Member,
    Roots,
    Roster,
    members,
    signal_member,
    signal_tree,
    variables_of_pid,
)
from holdfast.machine.process.wait import Death, watch_child
from holdfast.model.service import Exit, Identity

VARIABLE = "HOLDFAST_ERRAND"
"""Names, in the environment of every errand, the home it runs for: a new supervisor ends what one that died began."""

KILL = 9

_NONE = "no instance"
"""Errands belong to no instance of a service."""


class Errands:
    """The errands under way; a reaper of strangers leaves `pids` alone."""

    def __init__(self, loop: asyncio.AbstractEventLoop, headroom: Headroom | None = None) -> None:
        self.loop = loop
        self.headroom = headroom
        self._deaths: dict[Identity, Death] = {}

    @property
    def pids(self) -> Set[int]:
        """Return the processes that are waited for here."""
        return {identity.pid for identity in self._deaths}

    async def run(self, launch: Launch) -> Exit:
        """Run a program to its end and return how it ended; cancelled, it is killed with its whole group.

        Raises:
            StartFailed: it could not be executed.
        """
        spawned = spawn(launch, self.headroom)
        death = watch_child(spawned.identity, spawned.pidfd)
        ended: asyncio.Future[Exit] = self.loop.create_future()
        self._deaths[spawned.identity] = death
        self.loop.add_reader(death.fileno(), self._died, spawned.identity, ended)
        try:
            return await ended
        finally:
            if spawned.identity in self._deaths:
                _kill_group(spawned.identity)

    def close(self) -> None:
        """Kill every errand and let go of it; whoever inherits the children of this program reaps them."""
        for identity, death in self._deaths.items():
            _kill_group(identity)
            self.loop.remove_reader(death.fileno())
            death.collect()
            death.close()
        self._deaths.clear()

    def _died(self, identity: Identity, ended: "asyncio.Future[Exit]") -> None:
        death = self._deaths[identity]
        # Until it is reaped its number, and so its group, is nobody else's.
        _kill_group(identity)
        exit_ = death.collect()
        if exit_ is None:
            return
        del self._deaths[identity]
        self.loop.remove_reader(death.fileno())
        death.close()
        if not ended.done():
            ended.set_result(exit_)


def _kill_group(identity: Identity) -> None:
    if sys.platform == "win32":
        signal_member(Member(pid=identity.pid, start_ticks=identity.start_ticks), signal.SIGTERM)
        return
    try:
        os.killpg(identity.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):  # the last one left, or became another user
        signal_member(Member(pid=identity.pid, start_ticks=identity.start_ticks), signal.SIGKILL)


def end_left_errands(home: str, roster: Roster) -> int:
    """Kill the errands that a dead supervisor of this home began; return how many processes got it.

    Call it before the first errand of one's own; about 20 microseconds for each session on the machine.
    """
    snapshot = roster.look()
    leaders = [row.pid for row in snapshot.rows.values() if row.sid == row.pid and not row.is_gone]
    left = [pid for pid in leaders if variables_of_pid(pid).get(VARIABLE) == home]
    trees = [
        members(snapshot, Roots(main=main, instance=_NONE))
        for pid in left
        if (main := identify(pid))
    ]
    return sum(signal_tree(tree, KILL) for tree in trees)
