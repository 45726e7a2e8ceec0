"""What a supervisor is made of."""

import asyncio
from dataclasses import dataclass

from holdfast.clock import Clock
from holdfast.home import Home
from holdfast.journal import Journal
from holdfast.machine.keeping import Keeping
from holdfast.machine.output.pipes import Pipes
from holdfast.machine.probes.errand import Errands
from holdfast.machine.supervisor.keeper import Keeper
from holdfast.machine.supervisor.launch import Launcher
from holdfast.machine.supervisor.notes import Notes
from holdfast.machine.supervisor.records import Records
from holdfast.machine.supervisor.trees import Trees


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a supervisor is made of; the composition root puts it together."""

    home: Home
    clock: Clock
    loop: asyncio.AbstractEventLoop
    journal: Journal
    records: Records
    keeper: Keeper
    pipes: Pipes
    launcher: Launcher
    trees: Trees
    notes: Notes
    keeping: Keeping
    errands: Errands
