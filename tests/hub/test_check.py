from dataclasses import replace

import pytest

from holdfast.hub import check, checks
from holdfast.hub.check import CLEAN, Check
from holdfast.hub.store.interface import Tx
from holdfast.model.alert import Acknowledgement, AlertPolicy, AlertState
from holdfast.model.check import CheckKind, CheckSpec, Evidence, Origin, Severity
from holdfast.model.service import Now

DAY = 86_400.0
POLICY = AlertPolicy()


def now(at: float = 1000 * DAY) -> Now:
    return Now(wall=at, mono=at, boot_id="boot")


def test_a_check_comes_back_from_the_database_as_it_was_saved(tx: Tx) -> None:
    whole = Check(
        id=0,
        uuid="a-uuid",
        spec=CheckSpec(
            name="a",
            kind=CheckKind.COMMAND,
            origin=Origin.CLIENT,
            schedule="0 3 * * *",
            timezone="Europe/Berlin",
            target=("ls", "-l"),
            depends_on=("b",),
            warning_after=1.5,
        ),
        evidence=Evidence(first_seen_at=1.25, last_success_at=2.5, failure="it broke: ü"),
        alert=AlertState(
            confirmed=Severity.CRITICAL,
            opened_at=3.0,
            changes=(1, 0),
            acknowledged=Acknowledgement(by="ann", at=4.0),
        ),
        severity=Severity.WARNING,
        look_at=5.5,
        probe_at=6.5,
        pings=7,
    )

    inserted = check.insert(tx, whole)
    assert check.by_name(tx, "a") == inserted == replace(whole, id=inserted.id)
    assert check.by_uuid(tx, "a-uuid") == inserted

    changed = replace(inserted, alert=CLEAN, paused=True, look_at=None, probe_at=None, pings=8)
    check.save(tx, changed)
    assert check.by_name(tx, "a") == changed
    assert check.by_name(tx, "b") is None


def test_only_what_is_due_is_found_due_the_longest_waiting_first(tx: Tx) -> None:
    for name, look_at, probe_at in (
        ("a", 5.0, None),
        ("b", 3.0, 9.0),
        ("c", None, 4.0),
        ("d", 8.0, None),
    ):
        spec = CheckSpec(name=name, kind=CheckKind.PING)
        one = Check(id=0, uuid=name, spec=spec, evidence=Evidence(first_seen_at=0.0))
        check.insert(tx, replace(one, look_at=look_at, probe_at=probe_at))

    assert [row["name"] for row in tx.all("checks.due", now=5.0, limit=9)] == ["b", "a"]
    assert check.next_look(tx) == 3.0
    assert [each.name for each in check.probes_due(tx, now(5.0))] == ["c"]
    assert check.next_probe(tx) == 4.0


def test_nothing_is_due_where_nothing_is_on_file(tx: Tx) -> None:
    assert tx.all("checks.due", now=5.0, limit=9) == []
    assert check.probes_due(tx, now()) == []
    assert check.next_look(tx) is None
    assert check.next_probe(tx) is None


QUIET = AlertState(incident=3, warning_told_at=900 * DAY)


@pytest.mark.parametrize(
    ("alert", "age", "expected"),
    [
        (CLEAN, 0.0, "when it can become bad"),
        (QUIET, 0.0, "when it can become bad"),
        (CLEAN, 1.5 * DAY, "now"),
        (AlertState(confirmed=Severity.WARNING, opened_at=0.0), 0.0, "now"),
        (AlertState(confirmed=Severity.WARNING, opened_at=0.0), 1.5 * DAY, "as the sweep says"),
        (AlertState(at_least_warning=1), 0.0, "as the sweep says"),
        (AlertState(unknown=1), 0.0, "as the sweep says"),
        (AlertState(is_flapping=True), 0.0, "as the sweep says"),
        (AlertState(is_quieted=True), 0.0, "as the sweep says"),
    ],
)
def test_the_next_look_comes_when_it_can_matter(
    alert: AlertState, age: float, expected: str
) -> None:
    at = now()
    spec = CheckSpec(name="a", kind=CheckKind.BACKUP, warning_after=DAY)
    evidence = Evidence(first_seen_at=0.0, last_success_at=at.wall - age)
    known = Check(
        id=1, uuid="u", spec=spec, evidence=evidence, alert=alert, look_at=at.wall + 60.0
    )

    judged, look = check.judged(known, POLICY, at)

    moments = {
        "now": at.wall,
        "as the sweep says": at.wall + 60.0,
        "when it can become bad": look.next_at,
    }
    assert judged.look_at == moments[expected]
    assert judged.severity is look.severity
    assert check.is_urgent(judged) is (expected == "now")


def test_a_paused_check_is_never_due(tx: Tx) -> None:
    checks.add(tx, CheckSpec(name="a", kind=CheckKind.HTTP, target=("http://x",)), POLICY, now())

    paused = checks.pause(tx, "a", now())
    judged, _ = check.judged(paused, POLICY, now(2000 * DAY))

    assert (judged.look_at, judged.probe_at, check.is_urgent(judged)) == (None, None, False)
    assert check.probe_after(judged, 5.0) is None


def test_a_probed_check_without_a_period_is_probed_every_minute() -> None:
    spec = CheckSpec(name="a", kind=CheckKind.TCP)
    known = Check(id=1, uuid="u", spec=spec, evidence=Evidence(first_seen_at=0.0))

    assert check.probe_after(known, 100.0) == 160.0
    assert check.probe_after(replace(known, spec=replace(spec, period=5.0)), 100.0) == 105.0
    assert check.probe_after(replace(known, spec=replace(spec, kind=CheckKind.PING)), 1.0) is None


def test_ping_addresses_differ() -> None:
    assert len({check.new_uuid() for _ in range(100)}) == 100
