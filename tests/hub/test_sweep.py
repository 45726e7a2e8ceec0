import json
from dataclasses import replace

import pytest

from holdfast.hub import alerts, check, events
from holdfast.hub.alerts import Order
from holdfast.hub.check import Check
from holdfast.hub.store.interface import Tx
from holdfast.hub.sweep import NEVER_BAD, Swept, sweep
from holdfast.model.alert import AlertPolicy
from holdfast.model.check import CheckKind, CheckSpec, Evidence, Severity
from holdfast.model.hub import HubSettings, Maintenance
from holdfast.model.message import Channel
from holdfast.model.service import Now
from holdfast.rules import freshness
from holdfast.rules.ticking import Tick

START = 1_750_000_000.0
HOUR, DAY = 3600.0, 86_400.0
ROUND = 300.0
SETTINGS = HubSettings(
    machine="m", policy=AlertPolicy(), channels=(Channel(name="ops", command=("tell",)),)
)


class Hub:
    """A hub in virtual time: adds checks and goes from sweep to sweep."""

    def __init__(self, tx: Tx, settings: HubSettings = SETTINGS) -> None:
        self.tx = tx
        self.settings = settings
        self.wall, self.mono, self.slept, self.run = START, 1000.0, 0.0, "1"

    @property
    def now(self) -> Now:
        return Now(wall=self.wall, mono=self.mono, boot_id="b")

    def add(self, name: str, age: float, **spec: object) -> Check:
        made = CheckSpec(name=name, kind=CheckKind.BACKUP)
        made = replace(made, **spec)  # type: ignore[arg-type]  # a table of mixed arguments
        evidence = Evidence(first_seen_at=self.wall - 30 * DAY)
        if made.kind is CheckKind.BACKUP:
            evidence = replace(evidence, last_success_at=self.wall - age)
        else:
            evidence = freshness.succeeded(made, evidence, self.wall - age, self.wall)
        new = Check(id=0, uuid=name, spec=made, evidence=evidence, look_at=self.wall)
        return check.insert(self.tx, new)

    def succeed(self, name: str) -> None:
        each = self.check(name)
        fresh = replace(each.evidence, last_success_at=self.wall, failure="")
        after, _ = check.judged(replace(each, evidence=fresh), self.settings.policy, self.now)
        check.save(self.tx, after)

    def pass_by(self, seconds: float, *, asleep: float = 0.0, stepped: float = 0.0) -> None:
        self.wall += seconds + asleep + stepped
        self.mono += seconds
        self.slept += asleep

    def sweep(self) -> Swept:
        tick = Tick(
            wall=self.wall,
            mono=self.mono,
            boottime=self.mono + self.slept,
            boot_id="b",
            run=self.run,
        )
        return sweep(self.tx, self.settings, self.now, tick)

    def rounds(self, count: int) -> Swept:
        """Go through so many evaluations, one round apart."""
        swept = self.sweep()
        for _ in range(count - 1):
            self.pass_by(ROUND)
            swept = self.sweep()
        return swept

    def check(self, name: str) -> Check:
        found = check.by_name(self.tx, name)
        assert found is not None
        return found

    def told(self) -> list[tuple[str, str, str]]:
        return [(each["check"], each["kind"], each["severity"]) for each in self.intents()]

    def intents(self) -> list[dict[str, str]]:
        """Return what waits to travel, oldest first."""
        return [json.loads(row["facts"]) for row in self.tx.all("outbox.loose")]

    def noted(self, kind: str) -> list[dict[str, object]]:
        rows = events.unforwarded(self.tx, limit=1000)
        return [row["facts"] for row in rows if row["kind"] == kind]


@pytest.fixture
def hub(tx: Tx) -> Hub:
    return Hub(tx)


def test_a_stale_project_is_told_after_three_evaluations_and_once(hub: Hub) -> None:
    hub.add("docs", age=25 * HOUR)
    hub.rounds(2)
    assert hub.told() == []
    hub.pass_by(ROUND)
    swept = hub.sweep()
    assert hub.told() == [("docs", "open", "warning")]
    assert swept.names == {Severity.WARNING: ("docs",)}
    assert swept.changed == 1
    hub.rounds(5)
    assert len(hub.told()) == 1


