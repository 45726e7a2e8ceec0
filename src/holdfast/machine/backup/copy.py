"""Snapshots by Holdfast itself: a folder for each, in which a file that did not change is the same file as before.

A repository holds `HOST/PROJECT/ID/`: the files under `files/`, and the manifest. A snapshot is made in `.making-ID` and
renamed once all of it is on disk; one that goes is renamed to `.going-ID` first. So what bears an id is whole.
"""

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import holdfast
from holdfast.clock import Clock, SystemClock
from holdfast.errors import LockHeld, Refused, StateError, UnknownName
from holdfast.machine.backup.copy_restore import restore
from holdfast.machine.backup.copy_take import Making, Past, take
from holdfast.machine.backup.copy_verify import damaged_in, verify
from holdfast.machine.backup.engine import (
    BackupFailed,
    Phase,
    Progress,
    ProjectMissing,
    Report,
    RepositoryMissing,
    RepositoryUnusable,
    Restored,
    Verdict,
    silent,
)
from holdfast.machine.backup.manifest import Entry, Head, entries_of, head_of
from holdfast.machine.backup.place import MARKER, may_restore_to, repository_of
from holdfast.machine.backup.scan import scan
from holdfast.machine.backup.tree import remove, rename
from holdfast.model.backup import BackupSpec, EngineName, Snapshot, Taken
from holdfast.statefile import hold, write_json

MAKING = ".making-"
GOING = ".going-"
_LOCK = "lock"
_FULL = (errno.ENOSPC, errno.EDQUOT)


