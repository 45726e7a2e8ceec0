from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.clock import utc_text
from holdfast.hub import check, checks, events, ingest
from holdfast.hub.check import Check
from holdfast.hub.outbox.intents import decode
from holdfast.hub.store.interface import Tx
from holdfast.model.alert import AlertPolicy
from holdfast.model.check import CheckKind, CheckSpec, Origin, Severity
from holdfast.model.event import Event
from holdfast.model.message import Channel
from holdfast.model.service import Now

HOUR, DAY = 3600.0, 86_400.0
START = 1000 * DAY
POLICY = AlertPolicy()
CHANNELS = (Channel(name="sink", url="file:///sink"),)


def now(after: float = 0.0) -> Now:
    return Now(wall=START + after, mono=after, boot_id="boot")


def event(id_: int, kind: str, subject: str = "a", after: float = 0.0, **facts: object) -> Event:
    return Event(id=id_, at=START + after, kind=kind, subject=subject, facts=facts)


def take_in(tx: Tx, *told: Event, after: float = 0.0) -> ingest.Ingested:
    return ingest.ingest(tx, "laptop", told, POLICY, CHANNELS, now(after))


def add(tx: Tx, kind: CheckKind, name: str = "a") -> None:
    checks.add(tx, CheckSpec(name=name, kind=kind), POLICY, now())


def the(tx: Tx, name: str = "a") -> Check:
    found = check.by_name(tx, name)
    assert found is not None
    return found


def titles(tx: Tx) -> list[str]:
    return [decode(row["facts"]).title for row in tx.all("outbox.loose")]


def test_an_event_is_taken_in_once(tx: Tx) -> None:
    add(tx, CheckKind.JOB)
    told = (event(5, "job.started", run="r"), event(7, "job.finished", run="r", result="success"))

    assert ingest.position(tx, "laptop") == 0
    assert take_in(tx, *told) == ingest.Ingested(count=2, wake=False)
    assert take_in(tx, *told) == ingest.Ingested(count=0, wake=False)
    assert take_in(tx, *told, event(8, "service.ready")).count == 1

    assert ingest.position(tx, "laptop") == 8
    assert ingest.position(tx, "other") == 0
    assert [each["id"] for each in events.read(tx)] == [5, 7, 8]
    assert the(tx).pings == 2


@settings(max_examples=50)
@given(cuts=st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=8))
def test_however_the_journal_is_cut_each_event_counts_once(
    new_tx: Callable[[], Tx], cuts: Sequence[tuple[int, int]]
) -> None:
    tx = new_tx()
    add(tx, CheckKind.JOB)
    journal = [event(id_, "job.finished", result="success") for id_ in range(1, 13)]

    for begin, end in cuts:
        reached = ingest.position(tx, "laptop")
        take_in(tx, *journal[min(begin, reached) : end])
    take_in(tx, *journal)

    assert [each["id"] for each in events.read(tx)] == list(range(1, 13))
    assert the(tx).pings == 12


@pytest.mark.parametrize(
    ("kind", "facts", "why"),
    [
        ("job.failed", {"exit_code": 3}, "its run ended with exit code 3"),
        ("job.failed", {"signal": 9}, "its run was ended by signal 9"),
        ("job.failed", {"result": "timeout", "signal": 15}, "its run took longer than it may"),
        ("job.failed", {"result": "unknown"}, "nobody saw how"),
        ("job.failed", {"why": "no such command", "exit_code": 127}, "no such command"),
    ],
)
def test_a_failed_run_is_a_failure_with_its_reason(
    tx: Tx, kind: str, facts: dict[str, Any], why: str
) -> None:
    add(tx, CheckKind.JOB)

    assert take_in(tx, event(1, kind, **facts)).wake

    assert the(tx).severity is Severity.CRITICAL
    assert why in the(tx).evidence.failure


def test_a_run_that_was_ended_as_ordered_or_not_begun_says_nothing(tx: Tx) -> None:
    add(tx, CheckKind.JOB)

    take_in(tx, event(1, "job.started", run="r"))
    assert the(tx).evidence.started_at == START
    ingested = take_in(
        tx,
        event(2, "job.finished", run="r", result="killed"),
        event(3, "job.skipped", run="s", result="skipped"),
        event(4, "job.missed", due_at=1.0),
    )

    assert ingested == ingest.Ingested(count=3, wake=False)
    evidence = the(tx).evidence
    assert (evidence.started_at, evidence.last_success_at, evidence.failure) == (None, None, "")


def test_a_run_of_a_command_makes_its_check_and_one_of_an_unknown_job_does_not(tx: Tx) -> None:
    take_in(
        tx,
        event(1, "job.finished", "configured", trigger="schedule", result="success"),
        event(2, "job.finished", "wrapped", trigger="external", result="success"),
    )

    assert [each.name for each in check.every(tx)] == ["wrapped"]
    assert the(tx, "wrapped").spec.origin is Origin.CLIENT
    assert the(tx, "wrapped").evidence.last_success_at == START


def test_a_run_reaches_the_check_of_its_job_whatever_its_name(tx: Tx) -> None:
    add(tx, CheckKind.JOB, "nightly-")

    take_in(tx, event(1, "job.finished", "nightly-", run="r"))

    assert the(tx, "nightly-").evidence.last_success_at == START


def test_what_a_backup_wing_found_is_the_evidence_of_its_check(tx: Tx) -> None:
    add(tx, CheckKind.BACKUP)

    take_in(
        tx,
        event(1, "job.finished", result="success"),
        event(
            2,
            "backup.observed",
            covered_at=utc_text(START - HOUR),
            snapshot_seen_at=START,
            files=7,
        ),
    )
    assert the(tx).evidence.last_success_at == START - HOUR

    assert take_in(tx, event(3, "backup.observed", missing="/data is not there")).wake
    assert the(tx).evidence.missing == "/data is not there"


