from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import pytest

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
from holdfast.model.check import CheckKind, CheckSpec, Look, Severity
from holdfast.model.service import Now
from holdfast.rules import alerting

OK, UNKNOWN, WARNING, CRITICAL = Severity.OK, Severity.UNKNOWN, Severity.WARNING, Severity.CRITICAL
EVERY = 300.0
HOUR = 3600.0
START = 1_000_000.0
BACKUP = CheckSpec(name="notes", kind=CheckKind.BACKUP, flapping=False)
SILENCE = Hush(why="silence 1")


@dataclass
class Story:
    """One check through time: each look is an evaluation, five minutes after the one before."""

    spec: CheckSpec = BACKUP
    policy: AlertPolicy = field(default_factory=AlertPolicy)
    state: AlertState = field(default_factory=AlertState)
    now: float = START
    hush: Hush = field(default_factory=Hush)
    escalations: tuple[Escalation, ...] = ()
    settling: bool = False
    effects: list[AlertEffect] = field(default_factory=list)

    def look(self, severity: Severity, explicit: bool = False) -> list[AlertEffect]:
        situation = Situation(
            look=Look(severity=severity, explicit=explicit, why="reason"),
            hush=self.hush,
            escalations=self.escalations,
            settling=self.settling,
        )
        moment = Now(wall=self.now, mono=self.now, boot_id="one")
        self.state, effects = alerting.step(self.policy, self.spec, self.state, situation, moment)
        self.effects += effects
        self.now += EVERY
        return list(effects)

    def looks(self, severity: Severity, hours: float) -> list[str]:
        """Look every five minutes for that long and return what was told."""
        found: list[AlertEffect] = []
        for _ in range(int(hours * HOUR / EVERY)):
            found += self.look(severity)
        return told(found)

    def confirm(self, severity: Severity) -> list[str]:
        return told(self.look(severity) + self.look(severity) + self.look(severity))


def told(effects: Iterable[AlertEffect]) -> list[str]:
    return [
        f"{each.kind.value} {each.severity.value}" for each in effects if isinstance(each, Tell)
    ]


def tells(effects: Iterable[AlertEffect]) -> list[Tell]:
    return [each for each in effects if isinstance(each, Tell)]


def notes(effects: Iterable[AlertEffect], kind: str) -> list[dict[str, object]]:
    found = (each for each in effects if isinstance(each, Note) and each.kind == kind)
    return [dict(each.facts) for each in found]


def test_the_third_bad_look_opens_an_incident_and_tells_it_once() -> None:
    story = Story()
    assert story.look(WARNING) == story.look(WARNING) == []
    effects = story.look(WARNING)
    assert effects[0] == IncidentOpened(number=1, severity=WARNING)
    assert effects[-1] == Tell(kind=Telling.OPEN, severity=WARNING)
    assert notes(effects, "incident.opened")[0]["why"] == "reason"
    assert notes(effects, "alert.allowed") == [
        {
            "check": "notes",
            "severity": "warning",
            "elapsed_s": None,
            "cooldown_s": 4 * HOUR,
            "why": "open",
        }
    ]
    assert story.look(WARNING)[0] == Note(
        kind="alert.suppressed",
        facts=(
            ("check", "notes"),
            ("severity", "warning"),
            ("elapsed_s", EVERY),
            ("cooldown_s", 4 * HOUR),
            ("why", "cooldown"),
        ),
    )
    assert story.looks(WARNING, hours=3.5) == []


def test_an_explicit_failure_is_told_at_once_and_one_success_resolves_it() -> None:
    story = Story()
    assert told(story.look(CRITICAL, explicit=True)) == ["open critical"]
    effects = story.look(OK)
    assert effects[0] == IncidentClosed(number=1)
    assert tells(effects) == [Tell(kind=Telling.RESOLVE, severity=CRITICAL, to_told=True)]
    assert notes(effects, "incident.closed")[0]["open_s"] == EVERY
    assert story.look(OK) == []


def test_a_calm_check_is_not_even_saved() -> None:
    story = Story()
    before = story.state
    assert story.look(OK) == []
    assert story.state is before


@pytest.mark.parametrize(("severity", "hours"), [(WARNING, 4), (CRITICAL, 2)])
def test_reminders_come_each_cooldown_with_a_number_that_rises(
    severity: Severity, hours: int
) -> None:
    story = Story()
    story.confirm(severity)
    assert story.looks(severity, hours - 0.1) == []
    story.effects.clear()
    assert story.looks(severity, 2 * hours) == [f"remind {severity.value}"] * 2
    assert [each.number for each in tells(story.effects)] == [1, 2]