def test_sweeps_that_follow_at_once_do_not_count_as_evaluations(hub: Hub) -> None:
    hub.add("docs", age=25 * HOUR)
    for _ in range(5):
        hub.pass_by(1.0)
        hub.tx.run("checks.look_again", now=hub.wall)
        hub.sweep()
    assert hub.told() == []


def test_the_resolve_closes_the_incident_and_says_that_all_is_ok(hub: Hub) -> None:
    hub.add("docs", age=73 * HOUR)
    hub.rounds(3)
    opened = hub.tx.all("alerts.incidents", check_name="docs")
    assert [(row["number"], row["severity"], row["closed_at"]) for row in opened] == [
        (1, "critical", None)
    ]
    assert hub.noted("checks.all_ok") == []
    hub.pass_by(ROUND)
    hub.succeed("docs")
    swept = hub.sweep()
    (closed,) = hub.tx.all("alerts.incidents", check_name="docs")
    assert (closed["severity"], closed["closed_at"]) == ("critical", hub.wall)
    assert swept.counts == {Severity.OK: 1}
    hub.tx.run("checks.look_again", now=hub.wall)
    hub.sweep()
    assert [facts["checks"] for facts in hub.noted("checks.all_ok")] == [1]


def test_a_check_that_was_bad_once_keeps_its_memory_while_it_is_well(hub: Hub) -> None:
    hub.add("docs", age=73 * HOUR)
    hub.rounds(3)
    hub.succeed("docs")
    hub.rounds(2)
    before = hub.check("docs")
    assert (before.alert.incident, before.alert.is_open) == (1, False)
    hub.tx.run("checks.look_again", now=hub.wall)
    assert hub.sweep().looked == 1
    assert hub.check("docs") == before
    hub.pass_by(DAY + 1)
    hub.rounds(3)
    assert hub.check("docs").alert.incident == 2


def test_counts_and_names_are_left_behind_when_they_change(hub: Hub) -> None:
    hub.add("a", age=25 * HOUR)
    hub.add("b", age=73 * HOUR)
    hub.add("c", age=HOUR)
    swept = hub.rounds(3)
    assert swept.counts == {Severity.CRITICAL: 1, Severity.WARNING: 1, Severity.OK: 1}
    (facts,) = hub.noted("checks.counted")
    assert facts["names"] == {"critical": ["b"], "warning": ["a"]}


def test_a_healthy_check_is_looked_at_again_only_when_it_can_become_bad(hub: Hub) -> None:
    hub.add("docs", age=HOUR)
    assert hub.sweep().looked == 1
    hub.pass_by(10 * HOUR)
    assert hub.sweep().looked == 0
    hub.pass_by(13 * HOUR + 1)
    assert hub.sweep().looked == 1
    assert hub.check("docs").severity is Severity.WARNING


def test_a_sweep_is_due_at_least_once_a_round_and_at_the_next_look_before_it(hub: Hub) -> None:
    assert hub.sweep().next_at == hub.wall + ROUND
    hub.add("docs", age=DAY - 10)
    assert 10 <= hub.sweep().next_at - hub.wall < 10.1


def test_a_silence_keeps_it_quiet_and_its_end_lets_it_be_told(hub: Hub) -> None:
    hub.add("docs", age=73 * HOUR)
    made = alerts.silence(hub.tx, "do*", Order(by="ann", for_s=DAY), hub.now)
    hub.rounds(4)
    assert hub.told() == []
    assert hub.check("docs").alert.is_open
    alerts.unsilence(hub.tx, made.id, "ann", hub.now)
    hub.pass_by(ROUND)
    hub.rounds(2)
    assert hub.told() == [("docs", "open", "critical")]


def test_a_window_of_maintenance_that_comes_again_keeps_it_quiet(tx: Tx) -> None:
    window = Maintenance(name="nightly", schedule="* * * * *", duration=120.0, checks=("do*",))
    hub = Hub(tx, replace(SETTINGS, maintenance=(window,)))
    hub.add("docs", age=73 * HOUR)
    hub.add("web", age=73 * HOUR)
    hub.rounds(3)
    assert hub.told() == [("web", "open", "critical")]


def test_what_depends_on_a_check_that_is_bad_is_not_told(hub: Hub) -> None:
    hub.add("child", age=73 * HOUR, depends_on=("router",))
    hub.add("router", age=73 * HOUR)
    hub.rounds(3)
    assert hub.told() == [("router", "open", "critical")]
    hub.pass_by(ROUND)
    hub.succeed("router")
    hub.rounds(3)
    assert ("child", "open", "critical") in hub.told()


