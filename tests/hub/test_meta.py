from dataclasses import replace

from holdfast.hub import check, meta, outbox
from holdfast.hub.check import Check
from holdfast.hub.meta import Signs
from holdfast.hub.outbox import intents
from holdfast.hub.store.interface import Tx
from holdfast.model.alert import AlertState, Tell, Telling
from holdfast.model.check import CheckKind, CheckSpec, Evidence, Look, Origin, Severity
from holdfast.model.hub import HubSettings
from holdfast.model.message import Channel
from holdfast.model.service import Now

NOW = Now(wall=1_750_000_000.0, mono=10.0, boot_id="b")
SETTINGS = HubSettings(machine="m", channels=(Channel(name="ops", command=("tell",)),))
MUTE = HubSettings(machine="m")


def found(tx: Tx, settings: HubSettings = SETTINGS, age: float | None = 1.0) -> dict[str, str]:
    meta.look(tx, settings, Signs(beat_age_s=age), NOW)
    return {each.name: each.severity.value for each in check.every(tx)}


def add(tx: Tx, name: str, **changes: object) -> None:
    made = Check(
        id=0,
        uuid=name,
        spec=CheckSpec(name=name, kind=CheckKind.PING),
        evidence=Evidence(first_seen_at=0.0),
    )
    check.insert(tx, replace(made, **changes))  # type: ignore[arg-type]  # a table of mixed arguments


def test_a_hub_that_does_well_has_four_checks_that_are_ok(tx: Tx) -> None:
    assert found(tx) == {
        "hub-channels": "ok",
        "hub-evaluator": "ok",
        "hub-outbox": "ok",
        "machine-m": "ok",
    }


def test_looking_again_changes_nothing(tx: Tx) -> None:
    found(tx)
    before = check.every(tx)
    found(tx)
    assert check.every(tx) == before


def test_a_supervisor_that_is_silent_is_told_by_the_age_of_its_heartbeat(tx: Tx) -> None:
    ages = {300.0: "ok", 301.0: "warning", 901.0: "critical"}
    assert {age: found(tx, age=age)["machine-m"] for age in ages} == ages


def test_without_a_supervisor_nobody_waits_for_its_heartbeat(tx: Tx) -> None:
    found(tx)
    assert "machine-m" not in found(tx, age=None)


def test_who_heard_that_a_machine_is_silent_hears_when_nobody_waits_for_it_any_more(
    tx: Tx,
) -> None:
    found(tx, age=500.0)
    machine = check.by_name(tx, "machine-m")
    assert machine is not None
    told = AlertState(
        confirmed=Severity.WARNING, told=Severity.WARNING, incident=1, opened_at=NOW.wall
    )
    machine = replace(machine, alert=told)
    check.save(tx, machine)
    look = Look(severity=Severity.WARNING, cause="overdue")
    tell = Tell(kind=Telling.OPEN, severity=Severity.WARNING)
    outbox.enqueue(tx, SETTINGS.channels, machine, tell, look, NOW)

    found(tx, age=None)

    (resolve,) = (intents.decode(row["facts"]) for row in tx.all("outbox.loose"))
    assert (resolve.kind, resolve.why) == (Telling.RESOLVE, "no longer watched")


def test_an_evaluation_that_is_three_rounds_late_is_a_warning(tx: Tx) -> None:
    add(tx, "late", look_at=NOW.wall - 901)
    assert found(tx)["hub-evaluator"] == "warning"


def test_having_nobody_to_tell_matters_once_there_is_something_to_tell(tx: Tx) -> None:
    assert found(tx, MUTE)["hub-channels"] == "ok"
    add(tx, "docs", alert=AlertState(confirmed=Severity.WARNING))
    assert found(tx, MUTE)["hub-channels"] == "warning"
    assert found(tx, replace(MUTE, last_resort_file="/tmp/last"))["hub-channels"] == "ok"


def test_that_nobody_is_told_of_it_is_no_reason_for_the_warning_itself(tx: Tx) -> None:
    found(tx, MUTE)
    mine = check.by_name(tx, meta.CHANNELS)
    assert mine is not None
    check.save(tx, replace(mine, alert=AlertState(confirmed=Severity.WARNING)))
    assert found(tx, MUTE)["hub-channels"] == "ok"


def test_a_channel_that_refuses_or_fails_for_long_is_a_warning(tx: Tx) -> None:
    tx.run("outbox.channel_failed", name="ops", broken="", now=NOW.wall - 800)
    assert found(tx)["hub-channels"] == "ok"
    tx.run("outbox.channel_delivered", name="ops", now=NOW.wall)
    tx.run("outbox.channel_failed", name="ops", broken="401", now=NOW.wall)
    assert found(tx)["hub-channels"] == "warning"
    tx.run("outbox.channel_delivered", name="ops", now=NOW.wall)
    tx.run("outbox.channel_failed", name="ops", broken="", now=NOW.wall - 901)
    assert found(tx)["hub-channels"] == "warning"


def test_a_channel_that_is_no_longer_configured_is_nobodys_trouble(tx: Tx) -> None:
    tx.run("outbox.channel_failed", name="gone", broken="401", now=NOW.wall)
    assert found(tx)["hub-channels"] == "ok"


def test_a_message_that_waits_too_long_is_told(tx: Tx) -> None:
    for age, severity in ((900.0, "ok"), (901.0, "warning"), (3601.0, "critical")):
        tx.run(
            "outbox.add_intent",
            key=str(age),
            channel="ops",
            check_name="docs",
            incident=1,
            kind="open",
            severity="warning",
            at=NOW.wall - age,
            facts="{}",
        )
        assert found(tx)["hub-outbox"] == severity


def test_a_check_of_a_person_keeps_its_name(tx: Tx) -> None:
    add(tx, "hub-outbox")
    found(tx)
    mine = check.by_name(tx, "hub-outbox")
    assert mine is not None
    assert mine.spec.origin is Origin.CONFIG


def test_a_finding_that_differs_from_what_counts_wakes_the_sweep(tx: Tx) -> None:
    assert not meta.look(tx, SETTINGS, Signs(beat_age_s=1.0), NOW)
    assert meta.look(tx, SETTINGS, Signs(beat_age_s=500.0), NOW)
