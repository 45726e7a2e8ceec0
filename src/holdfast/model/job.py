"""What a person wants of one job, and what is remembered of its runs.

Times named `*_at` are seconds since the epoch, spans are seconds.
"""

from dataclasses import dataclass
from enum import StrEnum

from holdfast.model.service import Identity
from holdfast.model.spec import ServiceSpec

RUNS_KEPT = 100
"""How many runs a job remembers."""


class Overlap(StrEnum):
    """What a job does that is due while it still runs."""

    SKIP = "skip"
    QUEUE = "queue"
    KILL = "kill"


class Trigger(StrEnum):
    """Why a run was begun."""

    SCHEDULE = "schedule"
    MISSED = "missed"
    MANUAL = "manual"
    CHANGE = "change"
    QUEUED = "queued"
    EXTERNAL = "external"


class Result(StrEnum):
    """What a run came to."""

    SUCCESS = "success"
    FAILED = "failed"
    TIMEOUT = "timeout"
    KILLED = "killed"
    SKIPPED = "skipped"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSpec:
    """A program run to completion; `schedule` is a cron expression, `timezone` that of this machine when None."""

    program: ServiceSpec
    schedule: str | None = None
    timezone: str | None = None
    timeout: float | None = None
    overlap: Overlap = Overlap.SKIP
    grace: float = 900.0

    @property
    def name(self) -> str:
        """Return the name of the job, which its program bears."""
        return self.program.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A place in a log: where the output of a run begins."""

    inode: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run; `result` is None while it is under way.

    `generation` is that of the process, `ending` what the run will have come to once it has ended as it was ordered to,
    `runner` the process that looks after an external run.
    """

    id: str
    trigger: Trigger
    started_at: float
    due_at: float | None = None
    ended_at: float | None = None
    duration_s: float | None = None
    result: Result | None = None
    exit_code: int | None = None
    signal: int | None = None
    why: str = ""
    output_tail: str = ""
    generation: int = 0
    ending: Result | None = None
    began: Mark | None = None
    runner: Identity | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRecord:
    """All that is remembered of one job.

    `schedule` is the one the due times belong to, counted from `since_at`; `waiting` is why the run that waits for the
    end of the present one is to begin.
    """

    name: str
    schedule: str = ""
    since_at: float = 0.0
    last_due_at: float | None = None
    next_due_at: float | None = None
    waiting: Trigger | None = None
    runs: tuple[Run, ...] = ()
