"""The words of a message: its title, its lines, and what the templates of a channel make of them."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby
from string import Template

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

_OTHERWISE = "not well"
_ORDER = tuple(CAUSES)


def message(
    group: Group, policy: AlertPolicy, channel: Channel | None, machine: str, now: float
) -> Message:
    """Render what goes to one channel in one message; `now` is in seconds since the epoch.

    A channel's own `title` and `body` are templates in which `$title`, `$body`, `$severity`, `$kind`, `$checks`, `$at`,
    `$key` and `$machine` stand for those of the message; what is unknown stays as it is.
    """
    plain = Message(
        key=group.key,
        kind=group.kind,
        severity=group.severity,
        title=title(group),
        body=body(group, policy, machine),
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
        return f"RESOLVED: {_checks(len(newest))} ok again: {_names(newest, MOST_NAMES)}"
    return f"{group.severity.upper()}: {'; '.join(_fragments(group.kind, newest))}"


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


def _fragments(kind: Telling, intents: Sequence[Intent]) -> Iterator[str]:
    """Say each cause with its limit once: `2 checks overdue (>72h): a, b`, then `1 failed: c`."""
    still = "still " if kind is Telling.REMIND else ""
    left = MOST_NAMES
    for number, ((cause, limit), found) in enumerate(groupby(sorted(intents, key=_cause), _cause)):
        members = tuple(found)
        count = _checks(len(members)) if number == 0 else str(len(members))
        words = f"{still}{_words(cause)}{_limit(limit)}"
        yield f"{count} {words}: {_names(members, left)}"
        left = max(0, left - len(members))


def _cause(intent: Intent) -> tuple[int, float]:
    place = _ORDER.index(intent.cause) if intent.cause in CAUSES else len(_ORDER)
    return place, intent.limit_s or 0.0


def _words(place: int) -> str:
    return CAUSES[_ORDER[place]] if place < len(_ORDER) else _OTHERWISE


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
    place, _limit_s = _cause(intent)
    parts = [_one_line(intent.why) or _words(place)]
    if intent.age_s is not None:
        parts.append(f"last success {span(intent.age_s)} ago")
    if intent.opened_at is not None:
        parts.append(f"since {moment(intent.opened_at)}")
    if policy.remind:
        parts.append(f"next reminder {moment(_reminded_at(intent, policy))}")
    return f"{intent.check}: {'; '.join(parts)}"


def _line_of_notice(intent: Intent) -> str:
    """Keep the lines of a reason: it may hold a whole message that another channel could not deliver."""
    why = f": {intent.why[:LONGEST_WHY]}" if intent.why else ""
    return f"{moment(intent.at)} {_one_line(intent.title)}{why}"


def _line_of_resolve(intent: Intent) -> str:
    what = _one_line(intent.why) or "ok again"
    if intent.opened_at is None:
        return f"{intent.check}: {what} since {moment(intent.at)}"
    place, _limit_s = _cause(intent)
    lasted = span(max(0.0, intent.at - intent.opened_at))
    since, until = moment(intent.opened_at), moment(intent.at)
    return f"{intent.check}: {what}; was {_words(place)} from {since} to {until} ({lasted})"


def _reminded_at(intent: Intent, policy: AlertPolicy) -> float:
    state = AlertState(confirmed=intent.severity, opened_at=intent.at, backoff=intent.backoff)
    return cooldown.reminder_at(policy, state)


def _one_line(text: str) -> str:
    return " ".join(text.split())[:LONGEST_WHY]


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
