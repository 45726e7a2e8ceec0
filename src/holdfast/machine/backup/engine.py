"""What keeps snapshots, whichever program does it: the calls, how far one has come, and what can go wrong."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from holdfast.errors import HoldfastError, Refused
from holdfast.model.backup import BackupSpec, EngineName, Snapshot, Taken


class Phase(StrEnum):
    """What an engine is at."""

    SCAN = "scan"
    SAVE = "save"
    VERIFY = "verify"
    RESTORE = "restore"
    FORGET = "forget"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far it has come; totals and `percent` are None where they are not known, spans are seconds."""

    phase: Phase
    percent: float | None = None
    files: int = 0
    files_total: int | None = None
    bytes: int = 0
    bytes_total: int | None = None
    eta_s: float | None = None


Report = Callable[[Progress], None]
"""Takes each step; what it raises cancels the call."""


def silent(_: Progress) -> None:
    """Pass over a step."""


def shown(path: str) -> str:
    """Return a path as text that any JSON can hold: bytes that are no UTF-8 as escapes."""
    return path.encode("utf-8", "backslashreplace").decode("utf-8")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What reading back part `part` of `parts` of a repository found; `part` None is the whole of it.

    `why` is what is wrong where it is not `sound`; `files` and `bytes` are what was restored and compared.
    """

    sound: bool
    snapshot: str
    part: int | None
    parts: int
    files: int = 0
    bytes: int = 0
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What a restore brought back, and what it could not."""

    snapshot: str
    to: str
    files: int
    bytes: int
    lost: tuple[str, ...] = ()


class BackupFailed(HoldfastError):
    """The engine could not do it; no snapshot was made or changed."""


class EngineMissing(BackupFailed):
    """The program of the engine is not installed."""


class ProjectMissing(BackupFailed):
    """The folder of the project is not there; `path` is where it was expected."""

    def __init__(self, message: str, *, path: str) -> None:
        self.path = path
        super().__init__(message)


class RepositoryMissing(BackupFailed):
    """There is no repository; `repository` is where it was expected."""

    def __init__(self, message: str, *, repository: str) -> None:
        self.repository = repository
        super().__init__(message)


class RepositoryUnusable(BackupFailed):
    """The repository may be there and be sound, but nobody can tell.

    `cause` is password, locked, full, damaged or unreachable.
    """

    def __init__(self, message: str, *, cause: str) -> None:
        self.cause = cause
        super().__init__(message)


class Engine(Protocol):
    """Keeps the snapshots of one project in a repository that others may share.

    Every call blocks. A signal handler or a report that raises cancels it: what was begun is taken back, what stood
    before stays as it was. Killed at any line, the next `backup` cleans up.

    All raise EngineMissing, RepositoryMissing (all but `exists` and `init`), RepositoryUnusable, and BackupFailed for
    any other failure of the engine.
    """

    name: EngineName

    def version(self) -> str:
        """Return the version of the program, such as `0.14.0`."""

    def exists(self) -> bool:
        """Tell whether the repository is there, by its files alone; a remote one is asked."""

    def init(self) -> bool:
        """Make the repository where there is none, and tell whether it did.

        Raises:
            Refused: something else stands there.
        """

    def backup(self, report: Report = silent) -> Taken:
        """Make a snapshot of the project as it is now; one that is the same as the newest may stand for it.

        Raises:
            ProjectMissing: the folder is not there, or is none.
        """

    def snapshots(self) -> tuple[Snapshot, ...]:
        """Return the whole snapshots of this project on this host, oldest first; waits for no lock.

        `files` and `bytes` are None where telling them needs `measured`; nothing is judged.
        """

    def measured(self, snapshot: Snapshot) -> Snapshot:
        """Return the snapshot with its files and bytes counted; costs a look at each of its files."""

    def verify(
        self, snapshot: str, part: int | None, parts: int, report: Report = silent
    ) -> Verdict:
        """Read part `part` (from 0) of `parts` back, restore a sample of the snapshot and compare it; None reads all."""

    def restore(
        self, snapshot: str, to: str, report: Report = silent, *, force: bool = False
    ) -> Restored:
        """Bring a snapshot back into the folder `to`: bytes, modes, times, links.

        Raises:
            UnknownName: no snapshot has that id.
            Refused: the folder is not empty, and not `force`.
        """

    def forget(self, snapshots: Sequence[str], report: Report = silent) -> None:
        """Remove these snapshots and what only they held; one that is gone already is passed over."""

    def unlock_stale(self) -> bool:
        """Remove the locks of dead processes, never one of the living; tell whether there were any."""


def choose(spec: BackupSpec) -> Engine:
    """Return the engine of a project: the one its repository is of, else the one named, else restic, else copy.

    Restic stands for an engine nobody named where it is installed and has a password file.

    Raises:
        Refused: the repository is of another engine than the one named, or restic has no password file.
    """
    from holdfast.machine.backup.place import repository_of

    found = repository_of(spec.repository)
    if found and spec.engine and found is not spec.engine:
        raise Refused(
            f"{spec.repository} is a repository of {found}, and backup {spec.name} wants {spec.engine}; "
            f'choose another repository, or engine = "{found}"'
        )
    wanted = found or spec.engine or _default(spec)
    if wanted is EngineName.COPY:
        from holdfast.machine.backup.copy import Copy

        return Copy(spec)
    if not spec.password_file:
        raise Refused(
            f"backup {spec.name} uses restic and has no password file; name one with password_file"
        )
    from holdfast.machine.backup.restic import Restic

    return Restic(spec)


def _default(spec: BackupSpec) -> EngineName:
    import shutil

    is_there = shutil.which("restic") is not None and bool(spec.password_file)
    return EngineName.RESTIC if is_there else EngineName.COPY
