"""What a living service says of itself, or is found to be."""

from dataclasses import replace

import pytest

from holdfast.model.event import (
    Elapsed,
    Exited,
    HealthJudged,
    MainChanged,
    Record,
    TimeExtended,
    WatchMain,
)
from holdfast.model.service import (
    Actual,
    Desired,
    Exit,
    Health,
    Identity,
    Now,
    Reason,
    ServiceState,
    Step,
)
from holdfast.model.spec import Probe, ProbeKind, ServiceSpec
from holdfast.rules.supervise import step

SPEC = ServiceSpec(name="api", command=("api",), cwd="/")
PROBED = replace(SPEC, ready=Probe(kind=ProbeKind.NOTIFY, target=(), timeout=90.0))
MAIN = Identity(pid=41, start_ticks=7, boot_id="boot-1")
NOW = Now(wall=1e9, mono=1000.0, boot_id="boot-1")
RUNNING = ServiceState(
    name="api", desired=Desired.UP, actual=Actual.RUNNING, health=Health.OK, process=MAIN
)
STARTING = replace(RUNNING, actual=Actual.STARTING, deadline_mono=1090.0)
ASKED = replace(RUNNING, actual=Actual.STOPPING, step=Step.ASKED, deadline_mono=1010.0)
LATE = HealthJudged(health=Health.DEGRADED, why="no beat for 50 s", severity="warning")


def test_a_judgement_is_told_when_it_is_news_and_only_then() -> None:
    state, told = step(SPEC, RUNNING, LATE, NOW)
    assert (state.health, state.failure) == (Health.DEGRADED, "no beat for 50 s")
    facts = {"pid": 41, "why": "no beat for 50 s", "severity": "warning"}
    assert told == (Record(kind="service.degraded", facts=facts),)
    assert step(SPEC, state, LATE, NOW) == (state, ())


def test_other_words_for_the_same_health_are_shown_and_not_told() -> None:
    state, _ = step(SPEC, RUNNING, LATE, NOW)
    later, told = step(SPEC, state, replace(LATE, why="no beat for 60 s"), NOW)
    assert (later.failure, told) == ("no beat for 60 s", ())


def test_a_service_that_is_well_again_is_told_once_and_keeps_no_complaint() -> None:
    state, _ = step(SPEC, RUNNING, LATE, NOW)
    well, told = step(SPEC, state, HealthJudged(health=Health.OK), NOW)
    assert (well.health, well.failure) == (Health.OK, "")
    assert told == (Record(kind="service.recovered", facts={"pid": 41}),)
    assert step(SPEC, well, HealthJudged(health=Health.OK), NOW) == (well, ())


@pytest.mark.parametrize(
    ("spec", "before", "until", "granted"),
    [
        (PROBED, STARTING, 1200.0, 1200.0),
        (PROBED, STARTING, 1050.0, 1090.0),
        (SPEC, STARTING, 1200.0, 1090.0),
        (SPEC, ASKED, 1200.0, 1200.0),
        (SPEC, ASKED, 1005.0, 1010.0),
        (SPEC, replace(ASKED, step=Step.KILLED), 1200.0, 1010.0),
        (SPEC, replace(ASKED, step=Step.DRAINING), 1200.0, 1010.0),
    ],
    ids=[
        "to become ready",
        "never less",
        "not where age alone decides",
        "to end",
        "never less to end",
        "not once it is killed",
        "not for what it left behind",
    ],
)
def test_more_time_is_granted_where_it_is_awaited(
    spec: ServiceSpec, before: ServiceState, until: float, granted: float
) -> None:
    state, told = step(spec, before, TimeExtended(until_mono=until), NOW)
    assert (state.deadline_mono, told) == (granted, ())


def test_another_main_process_is_watched_in_place_of_the_old_one() -> None:
    other = replace(MAIN, pid=43, start_ticks=9)
    state, told = step(SPEC, RUNNING, MainChanged(identity=other), NOW)
    assert state == replace(RUNNING, process=other, last_process=MAIN)
    facts: dict[str, object] = {"pid": 43, "was": 41}
    assert told == (Record(kind="service.main_changed", facts=facts), WatchMain())


def test_the_same_main_process_is_no_news() -> None:
    assert step(SPEC, RUNNING, MainChanged(identity=MAIN), NOW) == (RUNNING, ())


def test_of_several_judges_the_worst_word_counts_until_it_is_taken_back() -> None:
    probe = HealthJudged(health=Health.DEGRADED, why="connection refused", by="probe")
    error = HealthJudged(health=Health.BAD, why="it reports: disk full", severity="critical")
    state, _ = step(SPEC, RUNNING, probe, NOW)
    state, told = step(SPEC, state, error, NOW)
    assert (state.health, state.failure) == (Health.BAD, "it reports: disk full")
    assert [record.kind for record in told if isinstance(record, Record)] == ["service.bad"]
    state, told = step(SPEC, state, HealthJudged(health=Health.OK), NOW)
    assert (state.health, state.failure) == (Health.DEGRADED, "connection refused")
    assert [record.kind for record in told if isinstance(record, Record)] == ["service.degraded"]
    state, _ = step(SPEC, state, HealthJudged(health=Health.OK, by="probe"), NOW)
    assert (state.health, state.failure, state.judged) == (Health.OK, "", ())


def test_why_a_service_is_not_ready_yet_is_remembered_for_the_end_of_its_patience() -> None:
    state, told = step(PROBED, STARTING, replace(LATE, why="connection refused"), NOW)
    assert (state.failure, state.health, told) == ("connection refused", Health.OK, ())
    late = replace(NOW, mono=1090.0)
    _, told = step(PROBED, state, Elapsed(), late)
    assert isinstance(told[0], Record)
    assert told[0].facts["why"] == "it did not become ready within 90 s: connection refused"


def test_another_life_is_not_judged_by_the_words_about_the_last_one() -> None:
    state, _ = step(SPEC, RUNNING, LATE, NOW)
    ended = Exited(identity=MAIN, exit=Exit(code=1), reason=Reason.EXIT)
    state, _ = step(SPEC, state, ended, NOW)
    assert state.judged == ()
