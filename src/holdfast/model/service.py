"""What is true of one service: three separate facts (`desired`, `actual`, `health`) and its history.

Times named `*_at` are seconds since the epoch, for records and people; times named `*_mono` are seconds on the
monotonic clock, for delays and limits, and mean something only during one boot.
"""

from dataclasses import dataclass
from enum import StrEnum

HISTORY_KEPT = 100
"""How many restarts a service remembers."""


class Desired(StrEnum):
    """What a person wants."""

    UP = "up"
    DOWN = "down"


class Actual(StrEnum):
    """What is the case."""

    DOWN = "down"
    WAITING = "waiting"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    BACKOFF = "backoff"
    HELD = "held"
    FAILED = "failed"
    DONE = "done"
    STUCK = "stuck"
    ORPHAN = "orphan"


class Health(StrEnum):
    """How well it does what it is there for."""

    UNKNOWN = "unknown"
    OK = "ok"
    DEGRADED = "degraded"
    BAD = "bad"


class Reason(StrEnum):
    """Why a service was started again."""

    EXIT = "exit"
    SIGNAL = "signal"
    STALE_PID = "stale_pid"
    NO_PID_FILE = "no_pid_file"
    LEASE = "lease"
    PROGRESS = "progress"
    ERROR = "error"
    PROBE = "probe"
    MEMORY = "memory"
    AGE = "age"
    WATCH = "watch"
    DEPENDENCY = "dependency"
    MANUAL = "manual"
    ADOPTED_EXIT = "adopted-exit"
    UNKNOWN = "unknown"


class Wait(StrEnum):
    """Which rule decides the moment of the next start."""

    DELAY = "delay"
    MIN_GAP = "min_gap"
    LIMIT = "limit"
    NEEDS = "needs"
    SHORTAGE = "shortage"
    CHANGED = "changed"


class Step(StrEnum):
    """How far a start or a stop has come."""

    PREPARING = "preparing"
    ASKED = "asked"
    KILLED = "killed"
    DRAINING = "draining"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Which process it is: a pid alone says nothing, because pids are used again."""

    pid: int
    start_ticks: int
    boot_id: str
    pidfd_inode: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """How a process ended: a code, or the number of the signal; neither when nobody could learn it."""

    code: int | None = None
    signal: int | None = None
    core: bool = False

    @property
    def is_success(self) -> bool:
        """Tell whether the program said that all went well."""
        return self.code == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LastExit:
    """The end of the last process of a service, and why it counts as it does."""

    exit: Exit
    reason: Reason
    at: float
    mono: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Restart:
    """One row of the history: a start that followed an end.

    `counted` rows are automatic restarts, which the limit counts; planned ones and those of a person are not.
    `success` is None while the start is under way.
    """

    at: float
    mono: float
    boot_id: str
    reason: Reason
    exit: Exit
    pid: int | None = None
    success: bool | None = None
    counted: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A start that follows the end of the present process, as the history will tell it."""

    reason: Reason
    counted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A start that is set for a moment, and the rule that set it."""

    at: float
    mono: float
    wait: Wait


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What one judge finds amiss with a running process."""

    by: str
    health: Health
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceState:
    """All that is remembered of one service between two events."""

    name: str
    desired: Desired = Desired.DOWN
    actual: Actual = Actual.DOWN
    health: Health = Health.UNKNOWN
    since: float = 0.0
    generation: int = 0
    instance: str = ""
    process: Identity | None = None
    last_process: Identity | None = None
    adopted: bool = False
    started_mono: float | None = None
    ready_mono: float | None = None
    deadline_mono: float | None = None
    step: Step | None = None
    pending: Pending | None = None
    closing: bool = False
    level: int = 0
    next_start: Start | None = None
    restarts: int = 0
    history: tuple[Restart, ...] = ()
    last_exit: LastExit | None = None
    failure: str = ""
    judged: tuple[Judgement, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Now:
    """The moment of one decision, and its share of chance: `draw` lies in [0, 1)."""

    wall: float
    mono: float
    boot_id: str
    draw: float = 0.5
