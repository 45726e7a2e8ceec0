import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.event import HealthJudged, RestartOrdered, ServiceEvent
from holdfast.model.finding import WELL, Finding, Found, failed, unknown
from holdfast.model.service import Health, Reason
from holdfast.model.spec import Probe, ProbeKind
from holdfast.rules.probing import (
    CHEAP_READY_GAP,
    JUDGE,
    READY_LOOK_WITHIN,
    Purpose,
    Tally,
    first_live_look,
    live_looked,
    look_within,
    next_live_look,
    ready_gap,
    told,
    weighed,
)

LIVE = Probe(kind=ProbeKind.TCP, target=("127.0.0.1:8000",), timeout=1.0, every=10.0, failures=3)
REFUSED = failed("connection refused")
DEGRADED = HealthJudged(
    health=Health.DEGRADED, why="live: tcp 127.0.0.1:8000: connection refused", by=JUDGE
)
RESTART = RestartOrdered(reason=Reason.PROBE, counted=True, forgive=False)


def after(*findings: Finding) -> list[tuple[ServiceEvent, ...]]:
    """Return what happens to a service at each of these findings."""
    tally, happened = Tally(), []
    for finding in findings:
        tally, events = live_looked(LIVE, tally, finding)
        happened.append(events)
    return happened


def test_the_first_failure_degrades_and_the_last_allowed_one_restarts() -> None:
    assert after(REFUSED, REFUSED, REFUSED) == [(DEGRADED,), (DEGRADED,), (DEGRADED, RESTART)]


def test_one_success_heals_and_the_row_starts_over() -> None:
    healed = (HealthJudged(health=Health.OK, by=JUDGE),)
    assert after(REFUSED, REFUSED, WELL, REFUSED) == [
        (DEGRADED,),
        (DEGRADED,),
        healed,
        (DEGRADED,),
    ]


def test_a_healthy_service_is_told_nothing() -> None:
    assert after(WELL, WELL) == [(), ()]


def test_what_could_not_be_verified_neither_counts_nor_heals() -> None:
    assert after(REFUSED, unknown("no descriptor"), REFUSED) == [(DEGRADED,), (), (DEGRADED,)]


@given(st.lists(st.sampled_from([WELL, REFUSED, unknown("?")])), st.integers(1, 5))
def test_a_restart_needs_that_many_failures_with_no_success_between(
    findings: list[Finding], failures: int
) -> None:
    probe = Probe(kind=ProbeKind.TCP, target=("h:1",), timeout=1.0, failures=failures)
    tally, row = Tally(), 0
    for finding in findings:
        row = row + 1 if finding.found is Found.FAILED else 0 if finding == WELL else row
        tally, events = live_looked(probe, tally, finding)
        ordered = any(isinstance(event, RestartOrdered) for event in events)
        assert ordered == (finding.found is Found.FAILED and row >= failures)


@pytest.mark.parametrize(
    ("finding", "took", "found"),
    [
        (REFUSED, 0.1, Found.FAILED),
        (REFUSED, 2.0, Found.FAILED),
        (REFUSED, 2.1, Found.UNKNOWN),
        (WELL, 60.0, Found.WELL),
        (unknown("no name server"), 60.0, Found.UNKNOWN),
    ],
)
def test_a_failure_counts_only_if_the_supervisor_was_in_time_itself(
    finding: Finding, took: float, found: Found
) -> None:
    assert weighed(finding, took, within=1.0).found is found


def test_a_look_at_readiness_may_not_take_all_the_time_there_is() -> None:
    slow = Probe(kind=ProbeKind.HTTP, target=("http://h/",), timeout=90.0)
    quick = Probe(kind=ProbeKind.HTTP, target=("http://h/",), timeout=3.0)
    assert look_within(slow, Purpose.READY) == READY_LOOK_WITHIN
    assert look_within(quick, Purpose.READY) == 3.0
    assert look_within(slow, Purpose.LIVE) == 90.0


def test_looks_at_readiness_begin_close_together_and_find_their_pace() -> None:
    probe = Probe(kind=ProbeKind.TCP, target=("h:1",), timeout=90.0, every=0.5)
    assert [ready_gap(probe, looks) for looks in (1, 2, 3, 4, 5, 900)] == [
        0.05,
        0.1,
        0.2,
        0.4,
        0.5,
        0.5,
    ]


@pytest.mark.parametrize("kind", [ProbeKind.LOG, ProbeKind.FILE])
def test_a_cheap_look_at_readiness_keeps_a_quicker_pace(kind: ProbeKind) -> None:
    probe = Probe(kind=kind, target=("x",), timeout=90.0, every=0.5)
    assert ready_gap(probe, 100) == CHEAP_READY_GAP


def test_first_looks_are_spread_by_name_and_always_the_same() -> None:
    looks = [first_live_look(LIVE, f"api-{number}") for number in range(1000)]
    assert looks == [first_live_look(LIVE, f"api-{number}") for number in range(1000)]
    assert all(5.0 <= look < 15.0 for look in looks)
    in_each_second = [sum(1 for look in looks if int(look) == second) for second in range(5, 15)]
    assert max(in_each_second) < 150


def test_looks_keep_their_beat_and_what_was_missed_is_not_made_up_for() -> None:
    assert next_live_look(LIVE, due=100.0, now_mono=100.4) == 110.0
    assert next_live_look(LIVE, due=100.0, now_mono=147.0) == 157.0


def test_a_probe_is_told_as_it_was_written() -> None:
    probe = Probe(kind=ProbeKind.COMMAND, target=("pg_isready", "-q"), timeout=1.0)
    assert told(probe) == "command pg_isready -q"
