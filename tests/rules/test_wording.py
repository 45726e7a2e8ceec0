from typing import Any

from holdfast.model.alert import AlertPolicy, Telling
from holdfast.model.check import Severity
from holdfast.model.message import Channel, Intent
from holdfast.rules import wording
from holdfast.rules.batching import Group

POLICY = AlertPolicy()
HOUR = 3600.0
NOON = 1_767_268_800.0  # 2026-01-01 12:00 UTC


def intent(
    check: str = "", cause: str = "overdue", limit_s: float | None = 72 * HOUR, **more: Any
) -> Intent:
    parts: dict[str, Any] = {
        "key": check or str(more),
        "channel": "phone",
        "kind": Telling.OPEN,
        "severity": Severity.CRITICAL,
        "at": NOON,
        **more,
    }
    return Intent(check=check, cause=cause, limit_s=limit_s, **parts)


def group(
    *members: Intent, kind: Telling = Telling.OPEN, severity: Severity = Severity.CRITICAL
) -> Group:
    return Group(channel="phone", kind=kind, severity=severity, intents=members)


def test_titles_are_in_the_words_of_the_documents() -> None:
    day: dict[str, Any] = {"limit_s": 24 * HOUR}
    resolve, remind = Telling.RESOLVE, Telling.REMIND
    cases = [
        (group(intent("b"), intent("a")), "CRITICAL: 2 checks overdue (>72h): a, b"),
        (
            group(intent("a", **day), severity=Severity.WARNING),
            "WARNING: 1 check overdue (>24h): a",
        ),
        (
            group(intent("b", "failed", None), intent("a")),
            "CRITICAL: 1 check overdue (>72h): a; 1 failed: b",
        ),
        (
            group(intent("a"), intent("b", limit_s=HOUR)),
            "CRITICAL: 1 check overdue (>60m): b; 1 overdue (>72h): a",
        ),
        (group(intent("a"), kind=remind), "CRITICAL: 1 check still overdue (>72h): a"),
        (group(intent("a", "odd", None)), "CRITICAL: 1 check not well: a"),
        (group(intent("b"), intent("a"), kind=resolve), "RESOLVED: 2 checks ok again: a, b"),
        (
            group(intent("b"), intent("c", why="paused"), intent("a"), kind=resolve),
            "RESOLVED: 2 checks ok again: a, b; 1 paused: c",
        ),
        (
            group(intent("b", why="no longer configured"), kind=resolve),
            "RESOLVED: 1 check no longer configured: b",
        ),
        (group(kind=Telling.TEST), "TEST: Holdfast reaches you by the channel phone"),
    ]
    for told, wanted in cases:
        assert wording.title(told) == wanted


def test_a_title_names_twenty_and_counts_the_others() -> None:
    many = [intent(f"c{number:02}") for number in range(23)]
    title = wording.title(group(*many, intent("z", "failed", None)))

    assert title.startswith("CRITICAL: 23 checks overdue (>72h): c00, c01,")
    assert title.endswith("c19, +3 more; 1 failed: +1 more")


def test_a_notice_has_its_own_title_and_is_said_once() -> None:
    one = intent(title="the watchdog restarted\nthe supervisor", key="1")
    two = intent(title="api is held", key="2")

    title = wording.title(group(one, one, two, kind=Telling.META))

    assert title == "the watchdog restarted the supervisor (2 times); api is held"


def test_a_line_says_why_since_when_and_when_it_is_said_again() -> None:
    told = intent("a", why="no success for more than 72h", age_s=80 * HOUR, opened_at=NOON - HOUR)

    assert wording.body(group(told), POLICY, "laptop").splitlines() == [
        "a: no success for more than 72h; last success 80h ago; since 2026-01-01 11:00 UTC; "
        "next reminder 2026-01-01 14:00 UTC",
        "machine: laptop",
    ]
    silent = wording.body(group(told), AlertPolicy(remind=False))
    assert "reminder" not in silent
    assert "machine" not in silent


def test_reminders_that_back_off_say_so() -> None:
    policy = AlertPolicy(remind_backoff=True)
    told = intent("a", backoff=2)

    assert "next reminder 2026-01-01 20:00" in wording.body(group(told), policy)


def test_a_resolve_says_what_was_wrong_and_for_how_long() -> None:
    told = intent("a", kind=Telling.RESOLVE, opened_at=NOON - 26 * HOUR)
    removed = intent("b", kind=Telling.RESOLVE, why="removed")

    assert wording.body(group(told, removed, kind=Telling.RESOLVE), POLICY).splitlines() == [
        "a: ok again; was overdue from 2025-12-31 10:00 UTC to 2026-01-01 12:00 UTC (26h)",
        "b: removed since 2026-01-01 12:00 UTC",
    ]


def test_the_past_is_told_in_english_whatever_it_was() -> None:
    cases = [
        ("never", "had no success from"),
        ("failed", "kept failing from"),
        ("slow", "ran too long from"),
        ("unverified", "could not be verified from"),
        ("odd", "was not well from"),
    ]
    for cause, wanted in cases:
        told = intent("a", cause, kind=Telling.RESOLVE, opened_at=NOON - HOUR)
        assert wanted in wording.body(group(told, kind=Telling.RESOLVE), POLICY)


def test_nothing_unseen_gets_into_a_message() -> None:
    why = "no\0 \x1b[31mroom\x07 \u202eleft\x9b\nfor it"
    notice = intent(title=why, why=why)

    assert wording.body(group(intent("a", why=why)), POLICY).startswith(
        "a: no [31mroom left for it; "
    )
    assert wording.title(group(notice, kind=Telling.META)) == "no [31mroom left for it"
    told = wording.body(group(notice, kind=Telling.META), POLICY)
    assert told.endswith(": no [31mroom left\nfor it")


def test_who_gets_no_reminder_is_promised_none() -> None:
    boss = Channel(name="boss", escalate_after=60.0)
    told = group(intent("a"))

    assert "reminder" not in wording.message(told, POLICY, boss, "", NOON).body


def test_a_body_has_an_end() -> None:
    many = [intent(f"c{number}", why="x" * 5000) for number in range(500)]
    lines = wording.body(group(*many), POLICY).splitlines()

    assert lines[-1] == "+400 more"
    assert len(lines) == 101
    assert max(map(len, lines)) < 1200


def test_a_channel_words_it_its_own_way() -> None:
    channel = Channel(
        name="phone", title="[$machine] $title\nnow", body="$severity $checks $nonsense ${at}"
    )
    message = wording.message(group(intent("b"), intent("a")), POLICY, channel, "laptop", NOON)

    assert message.title == "[laptop] CRITICAL: 2 checks overdue (>72h): a, b now"
    assert message.body == "critical a, b $nonsense 2026-01-01 12:00 UTC"
    assert message.checks == ("a", "b")


def test_a_channel_without_templates_gets_the_plain_words() -> None:
    told = group(intent("a"))

    assert wording.message(told, POLICY, Channel(name="phone"), "", NOON) == wording.message(
        told, POLICY, None, "", NOON
    )