def test_reminders_back_off_and_start_anew_when_it_gets_worse() -> None:
    story = Story(policy=AlertPolicy(remind_backoff=True))
    story.confirm(WARNING)
    assert len(story.looks(WARNING, 4.1)) == 1
    assert len(story.looks(WARNING, 7.8)) == 0
    assert len(story.looks(WARNING, 0.3)) == 1
    assert story.confirm(CRITICAL) == ["raise critical"]
    assert len(story.looks(CRITICAL, 2.1)) == 1
    assert tells(story.effects)[-1].number == 3


def test_no_reminders_where_they_are_switched_off() -> None:
    story = Story(policy=AlertPolicy(remind=False))
    assert story.confirm(WARNING) == ["open warning"]
    assert story.looks(WARNING, 30) == []
    assert story.look(OK)[-1] == Tell(kind=Telling.RESOLVE, severity=WARNING, to_told=True)


def test_a_warning_never_delays_a_critical() -> None:
    story = Story()
    assert story.confirm(WARNING) == ["open warning"]
    assert story.confirm(CRITICAL) == ["raise critical"]
    assert notes(story.effects, "incident.raised")[0]["severity"] == "critical"
    assert told(story.look(OK)) == ["resolve critical"]


def test_what_gets_less_is_not_told_and_what_gets_worse_again_is_a_new_raise() -> None:
    story = Story()
    story.confirm(CRITICAL)
    assert story.confirm(WARNING) == []
    assert notes(story.effects, "incident.lowered")
    assert story.confirm(CRITICAL) == []
    assert story.looks(CRITICAL, 2) == ["raise critical"]
    assert story.confirm(WARNING) == []
    assert story.confirm(CRITICAL) == []
    assert story.looks(CRITICAL, 2) == ["raise critical"]
    raised = [each for each in tells(story.effects) if each.kind is Telling.RAISE]
    assert [each.number for each in raised] == [1, 2]


def test_who_was_told_the_worse_is_reminded_of_the_lesser_one_cooldown_later() -> None:
    story = Story()
    story.confirm(CRITICAL)
    story.confirm(WARNING)
    assert story.looks(WARNING, 3.7) == []
    assert story.looks(WARNING, 0.3) == ["remind warning"]


def test_an_incident_inside_the_cooldown_is_told_when_it_is_over_if_it_still_stands() -> None:
    story = Story()
    story.confirm(WARNING)
    assert told(story.look(OK)) == ["resolve warning"]
    assert story.confirm(WARNING) == []
    assert story.state.muted
    assert notes(story.effects, "alert.suppressed")[-1]["why"] == "cooldown"
    assert story.looks(WARNING, 3.5) == []
    assert story.looks(WARNING, 0.5) == ["open warning"]
    assert not story.state.muted
    assert story.state.incident == 2


def test_an_incident_nobody_was_told_of_is_not_resolved_aloud() -> None:
    story = Story()
    story.confirm(WARNING)
    story.look(OK)
    story.confirm(WARNING)
    effects = story.look(OK)
    assert effects[0] == IncidentClosed(number=2)
    assert told(effects) == []


def test_a_muted_warning_that_turns_critical_is_told_at_once() -> None:
    story = Story()
    story.confirm(WARNING)
    story.look(OK)
    story.confirm(WARNING)
    assert story.confirm(CRITICAL) == ["open critical"]


def test_what_the_newest_look_contradicts_is_not_told() -> None:
    probe = replace(BACKUP, kind=CheckKind.HTTP)
    story = Story(spec=probe, hush=SILENCE)
    story.confirm(CRITICAL)
    story.hush = Hush()
    assert told(story.look(OK)) == []
    assert told(story.look(OK)) == []
    assert not story.state.is_open


def test_what_cannot_be_verified_is_told_as_a_warning() -> None:
    assert Story().confirm(UNKNOWN) == ["open warning"]


def test_a_clock_put_back_is_silent_for_one_cooldown_at_most() -> None:
    story = Story()
    story.confirm(WARNING)
    story.now -= 1_000 * HOUR
    assert story.looks(WARNING, 4.1) == ["remind warning"]


# Hush


@pytest.mark.parametrize(
    ("hush", "severity", "expected"),
    [
        (SILENCE, WARNING, []),
        (SILENCE, CRITICAL, []),
        (Hush(why="quiet hours", passes=CRITICAL), WARNING, []),
        (Hush(why="quiet hours", passes=CRITICAL), CRITICAL, ["open critical"]),
        (Hush(passes=CRITICAL), WARNING, ["open warning"]),
    ],
)
def test_a_hush_lets_pass_what_it_says(
    hush: Hush, severity: Severity, expected: list[str]
) -> None:
    assert Story(hush=hush).confirm(severity) == expected


