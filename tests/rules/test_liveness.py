"""Silence restarts a service, and nothing else does: not the slowness of the supervisor, not a step of the clock."""

import itertools
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.beat import Beat, Liveness, Refusal
from holdfast.model.event import HealthJudged, Record, RestartOrdered
from holdfast.model.service import Health, Now, Reason
from holdfast.model.spec import HeartbeatPolicy, RestartPolicy, ServiceSpec
from holdfast.rules import liveness as rules

LEASE = 90.0
POLICY = HeartbeatPolicy(every=30.0, lease=LEASE)
WALL = 1_000_000.0


def spec(policy: HeartbeatPolicy | None = POLICY, **restart: Any) -> ServiceSpec:
    return ServiceSpec(
        name="api",
        command=("api",),
        cwd="/",
        heartbeat=policy,
        restart=RestartPolicy(**restart),
    )


def at(mono: float, *, stepped: float = 0.0) -> Now:
    return Now(wall=WALL + mono + stepped, mono=mono, boot_id="boot")


def beat(mono: float, **said: Any) -> Beat:
    return Beat(**{"wall": WALL + mono, "mono": mono, "generation": 1, "boot_id": "boot", **said})


def begun(
    service: ServiceSpec | None = None, mono: float = 0.0, health: Health = Health.OK
) -> Liveness:
    liveness, _ = rules.began(service or spec(), Liveness(), at(mono), health=health)
    return liveness


class Life:
    """One process: its state, and all that followed so far."""

    def __init__(self, service: ServiceSpec | None = None, mono: float = 0.0) -> None:
        self.spec = service or spec()
        self.liveness = begun(self.spec, mono)
        self.found: list[rules.Finding] = []

    def beats(self, mono: float, **said: Any) -> "Life":
        return self._take(
            rules.beat_arrived(self.spec, self.liveness, beat(mono, **said), at(mono))
        )

    def look(self, mono: float, late_by: float = 0.0) -> "Life":
        return self._take(rules.looked(self.spec, self.liveness, at(mono), late_by))

    def silent_until(self, end: float) -> "Life":
        """Look whenever a look is due, as punctual as can be."""
        while (due := rules.when_due(self.spec, self.liveness)) is not None and due <= end:
            self.look(due)
            if self.restarts:
                break
        return self

    def _take(self, outcome: rules.Outcome) -> "Life":
        self.liveness, findings = outcome
        self.found += findings
        return self

    @property
    def judged(self) -> list[Health]:
        return [one.health for one in self.found if isinstance(one, HealthJudged)]

    @property
    def restarts(self) -> list[RestartOrdered]:
        return [one for one in self.found if isinstance(one, RestartOrdered)]

    @property
    def kinds(self) -> list[str]:
        return [one.kind for one in self.found if isinstance(one, Record)]


ABORT = RestartOrdered(reason=Reason.LEASE, counted=True, forgive=False, signal="ABRT")


def test_silence_degrades_at_half_the_lease_and_restarts_in_the_second_look_after_its_end() -> (
    None
):
    life = Life().silent_until(LEASE / 2)
    assert life.judged == [Health.DEGRADED]
    assert rules.when_due(life.spec, life.liveness) == LEASE

    life.silent_until(LEASE)
    assert life.restarts == []
    assert rules.when_due(life.spec, life.liveness) == LEASE + rules.CONFIRM_AT_MOST

    life.silent_until(LEASE * 2)
    assert life.restarts == [ABORT]
    assert life.kinds == ["heartbeat.expired"]


def test_nothing_is_found_before_half_the_lease() -> None:
    life = Life().look(LEASE / 2 - 0.1)

    assert life.found == []


@pytest.mark.parametrize("silence", [50.0, 92.0])
def test_a_beat_heals_at_once_whatever_the_silence_before(silence: float) -> None:
    life = Life().silent_until(silence).beats(silence)

    assert life.judged == [Health.DEGRADED, Health.OK]
    assert life.liveness.late == 0
    assert rules.when_due(life.spec, life.liveness) == silence + LEASE / 2


