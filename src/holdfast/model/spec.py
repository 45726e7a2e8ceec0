"""What a person wants of one service: the validated, frozen form of a `[service.NAME]` section.

Durations are seconds, sizes are bytes.
"""

from dataclasses import dataclass, field
from enum import StrEnum


class When(StrEnum):
    """After which exits a service is started again."""

    ALWAYS = "always"
    ON_FAILURE = "on-failure"
    NEVER = "never"


class LogFormat(StrEnum):
    """How captured output stands in its file."""

    TEXT = "text"
    JSON = "json"


class Condition(StrEnum):
    """What must be true of a needed service before the one that needs it starts."""

    STARTED = "started"
    READY = "ready"
    COMPLETED = "completed"


class OnRestart(StrEnum):
    """What happens to a service when one it needs is restarted."""

    IGNORE = "ignore"
    RESTART = "restart"
    STOP = "stop"


class ProbeKind(StrEnum):
    """Where a probe looks."""

    TCP = "tcp"
    HTTP = "http"
    COMMAND = "command"
    LOG = "log"
    NOTIFY = "notify"
    FILE = "file"


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartLimit:
    """At most `count` automatic restarts in any `within` seconds."""

    count: int
    within: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartPolicy:
    """Whether, when and how often a service that ended is started again.

    With `steady_times` the delay starts over once it was ready for so many times its last delay, not after ten minutes; and
    one that was ready for less waits at most so many times shorter than it was ready.
    """

    when: When = When.ALWAYS
    delay: float = 0.1
    max_delay: float = 60.0
    min_gap: float = 60.0
    limit: RestartLimit | None = RestartLimit(count=3, within=3600.0)
    no_restart_codes: tuple[int, ...] = ()
    on_error: bool = False
    steady_times: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StopPolicy:
    """How a service is asked to end, and how long it may take."""

    signal: str = "TERM"
    timeout: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPolicy:
    """How captured output is kept: `keep` old files beside the newest."""

    max_size: int = 10_000_000
    keep: int = 5
    format: LogFormat = LogFormat.TEXT


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One look that tells readiness or life."""

    kind: ProbeKind
    target: tuple[str, ...]
    timeout: float
    every: float = 10.0
    failures: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class HeartbeatPolicy:
    """How often a service beats and how long one beat is believed."""

    every: float = 30.0
    lease: float = 90.0
    progress_within: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a service may use; the first two end in a planned restart, the others stand before it runs."""

    memory: int | None = None
    max_age: float | None = None
    nofile: int | None = None
    nice: int | None = None
    oom_score: int | None = None
    cpu: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Files whose change restarts the service."""

    paths: tuple[str, ...]
    debounce: float = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """Another service this one cannot start without."""

    name: str
    condition: Condition = Condition.READY
    on_restart: OnRestart = OnRestart.IGNORE


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """Programs run around the life of a service."""

    before_start: tuple[str, ...] = ()
    after_stop: tuple[str, ...] = ()
    on_failure: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSpec:
    """Everything needed to run one service again exactly as it was run before."""

    name: str
    command: tuple[str, ...]
    cwd: str
    env: dict[str, str] = field(default_factory=dict)
    env_file: str | None = None
    inherit_env: tuple[str, ...] = ()
    user: str | None = None
    umask: int = 0o022
    enabled: bool = True
    autostart: bool = True
    needs: tuple[Need, ...] = ()
    reload_signal: str = "HUP"
    group: str | None = None
    hooks: Hooks = Hooks()
    restart: RestartPolicy = RestartPolicy()
    stop: StopPolicy = StopPolicy()
    ready: Probe | None = None
    live: Probe | None = None
    heartbeat: HeartbeatPolicy | None = None
    log: LogPolicy = LogPolicy()
    limits: Limits = Limits()
    watch: Watch | None = None
    builtin: bool = False


PROCESS_FIELDS = ("command", "cwd", "env", "env_file", "inherit_env", "user", "umask")
"""A change of these reaches a running service only by a restart."""

PROCESS_LIMITS = ("nofile", "nice", "oom_score", "cpu")
"""The limits that stand before the program runs; a change of the others is live at once."""


def needs_restart(old: ServiceSpec, new: ServiceSpec) -> bool:
    """Tell whether a running service must be restarted to become what `new` says."""
    return (
        any(getattr(old, name) != getattr(new, name) for name in PROCESS_FIELDS)
        or any(getattr(old.limits, name) != getattr(new.limits, name) for name in PROCESS_LIMITS)
        or old.log.format is not new.log.format
    )
