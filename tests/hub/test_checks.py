from dataclasses import replace

import pytest

from holdfast.errors import Refused, UnknownName
from holdfast.hub import check, checks, events, outbox, pings
from holdfast.hub.check import Check
from holdfast.hub.outbox.intents import decode
from holdfast.hub.pings import Ping
from holdfast.hub.store.interface import Tx
from holdfast.model.alert import AlertPolicy, AlertState, Tell, Telling
from holdfast.model.check import (
    CheckKind,
    CheckSpec,
    Evidence,
    Look,
    Observation,
    Origin,
    Severity,
    Signal,
)
from holdfast.model.message import Channel
from holdfast.model.service import Now

HOUR, DAY = 3600.0, 86_400.0
START = 1000 * DAY
POLICY = AlertPolicy()
CHANNELS = (Channel(name="sink", url="file:///sink"),)


def now(after: float = 0.0) -> Now:
    return Now(wall=START + after, mono=after, boot_id="boot")


def ping_check(name: str = "a", **more: object) -> CheckSpec:
    values: dict[str, object] = {"period": DAY, "grace": HOUR, **more}
    return CheckSpec(name=name, kind=CheckKind.PING, **values)  # type: ignore[arg-type] # a table of fields


def the(tx: Tx, name: str = "a") -> Check:
    found = check.by_name(tx, name)
    assert found is not None
    return found


def succeed(tx: Tx, name: str = "a", after: float = 0.0) -> None:
    said = Ping(slug=name, signal=Signal.SUCCESS, at=START + after)
    assert pings.ping(tx, said, POLICY, now(after)).is_taken


def open_incident(tx: Tx, name: str, told: Severity) -> None:
    known = the(tx, name)
    alert = AlertState(
        confirmed=Severity.CRITICAL, incident=1, opened_at=START, told=told, warning_told_at=5.0
    )
    check.save(tx, replace(known, alert=alert))
    tx.run(
        "alerts.open_incident",
        check_name=name,
        number=1,
        severity="critical",
        opened_at=START,
        muted=False,
    )
    if told is not Severity.OK:
        tell = Tell(kind=Telling.OPEN, severity=told)
        outbox.enqueue(tx, CHANNELS, the(tx, name), tell, Look(severity=told), now())


def told_kinds(tx: Tx) -> list[str]:
    return [event["kind"] for event in events.unforwarded(tx)]


def intents(tx: Tx) -> list[tuple[str, str]]:
    found = [decode(row["facts"]) for row in tx.all("outbox.loose")]
    return [(intent.kind.value, intent.why) for intent in found]


def incidents(tx: Tx) -> list[tuple[str, int, bool]]:
    rows = tx.all("views.incidents", limit=10)
    return [(row["check_name"], row["number"], row["closed_at"] is None) for row in rows]


def test_the_configuration_adds_changes_and_removes_checks(tx: Tx) -> None:
    first = checks.sync(tx, [ping_check("a"), ping_check("b")], POLICY, now())
    assert (first.added, first.changed, first.removed) == (("a", "b"), (), ())

    again = checks.sync(tx, [ping_check("a"), ping_check("b")], POLICY, now())
    assert (again.added, again.changed, again.removed) == ((), (), ())

    other = checks.sync(tx, [ping_check("b", grace=1.0), ping_check("c")], POLICY, now())
    assert (other.added, other.changed, other.removed) == (("c",), ("b",), ("a",))
    assert [each.name for each in check.every(tx)] == ["b", "c"]
    assert told_kinds(tx) == ["check.removed"]


def test_evidence_incident_and_address_survive_a_change_of_the_description(tx: Tx) -> None:
    checks.sync(tx, [ping_check()], POLICY, now())
    succeed(tx)
    open_incident(tx, "a", Severity.OK)
    before = the(tx)

    checks.sync(tx, [ping_check(grace=5.0)], POLICY, now(HOUR))

    after = the(tx)
    assert (after.uuid, after.evidence, after.alert) == (
        before.uuid,
        before.evidence,
        before.alert,
    )
    assert after.spec.grace == 5.0


def test_nothing_of_a_new_schedule_was_missed(tx: Tx) -> None:
    checks.sync(tx, [ping_check()], POLICY, now())
    succeed(tx)

    checks.sync(tx, [ping_check(period=60.0)], POLICY, now(5 * HOUR))

    assert the(tx).evidence.due_at == START + 5 * HOUR + 60.0
    assert the(tx).severity is Severity.OK


