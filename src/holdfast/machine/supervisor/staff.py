"""Everybody at work beside the supervisor's heart, and what the standing orders mean to each of them."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from holdfast.errors import UsageError
from holdfast.machine.beats.file import HeartbeatFiles
from holdfast.machine.beats.sockets import NotifySockets
from holdfast.machine.supervisor import standing
from holdfast.machine.supervisor.care.edges import EdgeCare
from holdfast.machine.supervisor.care.flapping import FlappingCare
from holdfast.machine.supervisor.care.hooks import AfterHooks
from holdfast.machine.supervisor.care.limits import LimitCare, LimitParts
from holdfast.machine.supervisor.care.liveness import Heartbeats
from holdfast.machine.supervisor.care.looks import Looks
from holdfast.machine.supervisor.care.prober import Prober
from holdfast.machine.supervisor.care.watch import WatchCare, WatchParts
from holdfast.machine.supervisor.custody import Custody
from holdfast.machine.supervisor.loop import Supervisor
from holdfast.machine.supervisor.mutual import Mutual
from holdfast.machine.supervisor.notices import Notices
from holdfast.machine.supervisor.pulse import Pulse
from holdfast.machine.supervisor.rounds import Rounds
from holdfast.machine.supervisor.runs import Ground
from holdfast.machine.supervisor.schedule import Schedule
from holdfast.machine.supervisor.stand_in import StandIn
from holdfast.machine.supervisor.standing import Standing
from holdfast.model.service import Actual

HOOKS_WITHIN = 10.0
"""Seconds the hooks of the last ends may take before a supervisor that ends kills them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Staff:
    """Put together once, by `employ`."""

    supervisor: Supervisor
    custody: Custody
    mutual: Mutual
    rounds: Rounds
    pulse: Pulse
    notices: Notices
    schedule: Schedule
    heartbeats: Heartbeats
    hooks: AfterHooks
    prober: Prober
    told: dict[str, object]

    def begin(self, remembered: Mapping[str, Any]) -> None:
        """Go by what the last configuration said; what cannot be understood of it is told and waits for the next."""
        try:
            self.obey(standing.read(remembered))
        except UsageError as error:
            facts: dict[str, object] = {"severity": "critical", "why": str(error)}
            self.supervisor.parts.notes.event("state.corrupt", "config", facts)

    def open_for_work(self) -> None:
        """Look, beat, schedule and watch the watchdog from now on: every living service is known again."""
        self.custody.settle()
        self.pulse.beat()
        self.rounds.start()
        self.schedule.start()
        if sys.platform == "linux":
            self.mutual.start()

    def obey(self, orders: Standing) -> None:
        """Go by these orders from now on."""
        self.rounds.set_every(orders.look_every)
        self.pulse.obey(orders.stale_after)
        if orders.watchdog is not None:
            self.custody.settings(orders.watchdog)
        self.notices.set(orders.last_resort)
        self.schedule.apply(orders.jobs)
        self.pulse.recount()
        self._tell_builtins(orders)

    def _tell_builtins(self, orders: Standing) -> None:
        """Have the parts of Holdfast that go by the standing orders read them again when theirs have changed."""
        for name, told in orders.of_builtins.items():
            service = self.supervisor.services.get(name)
            is_there = service is not None and service.state.actual is Actual.RUNNING
            if service is not None and is_there and self.told.get(name) not in (None, told):
                self.supervisor.parts.trees.signal_main(service, service.spec.reload_signal)
            self.told[name] = told

    async def finish(self) -> None:
        """Begin nothing any more, and let what is under way for services come to its end."""
        self.mutual.stop()
        self.schedule.close()
        await self.prober.finish()
        await self.hooks.finish(HOOKS_WITHIN)

    def go_home(self) -> None:
        """Say the last word."""
        self.pulse.stop()
        self.notices.close()
        self.supervisor.parts.errands.close()


def employ(supervisor: Supervisor, custody: Custody, mutual: Mutual) -> Staff:
    """Put everybody together who works for this supervisor, and have the attendants look after its services."""
    parts = supervisor.parts
    sockets = NotifySockets(parts.loop, parts.launcher.runtime, custody)
    files = HeartbeatFiles(parts.home, parts.launcher.runtime)
    heartbeats = Heartbeats(parts.clock, parts.notes, supervisor.tell, sockets, files)
    parts.launcher.notify_address = partial(_address, sockets, files)
    hooks = AfterHooks(parts.home, parts.clock, parts.errands, parts.notes, parts.launcher.outlets)
    prober = Prober(parts.loop, supervisor.tell, parts.notes, Looks(parts.home, parts.errands))
    notices = Notices(parts.home, parts.loop, parts.clock, parts.notes, parts.errands)
    has_hub = standing.remembered(parts.home).get("hub") is not None
    stand_in = StandIn(parts.loop, notices, has_hub=has_hub)
    parts.notes.notices = stand_in
    schedule = Schedule(
        Ground(
            floor=supervisor,
            home=parts.home,
            loop=parts.loop,
            notes=parts.notes,
            drain=parts.pipes.drain,
        )
    )
    supervisor.attendants = [
        heartbeats,
        prober,
        EdgeCare(lambda: supervisor.services, supervisor.tell),
        LimitCare(
            LimitParts(
                loop=parts.loop,
                roster=parts.trees.roster,
                notes=parts.notes,
                tell=supervisor.tell,
                spared=parts.trees.spared,
            )
        ),
        FlappingCare(parts.loop, supervisor.now, parts.notes),
        WatchCare(
            WatchParts(
                loop=parts.loop, now=supervisor.now, notes=parts.notes, tell=supervisor.tell
            )
        ),
        hooks,
        schedule,
        stand_in,
    ]
    return Staff(
        supervisor=supervisor,
        custody=custody,
        mutual=mutual,
        rounds=Rounds(supervisor),
        pulse=Pulse(
            parts,
            custody.beat,
            lambda: sum(one.is_counted for one in supervisor.services.values()),
        ),
        notices=notices,
        schedule=schedule,
        heartbeats=heartbeats,
        hooks=hooks,
        prober=prober,
        told={},
    )


def _address(
    sockets: NotifySockets, files: HeartbeatFiles, name: str, generation: int, uid: int | None
) -> str:
    """Open what a start may say its beats to, and make room for the files of one that runs as another user."""
    address = sockets.open(name, generation, uid)
    if uid is not None:
        files.prepare(name, uid)
    return address