def test_the_second_look_of_a_short_lease_comes_soon() -> None:
    life = Life(spec(HeartbeatPolicy(every=1.0, lease=2.0))).silent_until(2.0)

    assert rules.when_due(life.spec, life.liveness) == pytest.approx(2.2)


def test_a_late_look_starts_the_lease_anew_and_judges_nothing() -> None:
    life = Life().look(LEASE * 5, late_by=LEASE * 4)

    assert life.judged == []
    assert life.kinds == ["heartbeat.deferred"]
    assert rules.when_due(life.spec, life.liveness) == LEASE * 5 + LEASE / 2


def test_a_look_that_is_late_by_less_than_a_tenth_of_the_lease_counts() -> None:
    life = Life().look(LEASE, late_by=LEASE * 0.1).look(LEASE + 5, late_by=LEASE * 0.1)

    assert life.restarts == [ABORT]


def test_a_late_second_look_defers_as_the_first_does() -> None:
    life = Life().silent_until(LEASE).look(LEASE * 3, late_by=LEASE)

    assert life.restarts == []
    assert life.kinds == ["heartbeat.deferred"]


def test_a_supervisor_that_is_always_late_defers_three_times_and_then_judges() -> None:
    life = Life()
    for turn in range(1, 8):
        life.look(LEASE * turn, late_by=LEASE / 2)

    assert life.kinds.count("heartbeat.deferred") == rules.DEFERRALS_AT_MOST
    assert life.restarts


def test_a_beat_gives_the_deferrals_back() -> None:
    life = Life()
    for turn in range(1, 8):
        life.look(LEASE * turn, late_by=LEASE / 2).beats(LEASE * turn + 1)

    assert life.restarts == []


def test_a_late_look_that_finds_no_silence_is_no_deferral() -> None:
    life = Life().beats(LEASE * 5).look(LEASE * 5, late_by=LEASE * 4)

    assert life.found == []


def test_a_process_that_never_ran_or_is_on_its_way_out_is_not_judged() -> None:
    for liveness in (Liveness(), rules.paused(begun())):
        assert rules.when_due(spec(), liveness) is None
        assert rules.looked(spec(), liveness, at(LEASE * 9), 0.0) == (liveness, ())


def test_the_first_beat_is_due_one_lease_after_the_process_runs() -> None:
    life = Life(mono=500.0)

    assert rules.when_due(life.spec, life.liveness) == 500.0 + LEASE / 2
    assert life.silent_until(500.0 + LEASE).restarts == []


def test_what_was_said_before_it_ran_does_not_shorten_its_first_lease() -> None:
    early, _ = rules.beat_arrived(spec(), Liveness(), beat(10.0), at(10.0))
    running, _ = rules.began(spec(), early, at(100.0), health=Health.OK)

    assert running.base_mono == 100.0


def test_without_a_heartbeat_policy_silence_means_nothing() -> None:
    life = Life(spec(None)).beats(1.0, lease=2.0)

    assert rules.when_due(life.spec, life.liveness) is None
    assert life.look(LEASE * 99).found == []


def test_the_lease_a_program_states_itself_holds_over_the_configured_one() -> None:
    life = Life().beats(0.0, lease=10.0)
    assert rules.when_due(life.spec, life.liveness) == 5.0

    life.beats(4.0)
    assert rules.when_due(life.spec, life.liveness) == 4.0 + 5.0


def test_a_lease_asked_for_without_a_beat_runs_from_now() -> None:
    liveness = rules.told(begun(), at(40.0), text="loading", error=None, lease=20.0)

    assert rules.when_due(spec(), liveness) == 50.0
    assert liveness.text == "loading"


def test_an_extension_puts_every_judgement_off_to_its_moment() -> None:
    life = Life()
    life.liveness = rules.extended(life.liveness, 300.0)

    assert life.silent_until(299.0).found == []
    assert life.silent_until(400.0).restarts == [ABORT]


PROGRESS = HeartbeatPolicy(every=30.0, lease=LEASE, progress_within=600.0)


