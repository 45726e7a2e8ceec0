from pathlib import Path

from holdfast import journal
from holdfast.clock import SystemClock, utc_text
from holdfast.home import Home
from holdfast.hub import events
from holdfast.hub.store.interface import Tx
from holdfast.journal import Journal
from holdfast.machine.supervisor import foreign
from holdfast.machine.supervisor.notes import Notes
from holdfast.model.alert import Note
from holdfast.model.event import Event
from holdfast.model.service import Now


def now(at: float = 100.0) -> Now:
    return Now(wall=at, mono=at, boot_id="boot")


def back(told: dict[str, object], id_: int = 1) -> Event:
    """Return an event of the hub as it comes back from the journal."""
    facts = told["facts"]
    assert isinstance(facts, dict)
    return Event(
        id=id_, at=200.0, kind=str(told["kind"]), subject=str(told["subject"]), facts=facts
    )


def test_an_event_of_the_hub_waits_until_it_came_back_from_the_journal(tx: Tx) -> None:
    events.note(tx, "check.paused", "a", {"by": "ann"}, now())
    events.note_all(tx, [("b", Note(kind="incident.opened", facts=(("incident", 1),)))], now())

    first, second = events.unforwarded(tx)
    assert first["facts"] == {
        "by": "ann",
        "hub_event": 1,
        "noted_at": "1970-01-01T00:01:40.000Z",
    }
    assert (second["kind"], second["subject"]) == ("incident.opened", "b")

    events.came_back(tx, back(first))

    assert events.unforwarded(tx) == [second]


def test_whoever_forwards_goes_on_after_what_it_has_handed_over(tx: Tx) -> None:
    for name in "abc":
        events.note(tx, "check.paused", name, {}, now())

    assert [each["subject"] for each in events.unforwarded(tx, limit=2)] == ["a", "b"]
    assert [each["subject"] for each in events.unforwarded(tx, after=2)] == ["c"]


def test_an_event_of_a_lost_database_does_not_count_as_one_of_this(tx: Tx) -> None:
    events.note(tx, "check.paused", "a", {}, now())
    (mine,) = events.unforwarded(tx)

    for other in (
        {**mine, "kind": "check.resumed"},
        {**mine, "facts": {"hub_event": 1, "noted_at": utc_text(99.0)}},
        {**mine, "facts": {"hub_event": 7, "noted_at": utc_text(100.0)}},
        {**mine, "facts": {"hub_event": "1"}},
        {**mine, "facts": {"hub_event": 10**30}},
    ):
        events.came_back(tx, back(other))

    assert events.unforwarded(tx) == [mine]


def test_an_event_that_went_through_the_journal_of_a_machine_is_known_again(
    tx: Tx, tmp_path: Path
) -> None:
    clock = SystemClock()
    notes = Notes(Home(tmp_path), clock, Journal(tmp_path, clock))
    events.note(tx, "check.paused", "a", {}, now(100.123456))
    (mine,) = events.unforwarded(tx)

    notes.event(mine["kind"], mine["subject"], mine["facts"])
    (came,) = journal.read(tmp_path)
    events.came_back(tx, came)

    assert events.unforwarded(tx) == []


def test_whatever_is_noted_the_journal_takes_it(tx: Tx) -> None:
    events.note(tx, "alert.silenced", "x" * 500, {"id": 7, "at": 1.0, "kind": 2}, now())
    events.note(tx, "hub.event_refused", "", {"subject": "s"}, now())

    taken = foreign.read({"events": events.unforwarded(tx)})

    assert [each.subject for each in taken] == ["x" * 200, "hub"]
    assert {"its_id", "its_at", "its_kind"} < taken[0].facts.keys()


def test_events_with_very_many_words_are_handed_over_in_parts(tx: Tx) -> None:
    for name in "abc":
        events.note(tx, "checks.counted", name, {"names": "x" * 600_000}, now())

    first = events.unforwarded(tx)
    second = events.unforwarded(tx, after=1)

    assert [[each["subject"] for each in part] for part in (first, second)] == [["a"], ["b"]]


def test_no_id_of_the_hub_is_given_twice(tx: Tx) -> None:
    for round_ in range(3):
        events.note(tx, "check.paused", "a", {}, now())
        (one,) = events.unforwarded(tx)
        assert one["facts"]["hub_event"] == round_ + 1
        events.forwarded(tx, 10**9)
        assert events.unforwarded(tx) == []


def test_stored_events_are_read_in_the_order_of_their_arrival(tx: Tx) -> None:
    def event(id_: int, subject: str) -> Event:
        return Event(id=id_, at=1.0, kind="service.ready", subject=subject, facts={"pid": id_})

    events.store(tx, "m", [event(7, "a"), event(8, "b")])
    events.store(tx, "other", [event(3, "a")])
    events.store(tx, "m", [event(8, "b"), event(9, "a")])

    told = events.read(tx)
    assert [(each["machine"], each["id"]) for each in told] == [
        ("m", 7),
        ("m", 8),
        ("other", 3),
        ("m", 9),
    ]
    assert told[0] == {
        "pid": 7,
        "id": 7,
        "at": "1970-01-01T00:00:01.000Z",
        "kind": "service.ready",
        "subject": "a",
        "machine": "m",
        "seq": 1,
    }
    assert [each["id"] for each in events.read(tx, subject="a", after=1, limit=1)] == [3]
    assert [each["id"] for each in events.read(tx, after=told[2]["seq"])] == [9]


def test_only_the_newest_events_are_kept(tx: Tx) -> None:
    events.prune(tx)
    for number in range(1, 11):
        event = Event(id=number, at=1.0, kind="service.ready", subject="a")
        events.store(tx, "m", [event])
        events.note(tx, "check.paused", "a", {}, now())

    events.prune(tx, keep=4)

    assert [each["id"] for each in events.read(tx)] == [7, 8, 9, 10]
    assert [each["facts"]["hub_event"] for each in events.unforwarded(tx)] == [7, 8, 9, 10]


def test_a_cursor_begins_at_nothing_and_stays_where_it_was_moved(tx: Tx) -> None:
    assert events.cursor(tx, "x") == 0
    events.move_cursor(tx, "x", 5)
    events.move_cursor(tx, "x", 6)
    assert (events.cursor(tx, "x"), events.cursor(tx, "y")) == (6, 0)
