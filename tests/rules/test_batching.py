from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.model.alert import AlertPolicy, Telling
from holdfast.model.check import Severity
from holdfast.model.message import Intent
from holdfast.rules import batching
from holdfast.rules.batching import Group

POLICY = AlertPolicy()
WARNING, CRITICAL = Severity.WARNING, Severity.CRITICAL
OPEN, RAISE, REMIND = Telling.OPEN, Telling.RAISE, Telling.REMIND
RESOLVE, META, TEST = Telling.RESOLVE, Telling.META, Telling.TEST


def intent(
    check: str,
    kind: Telling = OPEN,
    severity: Severity = WARNING,
    at: float = 100.0,
    channel: str = "phone",
) -> Intent:
    key = f"{check}-{kind}-{severity}-{channel}-{at}"
    return Intent(key=key, channel=channel, kind=kind, severity=severity, at=at, check=check)


def sent(groups: tuple[Group, ...]) -> list[tuple[str, str, str, str]]:
    return [
        (
            each.channel,
            each.kind.value,
            each.severity.value,
            " ".join(member.check for member in each.intents),
        )
        for each in groups
    ]


def test_each_kind_waits_for_company_as_long_as_it_may() -> None:
    cases = [
        (OPEN, WARNING, 30.0),
        (OPEN, CRITICAL, 5.0),
        (REMIND, WARNING, 30.0),
        (RAISE, CRITICAL, 5.0),
        (RESOLVE, WARNING, 5.0),
        (META, WARNING, 5.0),
        (TEST, Severity.OK, 0.0),
    ]
    for kind, severity, wait in cases:
        waiting = [intent("a", kind, severity)]
        if wait:
            assert batching.ready(waiting, POLICY, 100.0 + wait - 0.1) == ((), 100.0 + wait)
        groups, next_at = batching.ready(waiting, POLICY, 100.0 + wait)
        assert len(groups) == 1
        assert next_at is None


def test_the_wait_is_that_of_the_first() -> None:
    waiting = [intent("a", at=100.0), intent("b", at=129.0)]

    groups, next_at = batching.ready(waiting, POLICY, 130.0)

    assert sent(groups) == [("phone", "open", "warning", "a b")]
    assert next_at is None


def test_there_is_one_message_per_channel_and_severity_and_the_worst_comes_first() -> None:
    waiting = [
        intent("a"),
        intent("b"),
        intent("c", severity=CRITICAL),
        intent("d", RAISE, CRITICAL),
        intent("a", channel="mail"),
        intent("e", RESOLVE, WARNING),
        intent("f", RESOLVE, CRITICAL),
    ]

    groups, _next_at = batching.ready(waiting, POLICY, 1000.0)

    assert sent(groups) == [
        ("phone", "open", "critical", "c d"),
        ("phone", "resolve", "critical", "e f"),
        ("phone", "open", "warning", "a b"),
        ("mail", "open", "warning", "a"),
    ]


def test_what_only_became_worse_is_called_so() -> None:
    groups, _next_at = batching.ready([intent("a", RAISE, CRITICAL)], POLICY, 1000.0)

    assert groups[0].kind is RAISE


def test_nobody_hears_of_the_worse_or_of_the_end_first() -> None:
    raised = [intent("a", at=100.0), intent("b", at=100.0), intent("a", RAISE, CRITICAL, 103.0)]
    ended = [intent("a", at=100.0), intent("a", RESOLVE, WARNING, 103.0)]

    assert [each[1] for each in sent(batching.ready(raised, POLICY, 108.0)[0])] == [
        "open",
        "raise",
    ]
    assert [each[1] for each in sent(batching.ready(ended, POLICY, 108.0)[0])] == [
        "open",
        "resolve",
    ]


def test_a_clock_that_was_set_back_delays_nothing() -> None:
    groups, next_at = batching.ready([intent("a", at=5000.0)], POLICY, 100.0)

    assert (len(groups), next_at) == (1, None)


def test_the_key_is_that_of_the_members_in_any_order() -> None:
    one, two = intent("a"), intent("b")

    def key(*members: Intent) -> str:
        return Group(channel="c", kind=OPEN, severity=WARNING, intents=members).key

    assert key(one, two) == key(two, one)
    assert len({key(one), key(two), key(one, two)}) == 3


INTENTS = st.lists(
    st.builds(
        intent,
        st.sampled_from("abc"),
        st.sampled_from([OPEN, RAISE, REMIND, RESOLVE]),
        st.sampled_from([WARNING, CRITICAL]),
        st.floats(0, 100),
        st.sampled_from(["phone", "mail"]),
    ),
    max_size=12,
    unique_by=lambda each: each.key,
)


@settings(max_examples=100)
@given(waiting=INTENTS, now=st.floats(0, 200))
def test_every_intent_leaves_once_and_nothing_is_forgotten(
    waiting: list[Intent], now: float
) -> None:
    groups, next_at = batching.ready(waiting, POLICY, now)
    left = [member.key for each in groups for member in each.intents]

    assert len(left) == len(set(left))
    assert (next_at is None) == (len(left) == len(waiting))
    assert next_at is None or next_at > now
    for each in groups:
        assert {member.channel for member in each.intents} == {each.channel}
