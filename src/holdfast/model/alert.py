"""What is remembered of the alerting of one check, what a person asked for, and what is to be told.

Times named `*_at` are seconds since the epoch, spans are seconds.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from holdfast.model.check import Look, Severity


class Telling(StrEnum):
    """What a message is about."""

    OPEN = "open"
    RAISE = "raise"
    REMIND = "remind"
    RESOLVE = "resolve"
    META = "meta"
    TEST = "test"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertPolicy:
    """When and how often a person is told; the section [alerts]. `quiet_hours` are the first and the last hour, local time."""

    evaluate_every: float = 300.0
    confirm: int = 3
    warning_after: float = 86_400.0
    critical_after: float = 259_200.0
    warning_cooldown: float = 14_400.0
    critical_cooldown: float = 7_200.0
    group_wait: float = 30.0
    critical_group_wait: float = 5.0
    quiet_hours: tuple[int, ...] = ()
    remind: bool = True
    remind_backoff: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """A person has seen the incident: no reminders and no escalation until it gets worse, or to its end when `sticky`."""

    by: str
    at: float
    note: str = ""
    severity: Severity = Severity.WARNING
    sticky: bool = False
    until: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertState:
    """The memory of the alerting of one check.

    `at_least_warning`, `at_least_critical` and `unknown` count evaluations in a row, `below_*` those that found it better.
    `confirmed` is what counts, `incident` the number of the newest incident. `told` is the worst severity that was told of
    it, `known` the one people take it for now: it goes down with the incident, without a word. `muted`: it is open and nobody
    was told. `warning_told_at` and `critical_told_at` are the stamps of the cooldowns. `raises` and `reminders` number the
    messages of the incident, `backoff` counts the reminders since it last got worse, `escalated` names the steps that were
    taken (`channel:severity`). `changes` are the newest 20 looks (1: the confirmed severity changed). `is_quieted`: a hush is
    in force, `quieted_at`: when the newest one ended. `held_back` is why nothing is told, to say so once.
    """

    at_least_warning: int = 0
    at_least_critical: int = 0
    below_warning: int = 0
    below_critical: int = 0
    unknown: int = 0
    counted_at: float | None = None
    counted_mono: float | None = None
    counted_boot: str = ""
    confirmed: Severity = Severity.OK
    confirmed_at: float | None = None
    incident: int = 0
    opened_at: float | None = None
    told: Severity = Severity.OK
    muted: bool = False
    warning_told_at: float | None = None
    critical_told_at: float | None = None
    known: Severity = Severity.OK
    raises: int = 0
    reminders: int = 0
    backoff: int = 0
    escalated: tuple[str, ...] = ()
    acknowledged: Acknowledgement | None = None
    changes: tuple[int, ...] = ()
    is_flapping: bool = False
    is_quieted: bool = False
    quieted_at: float | None = None
    held_back: str = ""

    @property
    def is_open(self) -> bool:
        """Tell whether an incident is open."""
        return self.opened_at is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hush:
    """Why nobody is to be told now: the words for the journal; empty when nothing stands in the way."""

    why: str = ""
    passes: Severity | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tell:
    """Enqueue one message; `number` counts reminders, `channels` narrows to those (escalation), `to_told` to those of the incident."""

    kind: Telling
    severity: Severity
    number: int = 0
    channels: tuple[str, ...] = ()
    to_told: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Write an event of the hub; `facts` are JSON values."""

    kind: str
    facts: tuple[tuple[str, object], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentOpened:
    """An incident began."""

    number: int
    severity: Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentClosed:
    """An incident is over."""

    number: int


AlertEffect: TypeAlias = Tell | Note | IncidentOpened | IncidentClosed


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalation:
    """A channel that is told once an incident was open and not acknowledged for `after` seconds."""

    channel: str
    after: float
    severities: tuple[Severity, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Nobody is told of the checks that match from `starts_at` to `ends_at`; a maintenance may come again by `schedule`."""

    id: int
    pattern: str
    starts_at: float
    ends_at: float
    by: str
    note: str = ""
    maintenance: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """One look and all that decides about telling it; `hush` is what stands in the way, `holding` that a storm is held back."""

    look: Look
    hush: Hush = Hush()
    escalations: tuple[Escalation, ...] = ()
    settling: bool = False
    holding: bool = False
