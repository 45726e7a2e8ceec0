"""What a person wants of one backed-up project, and what is known of its snapshots.

Times named `*_at` are seconds since the epoch, spans are seconds.
"""

from dataclasses import dataclass, field
from enum import StrEnum

HOUR = 3600.0
DAY = 24 * HOUR


class EngineName(StrEnum):
    """The programs that can keep snapshots."""

    RESTIC = "restic"
    COPY = "copy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """How many snapshots stay: the newest of each of so many hours, days, weeks and months that have one."""

    hourly: int = 24
    daily: int = 7
    weekly: int = 4
    monthly: int = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupSpec:
    """One project: the folder `path`, and the repository its snapshots go to.

    `exclude` are shell patterns; one without a slash matches a name at any depth, one with a slash the path below the
    project. `engine` None means: what the repository already is, else restic where it is installed, else copy.
    `password_file` holds the password of a restic
    repository; it is made together with the repository where there is none. `host` names this machine in
    a repository that several share. `timezone` is the one the days of `keep` are counted in, that of this machine when None.
    """

    name: str
    path: str
    repository: str
    exclude: tuple[str, ...] = ()
    engine: EngineName | None = None
    password_file: str | None = None
    keep: Keep = field(default_factory=Keep)
    verify_every: float | None = 7 * DAY
    warning_after: float = 24 * HOUR
    critical_after: float = 72 * HOUR
    timezone: str | None = None
    host: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One snapshot as it was found: `at` is what it says of itself, `first_observed_at` when it was first seen here.

    `files` and `bytes` are None where nobody counted them. `unread` are paths the engine could not read, at most so many as
    are worth telling; with any the snapshot is `partial`. `changed` are files that never stood still while they were read.
    `valid` tells whether it counts as a success, `why` why not.
    """

    id: str
    at: float
    files: int | None = None
    bytes: int | None = None
    partial: bool = False
    unread: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    first_observed_at: float | None = None
    valid: bool = True
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What a run that came to its end left: the snapshot that now holds the project as it was at `began_at`.

    Not `is_new` is an older snapshot that a full scan found to be the same as the project.
    """

    snapshot: Snapshot
    began_at: float
    is_new: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupRecord:
    """All that is remembered of one project: `HOME/backups/NAME.json`.

    `covered_at` is the moment up to which the newest valid snapshot holds the project. `unchanged_at` is the start of the
    last full scan that found the project to be the same as snapshot `unchanged_id`. `verify_next` is the part of the
    repository that is read next. `missing` names what is not there, `unverified` why nobody could look, `suspect` why the
    newest snapshot is not believed, `shrunk_at` since when they hold less than half of what they did; `told` says whether the newest observation reached the journal.
    """

    name: str
    engine: EngineName | None = None
    repository: str = ""
    snapshots: tuple[Snapshot, ...] = ()
    last_attempt_at: float | None = None
    last_failure_at: float | None = None
    last_error: str = ""
    covered_at: float | None = None
    unchanged_at: float | None = None
    unchanged_id: str = ""
    observed_at: float | None = None
    verify_next: int = 0
    verify_tried_at: float | None = None
    verified_at: float | None = None
    verify_error: str = ""
    missing: str = ""
    unverified: str = ""
    suspect: str = ""
    shrunk_at: float | None = None
    told: bool = True
