"""What a living service says of itself, or is found to be, changes of its state."""

from dataclasses import replace

from holdfast.model.event import HealthJudged, MainChanged, Record, TimeExtended, WatchMain
from holdfast.model.service import Actual, Health, Judgement, Now, ServiceState, Step
from holdfast.model.spec import ServiceSpec
from holdfast.rules.transitions import Outcome, pid_fact

_ILL = {Health.DEGRADED: 1, Health.BAD: 2}
"""The states of health that are worth a word, by how bad they are."""

_JUDGED = {
    Health.OK: "service.recovered",
    Health.UNKNOWN: "service.recovered",
    Health.DEGRADED: "service.degraded",
    Health.BAD: "service.bad",
}


def judged(_spec: ServiceSpec, state: ServiceState, event: HealthJudged, _now: Now) -> Outcome:
    """Take down how well the running process does; said again, it is no news."""
    before, state = state, _weighed(state, event)
    if state.health is before.health:
        return state, ()
    facts: dict[str, object] = pid_fact(state)
    if state.failure:
        facts["why"] = state.failure
    if event.severity:
        facts["severity"] = event.severity
    return state, (Record(kind=_JUDGED[state.health], facts=facts),)


def judged_early(
    _spec: ServiceSpec, state: ServiceState, event: HealthJudged, _now: Now
) -> Outcome:
    """Remember why a service is not ready yet; how well it does is asked once it is."""
    if state.process is None or state.failure == event.why:
        return state, ()
    return replace(state, failure=event.why), ()


def _weighed(state: ServiceState, event: HealthJudged) -> ServiceState:
    """Return the state with the word of one judge in place of an earlier one, and the worst word believed."""
    words = tuple(word for word in state.judged if word.by != event.by)
    if event.health in _ILL:
        words = (*words, Judgement(by=event.by, health=event.health, why=event.why))
    worst = max(words, key=lambda word: _ILL[word.health], default=None)
    if worst is None:
        return replace(state, health=Health.OK, failure="", judged=())
    return replace(state, health=worst.health, failure=worst.why, judged=words)


def extended(spec: ServiceSpec, state: ServiceState, event: TimeExtended, _now: Now) -> Outcome:
    """Grant more time to become ready or to end, as sd_notify's EXTEND_TIMEOUT_USEC asks; never less."""
    awaited = (state.actual is Actual.STARTING and spec.ready is not None) or (
        state.actual is Actual.STOPPING and state.step is Step.ASKED
    )
    if not awaited or state.deadline_mono is None or event.until_mono <= state.deadline_mono:
        return state, ()
    return replace(state, deadline_mono=event.until_mono), ()


def main_changed(
    _spec: ServiceSpec, state: ServiceState, event: MainChanged, _now: Now
) -> Outcome:
    """Believe a service that names another of its processes as its main one; the old one may end unnoticed."""
    if state.process is None or state.process == event.identity:
        return state, ()
    facts: dict[str, object] = {"pid": event.identity.pid, "was": state.process.pid}
    first = state.last_process or state.process
    return replace(state, process=event.identity, last_process=first), (
        Record(kind="service.main_changed", facts=facts),
        WatchMain(),
    )
