"""What `doctor` says of the watchdog."""

import os
from pathlib import Path
from typing import Any

import pytest

from holdfast import statefile
from holdfast.cli.checkups.finding import Finding, Grade
from holdfast.cli.checkups.watchdog import of_status, watchdog
from holdfast.home import Home

NOW = 1_769_846_400.0


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.make()
    return home


def look(home: Home) -> Finding:
    (found,) = watchdog(home)
    return found


def said(status: str, **more: Any) -> dict[str, Any]:
    return {"status": status, "pid": 7, "last_check": NOW - 5, "daemon_count": 2} | more


def test_where_nothing_runs_nothing_is_missing(home: Home) -> None:
    assert (look(home).grade, look(home).found) == (Grade.OK, "not running")


def test_a_supervisor_without_a_watchdog_is_told(home: Home) -> None:
    with statefile.hold(home.supervisor_lock):
        assert look(home).grade is Grade.WARN


def test_a_watchdog_that_has_said_nothing_is_told(home: Home) -> None:
    with statefile.hold(home.watchdog_lock):
        assert look(home).grade is Grade.WARN
        home.watchdog_status.write_text("no JSON")
        assert look(home).grade is Grade.WARN


def test_what_it_says_is_read_from_its_file(home: Home) -> None:
    told = {"status": "healthy", "pid": os.getpid(), "last_check": NOW}
    statefile.write_json(home.watchdog_status, told)
    with statefile.hold(home.watchdog_lock):
        assert look(home).grade is Grade.OK


@pytest.mark.parametrize(
    ("status", "grade"),
    [("healthy", Grade.OK), ("warning", Grade.WARN), ("error", Grade.FAIL)],
)
def test_its_word_is_the_verdict(status: str, grade: Grade) -> None:
    found = of_status(7, said(status), NOW)
    assert found.grade is grade
    assert found.found == f"running, pid 7, {status}, last look 5 s ago"


def test_what_an_earlier_one_left_is_not_its_word() -> None:
    assert of_status(8, said("healthy"), NOW).grade is Grade.WARN
