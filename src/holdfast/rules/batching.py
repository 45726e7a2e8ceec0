"""Decide which intents travel in one message, when it leaves, and in which order a channel gets its messages."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TypeAlias

from holdfast.model.alert import AlertPolicy, Telling
from holdfast.model.check import Severity
from holdfast.model.message import Intent

NEWS = frozenset({Telling.OPEN, Telling.RAISE})

_Topic: TypeAlias = tuple[str, Telling, Severity]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """What goes to one channel in one message; the intents are in the order in which they came."""

    channel: str
    kind: Telling
    severity: Severity
    intents: tuple[Intent, ...]

    @property
    def key(self) -> str:
        """Return what tells this message from every other: the same members have the same key."""
        return sha256("|".join(sorted(each.key for each in self.intents)).encode()).hexdigest()


def ready(
    intents: Sequence[Intent], policy: AlertPolicy, now: float
) -> tuple[tuple[Group, ...], float | None]:
    """Return the messages that leave now, in order, and when the next one will; None when nothing is left.

    `intents` are all that wait, in the order in which they came. One that is told early takes along what is older about
    the same checks on its channel, so that nobody hears of the end, or of the worse, first.
    """
    groups = _grouped(intents)
    due = [group for group in groups if _leaves_at(group, policy, now) <= now]
    position = {intent.key: number for number, intent in enumerate(intents)}
    while earlier := [
        group
        for group in groups
        if group not in due and any(_comes_before(group, each, position) for each in due)
    ]:
        due += earlier
    later = (_leaves_at(group, policy, now) for group in groups if group not in due)
    return _ordered(due, position), min(later, default=None)


def wait_for(kind: Telling, severity: Severity, policy: AlertPolicy) -> float:
    """Return how long a first intent waits for others: what is urgent or good news the shorter time, a test none."""
    if kind is Telling.TEST:
        return 0.0
    is_short = kind in (Telling.META, Telling.RESOLVE) or severity is Severity.CRITICAL
    return policy.critical_group_wait if is_short else policy.group_wait


def worst(severities: Iterable[Severity]) -> Severity:
    """Return the severity that is told most loudly."""
    return max(severities, key=lambda severity: severity.rank, default=Severity.OK)


def _grouped(intents: Sequence[Intent]) -> list[Group]:
    by_topic: dict[_Topic, list[Intent]] = {}
    for intent in intents:
        by_topic.setdefault(_topic(intent), []).append(intent)
    return [
        Group(
            channel=channel,
            kind=_kind(kind, members),
            severity=worst(each.severity for each in members),
            intents=tuple(members),
        )
        for (channel, kind, _severity), members in by_topic.items()
    ]


def _topic(intent: Intent) -> _Topic:
    """Return what intents share that travel together: new and worse troubles mix, and all that is well again."""
    kind = Telling.OPEN if intent.kind in NEWS else intent.kind
    severity = Severity.OK if intent.kind is Telling.RESOLVE else intent.severity
    return intent.channel, kind, severity


def _kind(topic: Telling, members: Iterable[Intent]) -> Telling:
    """Return what the message is called; an incident that is new is the greater news."""
    kinds = {each.kind for each in members}
    return Telling.RAISE if kinds == {Telling.RAISE} else topic


def _leaves_at(group: Group, policy: AlertPolicy, now: float) -> float:
    """Return when a group leaves; one that seems to come from the future waits no longer (the clock was set back)."""
    first = min(each.at for each in group.intents)
    if first > now:
        return now
    return first + wait_for(group.kind, group.severity, policy)


def _comes_before(group: Group, other: Group, position: dict[str, int]) -> bool:
    """Tell whether `group` holds something that must arrive before `other`."""
    if group.channel != other.channel:
        return False
    newest = {each.check: position[each.key] for each in other.intents if each.check}
    return any(position[each.key] < newest.get(each.check, -1) for each in group.intents)


def _ordered(groups: Collection[Group], position: dict[str, int]) -> tuple[Group, ...]:
    """Put the worst first, and what is older about the same check before what is newer."""
    rest = sorted(groups, key=lambda group: (-group.severity.rank, position[group.intents[0].key]))
    found: list[Group] = []
    while rest:
        free = (
            group
            for group in rest
            if not any(_comes_before(each, group, position) for each in rest if each is not group)
        )
        chosen = next(free, rest[0])
        rest.remove(chosen)
        found.append(chosen)
    return tuple(found)
