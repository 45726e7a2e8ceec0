"""`holdfast job` from disk; what needs a supervisor is told in the flows."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from holdfast.home import Home
from holdfast.machine.jobs import store
from holdfast.model.job import JobRecord, JobSpec, Result, Run, Trigger
from holdfast.model.spec import ServiceSpec
from holdfast.model.wire import to_plain

if TYPE_CHECKING:
    from tests.cli.conftest import Done

AT = 1_769_846_400.0


def row(number: int, **facts: Any) -> Run:
    usual = {
        "id": str(number),
        "trigger": Trigger.SCHEDULE,
        "started_at": AT + number,
        "duration_s": 2.0,
        "result": Result.SUCCESS,
        "exit_code": 0,
    }
    return Run(**{**usual, **facts})


@pytest.fixture
def report(home: Home) -> None:
    """Leave a configured job with three runs and the record of an external one, as a supervisor that is gone did."""
    spec = JobSpec(
        program=ServiceSpec(name="report", command=("true",), cwd="/"),
        schedule="0 7 * * *",
        timezone="Europe/Berlin",
    )
    home.config_pointer.write_text(json.dumps({"jobs": [to_plain(spec)]}))
    rows = (
        row(1),
        row(2, result=Result.FAILED, exit_code=3),
        row(3, result=None, duration_s=None),
    )
    store.save(home, JobRecord(name="report", runs=rows))
    other = row(
        1,
        trigger=Trigger.EXTERNAL,
        duration_s=75.0,
        result=Result.FAILED,
        exit_code=None,
        signal=9,
    )
    store.save(home, JobRecord(name="export", runs=(other,)))


@pytest.mark.usefixtures("report")
def test_without_a_supervisor_the_list_is_read_from_disk_and_says_so(
    run: "Callable[..., Done]",
) -> None:
    done = run("job", "list", "--json")
    assert done.code == 3
    assert "no supervisor answers" in done.err
    assert [(one["name"], one["kind"]) for one in done.json] == [
        ("report", "job"),
        ("export", "external"),
    ]
    assert done.json[0]["schedule"] == "0 7 * * *"


@pytest.mark.usefixtures("report")
def test_the_list_is_a_table(run: "Callable[..., Done]") -> None:
    head, report, export = run("job", "list").lines
    assert head.split() == ["NAME", "SCHEDULE", "NEXT", "LAST", "RESULT", "TOOK"]
    assert report.split()[:7] == ["report", "0", "7", "*", "*", "*", "Europe/Berlin"]
    assert report.endswith("under way  -")
    assert export.split()[-2:] == ["1m", "15s"]


def test_no_jobs_at_all_is_said(run: "Callable[..., Done]") -> None:
    assert "there are no jobs" in run("job", "list").out
    assert run("job", "list", "-q").out == ""


@pytest.mark.usefixtures("report")
def test_the_history_is_a_list_with_the_newest_last(run: "Callable[..., Done]") -> None:
    done = run("job", "history", "report", "--json")
    assert done.code == 0
    assert [(one["result"], one["exit_code"]) for one in done.json] == [
        ("success", 0),
        ("failed", 3),
        (None, 0),
    ]
    assert run("job", "history", "report", "-n", "1", "--json").json == done.json[-1:]
    assert run("job", "history", "report", "-n", "0", "--json").json == []


@pytest.mark.usefixtures("report")
def test_the_history_is_a_table_with_names_of_signals(run: "Callable[..., Done]") -> None:
    assert run("job", "history", "export").lines[1].split() == [
        "2026-01-31T08:00:01.000Z",
        "external",
        "failed",
        "SIGKILL",
        "1m",
        "15s",
    ]


@pytest.mark.usefixtures("report")
@pytest.mark.parametrize("name", ["reprot", "../report", ""])
def test_an_unknown_name_is_refused(run: "Callable[..., Done]", name: str) -> None:
    done = run("job", "history", name)
    assert (done.code, done.out) == (2, "")
    assert "there is no job" in done.err


@pytest.mark.usefixtures("report")
def test_a_negative_number_is_refused(run: "Callable[..., Done]") -> None:
    assert run("job", "history", "report", "-n", "-1").code == 2


def test_a_job_that_never_ran_says_so(home: Home, run: "Callable[..., Done]") -> None:
    store.save(home, JobRecord(name="report"))
    assert run("job", "history", "report").lines == ["report never ran"]


def test_a_record_that_cannot_be_read_is_named_and_left_alone(
    home: Home, run: "Callable[..., Done]"
) -> None:
    home.job("report").write_text("{")
    done = run("job", "history", "report")
    assert done.code == 6
    assert str(home.job("report")) in done.err
    assert home.job("report").read_text() == "{"


def test_a_run_needs_a_supervisor(run: "Callable[..., Done]") -> None:
    assert run("job", "run", "report").code == 3


@pytest.mark.usefixtures("report")
def test_the_past_costs_no_heavy_import(loaded: Callable[..., set[str]]) -> None:
    modules = loaded("job", "history", "report")
    assert not modules & {"asyncio", "cronsim", "msgspec", "psutil", "shtab", "subprocess"}