def test_beats_without_progress_restart_a_service_that_must_make_some() -> None:
    life = Life(spec(PROGRESS))
    for mono in range(0, 660, 30):
        life.beats(mono, progress=7.0).silent_until(mono + 29)
        if life.restarts:
            break

    assert [one.reason for one in life.restarts] == [Reason.PROGRESS]
    assert life.judged == [Health.DEGRADED]
    assert life.kinds == ["heartbeat.stalled"]


def test_progress_that_moves_within_its_time_is_enough() -> None:
    life = Life(spec(PROGRESS))
    for mono in range(0, 6000, 30):
        life.beats(mono, progress=mono // 500).silent_until(mono + 29)

    assert life.found == []


def test_a_service_that_never_states_its_progress_makes_none() -> None:
    life = Life(spec(PROGRESS))
    for mono in range(0, 700, 30):
        life.beats(mono).silent_until(mono + 29)
        if life.restarts:
            break

    assert [one.reason for one in life.restarts] == [Reason.PROGRESS]


def test_a_beat_without_progress_does_not_forget_the_last_one() -> None:
    life = Life(spec(PROGRESS)).beats(0, progress=3.0).beats(30).beats(60, progress=3.0)

    assert life.liveness.last is not None
    assert life.liveness.last.progress == 3.0
    assert life.liveness.progress_mono == 0.0


def test_three_errors_in_a_row_are_critical_and_a_good_beat_heals_at_once() -> None:
    life = Life(spec(None))
    life.beats(1, status="error", error="no route").beats(2, status="error", error="no route")
    assert life.found == []

    life.beats(3, status="error", error="no route")
    assert life.found == [
        HealthJudged(
            health=Health.BAD,
            why="it reports errors, 3 beats in a row: no route",
            severity="critical",
        )
    ]
    assert life.beats(4, status="error").judged == [Health.BAD]
    assert life.beats(5).judged == [Health.BAD, Health.OK]


def test_errors_with_a_good_beat_between_them_are_not_in_a_row() -> None:
    life = Life()
    for mono, status in enumerate(["error", "error", "healthy", "error", "error", "syncing"]):
        life.beats(mono, status=status)

    assert life.found == []


def test_errors_restart_only_where_that_is_wanted() -> None:
    patient, strict = Life(spec()), Life(spec(on_error=True))
    for mono in range(3):
        patient.beats(mono, status="error")
        strict.beats(mono, status="error")

    assert patient.restarts == []
    assert strict.restarts == [RestartOrdered(reason=Reason.ERROR, counted=True, forgive=False)]


def test_an_adopted_service_that_was_bad_stays_so_until_a_good_beat() -> None:
    life = Life()
    life.liveness = begun(health=Health.BAD)
    assert life.beats(1, status="error").look(2).found == []
    assert life.beats(3).judged == [Health.OK]


def test_bad_outlives_the_silence_after_it() -> None:
    life = Life()
    for mono in range(3):
        life.beats(mono, status="error")
    life.silent_until(LEASE + 1)

    assert life.judged == [Health.BAD]
    assert life.silent_until(LEASE * 2).restarts == [ABORT]


def test_a_suspended_lease_degrades_and_never_restarts_until_a_beat_ends_it() -> None:
    liveness, findings = rules.began(spec(), Liveness(suspended=True), at(0.0), health=Health.OK)
    assert [type(one) for one in findings] == [Record, HealthJudged]
    assert rules.when_due(spec(), liveness) is None
    assert rules.looked(spec(), liveness, at(LEASE * 99), 0.0) == (liveness, ())

    healed, findings = rules.beat_arrived(spec(), liveness, beat(500.0), at(500.0))
    assert findings == (HealthJudged(health=Health.OK),)
    assert rules.when_due(spec(), healed) == 500.0 + LEASE / 2


def test_a_beat_of_before_the_suspension_does_not_end_it() -> None:
    lost = replace(Liveness(), suspended=True)
    liveness, _ = rules.began(spec(), lost, at(100.0), health=Health.OK)
    kept, findings = rules.beat_arrived(spec(), liveness, beat(99.0), at(100.0))
    assert findings == ()
    assert kept.suspended
    assert rules.when_due(spec(), kept) is None


def test_without_a_lease_there_is_none_to_suspend() -> None:
    _, findings = rules.began(spec(None), Liveness(suspended=True), at(0.0), health=Health.OK)

    assert findings == ()


def test_a_trigger_restarts_at_once() -> None:
    _, findings = rules.triggered(begun(spec(None)))

    assert findings == (
        Record(kind="heartbeat.triggered", facts={"severity": "warning"}),
        ABORT,
    )
    assert rules.triggered(Liveness()) == (Liveness(), ())


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        ({}, None),
        ({"generation": None, "boot_id": None}, None),
        ({"generation": 0}, Refusal.GENERATION),
        ({"generation": 2}, Refusal.GENERATION),
        ({"boot_id": "another"}, Refusal.BOOT),
        ({"wall": WALL + 100 + 4.9}, None),
        ({"wall": WALL + 100 + 5.1}, Refusal.FUTURE),
        ({"wall": WALL - 1e6}, None),
    ],
)
def test_a_beat_of_another_start_boot_or_of_the_future_is_refused(
    said: dict[str, Any], fault: Refusal | None
) -> None:
    assert rules.refusal(beat(100.0, **said), 1, at(100.0)) is fault


