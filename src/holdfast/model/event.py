"""What can happen to a service, and what is to be done about it: two closed unions."""

from dataclasses import dataclass, field
from typing import TypeAlias

from holdfast.model.service import Exit, Health, Identity, Reason

ITS_OWN_WORD = "heartbeat"
"""The judge of health that goes by what a service says of itself, and by its silence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartOrdered:
    """A person, or `up`, wants the service to run; `forgive` clears what the restart limit has counted."""

    forgive: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class StopOrdered:
    """A person wants it down; `kill` skips the asking, `closing` means only Holdfast goes away (the wish stays)."""

    kill: bool = False
    closing: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartOrdered:
    """The running process is to be replaced; a planned restart neither waits nor counts, one after a fault does.

    `forgive` clears what the restart limit has counted, when a person asked. `signal` asks the process to end with
    another signal than its stop policy says: ABRT for one that hangs, so that it leaves a trace of where.
    """

    reason: Reason = Reason.MANUAL
    counted: bool = False
    forgive: bool = True
    signal: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NeedsMet:
    """Everything this service needs is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spawned:
    """The program was executed."""

    identity: Identity


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What runs before each start went well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepareFailed:
    """What runs before each start failed; counts as a failed start of the service."""

    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SpawnFailed:
    """The program could not be executed; `permanent` when a retry cannot mend it."""

    why: str
    permanent: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopted:
    """A process left by an earlier supervisor was proved to be this service.

    `instance` and `generation` stand here when the record was lost and the process itself had to tell them.
    """

    identity: Identity
    instance: str = ""
    generation: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Unproved:
    """A live pid whose identity cannot be proved: neither started nor signalled."""

    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordStale:
    """Nothing is left of what the record speaks of, for it is of another boot of the machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartUnseen:
    """A supervisor died in the midst of a start, and nothing is left of that: it never ran, or it ran and ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exited:
    """The main process is gone; `identity` says which, so a late word about an old one changes nothing."""

    identity: Identity
    exit: Exit
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeLooked:
    """The tree of an ended service was looked at; `left` processes still live."""

    left: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Elapsed:
    """The deadline of the state came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BecameReady:
    """The service said, or a probe saw, that it can do its work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeExtended:
    """The service asked for more time to start or to stop: until `until_mono` on the monotonic clock."""

    until_mono: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MainChanged:
    """The service named another of its processes as its main one."""

    identity: Identity


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthJudged:
    """How well the process does was judged anew; `why` in words for people, empty when it is well.

    Of several judges (`by`) the one who thinks worst of it is believed, until that one thinks better. `severity` ("warning", "critical") makes the judgement one that a person is told of.
    """

    health: Health
    why: str = ""
    severity: str = ""
    by: str = ITS_OWN_WORD


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyChanged:
    """The restart rules changed under a waiting service; `process` when what it runs changed too."""

    process: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryLost:
    """The remembered restarts could not be read: automatic restarts wait as if the limit were used up."""


ServiceEvent: TypeAlias = (
    StartOrdered
    | StopOrdered
    | RestartOrdered
    | NeedsMet
    | Prepared
    | PrepareFailed
    | Spawned
    | SpawnFailed
    | Adopted
    | Unproved
    | RecordStale
    | StartUnseen
    | Exited
    | TreeLooked
    | Elapsed
    | BecameReady
    | TimeExtended
    | MainChanged
    | HealthJudged
    | PolicyChanged
    | HistoryLost
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spawn:
    """Execute the program under the state's generation and instance, then say Spawned or SpawnFailed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepare:
    """Run what is to run before each start, then say Prepared or PrepareFailed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchMain:
    """Hear of the death of the process that is the main one now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaitNeeds:
    """Say NeedsMet as soon as everything needed is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalTree:
    """Send a signal to the whole tree, sessions of its own included."""

    signal: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LookAtTree:
    """Say TreeLooked soon, and again each time one of those left is gone, until none is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Write an event into the journal; `facts` are JSON values."""

    kind: str
    facts: dict[str, object] = field(default_factory=dict)


Effect: TypeAlias = Spawn | Prepare | WatchMain | AwaitNeeds | SignalTree | LookAtTree | Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of the journal: `id` is unique and ordered per machine, `at` is seconds since the epoch."""

    id: int
    at: float
    kind: str
    subject: str
    facts: dict[str, object] = field(default_factory=dict)