def test_a_hush_is_noted_once_and_told_at_its_end_if_it_is_news() -> None:
    story = Story(hush=SILENCE)
    story.confirm(WARNING)
    assert story.looks(WARNING, 10) == []
    assert [each["why"] for each in notes(story.effects, "alert.suppressed")] == ["silence 1"]
    assert story.state.muted
    story.hush = Hush()
    assert told(story.look(WARNING)) == ["open warning"]


def test_what_was_told_before_a_hush_is_not_repeated_at_its_end() -> None:
    story = Story()
    story.confirm(WARNING)
    story.hush = SILENCE
    assert story.looks(WARNING, 12) == []
    story.hush = Hush()
    assert story.looks(WARNING, 3.9) == []
    assert story.looks(WARNING, 0.3) == ["remind warning"]


def test_what_got_worse_during_a_hush_is_told_at_its_end() -> None:
    story = Story()
    story.confirm(WARNING)
    story.hush = SILENCE
    assert story.confirm(CRITICAL) == []
    story.hush = Hush()
    assert told(story.look(CRITICAL)) == ["raise critical"]


def test_a_fresh_look_at_the_end_of_a_hush_decides() -> None:
    story = Story(hush=SILENCE)
    story.confirm(CRITICAL)
    story.hush = Hush()
    assert told(story.look(OK)) == []


def test_a_resolve_of_what_was_told_is_delivered_in_a_hush() -> None:
    story = Story()
    story.confirm(WARNING)
    story.hush = SILENCE
    assert told(story.look(OK)) == ["resolve warning"]


# Acknowledgement


def seen(**more: object) -> Acknowledgement:
    return replace(Acknowledgement(by="ann", at=START), **more)  # type: ignore[arg-type]


def test_an_acknowledged_incident_is_not_reminded_of_and_is_resolved_aloud() -> None:
    story = Story()
    story.confirm(WARNING)
    story.state = alerting.acknowledge(story.state, seen())
    assert story.looks(WARNING, 30) == []
    assert notes(story.effects, "alert.suppressed")[-1]["why"] == "acknowledged"
    assert told(story.look(OK)) == ["resolve warning"]
    assert story.state.acknowledged is None


@pytest.mark.parametrize("sticky", [False, True])
def test_what_gets_worse_is_told_and_ends_an_acknowledgement_unless_it_is_sticky(
    sticky: bool,
) -> None:
    story = Story()
    story.confirm(WARNING)
    story.state = alerting.acknowledge(story.state, seen(sticky=sticky))
    assert story.confirm(CRITICAL) == ["raise critical"]
    assert (story.state.acknowledged is not None) is sticky
    assert story.looks(CRITICAL, 2.5) == ([] if sticky else ["remind critical"])


def test_an_acknowledgement_ends_at_its_moment_or_when_it_is_taken_back() -> None:
    story = Story()
    story.confirm(WARNING)
    story.state = alerting.acknowledge(story.state, seen(until=story.now + 6 * HOUR))
    assert story.looks(WARNING, 6) == []
    assert told(story.look(WARNING)) == ["remind warning"]
    story.state = alerting.acknowledge(story.state, seen())
    story.state = alerting.unacknowledge(story.state)
    assert story.looks(WARNING, 4.1) == ["remind warning"]


def test_what_was_acknowledged_before_it_was_told_is_not_told() -> None:
    story = Story(hush=SILENCE)
    story.confirm(WARNING)
    story.state = alerting.acknowledge(story.state, seen())
    story.hush = Hush()
    assert story.looks(WARNING, 30) == []
    assert told(story.look(OK)) == []


def test_an_acknowledgement_knows_how_bad_it_was_and_needs_an_incident() -> None:
    assert alerting.acknowledge(AlertState(), seen()) == AlertState()
    story = Story()
    story.confirm(CRITICAL)
    acknowledged = alerting.acknowledge(story.state, seen()).acknowledged
    assert acknowledged is not None
    assert acknowledged.severity is CRITICAL


# Escalation

BOSS = Escalation(channel="boss", after=HOUR)


def escalated(story: Story) -> list[tuple[str, str, int]]:
    found = (each for each in tells(story.effects) if each.channels)
    return [(each.kind.value, each.severity.value, each.number) for each in found]


def test_a_step_is_taken_once_per_incident_and_severity() -> None:
    story = Story(escalations=(BOSS,))
    story.confirm(WARNING)
    story.looks(WARNING, 0.9)
    assert escalated(story) == []
    story.looks(WARNING, 10)
    assert escalated(story) == [("open", "warning", 0)]
    assert notes(story.effects, "alert.escalated")[0]["channel"] == "boss"
    story.confirm(CRITICAL)
    story.looks(CRITICAL, 10)
    story.confirm(WARNING)
    story.confirm(CRITICAL)
    story.looks(CRITICAL, 10)
    assert escalated(story) == [("open", "warning", 0), ("raise", "critical", 1)]
    assert tells(story.effects)[-1].channels == ()
    story.look(OK)
    story.effects.clear()
    story.looks(WARNING, 10)
    assert escalated(story) == [("open", "warning", 0)]