def test_a_stamped_beat_counts_from_when_it_was_sent() -> None:
    assert rules.arrived_mono(WALL + 70, 0.0, at(100.0)) == 70.0


@pytest.mark.parametrize("step", [-86_400.0, -4.0, 0.0, 4.0, 86_400.0])
def test_a_step_of_the_wall_clock_moves_a_beat_no_further_than_the_look_before(
    step: float,
) -> None:
    sent = rules.arrived_mono(WALL + 90, 80.0, at(100.0, stepped=step))

    assert 80.0 <= sent <= 100.0


def test_expiry_is_shown_from_the_last_beat_and_the_lease_that_holds() -> None:
    assert rules.expires_at(spec(), begun()) is None
    assert rules.expires_at(spec(), Life().beats(10).liveness) == WALL + 10 + LEASE
    assert rules.expires_at(spec(None), Life(spec(None)).beats(10).liveness) is None
    assert rules.expires_at(spec(None), Life(spec(None)).beats(10, lease=5).liveness) == WALL + 15


@given(
    gaps=st.lists(st.floats(0.01, LEASE / 2 - 0.02), min_size=1, max_size=40),
    lates=st.lists(st.floats(0.0, LEASE * 3), min_size=1, max_size=40),
)
def test_who_beats_within_half_a_lease_is_never_judged(
    gaps: list[float], lates: list[float]
) -> None:
    life, mono = Life(), 0.0
    for gap, late_by in zip(gaps, itertools.cycle(lates), strict=False):
        life.look(mono + gap - 0.005, late_by)
        mono += gap
        life.beats(mono)

    assert life.found == []


@given(delays=st.lists(st.floats(0.0, LEASE * 2), max_size=60))
def test_silence_ends_in_a_restart_however_late_the_looks_come(delays: list[float]) -> None:
    life = Life()
    for late_by in itertools.chain(delays, itertools.repeat(0.0)):
        due = rules.when_due(life.spec, life.liveness)
        assert due is not None
        life.look(due + late_by, late_by)
        if life.restarts:
            break

    assert life.liveness.deferrals <= rules.DEFERRALS_AT_MOST
    assert life.restarts == [ABORT]


@given(moments=st.lists(st.floats(0, 1000), min_size=1, max_size=30))
def test_a_beat_never_shortens_a_lease(moments: list[float]) -> None:
    life = Life()
    for mono in moments:
        before = life.liveness.base_mono
        life.liveness = replace(life.liveness, health=Health.OK)
        life.beats(mono)
        assert before is not None
        assert life.liveness.base_mono is not None
        assert life.liveness.base_mono >= before