def test_a_late_check_is_not_healed_by_another_period(tx: Tx) -> None:
    checks.sync(tx, [ping_check()], POLICY, now())
    succeed(tx)
    late = 4 * DAY
    saved, _ = check.judged(the(tx), POLICY, now(late))
    check.save(tx, saved)

    checks.sync(tx, [ping_check(period=2 * DAY)], POLICY, now(late))

    assert the(tx).evidence.due_at == START + 2 * DAY
    assert the(tx).severity is not Severity.OK


def test_a_check_of_another_kind_starts_with_evidence_of_its_own(tx: Tx) -> None:
    checks.sync(tx, [ping_check()], POLICY, now())
    succeed(tx)

    job = CheckSpec(name="a", kind=CheckKind.JOB, period=DAY, grace=HOUR)
    checks.sync(tx, [job], POLICY, now(1.0))
    assert the(tx).evidence.last_success_at == START

    checks.sync(tx, [CheckSpec(name="a", kind=CheckKind.BACKUP)], POLICY, now(2.0))
    assert the(tx).evidence == Evidence(first_seen_at=START + 2.0)


def test_a_removed_check_that_returns_is_new_and_its_incidents_are_counted_on(tx: Tx) -> None:
    checks.sync(tx, [ping_check()], POLICY, now())
    succeed(tx)
    open_incident(tx, "a", Severity.OK)
    before = the(tx)

    checks.sync(tx, [], POLICY, now(1.0))
    assert incidents(tx) == [("a", 1, False)]
    assert tx.all("checks.pings", check_id=before.id, limit=10) == []
    checks.sync(tx, [ping_check()], POLICY, now(2.0))

    after = the(tx)
    assert after.uuid != before.uuid
    assert after.evidence.last_success_at is None
    assert after.evidence.first_seen_at == START + 2.0
    assert (after.alert.incident, after.alert.is_open) == (1, False)


def test_who_heard_of_an_incident_hears_that_its_check_is_gone(tx: Tx) -> None:
    for told, heard in ((Severity.CRITICAL, True), (Severity.OK, False)):
        checks.sync(tx, [ping_check(told.value)], POLICY, now())
        open_incident(tx, told.value, told)

        checks.sync(tx, [], POLICY, now(1.0), channels=CHANNELS)

        assert [event["kind"] for event in events.unforwarded(tx)[-2:]] == [
            "incident.closed",
            "check.removed",
        ]
        assert bool(intents(tx)) is heard
        for row in tx.all("outbox.loose"):
            tx.run("outbox.drop", key=decode(row["facts"]).key)


def test_a_check_of_a_client_stays_until_the_configuration_takes_its_name(tx: Tx) -> None:
    said = Ping(slug="a", signal=Signal.SUCCESS, at=START, create=True)
    pings.ping(tx, said, POLICY, now())
    before = the(tx)

    assert checks.sync(tx, [], POLICY, now()).removed == ()
    taken = checks.sync(tx, [ping_check()], POLICY, now(1.0))

    assert (taken.added, taken.changed) == ((), ("a",))
    assert the(tx).spec.origin is Origin.CONFIG
    assert (the(tx).uuid, the(tx).evidence) == (before.uuid, before.evidence)
    assert checks.sync(tx, [], POLICY, now()).removed == ("a",)


def test_every_check_is_looked_at_again_under_a_new_configuration(tx: Tx) -> None:
    checks.sync(tx, [ping_check("a"), ping_check("b")], POLICY, now())
    checks.pause(tx, "b", now())

    succeed(tx, "a")
    before = the(tx, "a").look_at

    checks.sync(tx, [ping_check("a"), ping_check("b")], POLICY, now(5.0))

    assert before is not None
    assert before > START + DAY
    assert the(tx, "a").look_at == START + 5.0
    assert the(tx, "b").look_at is None


def test_a_built_in_check_is_none_of_the_configuration(tx: Tx) -> None:
    spec = CheckSpec(name="hub-x", kind=CheckKind.MACHINE, origin=Origin.BUILTIN)
    checks.add(tx, spec, POLICY, now())

    assert checks.sync(tx, [], POLICY, now()).removed == ()
    assert the(tx, "hub-x").spec == spec


