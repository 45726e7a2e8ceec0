"""Judge what a record says against what lives: the decisions of a new supervisor about old processes.

After the table of evidence that pitchfork and systemd use: boot, pid, kernel start time, pidfd inode; a pid alone
proves nothing, and what cannot be proved is neither started nor signalled.
"""

from collections.abc import Mapping
from typing import assert_never

from holdfast.machine.process.identity import Verdict, is_same
from holdfast.machine.process.wait import exit_from_status, open_death
from holdfast.model.event import (
    Adopted,
    Exited,
    RecordStale,
    RestartOrdered,
    ServiceEvent,
    StartUnseen,
    Unproved,
)
from holdfast.model.service import Actual, Exit, Identity, Reason, ServiceState, Step

_NOTHING_KEPT: Mapping[tuple[int, int], int] = {}


def judge(
    state: ServiceState,
    *,
    same_boot: bool,
    tagged: Identity | None,
    exits: Mapping[tuple[int, int], int] = _NOTHING_KEPT,
) -> ServiceEvent | None:
    """Return what the evidence says about a recorded service, or None when nothing needs to be said.

    `tagged` is a live process that carries the instance id of the record in its environment: the witness of a
    death between fork and record. `exits` are the wait statuses the watchdog kept, by pid and start time.
    """
    if not same_boot:
        return RecordStale()
    if state.process is None:
        return _judge_intent(state, tagged)
    verdict = is_same(state.process)
    match verdict:
        case Verdict.SAME:
            return Adopted(identity=state.process)
        case Verdict.GONE | Verdict.REUSED:
            ended = exit_of(state.process, exits)
            return Exited(identity=state.process, exit=ended, reason=_reason_of(ended))
        case Verdict.OTHER_BOOT:
            return RecordStale()
        case Verdict.UNREADABLE:
            return Unproved(
                why=f"pid {state.process.pid} lives, but the kernel does not tell which process it is"
            )
        case _:
            assert_never(verdict)


def _judge_intent(state: ServiceState, tagged: Identity | None) -> ServiceEvent | None:
    if (
        state.step is Step.PREPARING
    ):  # what runs before a start may half have run: once more, from its beginning
        return RestartOrdered(reason=Reason.UNKNOWN, forgive=False, signal="KILL")
    if tagged is not None:
        return Adopted(identity=tagged)
    return StartUnseen() if state.actual is Actual.STARTING else None


def exit_of(process: Identity, exits: Mapping[tuple[int, int], int]) -> Exit:
    """Return how a process ended while no supervisor looked: as the watchdog saw it, or as its zombie tells."""
    status = exits.get((process.pid, process.start_ticks))
    if status is not None:
        return exit_from_status(status)
    death = open_death(process)
    if death is None:
        return Exit()
    ended = death.collect()
    death.close()
    return ended or Exit()


def _reason_of(ended: Exit) -> Reason:
    if ended.signal is not None:
        return Reason.SIGNAL
    return Reason.UNKNOWN if ended.code is None else Reason.ADOPTED_EXIT
