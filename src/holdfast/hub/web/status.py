"""What the hub and its machine do, over HTTP: status, events, health and metrics."""

import asyncio
import os
from collections.abc import Iterator, Mapping
from typing import Any

from holdfast import __version__
from holdfast.clock import utc_text
from holdfast.control import ControlClient
from holdfast.errors import NotRunning
from holdfast.hub import events, outbox, views
from holdfast.hub.access import Scope
from holdfast.hub.outbox import condition
from holdfast.hub.parts import Parts
from holdfast.hub.store.interface import Tx
from holdfast.hub.web.asked import Asked, Call, Text

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"

SUPERVISOR_WITHIN = 5.0
"""Seconds the supervisor has to say how its services do."""

MOST_EVENTS = 10_000


async def _status(parts: Parts, _asked: Asked) -> object:
    summary = await parts.store.read(views.summary)
    own = {"hub": _own(parts), "summary": summary}
    try:
        return {**await asyncio.to_thread(_ask_supervisor, parts), **own}
    except NotRunning:
        gone = {"pid": None, "state": "gone"}
        return {"machine": parts.settings.machine, "supervisor": gone, **own}


def _own(parts: Parts) -> dict[str, Any]:
    condition = parts.condition
    return {
        "pid": os.getpid(),
        "state": "running",
        "url": condition.url,
        "since": utc_text(condition.started_at),
        "version": __version__,
        "faults": dict(condition.faults),
    }


def _ask_supervisor(parts: Parts) -> dict[str, Any]:
    with ControlClient(parts.home.control_socket, timeout=SUPERVISOR_WITHIN) as control:
        answer: dict[str, Any] = control.call("status")
        return answer


async def _events(parts: Parts, asked: Asked) -> object:
    after, limit = asked.number("after", 0, 2**62), asked.number("limit", 100, MOST_EVENTS)
    subject = asked.query.get("subject")
    return await parts.store.read(
        lambda tx: events.read(tx, after=after, limit=limit, subject=subject)
    )


async def _healthz(_parts: Parts, _asked: Asked) -> object:
    return Text(content="ok\n")


async def _readyz(parts: Parts, _asked: Asked) -> object:
    """Answer 503 while something the hub is there for cannot be done; what it is, only a token sees."""
    await parts.store.read(views.summary)
    stuck = parts.condition.stuck
    if stuck:
        return Text(content=f"not ready: {', '.join(stuck)}\n", status=503)
    return Text(content="ready\n")


async def _metrics(parts: Parts, _asked: Asked) -> object:
    now = parts.now()

    def look(tx: Tx) -> tuple[dict[str, Any], condition.Condition, int]:
        return views.summary(tx), outbox.status(tx), len(views.incidents(tx, open_only=True))

    summary, queue, incidents = await parts.store.read(look)
    waiting_s = 0.0 if queue.oldest_at is None else max(0.0, now.wall - queue.oldest_at)
    swept = parts.condition.swept_mono
    lines = [
        *_metric("holdfast_checks", "gauge", "severity", summary["counts"]),
        *_metric("holdfast_incidents_open", "gauge", "", {"": incidents}),
        *_metric("holdfast_outbox_waiting", "gauge", "", {"": queue.pending + queue.loose}),
        *_metric("holdfast_outbox_oldest_seconds", "gauge", "", {"": waiting_s}),
        *_metric("holdfast_messages_total", "counter", "state", _ended(queue)),
        *_metric("holdfast_pings_total", "counter", "", {"": parts.condition.pings}),
        *_metric(
            "holdfast_round_failures_total", "counter", "round", dict(parts.condition.failures)
        ),
        *_metric(
            "holdfast_sweep_age_seconds",
            "gauge",
            "",
            {} if swept is None else {"": max(0.0, now.mono - swept)},
        ),
        *_metric("holdfast_build_info", "gauge", "version", {__version__: 1}),
    ]
    return Text(content="\n".join(lines) + "\n", media_type=METRICS_TYPE)


METRICS: Mapping[str, str] = {
    "holdfast_checks": "Checks by the severity of their newest look.",
    "holdfast_incidents_open": "Incidents that are open.",
    "holdfast_outbox_waiting": "Messages that were not delivered yet.",
    "holdfast_outbox_oldest_seconds": "Seconds the oldest of them has waited.",
    "holdfast_messages_total": "Messages that were delivered, given up (dead) or replaced (superseded) and are still on file.",
    "holdfast_pings_total": "Pings taken since this hub began.",
    "holdfast_round_failures_total": "Failures of the rounds of this hub since it began.",
    "holdfast_sweep_age_seconds": "Seconds since the newest sweep.",
    "holdfast_build_info": "1, with the version as a label.",
}
"""Every metric and what it says."""


def _ended(queue: condition.Condition) -> dict[str, float]:
    return {"delivered": queue.delivered, "dead": queue.dead, "superseded": queue.superseded}


def _metric(name: str, kind: str, label: str, values: Mapping[str, float]) -> Iterator[str]:
    yield f"# HELP {name} {METRICS[name]}"
    yield f"# TYPE {name} {kind}"
    for worth, value in values.items():
        labels = f'{{{label}="{worth}"}}' if label else ""
        yield f"{name}{labels} {round(value, 3)}"


CALLS = (
    Call(
        method="GET",
        path="/status",
        scope=Scope.READ,
        act=_status,
        summary="What runs on this machine, how the hub does, and how many checks are of which severity.",
        answers="as `holdfast status --json`, with `summary` and more about `hub`",
    ),
    Call(
        method="GET",
        path="/events",
        scope=Scope.READ,
        act=_events,
        query={
            "after": "only those behind this `seq`",
            "limit": "how many, 100 by default",
            "subject": "only those about it",
        },
        summary="The events of the machines in the order of their arrival.",
        answers="a list of events, as `holdfast events --json`, each with its `machine` and its `seq`",
    ),
)

OPEN_CALLS = (
    Call(
        method="GET",
        path="/healthz",
        scope=None,
        act=_healthz,
        summary="Is there a hub?",
        answers="`ok`",
    ),
    Call(
        method="GET",
        path="/readyz",
        scope=None,
        act=_readyz,
        summary="Can it do its work? 503 when not.",
        answers="`ready`, or what cannot be done",
    ),
    Call(
        method="GET",
        path="/metrics",
        scope=Scope.READ,
        act=_metrics,
        summary="Numbers for Prometheus.",
        answers="text in the format of Prometheus",
    ),
)