def test_what_is_found_is_evidence_only_of_checks_that_go_by_it(tx: Tx) -> None:
    checks.sync(
        tx, [ping_check("said"), CheckSpec(name="found", kind=CheckKind.BACKUP)], POLICY, now()
    )
    seen = Observation(at=START, covered_at=START - 60.0, snapshot_seen_at=START)

    assert checks.observe(tx, "said", seen, POLICY, now()) is None
    assert checks.observe(tx, "nothing", seen, POLICY, now()) is None
    known = checks.observe(tx, "found", seen, POLICY, now())

    assert known is not None
    assert known.evidence.last_success_at == START - 60.0
    assert the(tx, "found") == known
    assert the(tx, "said").evidence.last_success_at is None


def test_a_probe_that_failed_is_urgent_and_probed_again_after_its_period(tx: Tx) -> None:
    spec = CheckSpec(name="a", kind=CheckKind.HTTP, target=("http://x",), period=30.0)
    checks.sync(tx, [spec], POLICY, now())
    assert the(tx).probe_at == START

    failed = Observation(at=START + 1.0, failure="answered 500")
    known = checks.observe(tx, "a", failed, POLICY, now(2.0))

    assert known is not None
    assert (known.severity, known.look_at) == (Severity.CRITICAL, START + 2.0)
    assert check.is_urgent(known)
    assert known.probe_at == START + 32.0


def test_while_a_check_is_paused_nothing_of_it_is_expected(tx: Tx) -> None:
    checks.sync(tx, [ping_check()], POLICY, now())
    succeed(tx)
    open_incident(tx, "a", Severity.CRITICAL)

    paused = checks.pause(tx, "a", now(HOUR), by="ann", channels=CHANNELS)

    assert paused == checks.pause(tx, "a", now(HOUR)) == the(tx)
    assert (paused.paused, paused.look_at) == (True, None)
    assert (paused.alert.confirmed, paused.alert.is_open) == (Severity.OK, False)
    assert (paused.alert.incident, paused.alert.warning_told_at) == (1, 5.0)
    assert incidents(tx) == [("a", 1, False)]
    assert [event["kind"] for event in events.unforwarded(tx)[-2:]] == [
        "incident.closed",
        "check.paused",
    ]


def test_a_resumed_check_is_expected_anew_from_that_moment(tx: Tx) -> None:
    checks.sync(tx, [ping_check()], POLICY, now())
    succeed(tx)
    checks.pause(tx, "a", now(HOUR))

    resumed = checks.resume(tx, "a", POLICY, now(50 * DAY), by="ann")

    assert resumed == checks.resume(tx, "a", POLICY, now(50 * DAY)) == the(tx)
    assert resumed.severity is Severity.OK
    assert resumed.evidence.due_at == START + 51 * DAY
    assert resumed.evidence.last_success_at == START
    assert told_kinds(tx) == ["check.paused", "check.resumed"]


def test_a_resumed_backup_is_as_old_as_it_is(tx: Tx) -> None:
    checks.sync(tx, [CheckSpec(name="a", kind=CheckKind.BACKUP)], POLICY, now())
    seen = Observation(at=START, covered_at=START, snapshot_seen_at=START)
    checks.observe(tx, "a", seen, POLICY, now())
    checks.pause(tx, "a", now())

    assert checks.resume(tx, "a", POLICY, now(10 * DAY)).severity is Severity.CRITICAL


def test_only_what_a_client_made_can_be_removed_by_hand(tx: Tx) -> None:
    said = Ping(slug="client", signal=Signal.SUCCESS, at=START, create=True)
    pings.ping(tx, said, POLICY, now())
    checks.sync(tx, [ping_check("config")], POLICY, now())
    spec = CheckSpec(name="builtin", kind=CheckKind.MACHINE, origin=Origin.BUILTIN)
    checks.add(tx, spec, POLICY, now())

    checks.remove(tx, "client", now(), by="ann")

    assert check.by_name(tx, "client") is None
    with pytest.raises(Refused, match="configuration"):
        checks.remove(tx, "config", now())
    with pytest.raises(Refused, match="hub itself"):
        checks.remove(tx, "builtin", now())


def test_an_unknown_check_can_be_neither_paused_nor_resumed_nor_removed(tx: Tx) -> None:
    with pytest.raises(UnknownName, match="no check 'x'"):
        checks.pause(tx, "x", now())
    with pytest.raises(UnknownName):
        checks.resume(tx, "x", POLICY, now())
    with pytest.raises(UnknownName):
        checks.remove(tx, "x", now())
