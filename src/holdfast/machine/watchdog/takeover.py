"""One watchdog per home: a new one is refused while another guards, or asks that one to leave."""

import select
import sys

from holdfast import statefile
from holdfast.errors import LockHeld
from holdfast.home import Home
from holdfast.machine import handover
from holdfast.machine.handover import Channel, Flow
from holdfast.machine.process.identity import identify
from holdfast.machine.process.wait import open_death
from holdfast.statefile import Held

LEAVES_WITHIN = 10.0
"""Seconds a watchdog has to leave once it is asked to."""


def take_lock(home: Home, *, take_over: bool) -> Held:
    """Take the watchdog's lock; with `take_over` from a watchdog that guards now, which leaves all as it is.

    Raises:
        LockHeld: another watchdog guards, and was not asked to leave or did not.
    """
    try:
        return statefile.hold(home.watchdog_lock)
    except LockHeld as error:
        if not take_over or error.holder is None:
            raise
        if not relieve(home, error.holder, within=LEAVES_WITHIN):
            raise LockHeld(
                f"the watchdog (process {error.holder}) was asked to leave and did not in {LEAVES_WITHIN:g} s; end it first",
                holder=error.holder,
            ) from error
        return statefile.hold(home.watchdog_lock)


def relieve(home: Home, pid: int, *, within: float) -> bool:
    """Ask the watchdog to leave, and tell whether it is gone in so many seconds."""
    if sys.platform == "win32":
        return False
    identity = identify(pid)
    death = open_death(identity) if identity is not None else None
    if death is None:
        return True
    channel = handover.call(home.watchdog_socket, lambda _name: None)
    try:
        if channel is None or not _asked_to_leave(channel):
            return False
        poll = select.poll()
        poll.register(death.fileno(), select.POLLIN)
        return bool(poll.poll(within * 1000))
    finally:
        death.close()
        if channel is not None:
            channel.close()


def _asked_to_leave(channel: Channel) -> bool:
    channel.post({"leave": True})
    try:
        return channel.flush() is Flow.DONE
    except ConnectionError:  # it is leaving already
        return True
