"""Hears the beats of services, takes note of them, and judges silence when it is time to."""

import asyncio
from dataclasses import dataclass, field, replace
from typing import assert_never

from holdfast.clock import Clock, boot_id, utc_text
from holdfast.errors import LockTimeout, StateError
from holdfast.machine.beats import message as messages
from holdfast.machine.beats import sender
from holdfast.machine.beats.file import HeartbeatFiles
from holdfast.machine.beats.message import Message
from holdfast.machine.beats.sockets import Datagram, NotifySockets
from holdfast.machine.process.identity import identify
from holdfast.machine.supervisor.care.attendant import Tell
from holdfast.machine.supervisor.notes import Notes
from holdfast.machine.supervisor.service import Service
from holdfast.model.beat import PLAIN_STATUS, Beat, Liveness, Refusal
from holdfast.model.event import (
    BecameReady,
    HealthJudged,
    MainChanged,
    Record,
    RestartOrdered,
    TimeExtended,
)
from holdfast.model.service import Actual, Health, Identity, Now
from holdfast.model.spec import HeartbeatPolicy, ProbeKind
from holdfast.rules import liveness as rules

SHOWN_EVERY = 1.0
"""Seconds between two writes of one heartbeat file, however often its service beats."""

_WITH_PROCESS = frozenset(
    {Actual.STARTING, Actual.RUNNING, Actual.STOPPING, Actual.STUCK, Actual.ORPHAN}
)

_WHY = {
    Refusal.GENERATION: "it is of another start of the service",
    Refusal.BOOT: "it is of another boot of the machine",
    Refusal.FUTURE: f"its timestamp lies more than {rules.AHEAD_AT_MOST:g} s in the future",
    Refusal.SENDER: "it was not sent by a process of the service",
    Refusal.MAIN: "the process it names as the main one is none of the service",
    Refusal.SIZE: "it is too long",
    Refusal.FORM: "the heartbeat file is not a plain file with one JSON object and a timestamp",
}


@dataclass(slots=True, kw_only=True)
class _Pulse:
    """What is held for one process of a service."""

    service: Service
    generation: int
    policy: HeartbeatPolicy | None
    liveness: Liveness
    timer: asyncio.TimerHandle | None = None
    looked_mono: float | None = None
    shown_mono: float = float("-inf")
    showing: asyncio.TimerHandle | None = None
    refused: set[Refusal] = field(default_factory=set)

    @property
    def name(self) -> str:
        return self.service.name


