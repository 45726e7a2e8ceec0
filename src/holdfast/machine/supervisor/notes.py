"""What the supervisor writes down: every event in the journal, what concerns health in `logs/health.log` too."""

import contextlib
import json
from collections.abc import Mapping
from typing import Protocol

from holdfast import statefile
from holdfast.clock import Clock, utc_text
from holdfast.errors import StateError
from holdfast.home import Home
from holdfast.journal import Journal
from holdfast.machine.supervisor.service import Service
from holdfast.model.event import Event

LOG_SIZE = 10_000_000
LOGS_KEPT = 5

_HEALTH_KINDS = frozenset(
    {"service.restarted", "service.adopted", "service.left_children", "service.killed"}
)

_LEVELS = {"critical": "CRITICAL", "warning": "WARNING"}


class Hearer(Protocol):
    """Hears of every event."""

    def hear(self, kind: str, subject: str, facts: Mapping[str, object]) -> None:
        """Take note of an event that has just been written."""


class Notes:
    """The journal and the health log of one home."""

    def __init__(self, home: Home, clock: Clock, journal: Journal) -> None:
        self.home = home
        self.clock = clock
        self.journal = journal
        self._refused: set[str] = set()
        self.notices: Hearer | None = None
        """Who passes the gravest on to a person while no hub does; set once somebody is there to."""

    def record(self, service: Service, kind: str, facts: dict[str, object]) -> None:
        """Write an event of a service; restarts and everything graver also for those who read only health."""
        self.event(kind, service.name, facts)
        if kind in _HEALTH_KINDS or "severity" in facts:
            self._health(kind, service.name, facts)

    def event(self, kind: str, subject: str, facts: dict[str, object]) -> Event:
        """Write an event into the journal; what the supervisor did itself, and faults, stand in its own log too."""
        facts = {key: _told(key, value) for key, value in facts.items()}
        event = self.journal.append(kind, subject, facts)
        if self.notices is not None:
            self.notices.hear(kind, subject, facts)
        if subject == "supervisor" or "severity" in facts:
            told = " ".join(
                f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in facts.items()
            )
            self._line("supervisor.log", f"{utc_text(event.at)} {kind} {subject} {told}".rstrip())
        return event

    def disk_refused(self, name: str, why: str) -> None:
        """Say once, not at every try, that the record of a service cannot be written."""
        if name not in self._refused:
            self._refused.add(name)
            self.event("state.write_failed", name, {"severity": "critical", "why": why})

    def disk_accepted(self, name: str) -> None:
        """Say that a record is written again."""
        if name in self._refused:
            self._refused.discard(name)
            self.event("state.write_recovered", name, {})

    def output_lost(self, name: str, lost: int, reason: str) -> None:
        """Say that output of a service was dropped because the disk refused it; 0 bytes when it begins."""
        kind = "log.output_lost" if lost else "log.losing_output"
        self.event(kind, name, {"severity": "warning", "bytes": lost, "why": reason})

    def _health(self, kind: str, subject: str, facts: dict[str, object]) -> None:
        level = _LEVELS.get(str(facts.get("severity", "")), "INFO")
        line = {
            "at": utc_text(self.clock.wall()),
            "level": level,
            "service": subject,
            "message": kind,
            **facts,
        }
        self._line("health.log", json.dumps(line, ensure_ascii=False, default=str))

    def _line(self, log: str, line: str) -> None:
        """Append to a shared log; a full disk costs the line, never the supervisor."""
        with contextlib.suppress(StateError):
            statefile.append_line(self.home.logs / log, line, max_size=LOG_SIZE, keep=LOGS_KEPT)


def _told(key: str, value: object) -> object:
    """Return a fact as readers expect it: moments as RFC 3339."""
    return utc_text(value) if key.endswith("_at") and isinstance(value, float) else value
