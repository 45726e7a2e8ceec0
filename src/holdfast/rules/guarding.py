"""Decide what the watchdog does for its supervisor: when it is started again, when it counts as hung, when all is over."""

import math
from dataclasses import dataclass, replace
from enum import Enum, StrEnum, auto
from typing import TypeAlias, TypeGuard

from holdfast.model.service import Exit, Now

FIRST_BACKOFF = 0.1
"""Seconds before the second try of a supervisor that died before it was ready; doubled with each try."""

LONGEST_BACKOFF = 5.0
"""Most seconds between two such tries."""

LEAST_GAP = 0.1
"""Seconds from one start to the next, at least: a supervisor that dies right after it was ready must not eat a core."""

KILL_AFTER = 10.0
"""Seconds a hung supervisor has to write its stacks and end by itself."""

WATCHDOG_BEATS = 3
WATCHDOG_GRACE = 60.0
"""Beats, and seconds beside them, after which the watchdog itself counts as stale."""

KILLS_TRIED = 2
"""KILLs after which it is clear that the kernel does not let go of the process."""

FUTURE_ALLOWED = 5.0
"""Seconds a stamp of the wall clock may lie ahead; one further ahead proves nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How closely the supervisor is watched: `[watchdog]`; seconds, seconds, and stale looks in a row."""

    check_every: float = 60.0
    stale_after: float = 300.0
    failures: int = 3


class Phase(Enum):
    """How far the supervisor has come."""

    GONE = auto()
    STARTING = auto()
    RUNNING = auto()
    HANGING = auto()


class Act(Enum):
    """What is to be done now."""

    START = auto()
    ABORT = auto()
    KILL = auto()
    LEAVE = auto()
    GIVE_UP = auto()


class Verdict(StrEnum):
    """What `watchdog.status` says; `stopped` is written by a watchdog that leaves."""

    HEALTHY = "healthy"
    WARNING = "warning"
    ERROR = "error"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """How a supervisor ended that had to be replaced; `reason` is killed, hung or exit, `count` how often that was."""

    died: str
    reason: str
    at: float
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """A sign of life: `mono` means something only during the boot it names."""

    pid: int
    wall: float
    mono: float | None
    boot_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """All the watchdog remembers of its supervisor between two events.

    `is_asked` while a person waits for the first one to get ready. `due_mono` is the moment of the next start while it
    is gone, and of the next KILL while it hangs.
    """

    is_asked: bool = False
    phase: Phase = Phase.GONE
    pid: int = 0
    since_mono: float = 0.0
    was_ready: bool = False
    is_ending: bool = False
    stale: int = 0
    failed: int = 0
    replaced: int = 0
    kills: int = 0
    due_mono: float | None = None
    fate: Fate | None = None


Step: TypeAlias = tuple[Guard, Act | None]


def started(guard: Guard, pid: int, now: Now) -> Guard:
    """Note that a supervisor was started; it is judged from this moment on."""
    return replace(
        guard,
        phase=Phase.STARTING,
        pid=pid,
        since_mono=now.mono,
        was_ready=False,
        stale=0,
        kills=0,
        due_mono=None,
    )


def found(guard: Guard, pid: int, now: Now) -> Guard:
    """Note that a supervisor of somebody else's lives; it is replaced at once should it die before it says more."""
    return replace(started(guard, pid, now), was_ready=True)


def became_ready(guard: Guard) -> Guard:
    """Note that the supervisor takes orders, and knows how the one before it ended."""
    phase = Phase.RUNNING if guard.phase is Phase.STARTING else guard.phase
    return replace(guard, is_asked=False, phase=phase, was_ready=True, failed=0, fate=None)


def ended(guard: Guard, how: Exit, now: Now) -> Step:
    """Decide what follows the death of the supervisor.

    One that said it would end, or ended well, was told to: then nothing is left to guard.
    """
    is_told = guard.is_ending or how.is_success
    gone = replace(guard, phase=Phase.GONE, pid=0, stale=0, due_mono=None)
    if is_told:
        return gone, Act.LEAVE
    if guard.is_asked and not guard.was_ready:
        return gone, Act.GIVE_UP
    fate = _fate(guard, how, now)
    if guard.was_ready:
        due = max(now.mono, guard.since_mono + LEAST_GAP)
        return replace(gone, due_mono=due, replaced=fate.count, fate=fate), None
    due = now.mono + backoff(guard.failed)
    failed = guard.failed + 1
    return replace(gone, due_mono=due, failed=failed, replaced=fate.count, fate=fate), None


