"""Take pings and the runs of jobs: what clients say of their own work."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from typing import assert_never

from holdfast.home import NAME, RESERVED_NAMES
from holdfast.hub import check as rows
from holdfast.hub import checks, expectation
from holdfast.hub.check import Check, new_uuid
from holdfast.hub.store.interface import Tx
from holdfast.model.alert import AlertPolicy
from holdfast.model.check import CheckKind, CheckSpec, Evidence, Origin, Signal
from holdfast.model.service import Now
from holdfast.rules import freshness

PINGS_KEPT = 100
"""Newest pings kept of each check; up to twice as many stand there until they are pruned."""

BODY_KEPT = 10_000
"""Bytes of a body that are kept, as Healthchecks does."""

LONGEST_WORDS = 200
"""Characters of a body that go into the reason of a failure."""

PERIOD, GRACE = 86_400.0, 3_600.0
"""Seconds a check expects that a ping made; Healthchecks' defaults."""

LARGEST_EXIT = 255
"""The largest exit code there is."""

LONGEST_NAME = 100


class Outcome(Enum):
    """What became of a ping."""

    FOUND = "found"
    CREATED = "created"
    PAUSED = "paused"
    MISSING = "missing"
    INVALID = "invalid"
    CONFLICT = "conflict"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping:
    """One signal, addressed by `uuid` or by `slug`; `at` is when it came, `run` the id its sender gave the run.

    An `exit_code` decides between success and failure. `create` makes a check that is not there, of this `kind`.
    """

    signal: Signal
    at: float
    uuid: str | None = None
    slug: str | None = None
    run: str = ""
    exit_code: int | None = None
    why: str = ""
    body: bytes = b""
    method: str = ""
    agent: str = ""
    create: bool = False
    kind: CheckKind = CheckKind.PING


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What became of a ping, and the check it reached; `wake` when the sweep has something to decide at once.

    INVALID is a slug that cannot name a check, CONFLICT a check that goes by what is found, not by what is said.
    """

    outcome: Outcome
    check: Check | None = None
    wake: bool = False

    @property
    def is_taken(self) -> bool:
        """Tell whether the ping was written down."""
        return self.check is not None


def ping(
    tx: Tx,
    said: Ping,
    policy: AlertPolicy,
    now: Now,
    uuids: Callable[[], str] = new_uuid,
) -> Answer:
    """Write a ping down and look at its check; one that is paused stays so."""
    if said.uuid is not None:
        known = rows.by_uuid(tx, said.uuid.lower())
        return (
            Answer(outcome=Outcome.MISSING)
            if known is None
            else _met(tx, known, said, policy, now)
        )
    name = slugified(said.slug or "")
    if name is None:
        return Answer(outcome=Outcome.INVALID)
    known = rows.by_name(tx, name)
    if known is not None:
        return _met(tx, known, said, policy, now)
    if not said.create:
        return Answer(outcome=Outcome.MISSING)
    if name in RESERVED_NAMES:
        return Answer(outcome=Outcome.INVALID)
    made = checks.add(tx, _spec_of(name, said.kind), policy, now, uuids)
    return _answer(Outcome.CREATED, take(tx, made, said, policy, now))


def slugified(text: str) -> str | None:
    """Return the name of a check that a slug means, None when it can mean none; a name means itself."""
    is_name = NAME.fullmatch(text) is not None
    name = text if is_name else re.sub(r"[^a-z0-9_-]+", "-", text.lower()).strip("-_")
    return name if NAME.fullmatch(name) and len(name) <= LONGEST_NAME else None


def record(
    tx: Tx,
    name: str,
    said: Ping,
    policy: AlertPolicy,
    now: Now,
    uuids: Callable[[], str] = new_uuid,
) -> Answer:
    """Write down what the run of a job came to, also one that makes a backup, whose freshness it does not touch."""
    known = rows.by_name(tx, name)
    if known is not None and known.spec.kind is CheckKind.BACKUP:
        return _answer(Outcome.FOUND, take(tx, known, said, policy, now))
    return ping(tx, replace(said, slug=name, kind=CheckKind.JOB), policy, now, uuids)


def end(tx: Tx, name: str, run: str, policy: AlertPolicy, now: Now) -> Check | None:
    """End a run as it was ordered to: neither a success nor a failure; None when it is not under way."""
    known = rows.by_name(tx, name)
    if known is None or known.evidence.started_at is None or known.evidence.run != run:
        return None
    evidence = replace(known.evidence, started_at=None, run="")
    return checks.keep(tx, replace(known, evidence=evidence), policy, now)


def take(tx: Tx, known: Check, said: Ping, policy: AlertPolicy, now: Now) -> Check:
    """Write a ping of a known check down and return the check as it is then."""
    signal = _signal(said)
    number = known.pings + 1
    evidence = expectation.after(known, _evidence(known, signal, said, now))
    taken = checks.keep(tx, replace(known, pings=number, evidence=evidence), policy, now)
    tx.run(
        "checks.add_ping",
        check_id=known.id,
        number=number,
        at=min(said.at, now.wall),
        signal=signal.value,
        exit_code=said.exit_code,
        run=said.run,
        method=said.method,
        agent=said.agent,
        body=_text(said.body),
    )
    if number % PINGS_KEPT == 0:
        tx.run("checks.prune_pings", check_id=known.id, upto=number - PINGS_KEPT)
    return taken


def _met(tx: Tx, known: Check, said: Ping, policy: AlertPolicy, now: Now) -> Answer:
    if known.spec.kind not in checks.SIGNALLED:
        return Answer(outcome=Outcome.CONFLICT)
    outcome = Outcome.PAUSED if known.paused else Outcome.FOUND
    return _answer(outcome, take(tx, known, said, policy, now))


def _answer(outcome: Outcome, taken: Check) -> Answer:
    return Answer(outcome=outcome, check=taken, wake=rows.is_urgent(taken))


def _evidence(known: Check, signal: Signal, said: Ping, now: Now) -> Evidence:
    spec, evidence = known.spec, known.evidence
    match signal:
        case Signal.START:
            return freshness.started(spec, evidence, said.at, now.wall, said.run)
        case Signal.SUCCESS:
            return freshness.succeeded(spec, evidence, said.at, now.wall, said.run)
        case Signal.FAIL:
            return freshness.failed(spec, evidence, said.at, now.wall, said.run, _why(said))
        case Signal.LOG:
            return freshness.logged(spec, evidence, said.at, now.wall, said.run)
        case _:
            assert_never(signal)


def _signal(said: Ping) -> Signal:
    if said.exit_code is None or said.signal in (Signal.START, Signal.LOG):
        return said.signal
    return Signal.FAIL if said.exit_code else Signal.SUCCESS


def _why(said: Ping) -> str:
    """Return why something failed, with the last line of what was sent beside it: that is where programs say it."""
    why = said.why
    if not why and said.exit_code is not None:
        why = f"it ended with exit code {said.exit_code}"
    lines = [line.strip() for line in _text(said.body).splitlines() if line.strip()]
    words = lines[-1][:LONGEST_WORDS] if lines else ""
    return ": ".join(filter(None, (why or ("it said that it failed" if words else ""), words)))


def _text(body: bytes) -> str:
    """Return a body as text that every database takes: PostgreSQL refuses NUL."""
    return body[:BODY_KEPT].decode("utf-8", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")


def _spec_of(name: str, kind: CheckKind) -> CheckSpec:
    if kind is CheckKind.JOB:
        return CheckSpec(name=name, kind=kind, origin=Origin.CLIENT)
    return CheckSpec(name=name, kind=kind, origin=Origin.CLIENT, period=PERIOD, grace=GRACE)
