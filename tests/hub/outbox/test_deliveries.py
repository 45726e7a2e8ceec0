from dataclasses import replace
from typing import Any

from holdfast.hub import outbox
from holdfast.model.alert import Telling
from holdfast.model.check import Severity
from holdfast.model.hub import HubSettings
from holdfast.model.message import Channel, Delivered, Delivery, Refused, Travel, TryLater

AWAY = TryLater(why="away")
ONCE = Channel(name="once", url="file:///tmp/once", delivery=Delivery.AT_MOST_ONCE)


def waiting(box: Any, *checks: str) -> Any:
    """Queue one message for each of these checks."""
    for check in checks:
        box.tell(check)
        box.later(30)
        box.batch()
    return box


def test_a_channel_gets_its_messages_one_by_one_in_order(post: Any) -> None:
    box = waiting(post("phone"), "a", "b")

    assert box.claim("phone").checks == ("a",)
    held = box.claimed
    assert box.claim("phone", "other/2") is None, "the first is under way"
    box.claimed = held
    box.mark(AWAY)
    assert box.claim("phone") is None, "the second does not overtake"
    box.later(900)
    assert [each.checks for each in box.arrived("phone")] == [("a",), ("b",)]


def test_a_message_of_a_dead_sender_is_taken_over_with_the_same_bytes(post: Any) -> None:
    box = waiting(post("phone"), "a")
    first = box.claim("phone", "dead/1")
    dead = box.claimed
    box.later(59)
    assert box.claim("phone", "me/1") is None
    box.later(1)

    assert box.claim("phone", "me/1") == first
    mine = box.claimed
    box.claimed = dead
    assert box.mark(Delivered()) is None, "it is no longer the dead one's"
    box.claimed = mine
    assert box.mark(Delivered()) is Travel.DELIVERED


def test_a_sender_that_starts_takes_over_at_once_what_its_forerunner_held(post: Any) -> None:
    box = waiting(post("phone"), "a")
    box.claim("phone", "my_box/1")

    assert outbox.release(box.tx, "myXbox/", box.now) == 0
    assert outbox.release(box.tx, "my_box/", box.now) == 1
    assert box.claim("phone", "my_box/2") is not None


def test_a_failure_is_tried_again_and_the_wait_of_the_other_side_counts(post: Any) -> None:
    box = waiting(post("phone"), "a")
    box.claim("phone")
    assert box.mark(TryLater(why="busy", after=120.0)) is Travel.PENDING

    row = box.rows("phone")[0]
    assert (row["next_try_at"] - box.now.wall, row["last_error"]) == (120.0, "busy")
    tries = outbox.next_tries(box.tx, box.settings, box.now)
    assert tries == {"phone": box.now.wall + 120.0}


def test_one_failure_of_a_channel_is_one_event_and_so_is_its_return(post: Any) -> None:
    box = waiting(post("phone"), "a")
    for _try in range(3):
        box.claim("phone")
        box.mark(AWAY)
        box.later(900)
    (condition,) = outbox.status(box.tx).channels
    assert condition.failing_at is not None
    box.arrived("phone")

    assert box.events() == [
        "notification.delayed",
        "notification.resumed",
        "notification.delivered",
    ]
    (condition,) = outbox.status(box.tx).channels
    assert (condition.failing_at, condition.delivered_at) == (None, box.now.wall)


def test_a_refused_message_is_reported_through_another_channel(post: Any) -> None:
    box = waiting(post("phone", "mail"), "a")
    box.arrived("mail")
    box.claim("phone")
    assert box.mark(Refused(why="answered 401")) is Travel.DEAD
    box.later(5)
    box.batch()

    (report,) = box.arrived("mail")
    assert report.kind is Telling.META
    assert report.title == "phone could not deliver: WARNING: 1 check failed: a"
    assert "answered 401" in report.body
    assert "a: failed" in report.body
    assert box.events()[-2:] == ["notification.died", "notification.delivered"]
    status = outbox.status(box.tx)
    assert {each.name: each.broken for each in status.channels}["phone"] == "answered 401"
    assert (status.dead, status.pending, status.loose) == (1, 0, 0)


def test_channels_that_are_all_broken_do_not_report_each_other_for_ever(post: Any) -> None:
    box = waiting(post("phone", "mail", last_resort_file="/tmp/last"), "a")
    for name in ("phone", "mail", "mail", "phone"):
        while box.claim(name):
            box.mark(Refused(why="broken"))
        box.later(5)
        box.batch()
    last = Channel(name="last-resort", url="file:///tmp/last")
    reports = 0
    while claimed := outbox.claim(box.tx, "me/1", last, box.now):
        reports += 1
        assert "could not deliver" in claimed.message.title
        box.claimed = claimed
        box.mark(Refused(why="broken too"))
    box.later(60)

    assert reports > 0
    assert box.batch() is None
    assert outbox.status(box.tx).pending == 0


def test_a_message_is_dead_after_three_days(post: Any) -> None:
    box = waiting(post("phone", last_resort_file="/tmp/last"), "a")
    outcomes = []
    while box.claim("phone"):
        outcomes.append(box.mark(AWAY))
        box.later(8 * 3600)

    assert outcomes[-1] is Travel.DEAD
    assert set(outcomes[:-1]) == {Travel.PENDING}
    assert 72 <= len(outcomes) * 8 <= 88


def test_a_channel_that_wants_no_repeat_is_marked_before_it_is_tried(post: Any) -> None:
    box = waiting(post(ONCE, "mail"), "a", "b")
    first = box.claim("once")

    assert box.row(first.key)["state"] == "delivered"
    assert box.claim("once", "me/2").checks == ("b",), "a crash now loses the first, as was wished"
    assert box.mark(AWAY) is Travel.DEAD
    assert "notification.died" in box.events()


def test_what_waits_for_a_channel_that_is_gone_is_reported(post: Any) -> None:
    box = waiting(post("phone", "mail"), "a")
    box.arrived("mail")
    box.settings = HubSettings(channels=box.settings.channels[1:])
    box.batch()
    box.later(5)
    box.batch()

    (report,) = box.arrived("mail")
    assert "no channel phone in the configuration any more" in report.body


def test_a_clock_that_was_set_back_holds_nothing_up(post: Any) -> None:
    box = waiting(post("phone"), "a")
    box.claim("phone", "dead/1")
    box.later(-86_400)
    assert box.claim("phone") is not None
    box.mark(AWAY)
    box.later(-86_400)
    assert box.claim("phone") is not None


def test_what_ended_is_forgotten_after_90_days_but_not_who_was_told_of_an_open_incident(
    post: Any,
) -> None:
    box = post("phone")
    box.tx.run(
        "alerts.open_incident",
        check_name="a",
        number=1,
        severity=Severity.WARNING.value,
        opened_at=box.now.wall,
        muted=0,
    )
    waiting(box, "a", "b")
    box.arrived("phone")
    box.later(91 * 86_400)
    waiting(box, "c")
    box.claim("phone")
    box.claimed = replace(box.claimed, number=100)
    box.mark(Delivered())

    assert outbox.status(box.tx).delivered == 1
    assert box.tell("a", Telling.RESOLVE) == ("phone",)
    assert box.tell("b", Telling.RESOLVE) == ()