class Copy:
    """The engine that needs nothing installed."""

    name = EngineName.COPY

    def __init__(self, spec: BackupSpec, *, clock: Clock | None = None) -> None:
        self._spec = spec
        self._clock = clock or SystemClock()
        host = (spec.host or _this_host()).replace("/", "_").lstrip(".") or "host"
        self._folder = os.path.join(spec.repository, host, spec.name)

    def version(self) -> str:
        """Return the version of Holdfast."""
        return holdfast.__version__

    def exists(self) -> bool:
        """Tell whether the repository is there."""
        return repository_of(self._spec.repository) is EngineName.COPY

    def init(self) -> bool:
        """Make the repository where there is none, and tell whether it did.

        Raises:
            Refused: the folder holds something else.
        """
        if self.exists():
            return False
        place = self._spec.repository
        with self._told():
            if os.path.isdir(place) and any(map(_is_foreign, os.listdir(place))):
                raise Refused(
                    f"{place} holds something that is no repository of Holdfast; choose an empty folder, or one that is not there"
                )
            os.makedirs(place, mode=0o700, exist_ok=True)
            write_json(os.path.join(place, MARKER), {"format": 1}, mode=0o600)
        return True

    def backup(self, report: Report = silent) -> Taken:
        """Make a snapshot of the project as it is now, unless the newest one is the same.

        Raises:
            ProjectMissing: the folder is not there, or is none.
        """
        self._require()
        project = os.path.realpath(self._spec.path)
        began = self._clock.wall()
        with self._told(), self._alone():
            self._sweep()
            try:
                found = scan(
                    project, self._spec.exclude, os.path.realpath(self._spec.repository), report
                )
            except OSError as error:
                raise ProjectMissing(
                    f"{self._spec.path} is no folder that can be read ({error.strerror}); it was expected to be the project of backup {self._spec.name}",
                    path=self._spec.path,
                ) from error
            moment = datetime.fromtimestamp(began, UTC).strftime("%Y%m%dT%H%M%SZ")
            name = f"{moment}-{secrets.token_hex(3)}"
            making = Making(
                id=name,
                at=began,
                project=project,
                folder=os.path.join(self._folder, MAKING + name),
                report=report,
            )
            try:
                head, is_new = take(making, found, self._past(began))
                if is_new:
                    rename(self._folder, MAKING + name, name)
            finally:
                remove(making.folder)
        return Taken(snapshot=head.snapshot(), began_at=began, is_new=is_new)

    def _past(self, now: float) -> Past | None:
        """Return the newest whole snapshot, whose files are linked to where they are still the same.

        One that is dated in the future is the last choice: nobody knows when it was made.
        """
        heads = sorted(self._heads(), key=lambda head: (head.at <= now, head.at))
        for head in reversed(heads):
            folder = os.path.join(self._folder, head.id)
            entries = entries_of(folder, head)
            if entries is not None:
                return Past(head, folder, entries, damaged_in(folder), head.at > now)
        return None

    def snapshots(self) -> tuple[Snapshot, ...]:
        """Return the whole snapshots, oldest first."""
        self._require()
        return tuple(head.snapshot() for head in self._heads())

    def _heads(self) -> list[Head]:
        found = (head_of(os.path.join(self._folder, name)) for name in self._names())
        return sorted((head for head in found if head), key=lambda head: (head.at, head.id))

    def _names(self) -> list[str]:
        """Return the ids of all that was ever made whole and is still there, damaged or not."""
        try:
            names = os.listdir(self._folder)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise self._unusable(error) from error
        return sorted(filter(self._has, names))

    def measured(self, snapshot: Snapshot) -> Snapshot:
        """Return the snapshot; its manifest told all."""
        return snapshot

    def verify(
        self, snapshot: str, part: int | None, parts: int, report: Report = silent
    ) -> Verdict:
        """Read a part of the stored files and compare them with the manifest; None reads all of all snapshots."""
        self._require()
        with self._told():
            ids = [snapshot] if part is not None else self._names()
            found = [self._looked_into(one) for one in ids]
            return verify(snapshot, found, part=part, parts=parts, report=report)

    def restore(
        self, snapshot: str, to: str, report: Report = silent, *, force: bool = False
    ) -> Restored:
        """Bring a snapshot back into a folder.

        Raises:
            UnknownName: no snapshot has that id.
            Refused: the folder is not empty, and not `force`.
        """
        self._require()
        folder, entries = self._open(snapshot)
        may_restore_to(to, force=force)
        try:
            return restore(snapshot, folder, entries, to, report)
        except OSError as error:
            where = (
                "is full" if error.errno in _FULL else f"cannot be used: {error.strerror or error}"
            )
            raise BackupFailed(
                f"{to} {where} ({error.filename or to}), and what stands there now is not whole"
            ) from error

    def _open(self, snapshot: str) -> tuple[str, dict[str, Entry]]:
        folder, entries = self._looked_into(snapshot)
        if entries is None:
            raise RepositoryUnusable(
                f"the manifest of snapshot {snapshot} is damaged; its files stand in {folder}",
                cause="damaged",
            )
        return folder, entries

    def _looked_into(self, snapshot: str) -> tuple[str, dict[str, Entry] | None]:
        """Return the folder of a snapshot and its entries, None where its manifest is damaged."""
        if not self._has(snapshot):
            raise UnknownName(f"{self._spec.name}: there is no snapshot {snapshot}")
        folder = os.path.join(self._folder, snapshot)
        head = head_of(folder)
        return folder, None if head is None else entries_of(folder, head)

    def forget(self, snapshots: Sequence[str], report: Report = silent) -> None:
        """Remove these snapshots; files that others hold too stay with them."""
        self._require()
        with self._told(), self._alone():
            for count, name in enumerate(snapshots):
                report(Progress(phase=Phase.FORGET, files=count, files_total=len(snapshots)))
                if not _is_name(name):
                    raise UnknownName(f"{self._spec.name}: {name!r} is no snapshot")
                if not self._has(name):
                    continue
                rename(self._folder, name, GOING + name)
                remove(os.path.join(self._folder, GOING + name))

    def _has(self, snapshot: str) -> bool:
        return _is_name(snapshot) and os.path.isdir(os.path.join(self._folder, snapshot))

    def unlock_stale(self) -> bool:
        """Return False: these locks die with their process."""
        return False

    def _require(self) -> None:
        if not self.exists():
            raise RepositoryMissing(
                f"there is no repository at {self._spec.repository}; is its disk mounted?",
                repository=self._spec.repository,
            )

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the snapshots of this project, so that only one makes or removes any."""
        os.makedirs(self._folder, mode=0o700, exist_ok=True)
        try:
            held = hold(os.path.join(self._folder, _LOCK))
        except LockHeld as error:
            raise RepositoryUnusable(
                f"another run has the snapshots of {self._spec.name}: {error}", cause="locked"
            ) from error
        with held:
            yield

    def _sweep(self) -> None:
        """Remove what a run that was killed left."""
        for name in os.listdir(self._folder):
            if name.startswith((MAKING, GOING)):
                remove(os.path.join(self._folder, name))

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Say what the system refused in the repository."""
        try:
            yield
        except StateError as error:
            raise RepositoryUnusable(str(error), cause="unreachable") from error
        except OSError as error:
            raise self._unusable(error) from error

    def _unusable(self, error: OSError) -> BackupFailed:
        place = self._spec.repository
        if error.errno in _FULL:
            return RepositoryUnusable(
                f"{place} is full ({error.strerror}); make room there; the snapshots before are as they were",
                cause="full",
            )
        return RepositoryUnusable(
            f"{place} cannot be used: {error.strerror or error} ({error.filename or place})",
            cause="unreachable",
        )


def _is_name(snapshot: str) -> bool:
    return bool(snapshot) and snapshot[0] != "." and os.sep not in snapshot


def _is_foreign(name: str) -> bool:
    """Tell whether a name is none that a killed `init` may have left."""
    return not name.startswith(f".{MARKER.partition('.')[0]}")


def _this_host() -> str:
    import socket

    return socket.gethostname()