def test_a_step_may_be_for_some_severities_only() -> None:
    story = Story(escalations=(replace(BOSS, severities=(CRITICAL,)),))
    story.confirm(WARNING)
    story.looks(WARNING, 10)
    assert escalated(story) == []
    story.confirm(CRITICAL)
    assert escalated(story) == [("open", "critical", 0)]
    story.confirm(WARNING)
    assert len(escalated(story)) == 1


@pytest.mark.parametrize("by", ["acknowledgement", "hush"])
def test_a_step_waits_for_an_acknowledgement_or_a_hush_to_end(by: str) -> None:
    story = Story(escalations=(BOSS,))
    story.confirm(WARNING)
    if by == "hush":
        story.hush = SILENCE
    else:
        story.state = alerting.acknowledge(story.state, seen())
    story.looks(WARNING, 10)
    assert escalated(story) == []
    story.hush = Hush()
    story.state = alerting.unacknowledge(story.state)
    story.look(WARNING)
    assert escalated(story) == [("open", "warning", 0)]


def test_nobody_further_is_told_of_what_nobody_was_told() -> None:
    story = Story(escalations=(replace(BOSS, after=0.0),))
    story.confirm(WARNING)
    story.look(OK)
    story.effects.clear()
    story.looks(WARNING, 2)
    assert tells(story.effects) == []


# Flapping


def test_a_flapping_check_is_muted_but_what_was_told_is_resolved() -> None:
    spec = replace(BACKUP, flapping=True, confirm=1)
    policy = AlertPolicy(warning_cooldown=0.0, critical_cooldown=0.0)
    story = Story(spec=spec, policy=policy)
    for _ in range(10):
        story.look(WARNING)
        story.look(OK)
    assert len(notes(story.effects, "check.flapping")) == 1
    assert told(story.effects) == ["open warning", "resolve warning"] * 3
    assert notes(story.effects, "alert.suppressed")[-1]["why"] == "flapping"
    story.effects.clear()
    assert story.looks(WARNING, 2)[0] == "open warning"
    assert len(notes(story.effects, "check.settled")) == 1


# Settling, the next evaluation, removal


def test_nothing_is_opened_while_things_settle_and_it_is_told_afterwards() -> None:
    story = Story(settling=True)
    assert story.looks(WARNING, 1) == []
    assert not story.state.is_open
    story.settling = False
    assert told(story.look(WARNING)) == ["open warning"]


def next_at(story: Story, look: Look) -> float | None:
    return alerting.next_evaluation(story.policy, story.spec, story.state, look, story.now)


def test_a_calm_check_waits_for_its_next_limit() -> None:
    story = Story()
    assert next_at(story, Look(severity=OK)) is None
    assert next_at(story, Look(severity=OK, next_at=START + 9)) == START + 9


def test_every_other_check_is_evaluated_again_within_one_interval() -> None:
    story = Story()
    assert next_at(story, Look(severity=WARNING)) == START + EVERY
    story.look(WARNING)
    assert next_at(story, Look(severity=OK, next_at=None)) == story.now + EVERY
    soon = Look(severity=WARNING, next_at=story.now + 5)
    assert next_at(story, soon) == story.now + 5


def test_a_message_is_sent_at_the_moment_it_is_due() -> None:
    story = Story()
    story.confirm(WARNING)
    told_at = story.now - EVERY
    bad = Look(severity=WARNING)
    story.now = told_at + 4 * HOUR - 7
    assert next_at(story, bad) == told_at + 4 * HOUR
    story.now = told_at + 4 * HOUR
    assert next_at(story, bad) == story.now + EVERY
    story.state = alerting.acknowledge(story.state, seen(until=story.now + 3))
    assert next_at(story, bad) == story.now + 3


def test_a_check_that_is_removed_closes_its_incident_aloud() -> None:
    story = Story()
    assert alerting.closed(BACKUP, story.state, START) == (story.state, ())
    story.confirm(WARNING)
    state, effects = alerting.closed(BACKUP, story.state, story.now)
    assert told(effects) == ["resolve warning"]
    assert not state.is_open
    assert state.warning_told_at is not None


def test_not_to_know_is_no_reason_to_keep_a_critical_incident_to_oneself() -> None:
    story = Story(state=AlertState(critical_told_at=START - 100))
    assert story.confirm(CRITICAL) == []
    assert story.state.muted
    assert story.looks(UNKNOWN, hours=2.5) == ["open critical"]
