from typing import Any

import pytest

from holdfast.errors import UnknownName
from holdfast.hub import outbox
from holdfast.model.alert import Telling
from holdfast.model.check import Severity
from holdfast.model.message import Channel, TryLater

REMIND, RESOLVE, RAISE = Telling.REMIND, Telling.RESOLVE, Telling.RAISE
CRITICAL = Severity.CRITICAL


def titles(messages: Any) -> list[str]:
    return [each.title for each in messages]


def test_the_same_thing_is_queued_once(post: Any) -> None:
    box = post("phone", "mail")

    assert box.tell("a") == ("phone", "mail")
    box.tell("a")

    assert outbox.status(box.tx).loose == 2


def test_another_incident_or_reminder_is_another_thing(post: Any) -> None:
    box = post("phone")
    box.tell("a")
    box.tell("a", incident=2)
    box.tell("a", REMIND, number=1)

    assert outbox.status(box.tx).loose == 3


def test_a_resolve_goes_to_exactly_those_who_were_told(post: Any) -> None:
    loud = Channel(name="loud", url="file:///tmp/x", severities=(CRITICAL,))
    boss = Channel(name="boss", url="file:///tmp/y", escalate_after=60.0)
    box = post("phone", loud, boss)
    box.tell("a")
    box.tell("b")
    box.tell("b", RAISE, CRITICAL)
    box.tell("b", RAISE, CRITICAL, channels=("boss",), number=1)

    assert box.tell("a", RESOLVE) == ("phone",)
    assert box.tell("b", RESOLVE) == ("phone", "loud", "boss")
    assert box.tell("c", RESOLVE) == ()


def test_a_channel_under_another_name_hears_the_end_and_what_it_was(post: Any) -> None:
    box = post("phone")
    box.tell("a")
    box.later(30)
    box.batch()
    box.arrived("phone")
    box.settings = post("mobile").settings

    assert box.tell("a", RESOLVE) == ("mobile",)
    box.later(5)
    box.batch()
    (told,) = box.arrived("mobile")
    assert "kept failing from" in told.body


def test_what_is_over_before_it_was_told_is_told_once(post: Any) -> None:
    box = post("phone")
    box.tell("a")
    box.later(10)
    box.tell("a", RESOLVE)
    box.later(60)
    box.batch()

    (told,) = box.arrived("phone")

    assert told.title == "RESOLVED: 1 check ok again: a"
    assert "kept failing from 2026-01-01 12:00 UTC" in told.body


def test_open_and_resolve_merge_while_a_channel_is_away_and_others_travel_anew(post: Any) -> None:
    box = post("phone")
    box.tell("a")
    box.tell("b")
    box.later(30)
    box.batch()
    first = box.claim("phone")
    box.mark(TryLater(why="away"))
    box.later(600)
    box.tell("a", RESOLVE)
    assert box.row(first.key)["state"] == "superseded"
    box.later(5)
    box.batch()

    told = box.arrived("phone")

    assert sorted(titles(told)) == ["RESOLVED: 1 check ok again: a", "WARNING: 1 check failed: b"]
    assert "notification.superseded" in box.events()


def test_what_may_have_arrived_comes_again_under_its_key_and_the_resolve_follows(
    post: Any,
) -> None:
    for how in ("the hub died", "no answer"):
        box = post("phone")
        box.tell("a")
        box.tell("b")
        box.later(30)
        box.batch()
        first = box.claim("phone")
        if how == "no answer":
            box.mark(TryLater(why=how, may_have_arrived=True))
            box.later(60)
            box.claim("phone")
            box.mark(TryLater(why="away"))
        else:
            outbox.release(box.tx, "me/", box.now)
        box.later(600)
        box.tell("a", RESOLVE)
        box.later(5)
        box.batch()

        again, resolve = box.arrived("phone")

        assert again == first
        assert resolve.title == "RESOLVED: 1 check ok again: a"


def test_a_message_under_way_is_followed_by_its_resolve(post: Any) -> None:
    box = post("phone")
    box.tell("a")
    box.later(30)
    box.batch()
    first = box.claim("phone")
    box.tell("a", RESOLVE)
    box.later(5)
    box.batch()

    assert box.row(first.key)["state"] == "sending"
    assert [box.message(row).kind.value for row in box.rows("phone")] == ["open", "resolve"]


def test_what_travels_anew_does_not_fall_behind_newer_words_about_the_same_check(
    post: Any,
) -> None:
    box = post("phone")
    box.tell("a")
    box.tell("b")
    box.later(30)
    box.batch()
    box.claim("phone")
    box.mark(TryLater(why="away"))
    box.tell("b", RAISE, CRITICAL, number=1)
    box.tell("c", severity=CRITICAL)
    box.later(5)
    box.batch()
    box.tell("a", RESOLVE)
    box.later(900)
    box.batch()

    told = titles(box.arrived("phone"))

    assert told.index("WARNING: 1 check failed: b") < told.index("CRITICAL: 2 checks failed: b, c")


def test_reminders_do_not_pile_up_while_a_channel_is_away(post: Any) -> None:
    box = post("phone")
    box.tell("a")
    for number in range(1, 6):
        box.later(14_400)
        box.tell("a", REMIND, number=number)
        box.batch()
    box.later(30)
    box.batch()

    assert [each.kind.value for each in box.arrived("phone")] == ["open", "remind"]


def test_a_notice_is_told_once_for_its_key(post: Any) -> None:
    box = post("phone", Channel(name="mine", url="file:///tmp/x", checks=("a",)))
    for _time in range(2):
        names = outbox.enqueue_meta(
            box.tx,
            box.settings.channels,
            key="laptop-7",
            severity=Severity.WARNING,
            title="the watchdog restarted the supervisor",
            at=box.now.wall,
        )
        assert names == ("phone",)
    box.later(5)
    box.batch()

    assert titles(box.arrived("phone")) == ["the watchdog restarted the supervisor"]
    box.batch()
    assert not box.arrived("phone")


def test_a_test_message_leaves_at_once_and_each_is_another(post: Any) -> None:
    box = post("phone", "mail")

    assert outbox.test(box.tx, box.settings, None, box.now) == ("phone", "mail")
    box.later(1)
    assert outbox.test(box.tx, box.settings, "mail", box.now) == ("mail",)
    box.batch()

    assert len(box.arrived("phone")) == 1
    (both,) = box.arrived("mail")
    assert both.kind is Telling.TEST


def test_a_test_of_no_channel_says_which_there_are(post: Any) -> None:
    box = post("phone")

    with pytest.raises(UnknownName, match="no channel mail; configured: phone"):
        outbox.test(box.tx, box.settings, "mail", box.now)
    empty = post()
    with pytest.raises(UnknownName, match=r"notify\.NAME"):
        outbox.test(empty.tx, empty.settings, None, empty.now)
