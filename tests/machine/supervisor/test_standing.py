"""What every supervisor of a home goes by, written once and understood by all of them."""

from pathlib import Path

import pytest

from holdfast.errors import UsageError
from holdfast.home import Home
from holdfast.machine.supervisor.standing import (
    LOOK_EVERY,
    STALE_AFTER,
    Standing,
    names_of_jobs,
    read,
    remember,
    remembered,
)
from holdfast.model.job import JobSpec
from holdfast.model.spec import ServiceSpec
from holdfast.model.wire import to_plain

JOB = JobSpec(program=ServiceSpec(name="report", command=("report",), cwd="/"))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    found = Home(tmp_path / "home")
    found.make()
    return found


def test_nothing_said_is_every_default(home: Home) -> None:
    assert read(remembered(home)) == Standing(look_every=LOOK_EVERY, stale_after=STALE_AFTER)


def test_what_was_said_once_is_obeyed_by_every_later_supervisor(home: Home) -> None:
    watchdog = {"check_every": 5.0, "stale_after": 20.0, "failures": 2}
    said = {
        "config": "/etc/holdfast.toml",
        "look_every": 30,
        "watchdog": watchdog,
        "last_resort": {"file": "/var/notices"},
        "jobs": [to_plain(JOB)],
    }
    remember(home, {**said, "specs": ["not for here"]})
    assert remembered(home) == said
    assert read(remembered(home)) == Standing(
        look_every=30.0,
        stale_after=20.0,
        watchdog=watchdog,
        last_resort={"file": "/var/notices"},
        jobs=(JOB,),
    )
    assert names_of_jobs(home) == {"report"}


def test_what_a_call_does_not_mention_stays_and_what_it_takes_back_is_gone(home: Home) -> None:
    remember(home, {"machine": "laptop", "last_resort": {"file": "/x"}})
    remember(home, {"last_resort": None})
    assert remembered(home) == {"machine": "laptop", "last_resort": None}


@pytest.mark.parametrize(
    "wrong",
    [
        {"look_every": "often"},
        {"look_every": 0},
        {"look_every": True},
        {"watchdog": []},
        {"watchdog": {"stale_after": -1}},
        {"last_resort": "me"},
        {"last_resort": {"file": 7}},
        {"last_resort": {"command": "logger"}},
        {"last_resort": {"command": [7]}},
        {"jobs": {"a": 1}},
        {"jobs": [{"schedule": "@daily"}]},
    ],
)
def test_what_has_another_form_than_expected_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        read(wrong)


@pytest.mark.parametrize("jobs", [[1], [{}], [{"program": 7}], {"a": 1}, 7])
def test_jobs_of_another_form_are_none(home: Home, jobs: object) -> None:
    remember(home, {"jobs": jobs})
    assert names_of_jobs(home) == set()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff"])
def test_a_broken_memory_is_no_memory(home: Home, content: bytes) -> None:
    home.config_pointer.write_bytes(content)
    assert remembered(home) == {}
    assert names_of_jobs(home) == set()
