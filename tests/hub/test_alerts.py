import json
from dataclasses import replace

import pytest

from holdfast.errors import Refused, UnknownName, UsageError
from holdfast.hub import alerts, check, events
from holdfast.hub.alerts import Order
from holdfast.hub.check import Check
from holdfast.hub.store.interface import Row, Tx
from holdfast.model.alert import AlertState
from holdfast.model.check import CheckKind, CheckSpec, Evidence, Severity
from holdfast.model.hub import Maintenance
from holdfast.model.service import Now

NOW = Now(wall=1_750_000_000.0, mono=10.0, boot_id="b")
ANN = Order(by="ann", note="on it")


def later(seconds: float) -> Now:
    return replace(NOW, wall=NOW.wall + seconds)


def add(tx: Tx, name: str, *, is_open: bool = True, paused: bool = False) -> Check:
    alert = AlertState()
    if is_open:
        alert = AlertState(confirmed=Severity.WARNING, incident=2, opened_at=NOW.wall - 60)
        tx.run(
            "alerts.open_incident",
            check_name=name,
            number=2,
            severity="warning",
            opened_at=NOW.wall - 60,
            muted=False,
        )
    return check.insert(
        tx,
        Check(
            id=0,
            uuid=name,
            spec=CheckSpec(name=name, kind=CheckKind.BACKUP),
            evidence=Evidence(first_seen_at=0.0),
            alert=alert,
            paused=paused,
        ),
    )


def incident(tx: Tx, name: str) -> Row:
    (row,) = tx.all("alerts.incidents", check_name=name)
    return row


def noted(tx: Tx) -> list[tuple[str, str]]:
    return [(row["kind"], row["subject"]) for row in events.unforwarded(tx)]


def test_an_acknowledgement_stands_with_the_incident_and_in_the_events(tx: Tx) -> None:
    add(tx, "docs")
    assert alerts.acknowledge(tx, "docs", replace(ANN, for_s=60.0, sticky=True), NOW) == 2
    found = check.by_name(tx, "docs")
    assert found is not None
    assert found.alert.acknowledged is not None
    assert found.alert.acknowledged.until == NOW.wall + 60
    assert found.alert.acknowledged.sticky
    assert found.look_at == NOW.wall
    assert incident(tx, "docs")["acknowledged_by"] == "ann"
    assert noted(tx) == [("alert.acknowledged", "docs")]


def test_an_acknowledgement_can_be_taken_back_once(tx: Tx) -> None:
    add(tx, "docs")
    alerts.acknowledge(tx, "docs", ANN, NOW)
    assert alerts.unacknowledge(tx, "docs", "bob", NOW)
    assert not alerts.unacknowledge(tx, "docs", "bob", NOW)
    assert incident(tx, "docs")["acknowledged_by"] is None
    assert noted(tx)[-1] == ("alert.unacknowledged", "docs")


def test_only_an_open_incident_can_be_acknowledged(tx: Tx) -> None:
    add(tx, "well", is_open=False)
    with pytest.raises(Refused, match="well has no open incident"):
        alerts.acknowledge(tx, "well", ANN, NOW)
    with pytest.raises(UnknownName, match="no check 'typo'"):
        alerts.acknowledge(tx, "typo", ANN, NOW)
    with pytest.raises(UnknownName, match="no check 'typo'"):
        alerts.unacknowledge(tx, "typo", "ann", NOW)


def test_an_acknowledgement_that_is_over_at_once_is_wrong(tx: Tx) -> None:
    add(tx, "docs")
    with pytest.raises(UsageError, match="over at once"):
        alerts.acknowledge(tx, "docs", replace(ANN, until=NOW.wall), NOW)


def test_an_order_does_not_wake_a_check_that_is_paused(tx: Tx) -> None:
    add(tx, "docs", paused=True)
    alerts.acknowledge(tx, "docs", ANN, NOW)
    found = check.by_name(tx, "docs")
    assert found is not None
    assert found.look_at is None


