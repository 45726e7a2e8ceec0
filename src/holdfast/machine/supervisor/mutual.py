"""The supervisor's half of the mutual watch: a watchdog that died or hangs is replaced."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable
from typing import Any, Protocol

from holdfast import statefile
from holdfast.clock import Clock, boot_id, utc_text
from holdfast.errors import HoldfastError, LockHeld, StateError
from holdfast.home import Home
from holdfast.machine.process.identity import stat
from holdfast.machine.process.tree import Member, signal_member
from holdfast.machine.supervisor.custody import Custody
from holdfast.machine.supervisor.notes import Notes
from holdfast.model.service import Now
from holdfast.rules import guarding

_KILL = 9

KNOCK_EVERY = 0.05
"""Seconds between two tries to reach a watchdog that is about to listen."""

GRACE = 0.3
"""Seconds in which another watchdog may come by itself after one died: systemd starts its own."""

GRACE_AFTER_LEAVING = 5.0
"""The same after one that left in order: then another was to take over."""

MUTE_FOR = 60.0
"""Seconds a new watchdog may take before it answers."""

LOOK_EVERY = 30.0
"""Seconds between two looks at the watchdog's heartbeat."""


class Ground(Protocol):
    """What it stands on; the parts of a supervisor have all of it."""

    @property
    def home(self) -> Home:
        """Return the home whose watchdog this is."""

    @property
    def clock(self) -> Clock:
        """Return the clock."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """Return the loop."""

    @property
    def notes(self) -> Notes:
        """Return where it is written down."""


class Mutual:
    """Sees to it that there is a watchdog; `start_watchdog` starts one and returns its pid at once."""

    def __init__(
        self, ground: Ground, custody: Custody, start_watchdog: Callable[[], int]
    ) -> None:
        self.ground = ground
        self.custody = custody
        self.start_watchdog = start_watchdog
        self.is_stopped = False
        self._name = "gone"
        self._since = ground.clock.wall()
        self._started = 0
        self._newborn: Member | None = None
        self._newborn_at = 0.0
        self._failed = 0
        self._judged = guarding.Guard()
        self._stale = 0
        self._look_due = 0.0
        self._why = ""
        self._knocking: asyncio.TimerHandle | None = None
        self._looking: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to watch; a supervisor that had to be replaced is told of once."""
        if self.custody.fate is not None:
            facts = {"severity": "critical", **_without_times(self.custody.fate)}
            self.ground.notes.event("supervisor.restarted", "supervisor", facts)
        self.custody.on_lost = self._lost
        self.custody.on_welcome = self._welcomed
        self._look_later()
        if self.custody.watchdog_pid is not None:
            self._enter("running")
        else:
            self._why = "there was none"
            self._seek(GRACE)

    def stop(self) -> None:
        """Start no watchdog any more: the supervisor ends."""
        self.is_stopped = True
        for timer in (self._knocking, self._looking):
            if timer is not None:
                timer.cancel()
        if self._newborn is not None and self.custody.watchdog_pid is None:
            # It would find nobody to guard, and start another supervisor.
            signal_member(self._newborn, signal.SIGTERM)
        if self._name == "running":
            self._enter("stopping")

    def state(self) -> dict[str, object]:
        """Return the watchdog's pid, state (starting, running, stopping, gone) and since when, for `status`."""
        return {
            "pid": self.custody.watchdog_pid,
            "state": self._name,
            "since": utc_text(self._running_since() or self._since),
        }

    def _running_since(self) -> float:
        return self.custody.watchdog_since if self._name == "running" else 0.0

    def _enter(self, name: str) -> None:
        if name != self._name:
            self._name, self._since = name, self.ground.clock.wall()

    def _lost(self, was_left: bool) -> None:
        if self._name not in ("running", "stopping"):
            return  # one that was called and went before it answered: the search goes on
        self._enter("gone")
        self._why = "it left" if was_left else "it died"
        if not self.is_stopped:
            self._seek(GRACE_AFTER_LEAVING if was_left else GRACE)

    def _welcomed(self) -> None:
        pid = self.custody.watchdog_pid
        is_ours = pid == self._started
        facts: dict[str, object] = {"pid": pid, "why": self._why}
        if is_ours or self._why == "it died":
            facts = {"severity": "warning", **facts}
        kind = "watchdog.restarted" if is_ours else "watchdog.replaced"
        self._started, self._failed, self._stale = 0, 0, 0
        self._enter("running")
        self.ground.notes.event(kind, "watchdog", facts)

    def _seek(self, grace: float) -> None:
        self._started = 0
        if self._knocking is not None:  # of the search before, which found one that is lost again
            self._knocking.cancel()
        self._knock(self.ground.loop.time() + grace)

    def _knock(self, start_at: float) -> None:
        """Try to reach a watchdog; start one when none has come by `start_at` and none holds the lock."""
        if self.is_stopped or self.custody.watchdog_pid is not None:
            return
        if not self.custody.call() and self.ground.loop.time() >= start_at:
            start_at = self._start_one()
        self._knocking = self.ground.loop.call_later(KNOCK_EVERY, self._knock, start_at)

    def _start_one(self) -> float:
        """Start a watchdog unless one is on its way; return when the next may be started."""
        now = self.ground.loop.time()
        if self._started and _lives(self._started):
            self._end_if_mute(now)
            return now
        if self._holder() is not None:
            return now + guarding.LONGEST_BACKOFF
        pause = guarding.backoff(self._failed)
        self._failed += 1
        self._enter("starting")
        try:
            self._started = self.start_watchdog()
            found = stat(self._started)
            if found is not None:
                self._newborn = Member(pid=found.pid, start_ticks=found.start_ticks)
                self._newborn_at = now
        except (HoldfastError, OSError) as error:
            facts: dict[str, object] = {"severity": "critical", "why": str(error)}
            self.ground.notes.event("watchdog.failed", "watchdog", facts)
        return now + pause

    def _end_if_mute(self, now: float) -> None:
        """Kill a watchdog that was started long ago and never came to answer, so that another may be started."""
        if self._newborn is not None and now - self._newborn_at > MUTE_FOR:
            signal_member(self._newborn, _KILL)

    def _look_later(self) -> None:
        self._look_due = self.ground.loop.time() + LOOK_EVERY
        self._looking = self.ground.loop.call_later(LOOK_EVERY, self._look)

    def _look(self) -> None:
        """Look at the watchdog's heartbeat; one that is stale three times in a row is killed, and so replaced."""
        late_by = self.ground.loop.time() - self._look_due
        self._look_later()  # first: whatever fails in this look, there is a next one
        pid = self._holder()
        if pid is not None and self._is_stale(pid):
            self._stale += late_by <= LOOK_EVERY / 2
        else:
            self._stale = 0
        if pid is not None and self._stale >= guarding.Policy().failures:
            self._stale = 0
            self._kill(pid)

    def _is_stale(self, pid: int) -> bool:
        clock = self.ground.clock
        now = Now(wall=clock.wall(), mono=clock.monotonic(), boot_id=boot_id())
        if self._judged.pid != pid:
            self._judged = guarding.found(self._judged, pid, now)
        content: object = None
        with contextlib.suppress(OSError, StateError):
            content = statefile.read_json(self.ground.home.heartbeat("watchdog"))
        interval = guarding.interval_of(content)
        signs = (guarding.beat_of(content), self._word_of(pid, now))
        return all(guarding.is_watchdog_stale(self._judged, sign, interval, now) for sign in signs)

    def _word_of(self, pid: int, now: Now) -> guarding.Beat | None:
        """Return the watchdog's last word as a sign of life: a disk that takes no heartbeat is no death."""
        if pid != self.custody.watchdog_pid:
            return None
        quiet_for = self.ground.loop.time() - self.custody.heard_at
        return guarding.Beat(
            pid=pid, wall=now.wall - quiet_for, mono=now.mono - quiet_for, boot_id=now.boot_id
        )

    def _holder(self) -> int | None:
        """Return the pid of the watchdog that holds the lock, None when none does or it has not said so yet."""
        with contextlib.suppress(LockHeld, StateError):
            return statefile.holder(self.ground.home.watchdog_lock)
        return None

    def _kill(self, pid: int) -> None:
        """Kill a hung watchdog: the process that holds the lock, and no other that bears its number."""
        if sys.platform != "linux" or pid == os.getpid():
            return
        try:
            pidfd = os.pidfd_open(pid)
        except OSError:
            return
        try:
            if self._holder() == pid:
                self.ground.notes.event(
                    "watchdog.hung", "watchdog", {"severity": "warning", "pid": pid}
                )
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        except ProcessLookupError:
            return
        finally:
            os.close(pidfd)


def _lives(pid: int) -> bool:
    found = stat(pid)
    return found is not None and not found.is_gone


def _without_times(fate: Any) -> dict[str, object]:
    return {("died_at" if key == "at" else key): value for key, value in fate.items()}
