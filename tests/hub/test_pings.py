import pytest

from holdfast.hub import check, checks, pings
from holdfast.hub.check import Check
from holdfast.hub.pings import Outcome, Ping
from holdfast.hub.store.interface import Tx
from holdfast.model.alert import AlertPolicy
from holdfast.model.check import CheckKind, CheckSpec, Origin, Severity, Signal
from holdfast.model.service import Now

HOUR, DAY = 3600.0, 86_400.0
START = 1000 * DAY
POLICY = AlertPolicy()


def now(after: float = 0.0) -> Now:
    return Now(wall=START + after, mono=after, boot_id="boot")


def said(signal: Signal, after: float = 0.0, **more: object) -> Ping:
    values: dict[str, object] = {"slug": "a", **more}
    return Ping(signal=signal, at=START + after, **values)  # type: ignore[arg-type] # a table of fields


@pytest.fixture
def a(tx: Tx) -> Check:
    return checks.add(
        tx, CheckSpec(name="a", kind=CheckKind.PING, period=DAY, grace=HOUR), POLICY, now()
    )


def the(tx: Tx) -> Check:
    found = check.by_name(tx, "a")
    assert found is not None
    return found


def test_a_ping_is_found_by_address_and_by_slug(tx: Tx, a: Check) -> None:
    for address in ({"slug": "a"}, {"slug": "A"}, {"slug": None, "uuid": a.uuid.upper()}):
        answer = pings.ping(tx, said(Signal.SUCCESS, **address), POLICY, now())
        assert (answer.outcome, answer.check) == (Outcome.FOUND, the(tx))
    assert the(tx).pings == 3


def test_a_ping_for_nothing_changes_nothing(tx: Tx) -> None:
    for address, outcome in (
        ({"slug": None, "uuid": "x"}, Outcome.MISSING),
        ({"slug": "x"}, Outcome.MISSING),
        ({"slug": "!"}, Outcome.INVALID),
        ({"slug": ""}, Outcome.INVALID),
        ({"slug": "x" * 101}, Outcome.INVALID),
        ({"slug": "hub", "create": True}, Outcome.INVALID),
    ):
        answer = pings.ping(tx, said(Signal.SUCCESS, **address), POLICY, now())
        assert (answer.outcome, answer.is_taken) == (outcome, False)
    assert check.every(tx) == []


def test_a_ping_makes_its_check_when_it_asks_for_that(tx: Tx) -> None:
    answer = pings.ping(
        tx,
        said(Signal.SUCCESS, slug="Nightly Report", create=True),
        POLICY,
        now(),
        uuids=lambda: "fixed",
    )

    assert answer.outcome is Outcome.CREATED
    made = check.by_uuid(tx, "fixed")
    assert made == answer.check
    assert made is not None
    assert made.spec == CheckSpec(
        name="nightly-report",
        kind=CheckKind.PING,
        origin=Origin.CLIENT,
        period=DAY,
        grace=HOUR,
    )
    assert made.evidence.due_at == START + DAY
    again = pings.ping(tx, said(Signal.SUCCESS, slug="nightly-report", create=True), POLICY, now())
    assert again.outcome is Outcome.FOUND


def test_a_success_puts_the_next_look_to_when_it_can_be_late(tx: Tx, a: Check) -> None:
    answer = pings.ping(tx, said(Signal.SUCCESS, HOUR), POLICY, now(HOUR))

    known = the(tx)
    assert not answer.wake
    assert known.evidence.last_success_at == START + HOUR
    assert known.look_at == pytest.approx(START + HOUR + DAY + HOUR, abs=0.001)


def test_a_failure_wakes_the_sweep(tx: Tx, a: Check) -> None:
    for failure in (said(Signal.FAIL), said(Signal.SUCCESS, exit_code=3)):
        answer = pings.ping(tx, failure, POLICY, now())
        assert answer.wake
        assert (the(tx).severity, the(tx).look_at) == (Severity.CRITICAL, START)
    assert the(tx).evidence.failure == "it ended with exit code 3"


def test_a_start_and_a_success_of_one_run_are_paired(tx: Tx, a: Check) -> None:
    pings.ping(tx, said(Signal.START, 10.0, run="r"), POLICY, now(10.0))
    assert the(tx).evidence.started_at == START + 10.0

    pings.ping(tx, said(Signal.SUCCESS, 70.0, run="r"), POLICY, now(70.0))

    assert (the(tx).evidence.started_at, the(tx).evidence.duration_s) == (None, 60.0)