def test_a_silence_is_in_force_until_its_end(tx: Tx) -> None:
    made = alerts.silence(tx, "db-*", replace(ANN, for_s=60.0), NOW)
    rows = [(0.0, 1), (59.0, 1), (60.0, 0)]
    found = [len(alerts.in_force(tx, (), later(seconds))) for seconds, _ in rows]
    assert found == [count for _, count in rows]
    assert alerts.in_force(tx, (), NOW) == (made,)
    assert noted(tx) == [("alert.silenced", "db-*")]
    assert events.unforwarded(tx)[0]["facts"]["silence"] == made.id


def test_maintenance_may_begin_later(tx: Tx) -> None:
    order = replace(ANN, maintenance=True, starts_at=NOW.wall + 100, for_s=50.0)
    alerts.silence(tx, "*", order, NOW)
    assert alerts.in_force(tx, (), NOW) == ()
    (listed,) = alerts.silences(tx, (), NOW)
    assert listed["maintenance"] is True
    assert len(alerts.in_force(tx, (), later(149))) == 1
    assert alerts.in_force(tx, (), later(150)) == ()


def test_a_silence_always_has_an_end_that_is_still_to_come(tx: Tx) -> None:
    wrong = {
        "needs an end": replace(ANN),
        "before it begins": replace(ANN, for_s=0.0),
        "still to come": replace(ANN, starts_at=NOW.wall - 100, until=NOW.wall - 50),
    }
    for words, order in wrong.items():
        with pytest.raises(UsageError, match=words):
            alerts.silence(tx, "*", order, NOW)
    with pytest.raises(UsageError, match="pattern"):
        alerts.silence(tx, "", replace(ANN, for_s=1.0), NOW)
    assert noted(tx) == []


def test_ending_a_silence_has_what_is_bad_looked_at_now(tx: Tx) -> None:
    add(tx, "docs")
    made = alerts.silence(tx, "docs", replace(ANN, for_s=60.0), NOW)
    assert alerts.unsilence(tx, made.id, "bob", later(10))
    found = check.by_name(tx, "docs")
    assert found is not None
    assert found.look_at == NOW.wall + 10
    assert not alerts.unsilence(tx, made.id, "bob", later(10))
    assert not alerts.unsilence(tx, 99, "bob", NOW)
    assert alerts.silences(tx, (), later(10)) == []
    assert noted(tx)[-1] == ("alert.unsilenced", "docs")


def test_a_window_of_the_configuration_is_in_force_from_its_moment_for_its_duration(
    tx: Tx,
) -> None:
    window = Maintenance(
        name="nightly", schedule="0 3 * * *", duration=3600.0, checks=("a", "b"), timezone="UTC"
    )
    three = 1_749_956_400.0  # 2025-06-15 03:00 UTC
    found = {
        seconds: len(alerts.in_force(tx, (window,), replace(NOW, wall=three + seconds)))
        for seconds in (-1, 0, 3599, 3600)
    }
    assert found == {-1: 0, 0: 2, 3599: 2, 3600: 0}
    listed = alerts.silences(tx, (window,), replace(NOW, wall=three))
    assert [(row["id"], row["pattern"], row["note"]) for row in listed] == [
        (0, "a", "nightly"),
        (0, "b", "nightly"),
    ]


def test_silences_are_told_as_json(tx: Tx) -> None:
    alerts.silence(tx, "*", replace(ANN, for_s=60.0), NOW)
    (row,) = json.loads(json.dumps(alerts.silences(tx, (), NOW)))
    assert (row["starts_at"], row["ends_at"], row["by"]) == (
        "2025-06-15T15:06:40.000Z",
        "2025-06-15T15:07:40.000Z",
        "ann",
    )


def test_a_silence_that_is_long_over_is_forgotten(tx: Tx) -> None:
    alerts.silence(tx, "old", replace(ANN, for_s=60.0), NOW)
    alerts.silence(tx, "new", replace(ANN, for_s=60.0), later(alerts.KEPT_S + 61))
    assert [row["pattern"] for row in tx.all("alerts.silences", now=0.0)] == ["new"]
