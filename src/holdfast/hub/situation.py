"""What decides, beside the look itself, about telling people of a check: silences, elders, quiet hours, steps of escalation."""

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase

import msgspec

from holdfast import cron
from holdfast.hub import alerts
from holdfast.hub.check import Check
from holdfast.hub.store.interface import Tx
from holdfast.model.alert import Escalation, Silence, Situation
from holdfast.model.check import CheckSpec, Look, Severity
from holdfast.model.hub import HubSettings
from holdfast.model.message import Channel
from holdfast.model.service import Now
from holdfast.rules.hushing import Hour, hush_for

_spec = msgspec.json.Decoder(CheckSpec).decode


@dataclass(frozen=True, slots=True, kw_only=True)
class _Elder:
    """A check that another one depends on."""

    above: tuple[str, ...] = ()
    is_bad: bool = False


_NOBODY = _Elder()


class Elders:
    """The checks that others depend on: those of this sweep as they were just found, the rest as they stand on file."""

    def __init__(self, tx: Tx, found: Sequence[tuple[Check, Look]]) -> None:
        self._tx = tx
        self._found = found

    def bad_above(self, spec: CheckSpec) -> tuple[str, ...]:
        """Return the names of those that a check depends on and that are not well.

        An elder that looks bad counts before it is confirmed, because it will be told itself. One that depends on the check
        in its turn does not, or neither would ever be told.
        """
        return tuple(
            name
            for name in spec.depends_on
            if name != spec.name and self._of(name).is_bad and not self._leads(name, spec.name)
        )

    def _leads(self, start: str, end: str) -> bool:
        seen: set[str] = set()
        ahead = [start]
        while ahead:
            name = ahead.pop()
            if name == end:
                return True
            if name not in seen:
                seen.add(name)
                ahead.extend(self._of(name).above)
        return False

    @functools.cached_property
    def _known(self) -> dict[str, _Elder]:
        """Gather what was just found, once somebody asks: few checks depend on another one."""
        return {
            check.name: _Elder(
                above=check.spec.depends_on,
                is_bad=look.severity is not Severity.OK
                or check.alert.confirmed is not Severity.OK,
            )
            for check, look in self._found
        }

    def _of(self, name: str) -> _Elder:
        elder = self._known.get(name)
        if elder is None:
            elder = self._known[name] = self._on_file(name)
        return elder

    def _on_file(self, name: str) -> _Elder:
        row = self._tx.one("alerts.elder", name=name)
        if row is None or row["paused"]:
            return _NOBODY
        is_bad = (row["severity"], row["confirmed"]) != (Severity.OK, Severity.OK)
        return _Elder(above=_spec(row["spec"]).depends_on, is_bad=is_bad)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What is the same for every check of one sweep."""

    silences: tuple[Silence, ...]
    hour: Hour
    elders: Elders
    escalating: tuple[Channel, ...]
    settling: bool
    now: Now

    def situation(self, check: Check, look: Look, *, holding: bool = False) -> Situation:
        """Return the look at one check together with all that decides about telling it."""
        bad = self.elders.bad_above(check.spec) if check.spec.depends_on else ()
        return Situation(
            look=look,
            hush=hush_for(check.name, self.silences, self.hour, bad, self.now.wall),
            escalations=_steps(self.escalating, check.name) if self.escalating else (),
            settling=self.settling,
            holding=holding,
        )


def surroundings(
    tx: Tx,
    settings: HubSettings,
    found: Sequence[tuple[Check, Look]],
    now: Now,
    *,
    settling: bool,
) -> Surroundings:
    """Ask once what holds for all checks that were looked at."""
    quiet = settings.policy.quiet_hours
    return Surroundings(
        silences=alerts.in_force(tx, settings.maintenance, now),
        hour=Hour(local=_local_hour(now.wall), quiet=quiet) if quiet else Hour(),
        elders=Elders(tx, found),
        escalating=tuple(
            channel for channel in settings.channels if channel.escalate_after is not None
        ),
        settling=settling,
        now=now,
    )


def _local_hour(wall: float) -> int:
    return datetime.fromtimestamp(wall, cron.local_zone(wall)).hour


def _steps(channels: Iterable[Channel], name: str) -> tuple[Escalation, ...]:
    return tuple(
        Escalation(
            channel=channel.name,
            after=channel.escalate_after,
            severities=channel.severities,
        )
        for channel in channels
        if channel.escalate_after is not None and _concerns(channel, name)
    )


def _concerns(channel: Channel, name: str) -> bool:
    return not channel.checks or any(fnmatchcase(name, each) for each in channel.checks)
