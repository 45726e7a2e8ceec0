"""The checks of the hub on itself and its machine: is it in time, do messages leave, is there anybody to tell."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from holdfast.hub import check, checks, outbox
from holdfast.hub.check import Check
from holdfast.hub.outbox.condition import Condition
from holdfast.hub.store.interface import Tx
from holdfast.model.check import CheckKind, CheckSpec, Evidence, Observation, Origin
from holdfast.model.hub import HubSettings
from holdfast.model.service import Now
from holdfast.rules import freshness, routing
from holdfast.rules.spans import span

EVALUATOR, OUTBOX, CHANNELS = "hub-evaluator", "hub-outbox", "hub-channels"

LATE_ROUNDS = (3.0, 10.0)
"""Rounds of evaluation by which the evaluator may be late: beyond the first it is a warning, beyond the second critical."""

LEAST_LATE_S = (60.0, 300.0)
"""Seconds of the same that are let pass however short a round is."""

WAITING_S = (900.0, 3600.0)
"""Seconds the oldest message may wait: one longest backoff, then an hour."""

SILENT_S = (300.0, 900.0)
"""Seconds without a heartbeat of the supervisor; the watchdog replaces it after the first three times over."""

FAILING_S = 900.0
"""Seconds for which a channel may take nothing before it counts as broken; the longest pause between two tries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """What the shell has seen: the age of the supervisor's heartbeat in seconds, None where no supervisor beats."""

    beat_age_s: float | None = None


def look(tx: Tx, settings: HubSettings, signs: Signs, now: Now) -> bool:
    """Bring the built-in checks up to date, once in a round; True when a sweep has something to decide.

    A check of a person that bears the name of a built-in one is left alone; a built-in one that no longer applies goes.
    """
    wanted = dict(_observed(tx, settings, signs, now))
    _remove_others(tx, settings, {spec.name for spec in wanted}, now)
    urgent = [_save(tx, settings, spec, seen, now) for spec, seen in wanted.items()]
    return any(urgent)


def _observed(
    tx: Tx, settings: HubSettings, signs: Signs, now: Now
) -> Iterator[tuple[CheckSpec, Observation]]:
    waiting = outbox.status(tx)
    late = check.next_look(tx) or now.wall
    yield _spec(EVALUATOR, _late_limits(settings)), _covering(min(late, now.wall), now)
    yield _spec(OUTBOX, WAITING_S), _covering(waiting.oldest_at or now.wall, now)
    suspect = _unheard(tx, settings) or _broken(settings, waiting, now)
    yield _spec(CHANNELS, None), Observation(at=now.wall, covered_at=now.wall, suspect=suspect)
    if signs.beat_age_s is not None:
        beat_at = now.wall - max(0.0, signs.beat_age_s)
        yield _spec(f"machine-{settings.machine}", SILENT_S), _covering(beat_at, now)


def _covering(moment: float, now: Now) -> Observation:
    return Observation(at=now.wall, covered_at=min(moment, now.wall))


def _late_limits(settings: HubSettings) -> tuple[float, float]:
    every = settings.policy.evaluate_every
    warning, critical = (
        max(rounds * every, least) for rounds, least in zip(LATE_ROUNDS, LEAST_LATE_S, strict=True)
    )
    return warning, critical


def _spec(name: str, limits: tuple[float, float] | None) -> CheckSpec:
    return CheckSpec(
        name=name,
        kind=CheckKind.MACHINE,
        origin=Origin.BUILTIN,
        warning_after=limits[0] if limits else None,
        critical_after=limits[1] if limits else None,
    )


def _unheard(tx: Tx, settings: HubSettings) -> str:
    """Say that there is something to tell and nobody to tell it to; this check itself is no reason for that."""
    if routing.channels_of(settings):
        return ""
    others = [row["name"] for row in tx.all("alerts.bad") if row["name"] != CHANNELS]
    if not others:
        return ""
    return f"no channel is configured, so nobody hears of {', '.join(others[:5])}"


def _broken(settings: HubSettings, waiting: Condition, now: Now) -> str:
    mine = {channel.name for channel in routing.every_channel(settings)}
    words = []
    for channel in waiting.channels:
        failing_s = 0.0 if channel.failing_at is None else now.wall - channel.failing_at
        if channel.name in mine and channel.broken:
            words.append(f"{channel.name} refuses: {channel.broken}")
        elif channel.name in mine and failing_s > FAILING_S:
            words.append(f"{channel.name} has taken nothing for {span(failing_s)}")
    return "; ".join(words)


def _remove_others(tx: Tx, settings: HubSettings, wanted: set[str], now: Now) -> None:
    channels = routing.channels_of(settings)
    for row in tx.all("checks.of_origin", origin=Origin.BUILTIN):
        if row["name"] not in wanted:
            checks.forget(tx, check.from_row(row), "no longer watched", channels, now)


def _save(tx: Tx, settings: HubSettings, spec: CheckSpec, seen: Observation, now: Now) -> bool:
    found = check.by_name(tx, spec.name) or _new(tx, spec, now)
    if found.spec.origin is not Origin.BUILTIN:
        return False
    evidence = freshness.observed(spec, found.evidence, seen, now.wall)
    after, _ = check.judged(replace(found, spec=spec, evidence=evidence), settings.policy, now)
    check.save(tx, after)
    return check.is_urgent(after)


def _new(tx: Tx, spec: CheckSpec, now: Now) -> Check:
    newest = tx.one("checks.newest_incident", name=spec.name)
    made = Check(id=0, uuid=check.new_uuid(), spec=spec, evidence=Evidence(first_seen_at=now.wall))
    number = (newest["number"] if newest else None) or 0
    if number:
        made = replace(made, alert=replace(made.alert, incident=number))
    return check.insert(tx, made)
