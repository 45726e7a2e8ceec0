"""The words of a message: its title, its lines, and what the templates of a channel make of them."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import groupby
from string import Template
from typing import NamedTuple

from holdfast.model.alert import AlertPolicy, AlertState, Telling
from holdfast.model.message import Channel, Intent, Message
from holdfast.rules import cooldown
from holdfast.rules.batching import Group
from holdfast.rules.spans import span

MOST_NAMES = 20
MOST_LINES = 100
LONGEST_WHY = 1000
"""Characters of a reason that are passed on; what a program printed can be long."""

CAUSES = {
    "overdue": "overdue",
    "never": "never succeeded",
    "missing": "missing",
    "failed": "failed",
    "slow": "running too long",
    "suspect": "suspect",
    "unverified": "not verifiable",
}
"""What is said of checks by the cause of their look, in the order in which it is said."""

PAST = {
    "overdue": "was overdue",
    "never": "had no success",
    "missing": "was missing",
    "failed": "kept failing",
    "slow": "ran too long",
    "suspect": "was suspect",
    "unverified": "could not be verified",
}
"""The same of those that are well again, with the time for which it was so."""

AGAIN = "ok again"

_OTHERWISE = "not well"
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Characters that no screen shows: some end a line, some turn the direction of a text, NUL is refused by programs."""

_ORDER = tuple(CAUSES)


class _Topic(NamedTuple):
    """What checks share that are named together; topics are said in their order."""

    place: int
    limit_s: float
    words: str


def message(
    group: Group, policy: AlertPolicy, channel: Channel | None, machine: str, now: float
) -> Message:
    """Render what goes to one channel in one message; `now` is in seconds since the epoch.

    A channel's own `title` and `body` are templates in which `$title`, `$body`, `$severity`, `$kind`, `$checks`, `$at`,
    `$key` and `$machine` stand for those of the message; what is unknown stays as it is.
    """
    # Whoever comes in by escalation is told once, and gets no reminders.
    is_reminded = channel is None or channel.escalate_after is None
    known = policy if is_reminded else replace(policy, remind=False)
    plain = Message(
        key=group.key,
        kind=group.kind,
        severity=group.severity,
        title=title(group),
        body=body(group, known, machine),
        checks=tuple(sorted({each.check for each in group.intents if each.check})),
        at=now,
    )
    if channel is None or not (channel.title or channel.body):
        return plain
    return _by_template(plain, channel, machine)


def title(group: Group) -> str:
    """Return the one line that says it all."""
    if group.kind is Telling.TEST:
        return f"TEST: Holdfast reaches you by the channel {group.channel}"
    if group.kind is Telling.META:
        return _title_of_notices(group.intents)
    newest = tuple({each.check: each for each in group.intents}.values())
    if group.kind is Telling.RESOLVE:
        return f"RESOLVED: {'; '.join(_fragments(newest, _end_topic))}"
    topic = _still_topic if group.kind is Telling.REMIND else _topic
    return f"{group.severity.upper()}: {'; '.join(_fragments(newest, topic))}"


def body(group: Group, policy: AlertPolicy, machine: str = "") -> str:
    """Return a line for each thing that is told, and the name of the machine as the last."""
    if group.kind is Telling.TEST:
        lines = ["Nothing is wrong: somebody wanted to see whether this arrives."]
    else:
        lines = [_line(each, group.kind, policy) for each in group.intents[:MOST_LINES]]
        left = len(group.intents) - MOST_LINES
        lines += [f"+{left} more"] if left > 0 else []
    return "\n".join([*lines, *([f"machine: {machine}"] if machine else [])])


