"""Judge what a record says against what lives: the decisions of a new supervisor about old processes.

After the table of evidence that pitchfork and systemd use: boot, pid, kernel start time, pidfd inode; a pid alone
proves nothing, and what cannot be proved is neither started nor signalled.
"""

from typing import assert_never

from holdfast.machine.process.identity import Verdict, is_same
from holdfast.model.event import Adopted, Exited, RecordStale, ServiceEvent, Unproved
from holdfast.model.service import Actual, Exit, Identity, Reason, ServiceState


def judge(state: ServiceState, *, same_boot: bool, tagged: Identity | None) -> ServiceEvent | None:
    """Return what the evidence says about a recorded service, or None when nothing needs to be said.

    `tagged` is a live process that carries the instance id of the record in its environment: the witness of a
    death between fork and record.
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
            return Exited(identity=state.process, exit=Exit(), reason=Reason.UNKNOWN)
        case Verdict.OTHER_BOOT:
            return RecordStale()
        case Verdict.UNREADABLE:
            return Unproved(
                why=f"pid {state.process.pid} lives, but the kernel does not tell which process it is"
            )
        case _:
            assert_never(verdict)


def _judge_intent(state: ServiceState, tagged: Identity | None) -> ServiceEvent | None:
    if tagged is not None:
        return Adopted(identity=tagged)
    return RecordStale() if state.actual is Actual.STARTING else None
