from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.hub import outbox
from holdfast.model.alert import Telling
from holdfast.model.check import Severity
from holdfast.model.message import Channel, Delivered, TryLater


def test_a_message_names_all_that_became_bad_together_and_leaves_in_time(post: Any) -> None:
    box = post("phone", machine="laptop")
    box.tell("b", severity=Severity.CRITICAL)
    assert box.batch() == box.now.wall + 5
    box.later(4)
    box.tell("a", severity=Severity.CRITICAL)
    box.later(1)
    assert box.batch() is None

    (told,) = box.arrived("phone")
    assert told.title == "CRITICAL: 2 checks failed: a, b"
    assert told.checks == ("a", "b")
    assert told.body.endswith("machine: laptop")


def test_a_message_never_changes_once_it_is_made(post: Any) -> None:
    box = post("phone")
    box.tell("a")
    box.later(30)
    box.batch()
    first = box.claim("phone")
    box.mark(TryLater(why="away"))
    box.tell("b")
    box.settings = post(Channel(name="phone", url="file:///x", title="new: $title")).settings
    box.later(900)
    box.batch()

    assert box.claim("phone") == first


def test_the_words_of_a_channel_are_used(post: Any) -> None:
    box = post(Channel(name="phone", url="file:///tmp/x", title="!! $title"))
    box.tell("a")
    box.later(30)
    box.batch()

    assert box.arrived("phone")[0].title == "!! WARNING: 1 check failed: a"


class Story:
    """Incidents that begin and end while a channel is sometimes there, and what it hears of them."""

    def __init__(self, box: Any) -> None:
        self.box = box
        self.bad: dict[str, int] = {}
        self.number = dict.fromkeys("ab", 0)
        self.worse: dict[str, int] = {}
        self.heard: list[tuple[str, str]] = []

    def tell(self, check: str) -> None:
        if check not in self.bad:
            self.number[check] += 1
            self.bad[check] = self.number[check]
            self.box.tell(check, incident=self.number[check])

    def rise(self, check: str) -> None:
        if check in self.bad and check not in self.worse:
            self.worse[check] = self.bad[check]
            raised, incident = Telling.RAISE, self.bad[check]
            self.box.tell(check, raised, Severity.CRITICAL, incident=incident, number=1)

    def over(self, check: str) -> None:
        self.worse.pop(check, None)
        if check in self.bad:
            self.box.tell(check, Telling.RESOLVE, incident=self.bad.pop(check))

    def batch(self, _check: str) -> None:
        self.box.batch()

    def arrive(self, _check: str) -> None:
        if self.crash(""):
            self.box.mark(Delivered())

    def fail(self, _check: str) -> None:
        if self.box.claim("phone"):
            self.box.mark(TryLater(why="away"))

    def crash(self, _check: str) -> bool:
        """Die after the other side got it and before that was written down: it comes again."""
        message = self.box.claim("phone")
        if message is not None:
            self.heard.extend((check, message.kind.value) for check in message.checks)
        return message is not None

    def end(self) -> None:
        """Let everything arrive that waits."""
        for _round in range(100):
            self.box.later(1000)
            self.box.batch()
            self.arrive("")


ACTS = st.lists(
    st.tuples(
        st.sampled_from(["tell", "rise", "over", "batch", "arrive", "fail", "crash"]),
        st.sampled_from("ab"),
    ),
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(acts=ACTS)
def test_whatever_happens_each_channel_hears_of_each_incident_and_of_its_end_last(
    post: Any, acts: list[tuple[str, str]]
) -> None:
    story = Story(post("phone"))
    for act, check in acts:
        story.box.later(20)
        getattr(story, act)(check)
    story.end()

    status = outbox.status(story.box.tx)
    assert (status.loose, status.pending, status.dead) == (0, 0, 0)
    for check in "ab":
        last = [kind for name, kind in story.heard if name == check][-1:]
        known = "raise" if check in story.worse else "open"
        wanted = [known] if check in story.bad else ["resolve"]
        assert last == (wanted if story.number[check] else [])