def test_a_ping_that_came_while_no_hub_lived_counts_from_when_it_came(tx: Tx) -> None:
    add(tx, CheckKind.PING)

    take_in(
        tx,
        event(
            1, "check.pinged", signal="success", pinged_at=utc_text(START - HOUR), exit_code=None
        ),
    )
    assert the(tx).evidence.last_success_at == START - HOUR

    assert take_in(tx, event(2, "check.pinged", signal="fail", exit_code=4)).wake
    assert the(tx).evidence.failure == "it ended with exit code 4"


def test_an_event_that_cannot_be_understood_keeps_nothing_behind_it_waiting(tx: Tx) -> None:
    add(tx, CheckKind.PING)
    add(tx, CheckKind.BACKUP, "b")

    ingested = take_in(
        tx,
        event(1, "check.pinged", signal="shout"),
        event(2, "backup.observed", "b", covered_at="yesterday"),
        event(3, "check.pinged", signal="success", pinged_at="now", rid=5),
        event(4, "check.pinged", signal="log", rid="\ud800"),
        event(5, "job.failed", why="\ud800", trigger="external"),
        event(6, "check.pinged", "\ud800", signal="success"),
        event(7, "check.pinged", signal="log", exit_code=10**30, pinged_at=float("inf")),
        event(8, "check.pinged", signal="log", pinged_at=10**400),
    )

    assert ingested.count == 8
    assert the(tx).evidence.last_success_at == START
    refused = events.unforwarded(tx)
    assert [(each["kind"], each["facts"]["event"]) for each in refused] == [
        ("hub.event_refused", 1),
        ("hub.event_refused", 2),
        ("hub.event_refused", 8),
    ]
    assert [each["subject"] for each in events.read(tx, after=5, limit=1)] == ["?"]


def test_a_name_that_is_no_text_costs_neither_the_notice_nor_the_evidence(tx: Tx) -> None:
    add(tx, CheckKind.BACKUP, "b")

    take_in(
        tx,
        event(1, "service.failed", "api", why="no program caf\udce9"),
        event(2, "backup.observed", "b", covered_at=START - 5, suspect="lost: caf\udce9"),
        event(3, "job.failed", why={"caf\udce9": ["\udce9"]}, trigger="external"),
    )

    assert events.unforwarded(tx) == []
    assert the(tx, "b").evidence.last_success_at == START - 5
    assert the(tx, "b").evidence.suspect == "lost: caf?"
    assert the(tx).evidence.failure == "{'caf?': ['?']}"
    assert [decode(row["facts"]).why for row in tx.all("outbox.loose")] == ["no program caf?"]


def test_a_check_that_cannot_be_read_keeps_no_event_waiting(tx: Tx) -> None:
    add(tx, CheckKind.PING)
    add(tx, CheckKind.PING, "b")
    row = tx.one("checks.by_name", name="a")
    assert row is not None
    tx.run("checks.save", **{**dict(row), "spec": "{}"})

    take_in(tx, event(1, "check.pinged"), event(2, "check.pinged", "b"))

    assert [each["kind"] for each in events.unforwarded(tx)] == ["hub.event_refused"]
    assert the(tx, "b").pings == 1


def test_an_event_of_the_hub_that_comes_back_is_told_and_acts_no_more(tx: Tx) -> None:
    add(tx, CheckKind.PING)
    events.note(tx, "check.pinged", "a", {"signal": "fail"}, now())
    (mine,) = events.unforwarded(tx)

    take_in(tx, event(1, "check.pinged", **mine["facts"]))

    assert events.unforwarded(tx) == []
    assert the(tx).pings == 0
    assert [each["id"] for each in events.read(tx)] == [1]


def test_a_person_hears_once_that_a_check_is_held_back(tx: Tx) -> None:
    events.note(tx, "check.flapping", "a", {"severity": "critical"}, now())
    (mine,) = events.unforwarded(tx)

    for id_ in (1, 2):
        take_in(tx, event(id_, "check.flapping", **mine["facts"]))

    assert titles(tx) == [
        "the check a changes too often and is held back until it settles",
    ]


def test_a_notice_is_queued_once_with_its_severity_and_reason(tx: Tx) -> None:
    held = event(1, "service.held", "api", severity="critical", why="5 starts in 10m")

    take_in(tx, held)
    take_in(tx, held)

    (row,) = tx.all("outbox.loose")
    intent = decode(row["facts"])
    assert (intent.severity, intent.title, intent.why, intent.at) == (
        Severity.CRITICAL,
        "api is held: its restart limit is used up",
        "5 starts in 10m",
        START,
    )


def test_a_failed_job_is_told_by_its_check_or_else_by_a_notice(tx: Tx) -> None:
    add(tx, CheckKind.JOB, "checked")

    take_in(tx, event(1, "job.failed", "checked"), event(2, "job.failed", "unchecked"))

    assert titles(tx) == ["the job unchecked failed"]


def test_old_news_are_no_notice(tx: Tx) -> None:
    for id_, after, is_told in (
        (1, -2 * HOUR, False),  # the journal was never read before
        (2, -2 * HOUR, True),
        (3, -73 * HOUR, False),
        (4, 0.0, True),
    ):
        before = len(titles(tx))
        take_in(tx, event(id_, "service.held", "api", after))
        assert (len(titles(tx)) > before) is is_told