class Heartbeats:
    """The attendant of every service with a process: it costs one timer where there is a lease, else nothing."""

    def __init__(
        self, clock: Clock, notes: Notes, tell: Tell, sockets: NotifySockets, files: HeartbeatFiles
    ) -> None:
        self.clock = clock
        self.notes = notes
        self.tell = tell
        self.sockets = sockets
        self.files = files
        self.loop = sockets.loop
        self._pulses: dict[str, _Pulse] = {}
        sockets.hear = self._heard

    def attend(self, service: Service) -> None:
        """Begin with a new process, judge it from when it runs, and end with it."""
        state = service.state
        if state.actual not in _WITH_PROCESS:
            self._end(service)
            return
        if state.process is None:
            return
        pulse = self._pulses.get(service.name)
        if pulse is None or pulse.generation != state.generation:
            pulse = self._begin(service)
        if state.actual is not Actual.RUNNING:
            pulse.liveness = rules.paused(pulse.liveness)
            _disarm(pulse)
        elif pulse.liveness.base_mono is None or pulse.policy != service.spec.heartbeat:
            self._judge_from_now(pulse)

    def forget(self, service: Service) -> None:
        """Let go of a service; what a living one has sent is heard by the next supervisor."""
        if service.state.actual in _WITH_PROCESS:
            self._drop(service.name)
            self.sockets.let_go(service.name)
        else:
            self._end(service)

    def row(self, service: Service) -> dict[str, object] | None:
        """Return what a service says of itself, as `status` shows it; None when it never said anything."""
        pulse = self._pulses.get(service.name)
        if pulse is None:
            return None
        if pulse.policy is None:
            self._look_at_files(pulse)  # no timer does, where no lease is to be judged
        liveness = pulse.liveness
        last = liveness.last
        if last is None and liveness.text is None and liveness.error is None:
            return None
        expires_at = rules.expires_at(service.spec, liveness)
        return {
            "status": last.status if last else None,
            "text": liveness.text,
            "error": liveness.error,
            "progress": last.progress if last else None,
            "beat_at": utc_text(last.wall) if last else None,
            "expires_at": None if expires_at is None else utc_text(expires_at),
        }

    def _begin(self, service: Service) -> _Pulse:
        name, generation = service.name, service.state.generation
        self._drop(name)
        is_lost = False
        if not self.sockets.has(name, generation):
            try:
                is_lost = not self.sockets.keep(name, generation)
            except OSError as error:
                is_lost = True
                facts: dict[str, object] = {"severity": "warning", "why": str(error)}
                self.notes.record(service, "heartbeat.deaf", facts)
        self.files.begin(name)
        pulse = _Pulse(
            service=service,
            generation=generation,
            policy=service.spec.heartbeat,
            liveness=Liveness(suspended=is_lost),
        )
        self._pulses[name] = pulse
        return pulse

    def _judge_from_now(self, pulse: _Pulse) -> None:
        state, before = pulse.service.state, pulse.liveness
        is_new = before.base_mono is None
        health = (state.health if state.adopted else Health.OK) if is_new else before.health
        pulse.policy = pulse.service.spec.heartbeat
        spec, now = pulse.service.spec, self._now()
        pulse.liveness, findings = rules.began(spec, before, now, health=health)
        self._follow(pulse, findings)
        if pulse.policy is not None:
            self._look_at_files(pulse)
        self._arm(pulse)

    def _end(self, service: Service) -> None:
        # Last words first: they are heard while the service is still known.
        self.sockets.close(service.name)
        self._drop(service.name)
        self.files.forget(service.name)

    def _drop(self, name: str) -> None:
        pulse = self._pulses.pop(name, None)
        if pulse is None:
            return
        _disarm(pulse)
        if pulse.showing is not None:
            pulse.showing.cancel()
            self._show(pulse)

    def _heard(self, found: Datagram) -> None:
        pulse = self._pulses.get(found.service)
        main = pulse.service.state.process if pulse else None
        if pulse is None or main is None or pulse.generation != found.generation:
            return
        instance, own_uid = pulse.service.state.instance, self.sockets.owner(found.service)
        if found.is_cut:
            self._refuse(pulse, Refusal.SIZE, found.pid)
        elif not sender.is_trusted(found.pid, found.uid, main, instance, own_uid):
            self._refuse(pulse, Refusal.SENDER, found.pid)
        else:
            self._obey(pulse, messages.parse(found.payload), found.pid, main)

    def _obey(self, pulse: _Pulse, said: Message, pid: int | None, main: Identity) -> None:
        """Act on a message, line by line; each may change the service, so nothing is remembered in between."""
        service = pulse.service
        if said.main_pid is not None and said.main_pid != main.pid:
            self._change_main(pulse, said.main_pid, main)
        if said.extend_by is not None:
            self._extend(pulse, said.extend_by)
        ready = service.spec.ready
        if said.is_ready and ready is not None and ready.kind is ProbeKind.NOTIFY:
            self.tell(service, BecameReady())
        now = self._now()
        if said.is_beat:
            self._take(pulse, _beat_of(said, pulse, pid, now), now)
            self._show_soon(pulse)
        else:
            pulse.liveness = rules.told(
                pulse.liveness, now, text=said.text, error=said.error, lease=said.lease
            )
        if said.is_trigger:
            pulse.liveness, findings = rules.triggered(pulse.liveness)
            self._follow(pulse, findings)
        self._arm(pulse)

    def _change_main(self, pulse: _Pulse, pid: int, main: Identity) -> None:
        instance = pulse.service.state.instance
        identity = identify(pid) if sender.is_own(pid, main, instance) else None
        if identity is None:
            self._refuse(pulse, Refusal.MAIN, pid)
        else:
            self.tell(pulse.service, MainChanged(identity=identity))

    def _extend(self, pulse: _Pulse, seconds: float) -> None:
        until = self.clock.monotonic() + seconds
        if pulse.service.state.actual is Actual.RUNNING:
            pulse.liveness = rules.extended(pulse.liveness, until)
        else:
            self.tell(pulse.service, TimeExtended(until_mono=until))

    def _take(self, pulse: _Pulse, beat: Beat, now: Now) -> None:
        pulse.liveness, findings = rules.beat_arrived(
            pulse.service.spec, pulse.liveness, beat, now
        )
        self._follow(pulse, findings)

    def _look_at_files(self, pulse: _Pulse) -> None:
        """Take what was written since the look before; at the first one, what is of another process says nothing."""
        now, looked_mono = self._now(), pulse.looked_mono
        pulse.looked_mono = now.mono
        for found in self.files.look(pulse.name, now):
            said = found.said
            beat = None if isinstance(said, Refusal) else said
            fault = said if beat is None else self._fault(pulse, beat, now)
            if fault is None and beat is not None and not _is_older(pulse, beat, looked_mono):
                mono = rules.arrived_mono(beat.wall, looked_mono, now)
                beat = replace(beat, mono=mono, generation=pulse.generation)
                self._take(pulse, beat, now)
                if not found.is_shown:
                    self._show_soon(pulse)
            elif isinstance(fault, Refusal) and looked_mono is not None:
                self._refuse(pulse, fault, beat.pid if beat else None)

    def _fault(self, pulse: _Pulse, beat: Beat, now: Now) -> Refusal | None:
        main = pulse.service.state.process
        fault = rules.refusal(beat, pulse.generation, now)
        if fault is not None or main is None or beat.pid is None:
            return fault
        # Who wrote it may have ended since: only a living stranger is refused.
        own = sender.is_own(beat.pid, main, pulse.service.state.instance)
        return Refusal.SENDER if own is False else None

    def _arm(self, pulse: _Pulse) -> None:
        """Set the timer for the next look; one that is set for an earlier moment finds out for itself."""
        if self._pulses.get(pulse.name) is not pulse or pulse.liveness.base_mono is None:
            return
        due = rules.when_due(pulse.service.spec, pulse.liveness)
        if pulse.policy is not None and pulse.looked_mono is not None:
            next_file = pulse.looked_mono + pulse.policy.every
            due = next_file if due is None else min(due, next_file)
        if due is None or (pulse.timer is not None and pulse.timer.when() <= due):
            return
        _disarm(pulse)
        pulse.timer = self.loop.call_at(due, self._look, pulse, due)

    def _look(self, pulse: _Pulse, due: float) -> None:
        """Judge silence, after everything that was said meanwhile is heard."""
        late_by = self.clock.monotonic() - due
        pulse.timer = None
        self.sockets.drain(pulse.name)
        self._look_at_files(pulse)
        if self._pulses.get(pulse.name) is not pulse or pulse.liveness.base_mono is None:
            return  # what was heard ended it
        spec = pulse.service.spec
        pulse.liveness, findings = rules.looked(spec, pulse.liveness, self._now(), late_by)
        self._follow(pulse, findings)
        self._arm(pulse)

    def _follow(self, pulse: _Pulse, findings: tuple[rules.Finding, ...]) -> None:
        for finding in findings:
            match finding:
                case Record(kind=kind, facts=facts):
                    self.notes.record(pulse.service, kind, facts)
                case HealthJudged() | RestartOrdered():
                    self.tell(pulse.service, finding)
                case _:
                    assert_never(finding)

    def _refuse(self, pulse: _Pulse, fault: Refusal, pid: int | None) -> None:
        if fault in pulse.refused:
            return
        pulse.refused.add(fault)
        facts: dict[str, object] = {
            "severity": "warning",
            "reason": fault.value,
            "why": _WHY[fault],
            "pid": pid,
        }
        self.notes.record(pulse.service, "heartbeat.refused", facts)

    def _show_soon(self, pulse: _Pulse) -> None:
        """Have the last beat written where others look, in this turn or when a second has passed."""
        if pulse.showing is None:
            due = pulse.shown_mono + SHOWN_EVERY
            pulse.showing = self.loop.call_at(max(due, self.loop.time()), self._show, pulse)

    def _show(self, pulse: _Pulse) -> None:
        pulse.showing = None
        pulse.shown_mono = self.clock.monotonic()
        last = pulse.liveness.last
        if last is None:
            return
        expires_at = rules.expires_at(pulse.service.spec, pulse.liveness)
        try:
            self.files.write(pulse.name, last, expires_at, pulse.liveness.extra)
        except LockTimeout:  # somebody else writes there at this moment; the next beat comes
            return
        except StateError as error:
            self.notes.disk_refused("heartbeats", str(error))
        else:
            self.notes.disk_accepted("heartbeats")

    def _now(self) -> Now:
        return Now(wall=self.clock.wall(), mono=self.clock.monotonic(), boot_id=boot_id())


def _beat_of(said: Message, pulse: _Pulse, pid: int | None, now: Now) -> Beat:
    return Beat(
        wall=now.wall,
        mono=now.mono,
        pid=pid,
        generation=pulse.generation,
        boot_id=now.boot_id,
        status=said.status or PLAIN_STATUS,
        error=said.error,
        progress=said.progress,
        interval=said.interval,
        lease=said.lease,
        text=said.text,
        extra=said.extra,
    )


def _is_older(pulse: _Pulse, beat: Beat, looked_mono: float | None) -> bool:
    """Tell whether a file that names no generation was there before the process."""
    started = pulse.service.state.started_mono
    if looked_mono is not None or beat.generation is not None or started is None:
        return False
    return beat.mono < started


def _disarm(pulse: _Pulse) -> None:
    if pulse.timer is not None:
        pulse.timer.cancel()
        pulse.timer = None
