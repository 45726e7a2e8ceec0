"""When a probe looks, and what its findings do to a service: some failures in a row condemn, one success heals."""

import zlib
from dataclasses import dataclass
from enum import Enum, auto

from holdfast.model.event import BecameReady, HealthJudged, RestartOrdered, ServiceEvent
from holdfast.model.finding import Finding, Found, unknown
from holdfast.model.service import Health, Reason
from holdfast.model.spec import Probe, ProbeKind

JUDGE = "probe"
"""By what name a probe judges health."""

READY_LOOK_WITHIN = 10.0
"""Most seconds one look at readiness may take: the time to become ready is that of many looks."""

FIRST_READY_GAP = 0.05
"""Seconds between the first two looks at readiness; then doubling up to the probe's own pace."""

CHEAP_READY_GAP = 0.2
"""Most seconds between two looks at readiness that cost next to nothing: a file, a log."""

_CHEAP = frozenset({ProbeKind.LOG, ProbeKind.FILE})
_DOUBLINGS_AT_MOST = 10


class Purpose(Enum):
    """What a probe is asked for: whether a service began to do its work, or whether it still does."""

    READY = auto()
    LIVE = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What is remembered between two looks at a living service: how many failed since the last success."""

    failed: int = 0


def look_within(probe: Probe, purpose: Purpose) -> float:
    """Return the seconds one look may take."""
    if purpose is Purpose.READY:
        return min(probe.timeout, READY_LOOK_WITHIN)
    return probe.timeout


def ready_gap(probe: Probe, looks: int) -> float:
    """Return the seconds from one look at readiness to the next, after so many looks."""
    slowest = min(probe.every, CHEAP_READY_GAP) if probe.kind in _CHEAP else probe.every
    return min(FIRST_READY_GAP * 2.0 ** min(looks - 1, _DOUBLINGS_AT_MOST), slowest)


def first_live_look(probe: Probe, name: str) -> float:
    """Return the seconds from readiness to the first look: half to one and a half times the pace.

    The share comes from the name, so that services started together are not all looked at together.
    """
    share = zlib.crc32(name.encode()) / 2**32
    return probe.every * (0.5 + share)


def next_live_look(probe: Probe, due: float, now_mono: float) -> float:
    """Return the moment of the look after the one that was due then; what was missed is not made up for."""
    following = due + probe.every
    return following if following > now_mono else now_mono + probe.every


def weighed(finding: Finding, took: float, within: float) -> Finding:
    """Return what a finding is worth: a failure says nothing where we ourselves were late by more than the limit.

    A supervisor that was stopped, starved or asleep cannot tell a slow service from its own absence.
    """
    if finding.found is Found.FAILED and took > 2 * within:
        late = took - within
        return unknown(f"the supervisor itself was late by {late:.1f} s; {finding.why}")
    return finding


def ready_looked(finding: Finding) -> ServiceEvent:
    """Return what one look at a service that starts means: it is ready, or why not yet."""
    if finding.found is Found.WELL:
        return BecameReady()
    return HealthJudged(health=Health.DEGRADED, why=finding.why, by=JUDGE)


def live_looked(
    probe: Probe, tally: Tally, finding: Finding
) -> tuple[Tally, tuple[ServiceEvent, ...]]:
    """Return the new tally and what happens to the service: degraded at the first failure, restarted at the last.

    Three failures, as Kubernetes has it, by default. What could not be verified neither counts nor heals.
    """
    if finding.found is Found.UNKNOWN:
        return tally, ()
    if finding.found is Found.WELL:
        return Tally(), (HealthJudged(health=Health.OK, by=JUDGE),) if tally.failed else ()
    failures = tally.failed + 1
    why = f"live: {told(probe)}: {finding.why}"
    degraded = HealthJudged(health=Health.DEGRADED, why=why, by=JUDGE)
    if failures < probe.failures:
        return Tally(failed=failures), (degraded,)
    order = RestartOrdered(reason=Reason.PROBE, counted=True, forgive=False)
    return Tally(failed=failures), (degraded, order)


def told(probe: Probe) -> str:
    """Return a probe in words for people."""
    return f"{probe.kind.value} {' '.join(probe.target)}"
