from dataclasses import replace

from holdfast.clock import utc_text
from holdfast.hub import check, checks, pings, views
from holdfast.hub.pings import Ping
from holdfast.hub.store.interface import Tx
from holdfast.model.alert import AlertPolicy, AlertState
from holdfast.model.check import CheckKind, CheckSpec, Severity, Signal
from holdfast.model.service import Now

HOUR, DAY = 3600.0, 86_400.0
START = 1000 * DAY
POLICY = AlertPolicy()


def now(after: float = 0.0) -> Now:
    return Now(wall=START + after, mono=after, boot_id="boot")


def add(tx: Tx, name: str) -> None:
    spec = CheckSpec(name=name, kind=CheckKind.PING, period=DAY, grace=HOUR)
    checks.add(tx, spec, POLICY, now(), uuids=lambda: f"uuid-{name}")


def succeed(tx: Tx, name: str) -> None:
    said = Ping(slug=name, signal=Signal.SUCCESS, at=START, method="GET", body=b"fine")
    pings.ping(tx, said, POLICY, now())


def test_a_check_is_shown_as_it_is_looked_at_now(tx: Tx) -> None:
    add(tx, "a")
    succeed(tx, "a")

    (row,) = views.checks(tx, POLICY, now(26 * HOUR))

    assert row == {
        "name": "a",
        "kind": "ping",
        "severity": "warning",
        "confirmed": "ok",
        "cause": "overdue",
        "why": "no success for more than 25h",
        "age_s": 26 * HOUR,
        "last_success_at": utc_text(START),
        "last_attempt_at": utc_text(START),
        "last_failure_at": None,
        "started_at": None,
        "duration_s": None,
        "verified_at": None,
        "next_due_at": utc_text(START + DAY),
        "due": True,
        "incident": None,
        "origin": "config",
        "paused": False,
        "uuid": "uuid-a",
    }


def test_a_check_that_never_succeeded_has_no_age(tx: Tx) -> None:
    add(tx, "a")

    (row,) = views.checks(tx, POLICY, now())

    assert (row["age_s"], row["last_success_at"], row["severity"], row["due"]) == (
        None,
        None,
        "ok",
        False,
    )


def test_a_paused_check_is_due_for_nothing(tx: Tx) -> None:
    add(tx, "a")
    checks.pause(tx, "a", now())

    (row,) = views.checks(tx, POLICY, now(9 * DAY))

    assert (row["paused"], row["next_due_at"], row["due"]) == (True, None, None)


def test_the_incident_of_a_check_is_shown_while_it_is_open(tx: Tx) -> None:
    for name, opened_at in (("a", START), ("b", None)):
        add(tx, name)
        known = check.by_name(tx, name)
        assert known is not None
        alert = AlertState(incident=4, opened_at=opened_at)
        check.save(tx, replace(known, alert=alert))

    assert [row["incident"] for row in views.checks(tx, POLICY, now())] == [4, None]


def test_one_check_is_shown_with_its_pings_newest_first(tx: Tx) -> None:
    add(tx, "a")
    succeed(tx, "a")
    succeed(tx, "a")

    row = views.check(tx, "a", POLICY, now())

    assert row is not None
    assert row["name"] == "a"
    assert [ping["number"] for ping in row["pings"]] == [2, 1]
    assert row["pings"][0] == {
        "number": 2,
        "at": utc_text(START),
        "signal": "success",
        "exit_code": None,
        "run": "",
        "method": "GET",
        "agent": "",
        "body": "fine",
    }
    assert views.check(tx, "b", POLICY, now()) is None


def test_incidents_are_shown_newest_first_and_the_open_ones_alone(tx: Tx) -> None:
    for name, number, at in (("a", 1, START), ("b", 1, START + 1), ("a", 2, START + 2)):
        tx.run(
            "alerts.open_incident",
            check_name=name,
            number=number,
            severity="warning",
            opened_at=at,
            muted=number == 2,
        )
    tx.run("checks.close_incidents", name="b", now=START + 5)

    rows = views.incidents(tx)

    assert [(row["check"], row["number"]) for row in rows] == [("a", 2), ("b", 1), ("a", 1)]
    assert rows[0] == {
        "number": 2,
        "check": "a",
        "severity": "warning",
        "opened_at": utc_text(START + 2),
        "closed_at": None,
        "acknowledged_by": None,
        "muted": True,
    }
    assert rows[1]["closed_at"] == utc_text(START + 5)
    assert [row["check"] for row in views.incidents(tx, open_only=True)] == ["a", "a"]
    assert len(views.incidents(tx, limit=1)) == 1


def test_messages_are_shown_newest_first_and_replaced_ones_only_when_asked_for(tx: Tx) -> None:
    message = '{"key":"%s","kind":"open","severity":"warning","title":"t","body":"b","checks":["a"],"at":5.0}'
    for key in "xyz":
        tx.run(
            "outbox.add_batch",
            key=key,
            channel="sink",
            kind="open",
            severity="warning",
            message=message % key,
            now=6.0,
        )
    tx.run("outbox.supersede", key="y", now=7.0)

    rows = views.notifications(tx)

    assert [row["key"] for row in rows] == ["z", "x"]
    assert rows[0] == {
        "key": "z",
        "kind": "open",
        "severity": "warning",
        "title": "t",
        "body": "b",
        "checks": ["a"],
        "at": utc_text(5.0),
        "channel": "sink",
        "state": "pending",
        "attempt": 0,
        "last_error": "",
        "updated_at": utc_text(6.0),
    }
    both = views.notifications(tx, superseded=True, limit=2)
    assert [(row["key"], row["state"]) for row in both] == [("z", "pending"), ("y", "superseded")]


def test_the_summary_counts_all_and_names_those_that_are_not_ok(tx: Tx) -> None:
    for name, severity in (
        ("a", Severity.OK),
        ("b", Severity.CRITICAL),
        ("c", Severity.CRITICAL),
        ("d", Severity.UNKNOWN),
    ):
        add(tx, name)
        known = check.by_name(tx, name)
        assert known is not None
        check.save(tx, replace(known, severity=severity))

    assert views.summary(tx) == {
        "counts": {"ok": 1, "unknown": 1, "warning": 0, "critical": 2},
        "names": {"unknown": ["d"], "warning": [], "critical": ["b", "c"]},
    }
