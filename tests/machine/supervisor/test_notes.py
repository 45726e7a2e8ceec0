"""What the supervisor writes down, and where who looks for it."""

import json
from pathlib import Path

import pytest

from holdfast.clock import SystemClock
from holdfast.home import Home
from holdfast.journal import Journal, read
from holdfast.machine.supervisor.notes import Notes
from holdfast.machine.supervisor.service import Service
from holdfast.model.service import ServiceState
from holdfast.model.spec import ServiceSpec

API = Service(
    spec=ServiceSpec(name="api", command=("x",), cwd="/"), state=ServiceState(name="api")
)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.make()
    return home


@pytest.fixture
def notes(home: Home) -> Notes:
    return Notes(home, SystemClock(), Journal(home.journal, SystemClock()))


def lines(home: Home, log: str) -> list[str]:
    path = home.log(log)
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def test_every_event_stands_in_the_journal(home: Home, notes: Notes) -> None:
    notes.record(API, "service.ready", {"pid": 7})
    (event,) = read(home.journal)
    assert (event.kind, event.subject, event.facts) == ("service.ready", "api", {"pid": 7})


@pytest.mark.parametrize("kind", ["service.restarted", "service.adopted", "service.killed"])
def test_who_reads_only_health_sees_restarts(home: Home, notes: Notes, kind: str) -> None:
    notes.record(API, kind, {"pid": 7, "why": "größer"})
    (line,) = lines(home, "health")
    found = json.loads(line)
    assert (found["level"], found["service"], found["message"]) == ("INFO", "api", kind)
    assert (found["pid"], found["why"]) == (7, "größer")


@pytest.mark.parametrize("severity", ["critical", "warning"])
def test_what_is_grave_stands_in_both_logs(home: Home, notes: Notes, severity: str) -> None:
    notes.record(API, "service.failed", {"severity": severity, "why": "no such file"})
    assert json.loads(lines(home, "health")[0])["level"] == severity.upper()
    (line,) = lines(home, "supervisor")
    assert "service.failed api" in line
    assert 'why="no such file"' in line


def test_the_everyday_of_a_service_stands_in_neither_log(home: Home, notes: Notes) -> None:
    notes.record(API, "service.started", {"pid": 7})
    assert lines(home, "health") == lines(home, "supervisor") == []


def test_what_the_supervisor_does_itself_stands_in_its_own_log(home: Home, notes: Notes) -> None:
    notes.event("supervisor.started", "supervisor", {"pid": 7})
    (line,) = lines(home, "supervisor")
    assert line.endswith(" supervisor.started supervisor pid=7")


def test_a_fact_of_many_lines_is_one_line_of_the_log(home: Home, notes: Notes) -> None:
    notes.event("supervisor.fault", "supervisor", {"trace": "one\ntwo\n", "odd": "\udce4"})
    (line,) = lines(home, "supervisor")
    assert r'trace="one\ntwo\n"' in line


def test_a_refusing_disk_is_told_once_until_it_accepts_again(home: Home, notes: Notes) -> None:
    for _ in range(3):
        notes.disk_refused("api", "no space")
    notes.disk_accepted("api")
    notes.disk_accepted("api")
    notes.disk_refused("api", "no space")
    kinds = [event.kind for event in read(home.journal)]
    assert kinds == ["state.write_failed", "state.write_recovered", "state.write_failed"]


def test_lost_output_is_told_when_it_begins_and_counted_when_it_ends(
    home: Home, notes: Notes
) -> None:
    notes.output_lost("api", 0, "no space")
    notes.output_lost("api", 512, "no space")
    told = [(event.kind, event.facts["bytes"]) for event in read(home.journal)]
    assert told == [("log.losing_output", 0), ("log.output_lost", 512)]


def test_a_log_that_cannot_be_written_costs_the_line_and_nothing_else(
    home: Home, notes: Notes
) -> None:
    home.log("supervisor").mkdir()
    home.log("health").mkdir()
    notes.record(API, "service.failed", {"severity": "critical"})
    assert [event.kind for event in read(home.journal)] == ["service.failed"]
