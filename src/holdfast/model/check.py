"""What a person expects to succeed on time, and what is known of it: the description and the evidence of one check.

Times named `*_at` are seconds since the epoch, spans are seconds.
"""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad it is; `unknown` means that it cannot be verified."""

    OK = "ok"
    UNKNOWN = "unknown"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """Return how bad it is as a number; what cannot be verified is worse than ok and less than a warning."""
        return _RANKS[self]


_RANKS = {Severity.OK: 0, Severity.UNKNOWN: 1, Severity.WARNING: 2, Severity.CRITICAL: 3}


class CheckKind(StrEnum):
    """Where the evidence of a check comes from."""

    BACKUP = "backup"
    JOB = "job"
    PING = "ping"
    FILE = "file"
    HTTP = "http"
    TCP = "tcp"
    COMMAND = "command"
    MACHINE = "machine"


PROBED = frozenset({CheckKind.FILE, CheckKind.HTTP, CheckKind.TCP, CheckKind.COMMAND})
"""The kinds the hub looks at by itself."""


class Origin(StrEnum):
    """Who made a check; only those of the configuration are removed with it."""

    CONFIG = "config"
    CLIENT = "client"
    BUILTIN = "builtin"


class Signal(StrEnum):
    """What a ping or a run says."""

    START = "start"
    SUCCESS = "success"
    FAIL = "fail"
    LOG = "log"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckSpec:
    """What is expected: a period or a cron schedule with a grace, or the greatest age of the last success.

    `target` is the path, URL, address or command of a kind that is probed, every `period` seconds. `timeout` is how long a
    run may take. None in `confirm`, `warning_after` or `critical_after` means: as the policy says.
    """

    name: str
    kind: CheckKind
    origin: Origin = Origin.CONFIG
    period: float | None = None
    schedule: str | None = None
    timezone: str | None = None
    grace: float = 0.0
    warning_after: float | None = None
    critical_after: float | None = None
    timeout: float | None = None
    target: tuple[str, ...] = ()
    cwd: str = ""
    confirm: int | None = None
    depends_on: tuple[str, ...] = ()
    flapping: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is known of one check: successes, attempts and failures apart, so that only a success makes it fresher.

    `last_success_at` is what the newest verified success covers. `counted_from` is the moment after which the next success is
    expected; None before the first: then it is `first_seen_at`. `due_at` is when the next is expected and `overdue_at` the
    moment from which missing it is critical, both before grace; None where nothing is expected. `failure` is why the newest
    attempt failed, `suspect` why the newest evidence is not believed, `missing` what is not there at all, `unverified` why
    nobody could look; each empty where it does not apply.
    """

    first_seen_at: float
    last_success_at: float | None = None
    last_attempt_at: float | None = None
    last_failure_at: float | None = None
    started_at: float | None = None
    run: str = ""
    duration_s: float | None = None
    counted_from: float | None = None
    due_at: float | None = None
    overdue_at: float | None = None
    verified_at: float | None = None
    failure: str = ""
    suspect: str = ""
    missing: str = ""
    unverified: str = ""
    extra_grace: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What somebody found who looked at the thing itself: at the snapshots of a backup, at a file, at an address.

    `at` is when they looked, `covered_at` what the newest valid success covers (a file: when it was written; a probe that
    succeeded: None or `at`), `snapshot_seen_at` when the snapshot behind it was first seen, whatever its own date says.
    `failure`, `suspect`, `missing` and `unverified` are as in `Evidence`.
    """

    at: float
    covered_at: float | None = None
    snapshot_seen_at: float | None = None
    files: int | None = None
    duration_s: float | None = None
    verified_at: float | None = None
    failure: str = ""
    suspect: str = ""
    missing: str = ""
    unverified: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What one look at a check finds: how bad, why in a few words, and the age of the last success.

    `cause` sorts it for messages: overdue, never, failed, slow, suspect, missing or unverified; empty when all is well.
    `limit_s` is the age or lateness that was exceeded. `explicit` findings need no confirmation. `next_at` is when another
    look can find something else while no new evidence arrives; None for never.
    """

    severity: Severity
    cause: str = ""
    why: str = ""
    age_s: float | None = None
    limit_s: float | None = None
    explicit: bool = False
    next_at: float | None = None