def test_a_log_is_kept_and_says_nothing_of_success(tx: Tx, a: Check) -> None:
    before = the(tx).evidence

    pings.ping(tx, said(Signal.LOG, body=b"hello", exit_code=1), POLICY, now())

    assert the(tx).evidence == before
    (row,) = tx.all("checks.pings", check_id=a.id, limit=10)
    assert (row["signal"], row["body"]) == ("log", "hello")


def test_a_paused_check_takes_down_its_pings_and_stays_paused(tx: Tx, a: Check) -> None:
    checks.pause(tx, "a", now())

    answer = pings.ping(tx, said(Signal.FAIL), POLICY, now())

    assert (answer.outcome, answer.wake) == (Outcome.PAUSED, False)
    assert (the(tx).paused, the(tx).look_at, the(tx).pings) == (True, None, 1)


def test_nobody_makes_fresh_by_a_ping_what_is_to_be_looked_at(tx: Tx) -> None:
    for kind in set(CheckKind) - checks.SIGNALLED:
        made = checks.add(tx, CheckSpec(name=kind.value, kind=kind), POLICY, now())
        answer = pings.ping(tx, said(Signal.SUCCESS, slug=kind.value), POLICY, now())
        assert answer.outcome is Outcome.CONFLICT
        assert check.by_name(tx, kind.value) == made


def test_the_newest_hundred_pings_are_kept_with_ten_thousand_bytes_each(tx: Tx, a: Check) -> None:
    for number in range(250):
        body = b"\0\xff" + b"x" * 20_000 if number == 249 else b""
        pings.ping(tx, said(Signal.SUCCESS, number, body=body), POLICY, now(number))

    rows = tx.all("checks.pings", check_id=a.id, limit=1000)
    assert [row["number"] for row in rows] == list(range(250, 100, -1))
    assert rows[0]["body"] == "\N{REPLACEMENT CHARACTER}" * 2 + "x" * 9_998


def test_a_ping_of_the_future_came_now(tx: Tx, a: Check) -> None:
    pings.ping(tx, said(Signal.SUCCESS, 50 * DAY), POLICY, now())

    assert the(tx).evidence.last_success_at == START
    (row,) = tx.all("checks.pings", check_id=a.id, limit=10)
    assert row["at"] == START


def test_the_first_run_of_a_job_makes_its_check_only_when_it_asks_for_that(tx: Tx) -> None:
    run = said(Signal.SUCCESS, slug=None)
    assert pings.record(tx, "a", run, POLICY, now()).outcome is Outcome.MISSING

    answer = pings.record(tx, "a", said(Signal.FAIL, create=True), POLICY, now())

    assert (answer.outcome, answer.wake) == (Outcome.CREATED, True)
    assert the(tx).spec == CheckSpec(name="a", kind=CheckKind.JOB, origin=Origin.CLIENT)


def test_a_run_that_backs_up_makes_the_backup_no_fresher(tx: Tx) -> None:
    checks.add(tx, CheckSpec(name="a", kind=CheckKind.BACKUP), POLICY, now())

    pings.record(tx, "a", said(Signal.START), POLICY, now())
    pings.record(tx, "a", said(Signal.SUCCESS), POLICY, now())
    assert the(tx).evidence.last_success_at is None
    assert the(tx).evidence.last_attempt_at == START

    failed = pings.record(tx, "a", said(Signal.FAIL, why="disk full"), POLICY, now())
    assert failed.wake
    assert the(tx).evidence.failure == "disk full"


def test_a_run_that_was_ended_as_ordered_is_neither_a_success_nor_a_failure(
    tx: Tx, a: Check
) -> None:
    pings.record(tx, "a", said(Signal.START, run="r"), POLICY, now())

    assert pings.end(tx, "a", "other", POLICY, now()) is None
    assert pings.end(tx, "nothing", "r", POLICY, now()) is None
    ended = pings.end(tx, "a", "r", POLICY, now())

    assert ended is not None
    evidence = ended.evidence
    assert (evidence.started_at, evidence.last_success_at, evidence.failure) == (None, None, "")
