"""One run of the backup of one project: a snapshot, what is too old forgotten, a part read back, all of it written down."""

import contextlib
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from types import FrameType

from holdfast import statefile
from holdfast.clock import Clock, SystemClock
from holdfast.errors import HoldfastError, LockHeld, Refused, StateError
from holdfast.home import Home
from holdfast.machine.backup import evidence, record, telling
from holdfast.machine.backup.engine import (
    BackupFailed,
    Engine,
    Progress,
    Report,
    RepositoryMissing,
    RepositoryUnusable,
    choose,
    silent,
)
from holdfast.machine.backup.place import inside, is_remote
from holdfast.machine.backup.progress import ProgressFile
from holdfast.machine.backup.retention import local_in, prune
from holdfast.machine.backup.telling import Told
from holdfast.model.backup import HOUR, BackupSpec, EngineName, Taken
from holdfast.rules import backups as rules

ENDED_BY_SIGNAL = 128
"""What a signal adds to its number in the exit code, as shells have it."""

FORGET_EVERY = HOUR
"""Seconds the oldest snapshot nobody needs may stay: removing is dear, and a project may be backed up each minute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """What a run needs of the world; `say` takes a line for whoever reads the output."""

    clock: Clock
    choose: Callable[[BackupSpec], Engine] = choose
    tell: Callable[[Home, Sequence[Told]], bool] = telling.tell
    say: Callable[[str], None] = print
    report: Report = silent


def run(home: Home, name: str, clock: Clock | None = None) -> int:
    """Back a project up as the supervisor wants it, and return the exit code: 0 only with a snapshot that is believed.

    Raises:
        UnknownName: no project of that name is in force.
        LockHeld: it is being backed up by another process.
    """
    project = record.project(home, name)
    with ended_by_signals():
        return back_up(home, project, Ports(clock=clock or SystemClock()))


def back_up(home: Home, spec: BackupSpec, ports: Ports) -> int:
    """Back a project up; 0 when the snapshot it ends with is believed and nothing was found damaged, else 1.

    Raises:
        LockHeld: it is being backed up by another process.
    """
    with at_work(home, spec.name):
        return _Run(home, spec, ports).back_up()


def verify(home: Home, spec: BackupSpec, ports: Ports, *, whole: bool) -> int:
    """Read a part of the repository back, or all of it, restore a sample and compare; 0 when it is sound, else 1.

    Raises:
        LockHeld: another process is at work on the project.
    """
    with at_work(home, spec.name):
        return _Run(home, spec, ports).verify_only(whole=whole)


@contextlib.contextmanager
def at_work(home: Home, name: str) -> Iterator[None]:
    """Be the only process at work on a project.

    Raises:
        LockHeld: another one is.
    """
    try:
        held = statefile.hold(record.lock_of(home, name))
    except LockHeld as error:
        raise LockHeld(
            f"{name} is being backed up or verified (pid {error.holder}); wait for its end, see: holdfast job history {name}",
            holder=error.holder,
        ) from error
    with held:
        yield


@contextlib.contextmanager
def ended_by_signals() -> Iterator[None]:
    """Have a SIGTERM cancel what is under way as Ctrl-C does: what was begun is taken back, then the process ends."""

    def end(number: int, _frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_IGN)  # the way out is not to be interrupted
        raise SystemExit(ENDED_BY_SIGNAL + number)

    numbers = [signal.SIGTERM]
    if sys.platform != "win32":
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, end) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Run:
    """What one run has found so far; the record on disk follows it."""

    def __init__(self, home: Home, spec: BackupSpec, ports: Ports) -> None:
        self.home = home
        self.spec = spec
        self.ports = ports
        self.record = rules.moved(record.read_or_begin(home, spec.name), spec.repository)
        self.progress = ProgressFile(home, spec.name, ports.clock)
        self.engine: Engine | None = None
        self._events: list[Told] = []

    def back_up(self) -> int:
        """Do all of it."""
        self.record = rules.attempted(self.record, self._now())
        with self._written_down(), self._failures_remembered():
            self._save()
            taken = self._take()
            is_believed = self._is_believed(taken)
            if is_believed:
                self._forget()
            is_sound = self._verify_when_due()
        return 0 if is_believed and is_sound else 1

    def verify_only(self, *, whole: bool) -> int:
        """Look at the snapshots, and read a part of them back."""
        with self._written_down():
            self.engine = self.ports.choose(self.spec)
            self._observe()
            is_sound = self._verify(whole=whole)
        return 0 if is_sound else 1

    @contextlib.contextmanager
    def _written_down(self) -> Iterator[None]:
        """Show how far it is meanwhile, and write down what was found however it ends."""
        try:
            yield
        finally:
            self.progress.close()
            self._finish()

    @contextlib.contextmanager
    def _failures_remembered(self) -> Iterator[None]:
        """Take down that the backup came to nothing; one that was ended is no failure, its age will tell."""
        try:
            yield
        except HoldfastError as error:
            self._failed(str(error))
            raise
        except OSError as error:
            place = error.filename or self.spec.name
            self._failed(f"{place}: {error.strerror or error}")
            raise

    def _take(self) -> Taken:
        self.engine = engine = self.ports.choose(self.spec)
        self._prepare(engine)
        if not self.record.snapshots:  # it may hold some that nobody here remembers
            self._observe()
        taken = engine.backup(self._report)
        self.record = rules.taken(
            self.record, taken, self._now(), settle_after=self.spec.warning_after
        )
        return taken

    def _prepare(self, engine: Engine) -> None:
        """Make the repository of a new project; one that was there before and is gone is no new one.

        Raises:
            RepositoryMissing: it is gone.
        """
        self._refuse_itself()
        is_known = self.record.engine is not None
        if is_known and is_remote(self.spec.repository):
            return  # whether it is there is found out on the way
        if engine.exists():
            pass
        elif is_known:
            raise RepositoryMissing(
                f"the repository {self.spec.repository} is gone; bring it back (is the disk there?), "
                "or name another one as repository",
                repository=self.spec.repository,
            )
        elif engine.init():
            self.ports.say(f"{self.spec.repository}: made a new repository of {engine.name}")
            if engine.name is EngineName.RESTIC:
                self.ports.say(f"keep a copy of its password elsewhere: {self.spec.password_file}")
        self.record = replace(self.record, engine=engine.name, repository=self.spec.repository)

    def _refuse_itself(self) -> None:
        """Refuse a project within its own repository; the configuration, which compares words, cannot see through links."""
        spec = self.spec
        if not is_remote(spec.repository) and inside(spec.path, spec.repository):
            raise Refused(
                f"{spec.path} lies within its repository {spec.repository}; name another folder as repository"
            )

    def _is_believed(self, taken: Taken) -> bool:
        found, name = taken.snapshot, self.spec.name
        if not rules.is_success(self.record, taken):
            why = self.record.suspect or "the snapshot is not believed"
            self._failed(why)
            self.ports.say(f"{name}: failed: {why}")
            return False
        size = f"{found.files} files, {found.bytes} bytes"
        what = "made" if taken.is_new else "nothing changed since"
        self.ports.say(f"{name}: {what} snapshot {rules.short(found.id)} ({size})")
        return True

    def _forget(self) -> None:
        """Remove what is too old, one process for each repository; what does not work is tried with the next run."""
        engine, now = self.engine, self._now()
        needless = rules.forgettable(
            self.record.snapshots, self.spec.keep, local_in(self.spec.timezone)
        )
        oldest = [rules.ts(one) for one in self.record.snapshots if one.id in needless]
        if engine is None or not oldest or now - min(oldest) < FORGET_EVERY:
            return
        try:
            with statefile.hold(record.prune_lock_of(self.home, self.spec)):
                gone = prune(self.spec, engine, self.record, self._report)
        except LockHeld:
            return
        except BackupFailed as error:
            self._tell("backup.prune_failed", {"severity": "warning", "why": str(error)})
            self.ports.say(f"{self.spec.name}: old snapshots could not be removed: {error}")
            return
        left = tuple(one for one in self.record.snapshots if one.id not in gone)
        self.record = replace(self.record, snapshots=left)
        self._tell("backup.pruned", {"snapshots": list(gone), "left": len(left)})

    def _verify_when_due(self) -> bool:
        if not rules.is_verify_due(self.spec, self.record, self._now()):
            return True
        try:
            return self._verify(whole=False)
        except RepositoryUnusable as error:
            self.ports.say(f"{self.spec.name}: not verified this time: {error}")
            return True

    def _verify(self, *, whole: bool) -> bool:
        """Read back and compare.

        Raises:
            BackupFailed: there is nothing to read, or nobody can read it.
        """
        best = rules.newest_valid(self.record.snapshots)
        if self.engine is None or best is None:
            raise BackupFailed(f"{self.spec.name} has no snapshot that could be verified")
        part = None if whole else rules.next_part(self.record)
        verdict = self.engine.verify(best.id, part, rules.PARTS, self._report)
        why = "" if verdict.sound else verdict.why or "what was read back is not sound"
        self.record = rules.verified(self.record, why, self._now(), part=part)
        facts: dict[str, object] = {
            "snapshot": best.id,
            "part": part,
            "parts": rules.PARTS,
            "files": verdict.files,
            "bytes": verdict.bytes,
        }
        if why:
            self._tell("backup.damaged", {"severity": "critical", "why": why, **facts})
            self.ports.say(f"{self.spec.name}: damaged: {why}")
            return False
        self._tell("backup.verified", facts)
        read = "all of it" if whole else f"part {(part or 0) + 1} of {rules.PARTS}"
        self.ports.say(
            f"{self.spec.name}: verified {read}; {verdict.files} files restored and compared"
        )
        return True

    def _failed(self, why: str) -> None:
        self.record = rules.failed(self.record, why, self._now())
        self._tell("backup.failed", {"severity": "warning", "why": why})

    def _finish(self) -> None:
        """Look at what there is now, write it down and tell it; who is not there to hear it hears the next."""
        self._observe()
        rows = (*self._events, self._observation)
        is_told = self.ports.tell(self.home, rows)
        self.record = replace(self.record, told=is_told)
        self._save()

    def _save(self) -> None:
        """Remember what is known; a state folder that is full is no reason for no backup."""
        try:
            record.save(self.home, self.record)
        except StateError as error:
            self.ports.say(f"{self.spec.name}: what was found is not remembered: {error}")

    def _observe(self) -> None:
        self.record, facts = evidence.observe(self.spec, self.engine, self.record, self._now())
        del facts["at"]  # the event bears it
        self._observation = Told(kind="backup.observed", project=self.spec.name, facts=facts)

    def _tell(self, kind: str, facts: dict[str, object]) -> None:
        self._events.append(Told(kind=kind, project=self.spec.name, facts=facts))

    def _report(self, step: Progress) -> None:
        self.progress(step)
        self.ports.report(step)

    def _now(self) -> float:
        return self.ports.clock.wall()
