from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from holdfast.model.alert import (
    Acknowledgement,
    AlertEffect,
    AlertPolicy,
    AlertState,
    Escalation,
    Hush,
    IncidentClosed,
    IncidentOpened,
    Note,
    Situation,
    Tell,
    Telling,
)
from holdfast.model.check import PROBED, CheckKind, CheckSpec, Look, Severity
from holdfast.model.service import Now
from holdfast.rules import alerting, cooldown

HUSHES = (Hush(), Hush(why="silence"), Hush(why="quiet hours", passes=Severity.CRITICAL))
NEWS = (Telling.OPEN, Telling.RAISE)


class AnyOrder(RuleBasedStateMachine):
    """Whatever happens in whatever order: what people hear makes sense."""

    def __init__(self) -> None:
        super().__init__()
        self.state = AlertState()
        self.now = Now(wall=1_000_000.0, mono=1_000.0, boot_id="0")
        self.hush = HUSHES[0]
        self.settling = False
        self.policy = AlertPolicy()
        self.spec = CheckSpec(name="it", kind=CheckKind.BACKUP)
        self.open: int | None = None
        self.last_incident = 0
        self.heard: list[Tell] = []
        self.keys: set[tuple[object, ...]] = set()
        self.told_at: dict[Severity, float] = {}

    @initialize(
        kind=st.sampled_from([CheckKind.BACKUP, CheckKind.HTTP]),
        confirm=st.integers(1, 3),
        remind=st.booleans(),
        backoff=st.booleans(),
        flapping=st.booleans(),
    )
    def begin(
        self, kind: CheckKind, confirm: int, remind: bool, backoff: bool, flapping: bool
    ) -> None:
        self.spec = CheckSpec(name="it", kind=kind, confirm=confirm, flapping=flapping)
        self.policy = AlertPolicy(remind=remind, remind_backoff=backoff)

    @rule(seconds=st.sampled_from([1.0, 60.0, 300.0, 7_200.0, 14_400.0, 90_000.0]))
    def time_passes(self, seconds: float) -> None:
        now = self.now
        self.now = replace(now, wall=now.wall + seconds, mono=now.mono + seconds)

    @rule(seconds=st.sampled_from([-50_000.0, -10.0, 10.0, 50_000.0]))
    def the_clock_is_set(self, seconds: float) -> None:
        self.now = replace(self.now, wall=self.now.wall + seconds)
        self.told_at = {key: min(at, self.now.wall) for key, at in self.told_at.items()}

    @rule()
    def the_machine_boots(self) -> None:
        self.now = replace(self.now, mono=1.0, boot_id=str(int(self.now.boot_id) + 1))

    @rule(hush=st.sampled_from(HUSHES), settling=st.booleans())
    def a_person_asks_for_silence(self, hush: Hush, settling: bool) -> None:
        self.hush, self.settling = hush, settling

    @rule(sticky=st.booleans(), lasts=st.none() | st.floats(1, 50_000))
    def a_person_acknowledges(self, sticky: bool, lasts: float | None) -> None:
        until = None if lasts is None else self.now.wall + lasts
        seen = Acknowledgement(by="ann", at=self.now.wall, sticky=sticky, until=until)
        self.state = alerting.acknowledge(self.state, seen)

    @precondition(lambda self: self.state.acknowledged is not None)
    @rule()
    def a_person_takes_it_back(self) -> None:
        self.state = alerting.unacknowledge(self.state)

    @rule(
        severity=st.sampled_from(list(Severity)),
        explicit=st.booleans(),
        times=st.integers(1, 4),
        holding=st.booleans(),
    )
    def it_is_evaluated(
        self, severity: Severity, explicit: bool, times: int, holding: bool
    ) -> None:
        for _ in range(times):
            look = Look(severity=severity, explicit=explicit and severity is not Severity.OK)
            self._evaluate(look, holding=holding)
            self.time_passes(300.0)

    def _evaluate(self, look: Look, *, holding: bool) -> None:
        situation = Situation(
            look=look,
            hush=self.hush,
            escalations=(Escalation(channel="boss", after=600.0),),
            settling=self.settling,
            holding=holding,
        )
        before, heard = self.state, list(self.heard)
        self.state, effects = alerting.step(self.policy, self.spec, before, situation, self.now)
        for effect in effects:
            self._take(effect, situation)
        if self.open is None and before.is_open:
            self._resolved_iff_heard(heard, effects)
        if holding or (self.settling and not look.explicit):
            assert self.state.confirmed.rank <= before.confirmed.rank
        if look.severity is Severity.OK and self.spec.kind not in PROBED:
            assert not self.state.is_open
        self._comes_again(look)

    def _take(self, effect: AlertEffect, situation: Situation) -> None:
        match effect:
            case IncidentOpened(number=number):
                assert self.open is None
                assert number == self.last_incident + 1
                self.open = self.last_incident = number
                self.heard = []
            case IncidentClosed(number=number):
                assert self.open == number
                self.open = None
            case Tell():
                self._hear(effect, situation)
            case Note():
                assert dict(effect.facts)["check"] == "it"

    def _hear(self, tell: Tell, situation: Situation) -> None:
        key = (self.last_incident, tell.kind, tell.severity, tell.number, tell.channels)
        assert key not in self.keys, "the outbox would take it for a message it has"
        self.keys.add(key)
        assert tell.severity in {Severity.WARNING, Severity.CRITICAL}
        if tell.kind is Telling.RESOLVE:
            return
        assert self.open is not None
        hush = situation.hush
        assert not hush.why or hush.passes is tell.severity
        assert tell.severity is self.state.confirmed
        assert situation.look.severity is not Severity.OK
        if not tell.channels:
            self._keeps_the_cooldown(tell)
        self.heard.append(tell)

    def _keeps_the_cooldown(self, tell: Tell) -> None:
        first = not any(not each.channels for each in self.heard)
        assert (tell.kind is Telling.OPEN) is first
        last = self.told_at.get(tell.severity)
        least = cooldown.length(self.policy, tell.severity)
        assert last is None or self.now.wall - last >= least - 1e-3
        self.told_at[tell.severity] = self.now.wall

    def _resolved_iff_heard(self, heard: list[Tell], effects: tuple[AlertEffect, ...]) -> None:
        resolves = [
            each for each in effects if isinstance(each, Tell) and each.kind is Telling.RESOLVE
        ]
        assert len(resolves) == bool(heard)
        assert all(each.to_told for each in resolves)

    def _comes_again(self, look: Look) -> None:
        wall = self.now.wall
        at = alerting.next_evaluation(self.policy, self.spec, self.state, look, wall)
        if alerting.is_calm(self.state) and look.severity is Severity.OK:
            assert at is None
        else:
            assert at is not None
            assert wall < at <= wall + self.policy.evaluate_every

    @invariant()
    def what_is_remembered_agrees_with_itself(self) -> None:
        state = self.state
        assert state.is_open is (state.confirmed is not Severity.OK)
        assert state.is_open is (self.open is not None)
        assert state.known.rank <= state.told.rank
        assert state.confirmed in {Severity.OK, Severity.WARNING, Severity.CRITICAL}
        assert len(state.changes) <= 20
        if state.is_open:
            assert state.muted is (state.told is Severity.OK)
            assert (state.told is Severity.OK) is (not self.heard)
        else:
            assert state.acknowledged is None
            assert (state.escalated, state.muted, state.is_quieted) == ((), False, False)


AnyOrder.TestCase.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
TestAlertingInAnyOrder = AnyOrder.TestCase
