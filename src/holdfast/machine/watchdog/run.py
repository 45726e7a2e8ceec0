"""The watchdog's loop: it sleeps until the supervisor dies, somebody speaks, a signal comes, or something is due."""

import contextlib
import math
import os
import select
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from types import FrameType

from holdfast.clock import Clock
from holdfast.home import Home
from holdfast.machine.handover import Flow, unavailable
from holdfast.machine.process.spawn import Spawned
from holdfast.machine.watchdog.callers import Callers
from holdfast.machine.watchdog.charge import Charge, Launcher
from holdfast.machine.watchdog.duty import Duty, Reply
from holdfast.machine.watchdog.orphans import Orphans
from holdfast.machine.watchdog.signs import Signs
from holdfast.machine.watchdog.talk import Talk
from holdfast.machine.watchdog.vault import Vault
from holdfast.rules import guarding

PIPE_BYTES = 1 << 16

CROWDED_FOR = 0.05
"""Seconds after which sending is tried again when too many descriptors were under way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """What a watchdog is for: a home, how its supervisor is started, and who waits for it to get ready."""

    home: Home
    clock: Clock
    launch: Launcher
    reply: Reply | None = None


def run(orders: Orders) -> int:
    """Guard the supervisor of a home until told to leave; return the exit code. The caller holds the watchdog's lock.

    Raises:
        HoldfastError: nobody could call here, so nothing was started.
    """
    if sys.platform != "linux":
        raise unavailable()
    return Watchdog(orders).run()


class Watchdog:
    """One thread, one poll, no waiting anywhere else: a signal ends it at once."""

    def __init__(self, orders: Orders) -> None:
        self.home = orders.home
        self.clock = orders.clock
        self.signs = Signs(orders.home, orders.clock)
        self.vault = Vault()
        self.orphans = Orphans()
        self.callers = Callers(lambda: orders.home.watchdog_socket, self.vault)
        self.charge = Charge(orders.home.supervisor_lock, self._launch)
        self.duty = Duty(orders.home, orders.clock, self.charge, self.signs, orders.reply)
        self.talk = Talk(self.callers, self.vault, self.orphans, self.duty)
        self._start = orders.launch
        self._woken, self._wake = os.pipe()
        self._ping_due: float | None = None

    def run(self) -> int:
        """Serve until there is nothing left to do, and return the exit code."""
        self._hear_signals()
        self.callers.open()
        self.signs.arrive()
        self.signs.tell("watchdog.started", "watchdog", pid=os.getpid())
        self.duty.begin()
        while self.duty.outcome is None:
            self._show()
            self._sleep(self.talk.flush())
            self._turn()
        self._leave()
        return self.duty.outcome

    def _launch(self, tell: int) -> Spawned:
        self.callers.open()  # whoever is started now must be able to call
        return self._start(tell)

    def _hear_signals(self) -> None:
        if sys.platform == "win32":
            return
        os.set_blocking(self._woken, False)
        os.set_blocking(self._wake, False)
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, self._told_to_end)
        signal.signal(signal.SIGINT, self._told_to_end)
        signal.signal(signal.SIGHUP, lambda _number, _frame: None)
        signal.signal(signal.SIGCHLD, self._child_died)

    def _told_to_end(self, _number: int, _frame: FrameType | None) -> None:
        self.duty.quit()

    def _child_died(self, _number: int, _frame: FrameType | None) -> None:
        self.orphans.hear(self.clock.monotonic())

    def _show(self) -> None:
        """Show that the watchdog lives, just before it sleeps."""
        guard = self.duty.guard
        self.signs.show(
            guarding.verdict(guard),
            services=self.duty.services,
            interval=self.duty.policy.check_every,
        )
        self._ping_due = self.signs.ping(
            self.clock.monotonic(), is_in_control=guarding.is_in_control(guard)
        )

    def _sleep(self, held_up: Mapping[int, Flow]) -> None:
        if sys.platform == "win32":
            return
        poll = select.poll()
        own = (self._woken, self.charge.death_fd, self.charge.told_fd)
        for fd in (*own, *self.callers.filenos()):
            if fd >= 0:
                writable = select.POLLOUT if held_up.get(fd) is Flow.FULL else 0
                poll.register(fd, select.POLLIN | writable)
        dues = self.duty.dues() + [
            due for due in (self.orphans.due_mono, self._ping_due) if due is not None
        ]
        left = max(0.0, min(dues) - self.clock.monotonic())
        if Flow.CROWDED in held_up.values():
            left = min(left, CROWDED_FOR)
        poll.poll(math.ceil(left * 1000))
        with contextlib.suppress(BlockingIOError):
            os.read(self._woken, PIPE_BYTES)

    def _turn(self) -> None:
        """Hear first what was said: the last words of a dead supervisor decide what follows its death."""
        self.talk.listen()
        self.duty.hear_answer()
        how = self.charge.collect()
        if how is not None:
            while self.talk.listen():
                pass
            self.orphans.hear(self.clock.monotonic())
            self.duty.mourn(how)
        if self.orphans.due_mono is not None and self.orphans.due_mono <= self.clock.monotonic():
            self.talk.tell_exits(self.orphans.reap(self.charge.pid))
        if self.duty.outcome is None and self.duty.take_time():
            self.talk.tell_alive()

    def _leave(self) -> None:
        """End in order: nothing but what is the watchdog's own is touched."""
        self.duty.say_goodbye()
        self.talk.say_goodbye()
        self.signs.leave()
        self.callers.close()
        with contextlib.suppress(OSError):  # somebody else's files stand there still
            self.home.watchdog_socket.parent.rmdir()
        self.signs.tell("watchdog.stopped", "watchdog", pid=os.getpid())