def looked(policy: Policy, guard: Guard, beat: Beat | None, now: Now, late_by: float) -> Step:
    """Judge the newest sign of life.

    A look that came late itself, by more than half of the time between two, proves only that this machine was
    short of time, or we were: it counts for nothing.
    """
    if guard.phase in (Phase.GONE, Phase.HANGING):
        return guard, None
    if age_of(guard, beat, now) <= policy.stale_after:
        return replace(guard, stale=0), None
    if late_by > policy.check_every / 2:
        return guard, None
    stale = guard.stale + 1
    if stale < policy.failures:
        return replace(guard, stale=stale), None
    due = now.mono + KILL_AFTER
    return replace(guard, stale=stale, phase=Phase.HANGING, due_mono=due), Act.ABORT


def elapsed(guard: Guard, now: Now) -> Step:
    """Decide what the moment that came asks for."""
    if guard.due_mono is None or now.mono < guard.due_mono:
        return guard, None
    if guard.phase is Phase.HANGING:
        return replace(guard, due_mono=now.mono + KILL_AFTER, kills=guard.kills + 1), Act.KILL
    return replace(guard, due_mono=None), Act.START


def age_of(guard: Guard, beat: Beat | None, now: Now) -> float:
    """Return the seconds since the supervisor gave a sign of life; its start was the first one.

    A beat of another process, or one from the future, is none.
    """
    since_start = now.mono - guard.since_mono
    if beat is None or beat.pid != guard.pid:
        return since_start
    if beat.mono is not None and beat.boot_id == now.boot_id:
        return min(now.mono - beat.mono, since_start)
    if beat.wall > now.wall + FUTURE_ALLOWED:
        return since_start
    return min(now.wall - beat.wall, since_start)


def is_watchdog_stale(guard: Guard, beat: Beat | None, interval: float, now: Now) -> bool:
    """Judge the watchdog, which beats every `interval` seconds, by its newest sign of life."""
    return age_of(guard, beat, now) > WATCHDOG_BEATS * interval + WATCHDOG_GRACE


def backoff(failed: int) -> float:
    """Return the seconds to wait after so many failed starts before this one."""
    return min(LONGEST_BACKOFF, FIRST_BACKOFF * 2.0 ** min(failed, 10))


def verdict(guard: Guard) -> Verdict:
    """Say how things stand."""
    if guard.failed:
        return Verdict.ERROR
    if guard.phase is Phase.RUNNING and not guard.stale:
        return Verdict.HEALTHY
    return Verdict.WARNING


def is_in_control(guard: Guard) -> bool:
    """Tell whether the watchdog does its work; False only while a hung supervisor cannot even be killed.

    A supervisor that is merely stale is being dealt with: were systemd to lose patience then, it would end the watchdog
    before that has replaced the supervisor.
    """
    return guard.phase is not Phase.HANGING or guard.kills < KILLS_TRIED


def _fate(guard: Guard, how: Exit, now: Now) -> Fate:
    """Return the fate to tell: of the one that had served, not of those that failed to follow it."""
    count = guard.replaced + 1
    if guard.fate is not None and not guard.was_ready:
        return replace(guard.fate, count=count)
    reason = "killed" if how.signal is not None else "exit"
    if guard.phase is Phase.HANGING:
        reason = "hung"
    return Fate(died=in_words(how), reason=reason, at=now.wall, count=count)


def in_words(how: Exit) -> str:
    """Say how a process ended."""
    if how.signal is not None:
        return f"signal {how.signal}"
    return "unknown" if how.code is None else f"exit code {how.code}"


def policy_of(settings: object, default: Policy) -> Policy:
    """Return `[watchdog]` as it was told or remembered; what is missing or makes no sense stays as it was."""
    told = settings if isinstance(settings, dict) else {}
    failures = told.get("failures")
    return Policy(
        check_every=_positive(told.get("check_every"), default.check_every),
        stale_after=_positive(told.get("stale_after"), default.stale_after),
        failures=failures if type(failures) is int and failures > 0 else default.failures,
    )


def beat_of(content: object) -> Beat | None:
    """Return the sign of life that a heartbeat holds, None when it holds none."""
    if not isinstance(content, dict):
        return None
    pid, wall, mono = content.get("pid"), content.get("timestamp"), content.get("mono")
    if type(pid) is not int or not _is_number(wall):
        return None
    known = mono if _is_number(mono) else None
    return Beat(pid=pid, wall=wall, mono=known, boot_id=str(content.get("boot_id")))


def interval_of(content: object) -> float:
    """Return the seconds between two beats that a heartbeat states, else those of a watchdog nobody has configured."""
    told = content.get("interval") if isinstance(content, dict) else None
    return _positive(told, Policy().check_every)


def _positive(value: object, default: float) -> float:
    return value if _is_number(value) and value > 0 else default


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and type(value) is not bool and math.isfinite(value)
