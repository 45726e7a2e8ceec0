"""The life of the built-in service `backup`: its loop, its heartbeat, and how it reaches the supervisor."""

import contextlib
import select
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType

from holdfast.client.beat import beat, ready, stopping
from holdfast.clock import Clock
from holdfast.control import ControlClient
from holdfast.errors import HoldfastError, NotRunning, StateError, UnknownName
from holdfast.home import Home
from holdfast.machine.backup import record, telling
from holdfast.machine.backup.telling import Told
from holdfast.machine.backup.watcher import Answer, Watcher
from holdfast.machine.watch.eyes import Eyes, open_notifier
from holdfast.model.job import Trigger
from holdfast.model.project import Project
from holdfast.rules.backups import newest_valid

BEAT_EVERY = 30.0
"""Seconds between two beats while nothing changes."""

ANSWER_WITHIN = 10.0
"""Seconds the supervisor has to take an order."""


def serve(home: Home, clock: Clock) -> None:
    """Watch the projects in force until told to end; they are read again when they change, and at a SIGHUP."""
    supervisor = Supervisor(home)
    with _Signals() as signals, contextlib.closing(Eyes(open_notifier)) as eyes:
        watcher = Watcher(eyes, clock, supervisor)
        pulse = _Pulse(home, clock, watcher)
        ready()
        in_force: object = None
        while not signals.is_over:
            before, in_force = in_force, _changed(home.config_pointer)
            if signals.take_reread() or before != in_force:
                pulse.projects = record.projects(home)
                watcher.watch(pulse.projects)
            watcher.look()
            pulse.beat()
            signals.wait(watcher.every)
        stopping()


class Supervisor:
    """The supervisor of this home, as the watcher needs it."""

    def __init__(self, home: Home) -> None:
        self.home = home

    def order(self, name: str) -> Answer:
        """Have a project backed up."""
        params = {"name": name, "wait": False, "trigger": Trigger.CHANGE.value}
        try:
            with ControlClient(self.home.control_socket, timeout=ANSWER_WITHIN) as control:
                control.call("job_run", params)
        except NotRunning:
            return Answer.LATER
        except UnknownName:
            return Answer.UNKNOWN
        except HoldfastError:  # one run is under way and one waits already: it scans everything
            return Answer.TAKEN
        return Answer.TAKEN

    def tell(self, events: Sequence[Told]) -> bool:
        """Write events into the journal."""
        return telling.tell(self.home, events)

    def under_way(self, names: Sequence[str]) -> int:
        """Return how many of these projects are being backed up."""
        return sum(record.running(self.home, name) is not None for name in names)


class _Pulse:
    """Beats now and then, and at once when there is something new to say."""

    def __init__(self, home: Home, clock: Clock, watcher: Watcher) -> None:
        self.home = home
        self.clock = clock
        self.watcher = watcher
        self.projects: tuple[Project, ...] = ()
        self._next_mono = 0.0
        self._was_degraded: dict[str, str] = {}
        self._was_changed: object = None

    def beat(self) -> None:
        mono, changed = self.clock.monotonic(), _changed(self.home.backups)
        is_news = (self._was_degraded, self._was_changed) != (self.watcher.degraded, changed)
        if mono < self._next_mono and not is_news:
            return
        self._next_mono, self._was_changed = mono + BEAT_EVERY, changed
        self._was_degraded = dict(self.watcher.degraded)
        names = [one.name for one in self.projects]
        running = [name for name in names if record.running(self.home, name) is not None]
        shown = newest(self.home, names)
        lost = "; ".join(f"{name}: {why}" for name, why in self._was_degraded.items())
        beat(
            "error" if lost else "syncing" if running else "healthy",
            error=f"not watched, backed up by schedule only: {lost}" if lost else shown.error,
            interval=BEAT_EVERY,
            project=running[0] if running else shown.project,
            last_backup=shown.at,
            last_backup_files=shown.files,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Newest:
    """The project whose snapshot is newest, what that covers, and what the last attempts of all failed of."""

    project: str | None = None
    at: float | None = None
    files: int | None = None
    error: str | None = None


def newest(home: Home, names: Sequence[str]) -> Newest:
    """Return what the heartbeat tells beside how the service itself does."""
    best = Newest()
    errors = []
    for name in names:
        try:
            found = record.read(home, name)
        except StateError as error:
            errors.append(str(error))
            continue
        if found.last_error:
            errors.append(f"{name}: {found.last_error}")
        if found.covered_at is not None and found.covered_at >= (best.at or 0.0):
            snapshot = newest_valid(found.snapshots)
            best = Newest(
                project=name, at=found.covered_at, files=snapshot.files if snapshot else None
            )
    return replace(best, error="; ".join(errors) or None)


def _changed(path: Path) -> tuple[int, int] | None:
    """Return what is another with each new version of a file, and with each file of a folder that comes or goes."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


class _Signals:
    """What signals ask of this process, and a wait that they end."""

    def __init__(self) -> None:
        self.is_over = False
        self._rereads = True  # also at the start
        self._before: dict[int, object] = {}
        self._reader, self._writer = socket.socketpair()

    def __enter__(self) -> "_Signals":
        for one in (self._reader, self._writer):
            one.setblocking(False)
        self._waker = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        for number in _ending():
            self._before[number] = signal.signal(number, self._end)
        if sys.platform != "win32":
            self._before[signal.SIGHUP] = signal.signal(signal.SIGHUP, self._reread)
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal.signal gave
        signal.set_wakeup_fd(self._waker)
        self._reader.close()
        self._writer.close()

    def take_reread(self) -> bool:
        """Tell, once, whether the projects are to be read."""
        wanted, self._rereads = self._rereads, False
        return wanted

    def wait(self, seconds: float) -> None:
        """Wait, but not past a signal."""
        if self.is_over or self._rereads:
            return
        if select.select([self._reader], [], [], seconds)[0]:
            with contextlib.suppress(BlockingIOError):
                self._reader.recv(4096)

    def _end(self, _number: int, _frame: FrameType | None) -> None:
        self.is_over = True

    def _reread(self, _number: int, _frame: FrameType | None) -> None:
        self._rereads = True


def _ending() -> Iterator[int]:
    yield signal.SIGTERM
    yield signal.SIGINT
