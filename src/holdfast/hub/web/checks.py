"""Checks over HTTP: how they do, and what a client says of them."""

from typing import Any

import msgspec

from holdfast.errors import Refused, UnknownName, UsageError
from holdfast.hub import checks, pings, views
from holdfast.hub.access import Scope
from holdfast.hub.parts import Parts
from holdfast.hub.pings import Outcome, Ping
from holdfast.hub.store.interface import Tx
from holdfast.hub.web.asked import Asked, Call
from holdfast.model.check import Signal
from holdfast.rules import routing

LONGEST_RUN = 100


class PingBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A ping; `rid` is the id its sender gave the run, an exit code decides between success and failure."""

    signal: Signal = Signal.SUCCESS
    exit_code: int | None = None
    rid: str | None = None
    body: str = ""
    create: bool = False


async def _list(parts: Parts, _asked: Asked) -> object:
    now, policy = parts.now(), parts.settings.policy
    rows = await parts.store.read(lambda tx: views.checks(tx, policy, now))
    return [with_address(row, parts) for row in rows]


async def _show(parts: Parts, asked: Asked) -> object:
    now, policy, name = parts.now(), parts.settings.policy, asked.path["name"]
    row = await parts.store.read(lambda tx: views.check(tx, name, policy, now))
    if row is None:
        raise UnknownName(f"there is no check {name!r}; `holdfast checks` lists them")
    return with_address(row, parts)


def with_address(row: dict[str, Any], parts: Parts) -> dict[str, Any]:
    """Return a row with the address that is pinged for it, where its kind takes pings."""
    plain = {name: value for name, value in row.items() if name != "uuid"}
    takes_pings = row["kind"] in checks.SIGNALLED
    url = f"{parts.condition.url}/ping/{row['uuid']}" if takes_pings else None
    return {**plain, "ping_url": url}


async def _remove(parts: Parts, asked: Asked) -> object:
    now, name = parts.now(), asked.path["name"]
    channels = routing.channels_of(parts.settings)
    await parts.store.write(
        lambda tx: checks.remove(tx, name, now, by=asked.by, channels=channels)
    )
    _changed(parts)
    return {"name": name, "removed": True}


async def _pause(parts: Parts, asked: Asked) -> object:
    now, name = parts.now(), asked.path["name"]
    channels = routing.channels_of(parts.settings)
    await parts.store.write(lambda tx: checks.pause(tx, name, now, by=asked.by, channels=channels))
    _changed(parts)
    return {"name": name, "paused": True}


async def _resume(parts: Parts, asked: Asked) -> object:
    now, name, policy = parts.now(), asked.path["name"], parts.settings.policy
    await parts.store.write(lambda tx: checks.resume(tx, name, policy, now, by=asked.by))
    _changed(parts)
    return {"name": name, "paused": False}


def _changed(parts: Parts) -> None:
    parts.bells.checks_changed()
    parts.bells.outbox.set()


async def _ping(parts: Parts, asked: Asked) -> object:
    body: PingBody = asked.body
    if body.exit_code is not None and not 0 <= body.exit_code <= 255:
        raise UsageError(f"exit_code is {body.exit_code}; expected a number from 0 to 255")
    if len(body.rid or "") > LONGEST_RUN:
        raise UsageError(f"rid is longer than {LONGEST_RUN} characters")
    if "\0" in (body.rid or ""):
        raise UsageError("rid holds a NUL, which no id of a run has")
    now, policy, name = parts.now(), parts.settings.policy, asked.path["name"]
    said = Ping(
        signal=body.signal,
        at=now.wall,
        slug=name,
        run=body.rid or "",
        exit_code=body.exit_code,
        body=body.body.encode("utf-8", "replace"),
        method="API",
        agent=asked.by,
        create=body.create,
    )

    def act(tx: Tx) -> pings.Answer:
        return pings.ping(tx, said, policy, now)

    answer = await parts.store.write(act)
    if answer.check is None:
        raise _why_not(answer.outcome, name)
    parts.condition.pings += 1
    parts.bells.summary.set()
    if answer.wake:
        parts.bells.sweep.set()
    return {
        "name": answer.check.name,
        "outcome": answer.outcome.value,
        "severity": answer.check.severity.value,
    }


def _why_not(outcome: Outcome, name: str) -> Exception:
    if outcome is Outcome.MISSING:
        return UnknownName(
            f"there is no check {name!r}; `holdfast checks` lists them, and create makes one"
        )
    if outcome is Outcome.CONFLICT:
        return Refused(f"{name} goes by what Holdfast finds itself and takes no pings")
    return UsageError(f"{name!r} cannot name a check; use lower case letters, digits, - and _")


CALLS = (
    Call(
        method="GET",
        path="/checks",
        scope=Scope.READ,
        act=_list,
        summary="Every check, as it is looked at now.",
        answers="a list of checks, as `holdfast checks --json`",
    ),
    Call(
        method="GET",
        path="/checks/{name}",
        scope=Scope.READ,
        act=_show,
        summary="One check with its newest pings.",
        answers="a check with `pings`, newest first",
    ),
    Call(
        method="DELETE",
        path="/checks/{name}",
        scope=Scope.ADMIN,
        act=_remove,
        summary="Delete a check that a client made; those of the configuration are taken out there.",
        answers='`{"name", "removed"}`',
    ),
    Call(
        method="POST",
        path="/checks/{name}/pause",
        scope=Scope.ADMIN,
        act=_pause,
        summary="Expect nothing of a check until it is resumed; an open incident is closed.",
        answers='`{"name", "paused"}`',
    ),
    Call(
        method="POST",
        path="/checks/{name}/resume",
        scope=Scope.ADMIN,
        act=_resume,
        summary="Expect a check to succeed again, counted from now.",
        answers='`{"name", "paused"}`',
    ),
    Call(
        method="POST",
        path="/checks/{name}/ping",
        scope=Scope.PING,
        act=_ping,
        body=PingBody,
        summary="Say that something began, succeeded or failed.",
        answers='`{"name", "outcome", "severity"}`; outcome is `found`, `created` or `paused`',
    ),
)
