"""What `status` shows, whether a supervisor answers or only files are left."""

import json
import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from holdfast.clock import boot_id
from holdfast.home import Home
from holdfast.machine.process.identity import identify
from holdfast.machine.supervisor.records import Records
from holdfast.machine.supervisor.view import (
    Shown,
    Use,
    from_disk,
    health_of,
    machine_name,
    service_row,
    whole,
)
from holdfast.model.service import (
    Actual,
    Desired,
    Exit,
    Health,
    Identity,
    LastExit,
    Reason,
    ServiceState,
    Start,
    Wait,
)
from holdfast.model.spec import ServiceSpec
from holdfast.statefile import Durability

SPEC = ServiceSpec(name="api", command=("x",), cwd="/", group="web")
UP = ServiceState(
    name="api",
    desired=Desired.UP,
    actual=Actual.RUNNING,
    health=Health.OK,
    since=86400.5,
    generation=4,
    restarts=3,
    process=Identity(pid=42, start_ticks=1, boot_id="b"),
)
FIELDS = [
    "name",
    "desired",
    "state",
    "health",
    "pid",
    "since",
    "restarts",
    "generation",
    "next_start_at",
    "wait",
    "why",
    "last_exit",
    "adopted",
    "group",
    "builtin",
    "beat",
    "cpu_percent",
    "rss_bytes",
]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.make()
    return home


def save(home: Home, state: ServiceState, boot: str | None = None) -> None:
    Records(home, boot or boot_id()).save(SPEC, state, Durability.ATOMIC)


def disk_row(home: Home) -> dict[str, object]:
    (row,) = from_disk(home)["services"]
    assert isinstance(row, dict)
    return row


def test_a_row_has_every_field_others_rely_on() -> None:
    assert list(service_row(SPEC, UP, Use())) == FIELDS


def test_a_running_service_is_shown_with_what_it_uses() -> None:
    row = service_row(SPEC, UP, Use(cpu_percent=1.5, rss_bytes=7))
    expected = {
        "desired": "up",
        "state": "running",
        "health": "ok",
        "pid": 42,
        "since": "1970-01-02T00:00:00.500Z",
        "restarts": 3,
        "generation": 4,
        "group": "web",
        "cpu_percent": 1.5,
        "rss_bytes": 7,
        "last_exit": None,
        "next_start_at": None,
    }
    assert {key: row[key] for key in expected} == expected


def test_a_waiting_service_says_until_when_and_why() -> None:
    state = replace(
        UP,
        actual=Actual.HELD,
        process=None,
        next_start=Start(at=60.0, mono=1.0, wait=Wait.LIMIT),
        failure="three in an hour",
        last_exit=LastExit(exit=Exit(signal=11), reason=Reason.SIGNAL, at=30.0, mono=1.0),
    )
    row = service_row(SPEC, state, Use())
    assert (row["next_start_at"], row["wait"]) == ("1970-01-01T00:01:00.000Z", "limit")
    assert row["why"] == "three in an hour"
    assert row["last_exit"] == {
        "code": None,
        "signal": 11,
        "reason": "signal",
        "at": "1970-01-01T00:00:30.000Z",
    }


def test_health_counts_only_what_is_wanted() -> None:
    states = [
        UP,
        replace(UP, actual=Actual.DONE),
        replace(UP, actual=Actual.FAILED, health=Health.BAD),
        replace(UP, desired=Desired.DOWN, actual=Actual.DOWN),
    ]
    assert health_of(states) == {"score": 66.7, "healthy": 2, "total": 3}


def test_where_nothing_is_wanted_all_is_well() -> None:
    assert health_of([]) == {"score": 100.0, "healthy": 0, "total": 0}


def test_the_whole_names_every_program_of_the_machine() -> None:
    shown = Shown(services=[], health=health_of([]), hub={"pid": 3}, checks=[])
    found = whole("laptop", {"pid": 1}, {"pid": 2, "state": "running"}, shown)
    assert list(found) == [
        "machine",
        "supervisor",
        "watchdog",
        "hub",
        "health",
        "services",
        "checks",
    ]


def test_a_process_that_outlived_its_supervisor_is_shown(home: Home) -> None:
    save(home, replace(UP, process=identify(os.getpid())))
    row = disk_row(home)
    assert (row["state"], row["pid"]) == ("running", os.getpid())


@pytest.mark.parametrize(
    "actual", [Actual.STARTING, Actual.RUNNING, Actual.STOPPING, Actual.STUCK]
)
def test_a_process_that_is_gone_is_not_shown(home: Home, actual: Actual) -> None:
    gone = Identity(pid=os.getpid(), start_ticks=1, boot_id=boot_id())
    save(home, replace(UP, actual=actual, process=gone))
    row = disk_row(home)
    assert (row["state"], row["pid"], row["generation"]) == ("down", None, 4)


def test_nothing_of_another_boot_lives(home: Home) -> None:
    save(home, replace(UP, process=identify(os.getpid())), boot="another")
    assert disk_row(home)["pid"] is None


@pytest.mark.parametrize("actual", [Actual.BACKOFF, Actual.HELD, Actual.FAILED])
def test_what_had_no_process_is_shown_as_it_was(home: Home, actual: Actual) -> None:
    save(home, replace(UP, actual=actual, process=None, failure="because"))
    row = disk_row(home)
    assert (row["state"], row["why"]) == (actual.value, "because")


def test_a_fresh_home_has_no_services_and_no_supervisor(home: Home) -> None:
    found = from_disk(home)
    assert found["services"] == []
    assert found["supervisor"]["state"] == "gone"


def test_a_machine_bears_its_configured_name_or_that_of_its_host(home: Home) -> None:
    assert machine_name(home) == socket.gethostname()
    home.config_pointer.write_text('{"machine": "laptop", "config": "/x"}', encoding="utf-8")
    assert machine_name(home) == "laptop"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff"])
def test_a_broken_memory_is_no_memory(home: Home, content: bytes) -> None:
    home.config_pointer.write_bytes(content)
    assert machine_name(home) == socket.gethostname()


def test_the_program_of_a_job_is_no_service(home: Home) -> None:
    save(home, replace(UP, process=identify(os.getpid())))
    jobs = [{"program": {"name": SPEC.name}}]
    home.config_pointer.write_text(json.dumps({"jobs": jobs}), encoding="utf-8")
    found = from_disk(home)
    assert (found["services"], found["health"]["total"]) == ([], 0)