def moment(at: float) -> str:
    """Return a moment as people read it, in UTC, to the minute."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M} UTC"


def _fragments(intents: Sequence[Intent], topic: Callable[[Intent], _Topic]) -> Iterator[str]:
    """Say each topic once: `2 checks overdue (>72h): a, b`, then `1 failed: c`."""
    left = MOST_NAMES
    for number, (said, found) in enumerate(groupby(sorted(intents, key=topic), topic)):
        members = tuple(found)
        count = _checks(len(members)) if number == 0 else str(len(members))
        yield f"{count} {said.words}: {_names(members, left)}"
        left = max(0, left - len(members))


def _topic(intent: Intent) -> _Topic:
    place = _ORDER.index(intent.cause) if intent.cause in CAUSES else len(_ORDER)
    limit = intent.limit_s or 0.0
    return _Topic(place, limit, f"{_words(intent)}{_limit(limit)}")


def _still_topic(intent: Intent) -> _Topic:
    topic = _topic(intent)
    return topic._replace(words=f"still {topic.words}")


def _end_topic(intent: Intent) -> _Topic:
    """Say that checks are well again, and of those that are not looked at any more why they are not."""
    why = _one_line(intent.why)
    return _Topic(1, 0.0, why) if why else _Topic(0, 0.0, AGAIN)


def _words(intent: Intent) -> str:
    return CAUSES.get(intent.cause, _OTHERWISE)


def _limit(limit_s: float) -> str:
    return f" (>{span(limit_s)})" if limit_s > 0 else ""


def _checks(count: int) -> str:
    return "1 check" if count == 1 else f"{count} checks"


def _names(intents: Iterable[Intent], most: int) -> str:
    names = sorted({each.check for each in intents})
    shown, more = names[:most], len(names) - most
    return ", ".join([*shown, *([f"+{more} more"] if more > 0 else [])])


def _title_of_notices(intents: Sequence[Intent]) -> str:
    """Say each notice once, with how often it came."""
    counts: dict[str, int] = {}
    for intent in intents:
        line = _one_line(intent.title)
        counts[line] = counts.get(line, 0) + 1
    shown = [
        line if count == 1 else f"{line} ({count} times)"
        for line, count in list(counts.items())[:MOST_NAMES]
    ]
    more = len(counts) - MOST_NAMES
    return "; ".join([*shown, *([f"+{more} more"] if more > 0 else [])])


def _line(intent: Intent, kind: Telling, policy: AlertPolicy) -> str:
    if kind is Telling.META:
        return _line_of_notice(intent)
    if kind is Telling.RESOLVE:
        return _line_of_resolve(intent)
    parts = [_one_line(intent.why) or _words(intent)]
    if intent.age_s is not None:
        parts.append(f"last success {span(intent.age_s)} ago")
    if intent.opened_at is not None:
        parts.append(f"since {moment(intent.opened_at)}")
    if policy.remind:
        parts.append(f"next reminder {moment(_reminded_at(intent, policy))}")
    return f"{intent.check}: {'; '.join(parts)}"


def _line_of_notice(intent: Intent) -> str:
    """Keep the lines of a reason: it may hold a whole message that another channel could not deliver."""
    why = f": {_UNSEEN.sub('', intent.why)[:LONGEST_WHY]}" if intent.why else ""
    return f"{moment(intent.at)} {_one_line(intent.title)}{why}"


def _line_of_resolve(intent: Intent) -> str:
    what = _one_line(intent.why) or AGAIN
    if intent.opened_at is None:
        return f"{intent.check}: {what} since {moment(intent.at)}"
    was = PAST.get(intent.cause, f"was {_OTHERWISE}")
    lasted = span(max(0.0, intent.at - intent.opened_at))
    since, until = moment(intent.opened_at), moment(intent.at)
    return f"{intent.check}: {what}; {was} from {since} to {until} ({lasted})"


def _reminded_at(intent: Intent, policy: AlertPolicy) -> float:
    state = AlertState(confirmed=intent.severity, opened_at=intent.at, backoff=intent.backoff)
    return cooldown.reminder_at(policy, state)


def _one_line(text: str) -> str:
    return _UNSEEN.sub("", " ".join(text.split()))[:LONGEST_WHY]


def _by_template(plain: Message, channel: Channel, machine: str) -> Message:
    fields = {
        "key": plain.key,
        "kind": plain.kind.value,
        "severity": plain.severity.value,
        "title": plain.title,
        "body": plain.body,
        "checks": ", ".join(plain.checks),
        "at": moment(plain.at),
        "machine": machine,
    }
    return Message(
        key=plain.key,
        kind=plain.kind,
        severity=plain.severity,
        title=_one_line(Template(channel.title or "$title").safe_substitute(fields)),
        body=Template(channel.body or "$body").safe_substitute(fields),
        checks=plain.checks,
        at=plain.at,
    )