def test_checks_that_depend_on_each_other_are_told_all_the_same(hub: Hub) -> None:
    hub.add("a", age=73 * HOUR, depends_on=("b",))
    hub.add("b", age=73 * HOUR, depends_on=("c",))
    hub.add("c", age=73 * HOUR, depends_on=("a", "c"))
    hub.rounds(3)
    assert len(hub.told()) == 3


def test_a_storm_is_held_for_one_round_and_then_told_together(hub: Hub) -> None:
    for number in range(6):
        hub.add(f"job-{number}", age=73 * HOUR)
    hub.rounds(3)
    assert hub.told() == []
    assert [facts["raising"] for facts in hub.noted("alert.storm_held")] == [6]
    hub.pass_by(ROUND)
    hub.sweep()
    assert len(hub.told()) == 6


def test_after_sleep_nothing_is_raised_until_it_has_settled(hub: Hub) -> None:
    hub.add("docs", age=HOUR)
    hub.sweep()
    hub.pass_by(10.0, asleep=4 * DAY)
    hub.rounds(2)
    assert hub.told() == []
    assert [facts["for_s"] for facts in hub.noted("checks.settling_began")] == [600]
    hub.rounds(4)
    assert hub.told() == [("docs", "open", "critical")]


def test_a_clock_that_steps_back_leaves_nothing_unseen_for_years(hub: Hub) -> None:
    hub.pass_by(0, stepped=3650 * DAY)
    hub.add("docs", age=HOUR)
    hub.sweep()
    hub.pass_by(10, stepped=-3650 * DAY)
    hub.rounds(3)
    assert hub.check("docs").severity is Severity.UNKNOWN
    assert hub.told() == [("docs", "open", "warning")]
    assert len(hub.noted("hub.clock_stepped_back")) == 1


def test_a_ping_that_nobody_could_hear_gets_its_time_once_more(hub: Hub) -> None:
    hub.add("cron", age=0.0, kind=CheckKind.PING, period=HOUR, grace=600.0)
    hub.sweep()
    hub.pass_by(5 * HOUR)
    hub.run = "2"
    hub.sweep()
    assert hub.check("cron").severity is Severity.OK
    assert [facts["deaf_s"] for facts in hub.noted("check.grace_extended")] == [5 * HOUR]
    hub.pass_by(HOUR + 601)
    hub.sweep()
    assert hub.check("cron").severity is Severity.WARNING


def test_a_hub_that_was_there_gives_no_extra_time(hub: Hub) -> None:
    hub.add("cron", age=0.0, kind=CheckKind.PING, period=HOUR, grace=600.0)
    hub.sweep()
    hub.pass_by(2 * HOUR)
    hub.sweep()
    assert hub.check("cron").severity is Severity.WARNING


def test_a_row_that_cannot_be_read_is_put_off_and_harms_no_other(hub: Hub) -> None:
    hub.add("broken", age=73 * HOUR)
    hub.add("docs", age=73 * HOUR)
    row = {**check.to_row(hub.check("broken")), "evidence": "{"}
    hub.tx.run("checks.save", **row)
    hub.rounds(3)
    assert hub.told() == [("docs", "open", "critical")]
    assert len(hub.noted("check.unreadable")) == 1


def test_the_alerting_of_a_check_that_was_never_bad_stays_next_to_nothing(hub: Hub) -> None:
    hub.add("docs", age=HOUR)
    hub.sweep()
    row = hub.tx.one("checks.by_name", name="docs")
    assert row is not None
    assert row["alert"] == NEVER_BAD


def test_escalation_reaches_its_channel_only_when_nobody_took_it_on(tx: Tx) -> None:
    late = Channel(name="boss", command=("tell",), escalate_after=1000.0)
    hub = Hub(tx, replace(SETTINGS, channels=(*SETTINGS.channels, late)))
    hub.add("docs", age=73 * HOUR)
    hub.add("web", age=73 * HOUR)
    hub.rounds(3)
    alerts.acknowledge(tx, "web", Order(by="ann"), hub.now)
    hub.pass_by(ROUND)
    hub.rounds(6)
    bosses = [each["check"] for each in hub.intents() if each["channel"] == "boss"]
    assert bosses == ["docs"]
