"""What the watchdog shows of itself: heartbeat, status file, log, and words to systemd."""

import contextlib
import json
import os

from holdfast import statefile
from holdfast.client.beat import notify
from holdfast.clock import Clock, boot_id, utc_text
from holdfast.errors import StateError
from holdfast.home import Home
from holdfast.rules.guarding import Verdict
from holdfast.statefile import Durability

LOG_SIZE = 10_000_000
LOGS_KEPT = 5

LOCK_WAIT = 0.5
"""Seconds a write may wait for another writer of the same file; nothing in the watchdog may keep it longer."""

SHOWN_AGAIN_AFTER = 0.1
"""Seconds in which the same is not written twice: in a burst of messages the loop turns a thousand times a second."""

BEATS_IN_A_LEASE = 3


class Signs:
    """Writes what others judge the watchdog by; a disk that refuses costs the sign, never the watchdog."""

    def __init__(self, home: Home, clock: Clock) -> None:
        self.home = home
        self.clock = clock
        self.verdict: Verdict | None = None
        self._services = 0
        self._shown_mono = float("-inf")
        self._pinged_mono = float("-inf")
        self._ping_every = _ping_every()

    def show(self, verdict: Verdict, *, services: int, interval: float) -> None:
        """Write heartbeat and status; `services` is how many the supervisor watches over."""
        mono = self.clock.monotonic()
        is_news = verdict is not self.verdict or services != self._services
        if not is_news and mono - self._shown_mono < SHOWN_AGAIN_AFTER:
            return
        if verdict is not self.verdict:
            notify(f"STATUS=supervisor: {verdict}, services: {services}")
        self.verdict, self._services, self._shown_mono = verdict, services, mono
        self._write_status(verdict, services)
        now = self.clock.wall()
        beat = {
            "timestamp": now,
            "pid": os.getpid(),
            "status": "running",
            "interval": interval,
            "expires_at": now + BEATS_IN_A_LEASE * interval,
            "generation": 1,
            "boot_id": boot_id(),
            "error": None,
            "mono": mono,
        }
        with contextlib.suppress(StateError):
            statefile.write_json(
                self.home.heartbeat("watchdog"),
                beat,
                durability=Durability.ATOMIC,
                mode=0o600,
                wait_for=LOCK_WAIT,
            )

    def arrive(self) -> None:
        """Write the pid file other tools read."""
        with contextlib.suppress(StateError):
            statefile.write_atomic(
                self.home.pid("watchdog"),
                f"{os.getpid()}\n",
                durability=Durability.ATOMIC,
                mode=0o600,
                wait_for=LOCK_WAIT,
            )

    def leave(self) -> None:
        """Say that the watchdog ended in order, and take its own files away, and only its own."""
        notify("STOPPING=1")
        self._write_status(Verdict.STOPPED, 0)
        self._remove_own()

    def ready(self) -> None:
        """Tell systemd that the supervisor takes orders."""
        notify("READY=1")

    def ping(self, mono: float, *, is_in_control: bool) -> float | None:
        """Tell systemd in time that the watchdog does its work; return when the next word is due, if ever."""
        if self._ping_every is None:
            return None
        due = self._pinged_mono + self._ping_every
        if mono < due:
            return due
        self._pinged_mono = mono
        if is_in_control:
            notify("WATCHDOG=1")
        return mono + self._ping_every

    def tell(self, kind: str, subject: str, **facts: object) -> None:
        """Write a line into the watchdog's log."""
        told = " ".join(
            f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in facts.items()
        )
        line = f"{utc_text(self.clock.wall())} {kind} {subject} {told}".rstrip()
        with contextlib.suppress(StateError):
            statefile.append_line(
                self.home.logs / "watchdog.log", line, max_size=LOG_SIZE, keep=LOGS_KEPT
            )

    def _write_status(self, verdict: Verdict, services: int) -> None:
        status = {
            "status": verdict,
            "daemon_count": services,
            "last_check": self.clock.wall(),
            "pid": os.getpid(),
        }
        with contextlib.suppress(StateError):
            statefile.write_json(
                self.home.watchdog_status,
                status,
                durability=Durability.ATOMIC,
                mode=0o600,
                wait_for=LOCK_WAIT,
            )

    def _remove_own(self) -> None:
        with contextlib.suppress(OSError, StateError):
            beat = statefile.read_json(self.home.heartbeat("watchdog"))
            if isinstance(beat, dict) and beat.get("pid") == os.getpid():
                self.home.heartbeat("watchdog").unlink(missing_ok=True)
        with contextlib.suppress(OSError, ValueError):
            path = self.home.pid("watchdog")
            if int(path.read_text(encoding="ascii")) == os.getpid():
                path.unlink(missing_ok=True)


def _ping_every() -> float | None:
    """Return half the time systemd waits for a word, as sd_watchdog_enabled(3) advises; None when it waits for none."""
    told = os.environ.get("WATCHDOG_USEC", "")
    meant_for = os.environ.get("WATCHDOG_PID", "")
    is_ours = meant_for in ("", str(os.getpid()))
    return int(told) / 2_000_000 if told.isdecimal() and int(told) > 0 and is_ours else None
