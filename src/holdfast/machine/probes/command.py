"""Does a program end with 0?"""

from holdfast.errors import StartFailed
from holdfast.machine.probes.errand import Errands
from holdfast.machine.process.launch import Launch
from holdfast.model.finding import WELL, Finding, failed, unknown
from holdfast.model.service import Exit


async def look(errands: Errands, launch: Launch) -> Finding:
    """Run a program, and judge how it ends."""
    try:
        ended = await errands.run(launch)
    except StartFailed as error:
        return (failed if error.permanent else unknown)(str(error))
    return WELL if ended.is_success else judged(ended)


def judged(ended: Exit) -> Finding:
    """Return what an end other than success says."""
    if ended.signal is not None:
        return failed(f"it was ended by signal {ended.signal}")
    if ended.code is None:
        return unknown("how it ended could not be learned")
    return failed(f"it exited with {ended.code}")
