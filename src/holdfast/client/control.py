"""Orders and questions to the supervisor of this machine, typed."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NotRequired, TypedDict, cast

from holdfast.clock import wall_from_text
from holdfast.control import ControlClient
from holdfast.errors import UsageError
from holdfast.home import Home, default_home

ANSWER_WITHIN = 10.0
"""Seconds the supervisor has to answer a question."""

REPORT_WITHIN = 600.0
"""Seconds an order may take without a word: a slow stop and a slow start stay well below."""


class LastExit(TypedDict):
    """How the last process of a service ended; `at` is RFC 3339."""

    code: int | None
    signal: int | None
    reason: str
    at: str


class Service(TypedDict):
    """One service as `holdfast status --json` shows it; `wait` is the rule that sets its next start."""

    name: str
    desired: str
    state: str
    health: str
    pid: int | None
    since: str | None
    restarts: int
    generation: int
    next_start_at: str | None
    wait: str | None
    why: str
    last_exit: LastExit | None
    adopted: bool
    group: str | None
    builtin: bool
    cpu_percent: float | None
    rss_bytes: int | None


class Program(TypedDict):
    """The supervisor, the watchdog or the hub."""

    pid: int | None
    state: str
    since: NotRequired[str | None]
    url: NotRequired[str | None]


class Score(TypedDict):
    """How many of the services that should run are well; `score` is a percentage."""

    score: float
    healthy: int
    total: int


class Status(TypedDict):
    """What `holdfast status --json` shows."""

    machine: str
    supervisor: Program
    watchdog: Program
    hub: Program
    health: Score
    services: list[Service]
    checks: list[dict[str, Any]]


class Outcome(TypedDict):
    """What an order came to for one service."""

    name: str
    result: str
    pid: NotRequired[int | None]
    state: NotRequired[str]
    why: NotRequired[str]


class Finding(TypedDict):
    """What one look found about one service; `is_fault` when it is wanted and not well."""

    name: str
    verdict: str
    why: str
    is_fault: bool


class Look(TypedDict):
    """The verdict of one look at everything; it changes nothing."""

    healthy: bool
    findings: list[Finding]


class Event(TypedDict):
    """One event of the journal; facts of its kind stand beside these."""

    id: int
    at: str
    kind: str
    subject: str


def connect(home: Path | None = None) -> "Control":
    """Return the control of the supervisor of `home`, by default `$HOLDFAST_HOME`.

    Nothing is opened yet: each call makes a connection of its own, so a control outlives its supervisor.
    """
    return Control(Home(home or default_home()))


class Control:
    """Asks and orders one supervisor; a service is named by name, by pattern (`api-*`) or by `group:NAME`.

    Each method raises NotRunning when no supervisor answers, UnknownName when a name or pattern fits nothing,
    and what else the supervisor answers in its own class.
    """

    def __init__(self, home: Home) -> None:
        self.home = home

    def status(self, *names: str) -> Status:
        """Return the state of everything, or of the services named; changes nothing."""
        return cast("Status", self._ask("status", {"select": list(names)} if names else {}))

    def start(self, *names: str, wait: bool = True) -> list[Outcome]:
        """Start services, and wait until they are ready or failed."""
        return self._order("start", names, {"wait": wait})

    def stop(self, *names: str, kill: bool = False, wait: bool = True) -> list[Outcome]:
        """Stop services with all their children, and wait until they are gone; `kill` does not ask first."""
        return self._order("stop", names, {"kill": kill, "wait": wait})

    def restart(self, *names: str, wait: bool = True) -> list[Outcome]:
        """Stop and start services; a restart by order neither waits nor counts against the limit."""
        return self._order("restart", names, {"wait": wait})

    def signal(self, signal: str, *names: str) -> list[Outcome]:
        """Send a signal, such as "HUP", to the main process of services."""
        return self._order("signal", names, {"signal": signal})

    def look(self) -> Look:
        """Return what is not well, and why; changes nothing."""
        return cast("Look", self._ask("look", {}))

    def events(self, since: float | None = None, subject: str | None = None) -> Iterator[Event]:
        """Yield the events of the journal, oldest first, from `since` (seconds since the epoch) on.

        Read from disk, so it needs no supervisor. A line that is just being written is left for the next call.
        """
        for segment in sorted(self.home.journal.glob("*.jsonl")):
            for event in _events_in(segment):
                if subject in (None, event.get("subject")) and _is_since(event, since):
                    yield cast("Event", event)

    def _order(self, method: str, names: tuple[str, ...], params: dict[str, Any]) -> list[Outcome]:
        if not names:
            raise UsageError(
                f'{method}() names no service; name one, or write {method}("*") for all'
            )
        answer = self._ask(method, {"select": list(names), **params}, within=REPORT_WITHIN)
        return cast("list[Outcome]", answer["services"])

    def _ask(self, method: str, params: dict[str, Any], *, within: float = ANSWER_WITHIN) -> Any:
        with ControlClient(self.home.control_socket, timeout=within) as client:
            return client.call(method, params)


def _events_in(segment: Path) -> Iterator[dict[str, Any]]:
    try:
        lines = segment.read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        # Old segments are removed as new ones come.
        return
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:
            continue  # cut short by a crash
        if isinstance(event, dict):
            yield event


def _is_since(event: dict[str, Any], since: float | None) -> bool:
    if since is None:
        return True
    try:
        return wall_from_text(event["at"]) >= since
    except (KeyError, TypeError, ValueError):
        return False
