"""The sections of a service, and the defaults every service inherits."""

from typing import Annotated

from msgspec import field

from holdfast.config.kinds.amounts import LIMIT, UMASK, Duration, DurationOrZero, Size
from holdfast.config.kinds.base import Count, Filled, Flag, Text, choice, whole
from holdfast.config.kinds.net import HttpUrl, Target
from holdfast.config.kinds.paths import Command, PathText
from holdfast.config.kinds.process import Expression, NameText, Needs, Signal, Variable
from holdfast.config.sections.base import Section, doc
from holdfast.model.spec import LogFormat, RestartLimit, When


class Program(Section, frozen=True, kw_only=True):
    """What every program that Holdfast runs is described by."""

    command: Annotated[
        Command, doc("Program and arguments: a list, or a string split into words; no shell.")
    ]
    cwd: Annotated[
        PathText | None, doc("Folder it runs in; default: the folder of this file.")
    ] = None
    env: Annotated[dict[Variable, Text], doc("Variables of its environment.")] = field(
        default_factory=dict
    )
    env_file: Annotated[PathText | None, doc("File of NAME=value lines, read at each start.")] = (
        None
    )
    inherit_env: Annotated[
        tuple[Variable, ...], doc("Variables taken over from the supervisor's environment.")
    ] = ()
    user: Annotated[Filled | None, doc("User it runs as; default: the supervisor's.")] = None
    umask: Annotated[int, UMASK, doc("File mode creation mask, octal.")] = 0o022
    enabled: Annotated[Flag, doc("false: kept in the file, never run.")] = True


class Restart(Section, frozen=True, kw_only=True):
    """Whether, when and how often a service that ended is started again."""

    when: Annotated[When, choice(When), doc("After which exits.")] = When.ALWAYS
    delay: Annotated[DurationOrZero, doc("Wait before the first restart; then doubling.")] = 0.1
    max_delay: Annotated[Duration, doc("Where the doubling ends.")] = 60.0
    min_gap: Annotated[DurationOrZero, doc('Least time between two restarts; "0s" for none.')] = (
        60.0
    )
    limit: Annotated[
        RestartLimit | None, LIMIT, doc('Most restarts in a rolling window; "none" for none.')
    ] = RestartLimit(count=3, within=3600.0)
    no_restart_codes: Annotated[
        tuple[Annotated[int, whole(most=255)], ...],
        doc("Exit codes after which it stays down."),
    ] = ()
    on_error: Annotated[
        Flag, doc('Restart a service that keeps reporting the status "error".')
    ] = False


class Stop(Section, frozen=True, kw_only=True):
    """How a service is asked to end."""

    signal: Annotated[Signal, doc("The signal that asks.")] = "TERM"
    timeout: Annotated[DurationOrZero, doc("Then KILL of the whole tree.")] = 10.0


class Log(Section, frozen=True, kw_only=True):
    """How captured output is kept."""

    max_size: Annotated[Size, doc("Size at which the log file is rotated.")] = 10_000_000
    keep: Annotated[int, whole(most=10_000), doc("Old files kept beside the newest.")] = 5
    format: Annotated[
        LogFormat,
        choice(LogFormat),
        doc("text, or json: one object a line, with time and stream."),
    ] = LogFormat.TEXT


class Defaults(Section, frozen=True, kw_only=True):
    """What every service inherits."""

    restart: Annotated[Restart, doc("Inherited by every [service.NAME.restart].")] = Restart()
    stop: Annotated[Stop, doc("Inherited by every [service.NAME.stop].")] = Stop()
    log: Annotated[Log, doc("Inherited by every [service.NAME.log].")] = Log()


class Look(Section, frozen=True, kw_only=True):
    """Where a probe looks: exactly one of these."""

    tcp: Annotated[Target | None, doc("An address that accepts a connection.")] = None
    http: Annotated[HttpUrl | None, doc("A URL that answers with success.")] = None
    command: Annotated[Command | None, doc("A program that exits with 0.")] = None
    log: Annotated[Expression | None, doc("A regular expression found in the output.")] = None
    notify: Annotated[Flag, doc("The service says so itself, by sd_notify.")] = False
    file: Annotated[PathText | None, doc("A file that exists.")] = None


class Ready(Look, frozen=True, kw_only=True):
    """What tells that a service is ready; without it: up for 1 s."""

    timeout: Annotated[Duration, doc("How long it may take to become ready.")] = 90.0


class Live(Look, frozen=True, kw_only=True):
    """What tells that a service is alive; a restart when it fails."""

    every: Annotated[Duration, doc("How often to look.")] = 10.0
    timeout: Annotated[Duration, doc("How long one look may take.")] = 1.0
    failures: Annotated[Count, doc("Failed looks in a row before a restart.")] = 3


class Heartbeat(Section, frozen=True, kw_only=True):
    """Beats by sd_notify, `holdfast beat`, the client, or a heartbeat file."""

    every: Annotated[Duration, doc("How often the service beats.")] = 30.0
    lease: Annotated[Duration, doc("How long one beat is believed; at least 2 beats.")] = 90.0
    progress_within: Annotated[
        Duration | None, doc("Its progress must change within this time.")
    ] = None


class Limit(Section, frozen=True, kw_only=True):
    """What a service may use."""

    memory: Annotated[Size | None, doc("A planned restart above this.")] = None
    max_age: Annotated[Duration | None, doc("A planned restart at this age.")] = None
    nofile: Annotated[
        int | None, whole(least=3, most=2**31 - 1), doc("Open files, set before it runs.")
    ] = None
    nice: Annotated[
        int | None, whole(least=-20, most=19), doc("Niceness, set before it runs.")
    ] = None
    oom_score: Annotated[
        int | None, whole(least=-1000, most=1000), doc("oom_score_adj, set before it runs; Linux.")
    ] = None
    cpu: Annotated[Duration | None, doc("Processor time it may use; then the kernel ends it.")] = (
        None
    )


class WatchFiles(Section, frozen=True, kw_only=True):
    """Files whose change restarts the service."""

    paths: Annotated[tuple[PathText, ...], doc("Files and folders.")]
    debounce: Annotated[DurationOrZero, doc("How long they must be quiet.")] = 0.3


class Service(Program, frozen=True, kw_only=True):
    """A long-running program that Holdfast keeps alive."""

    autostart: Annotated[Flag, doc("Started by `up`.")] = True
    needs: Annotated[Needs, doc("Services that must be there first.")] = ()
    instances: Annotated[
        int, whole(least=1, most=10_000), doc("Copies NAME-1 .. NAME-n when above 1.")
    ] = 1
    reload_signal: Annotated[Signal, doc("The signal of `reload NAME`.")] = "HUP"
    group: Annotated[NameText | None, doc("Name for group:NAME in commands.")] = None
    before_start: Annotated[Command, doc("Run before each start.")] = ()
    after_stop: Annotated[Command, doc("Run after each stop.")] = ()
    on_failure: Annotated[Command, doc("Run after each failure.")] = ()
    restart: Annotated[Restart, doc("Whether and when it is started again.")] = Restart()
    stop: Annotated[Stop, doc("How it is asked to end.")] = Stop()
    ready: Annotated[Ready | None, doc("What tells that it is ready.")] = None
    live: Annotated[Live | None, doc("What tells that it is alive.")] = None
    heartbeat: Annotated[Heartbeat | None, doc("How it proves that it lives.")] = None
    log: Annotated[Log, doc("How its output is kept.")] = Log()
    limits: Annotated[Limit, doc("What it may use.")] = Limit()
    watch: Annotated[WatchFiles | None, doc("Files whose change restarts it.")] = None
