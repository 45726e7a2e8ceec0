"""Decide what became of the time between two looks: slept, stepped, rebooted, or nobody looked at all."""

from dataclasses import dataclass

from holdfast.model.check import CheckKind, CheckSpec, Evidence

NOTICED_S = 60.0
"""Seconds of sleep or of a forward step after which what is overdue first gets time to run (note 03, section 5.5)."""

SETTLE_S = 600.0
"""Seconds awake that an ordinary settling takes."""

SETTLE_ROUNDS = (2.0, 10.0)
"""Evaluations that a settling takes at least, and at most where they come so quickly that 10 min would be many of them."""

MISSED_SHARE = 0.618
"""Share of period and grace above which the monitor's absence may have cost a ping; Nagios' rule for passive checks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """The clocks at one moment, in seconds; `boottime` goes on while the machine sleeps, None where there is no such clock.

    `run` tells one process of the hub from the next.
    """

    wall: float
    mono: float
    boottime: float | None
    boot_id: str
    run: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Jump:
    """What lies between two ticks, in seconds: asleep, stepped by the wall clock (negative: back), and gone by in all.

    `deaf_s` is how long no ping could arrive: the machine slept, or the hub was not there.
    """

    slept_s: float = 0.0
    stepped_s: float = 0.0
    gap_s: float = 0.0
    deaf_s: float = 0.0
    rebooted: bool = False

    @property
    def unsettles(self) -> bool:
        """Tell whether what should have run meanwhile needs time to do so before anybody is told."""
        return self.rebooted or self.slept_s >= NOTICED_S or self.stepped_s >= NOTICED_S

    @property
    def is_back(self) -> bool:
        """Tell whether moments that were written down may lie in the future now."""
        return self.stepped_s < 0


def jump(before: Tick | None, now: Tick) -> Jump:
    """Return what lies between two ticks; nothing before the first one.

    Across a boot only the wall clock goes on, so that a forward step cannot be told from time gone by. Without a clock
    that counts sleep, sleep looks like a forward step.
    """
    if before is None:
        return Jump()
    passed = now.wall - before.wall
    if before.boot_id != now.boot_id:
        gap = max(0.0, passed)
        return Jump(stepped_s=min(0.0, passed), gap_s=gap, deaf_s=gap, rebooted=True)
    awake = max(0.0, now.mono - before.mono)
    slept = _slept(before, now, awake)
    stepped = passed - awake - slept
    asleep = slept + (max(0.0, stepped) if now.boottime is None else 0.0)
    gap = awake + asleep
    deaf = asleep if now.run == before.run else gap
    return Jump(slept_s=slept, stepped_s=_beyond_drift(stepped, gap), gap_s=gap, deaf_s=deaf)


def _slept(before: Tick, now: Tick, awake: float) -> float:
    if before.boottime is None or now.boottime is None:
        return 0.0
    return max(0.0, now.boottime - before.boottime - awake)


def _beyond_drift(stepped: float, gap: float) -> float:
    """Return the step, nothing for what a clock that is slewed may gain or lose (500 parts in a million) and reading takes."""
    return stepped if abs(stepped) > 1.0 + gap * 0.0005 else 0.0


def settle_for(evaluate_every: float) -> float:
    """Return how many seconds awake a settling takes: 10 min, fitted to evaluations that are far apart or very close."""
    least, most = (rounds * evaluate_every for rounds in SETTLE_ROUNDS)
    return max(least, min(SETTLE_S, most))


def settling_left(left: float, before: Tick | None, now: Tick, evaluate_every: float) -> float:
    """Return how many seconds of settling are left, all of them anew when the jump unsettles and none were left.

    A settling is not lengthened, so a machine that wakes only for seconds, or boots again and again, comes to its end too.
    """
    if before is None:
        return 0.0
    if left > 0:
        awake = now.mono - before.mono if before.boot_id == now.boot_id else 0.0
        return max(0.0, left - max(0.0, awake))
    return settle_for(evaluate_every) if jump(before, now).unsettles else 0.0


def forgiven(spec: CheckSpec, evidence: Evidence, deaf_s: float, now: float) -> float:
    """Return the extra grace in seconds for a ping that may have been lost while nobody listened, 0 for none.

    The next ping is then expected one period from now, as Nagios lets its clock begin at its own start. It is given once
    until a success comes, and not to what was late before.
    """
    if spec.kind is not CheckKind.PING or evidence.extra_grace or evidence.due_at is None:
        return 0.0
    period = _period(spec, evidence)
    if deaf_s <= MISSED_SHARE * (period + spec.grace) or evidence.due_at > now:
        return 0.0
    if evidence.due_at + spec.grace <= now - deaf_s:
        return 0.0
    return now - evidence.due_at + period


def _period(spec: CheckSpec, evidence: Evidence) -> float:
    """Return the time between two expected successes; `overdue_at` is the second one after `due_at`."""
    if spec.period is not None:
        return spec.period
    if evidence.due_at is None or evidence.overdue_at is None:
        return 0.0
    return (evidence.overdue_at - evidence.due_at) / 2
