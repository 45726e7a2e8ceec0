from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from holdfast.cli import status
from holdfast.home import Home
from holdfast.model.service import Actual, Desired, Identity

if TYPE_CHECKING:
    from tests.cli.conftest import Done
    from tests.conftest import Machine

NOW = 1_769_846_400.0
FIELDS = {
    "name",
    "desired",
    "state",
    "health",
    "pid",
    "since",
    "restarts",
    "next_start_at",
    "last_exit",
    "adopted",
    "cpu_percent",
    "rss_bytes",
    "builtin",
}


def row(**facts: Any) -> dict[str, Any]:
    usual = {
        "name": "api",
        "desired": "up",
        "state": "running",
        "health": "ok",
        "pid": 4242,
        "since": "2026-01-31T07:59:18Z",
        "restarts": 2,
        "generation": 3,
        "next_start_at": None,
        "wait": None,
        "why": "",
        "adopted": False,
        "cpu_percent": 1.25,
        "rss_bytes": 14_000_000,
    }
    return usual | facts


def found(*rows: dict[str, Any]) -> dict[str, Any]:
    return {
        "machine": "laptop",
        "supervisor": {"pid": 7, "state": "running", "since": "2026-01-31T07:00:00Z"},
        "watchdog": {"pid": 6, "state": "running", "since": "2026-01-31T06:00:00Z"},
        "hub": {"pid": None, "state": "gone", "url": None},
        "health": {"score": 100.0, "healthy": 1, "total": 1},
        "services": list(rows),
    }


def test_the_head_tells_how_the_machine_fares() -> None:
    head = status.lines(found(row()), NOW)[:2]

    assert head == [
        "laptop: 1/1 healthy (100 %)",
        "supervisor running (pid 7, up 1h 00m), watchdog running (pid 6, up 2h 00m)",
    ]


def test_the_head_tells_who_is_missing_and_who_does_not_answer() -> None:
    shown = found(row())
    shown["supervisor"] = {"pid": 7, "state": "running", "since": None}
    shown["watchdog"] = {"pid": None, "state": "gone", "since": None}
    own = status.lines(shown, NOW)[1]

    assert own == "supervisor running (pid 7, it does not answer), watchdog gone"


def test_a_service_is_one_line() -> None:
    line = status.lines(found(row()), NOW)[4]

    assert line.split() == ["api", "running", "4242", "42s", "2", "1.2%", "14", "MB"]


def test_what_is_not_there_is_a_dash() -> None:
    line = status.lines(found(row(pid=None, state="down", cpu_percent=None, rss_bytes=None)), NOW)[
        4
    ]

    assert line.split()[:7] == ["api", "down", "-", "-", "2", "-", "-"]


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        (
            {"state": "backoff", "next_start_at": "2026-01-31T08:00:42Z", "wait": "min_gap"},
            "next start in 42s (min_gap)",
        ),
        (
            {
                "state": "held",
                "next_start_at": "2026-01-31T09:00:00Z",
                "wait": "limit",
                "why": "3 restarts in 1h",
            },
            "next start in 1h 00m (limit): 3 restarts in 1h",
        ),
        ({"state": "failed", "why": "no such program"}, "no such program"),
        ({"state": "down", "desired": "down"}, "stopped by a person"),
        ({"state": "down", "desired": "down", "generation": 0}, ""),
        ({"adopted": True}, "adopted"),
        ({"beat": None}, ""),
        ({"beat": {"status": "healthy", "text": None, "error": None}}, ""),
        (
            {"beat": {"status": "healthy", "text": "12 done"}, "adopted": True},
            "adopted; says: 12 done",
        ),
        ({"beat": {"status": "error", "error": "no route"}}, "says: error: no route"),
        ({}, ""),
    ],
)
def test_a_service_that_does_not_simply_run_says_why(facts: dict[str, Any], said: str) -> None:
    assert status.note(row(**facts), NOW) == said


def test_without_services_it_says_how_to_begin() -> None:
    assert "holdfast up" in status.lines(found(), NOW)[2]


def test_a_home_that_never_ran_is_shown_empty(run: "Callable[..., Done]") -> None:
    done = run("status", "--json")

    assert done.code == 3
    assert (done.json["supervisor"]["state"], done.json["services"]) == ("gone", [])


def test_without_a_supervisor_the_records_are_shown(
    run: "Callable[..., Done]", record: Callable[..., None]
) -> None:
    record("api", desired=Desired.UP, actual=Actual.BACKOFF, restarts=3)
    done = run("status", "--json")

    assert done.code == 3
    assert set(done.json["services"][0]) >= FIELDS
    assert done.json["services"][0]["state"] == "backoff"


def test_a_process_that_is_gone_is_not_shown_alive(
    run: "Callable[..., Done]", record: Callable[..., None]
) -> None:
    gone = Identity(pid=1, start_ticks=1, boot_id="another")
    record("api", desired=Desired.UP, actual=Actual.RUNNING, process=gone)

    assert run("status", "--json").json["services"][0]["pid"] is None


def test_one_service_is_shown_by_name_and_an_unknown_one_is_refused(
    run: "Callable[..., Done]", record: Callable[..., None]
) -> None:
    record("api")
    record("db")

    assert [one["name"] for one in run("status", "db", "--json").json["services"]] == ["db"]
    assert run("status", "dc").code == 2


def test_it_changes_nothing(
    home: Home, run: "Callable[..., Done]", record: Callable[..., None]
) -> None:
    record("api", desired=Desired.UP, actual=Actual.RUNNING)
    home.service("bad").write_text("{")

    def everything() -> dict[str, bytes]:
        return {str(p): p.read_bytes() for p in home.root.rglob("*") if p.is_file()}

    before = everything()
    run("status")
    run("status", "--json")

    assert everything() == before


def test_a_running_supervisor_answers(machine: "Machine") -> None:
    import json

    machine.config('[service.api]\ncommand = ["sleep", "6001"]\n')
    machine.up()
    machine.watchdog()
    shown = json.loads(machine.holdfast("status", "--json").stdout)

    assert shown["supervisor"]["state"] == "running"
    assert shown["watchdog"]["state"] == "running"
    assert shown["watchdog"]["pid"] in machine.living()
    assert set(shown["services"][0]) >= FIELDS
    assert shown["services"][0]["pid"] == machine.pid("api")


def test_it_imports_little(record: Callable[..., None], loaded: Callable[..., set[str]]) -> None:
    record("api")
    modules = loaded("status")

    assert not modules & {"msgspec", "asyncio", "subprocess", "shtab", "psutil", "logging"}
