"""What `job list` and `job history` show is the same with and without a supervisor."""

import json
from pathlib import Path

import pytest

from holdfast.clock import boot_id
from holdfast.home import Home
from holdfast.machine.jobs import store, view
from holdfast.model.job import JobRecord, JobSpec, Result, Run, Trigger
from holdfast.model.service import Identity, Now
from holdfast.model.spec import ServiceSpec
from holdfast.model.wire import to_plain

AT = 1_769_846_400.0
SPEC = JobSpec(
    program=ServiceSpec(name="report", command=("true",), cwd="/"),
    schedule="0 7 * * *",
    timezone="Europe/Berlin",
    timeout=60.0,
)
OVER = Run(
    id="1",
    trigger=Trigger.SCHEDULE,
    started_at=AT,
    due_at=AT,
    ended_at=AT + 2,
    duration_s=2.0,
    result=Result.SUCCESS,
    exit_code=0,
    output_tail="ok\n",
)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.make()
    return home


def test_a_run_is_shown_with_times_for_people() -> None:
    assert view.run_row(OVER) == {
        "id": "1",
        "trigger": "schedule",
        "due_at": "2026-01-31T08:00:00.000Z",
        "started_at": "2026-01-31T08:00:00.000Z",
        "ended_at": "2026-01-31T08:00:02.000Z",
        "duration_s": 2.0,
        "result": "success",
        "exit_code": 0,
        "signal": None,
        "why": "",
        "output_tail": "ok\n",
    }


def test_a_job_is_shown_with_its_last_run() -> None:
    row = view.job_row(SPEC, JobRecord(name="report", next_due_at=AT, runs=(OVER,)), 17)
    assert (row["name"], row["kind"], row["schedule"], row["pid"]) == (
        "report",
        "job",
        "0 7 * * *",
        17,
    )
    assert row["next_due_at"] == "2026-01-31T08:00:00.000Z"
    assert row["last_run"] == view.run_row(OVER)
    assert view.job_row(SPEC, JobRecord(name="report"))["last_run"] is None


def test_external_runs_are_listed_unless_their_name_is_known_or_their_record_is_broken(
    home: Home,
) -> None:
    row = Run(id="1", trigger=Trigger.EXTERNAL, started_at=AT, result=Result.SUCCESS)
    for name in ("report", "export"):
        store.add_run(home, name, row, Now(wall=AT, mono=0.0, boot_id="b"))
    home.job("broken").write_text("{")
    store.save(home, JobRecord(name="never-ran"))
    rows = view.external_rows(home, frozenset({"report"}), AT)
    assert [(found["name"], found["kind"]) for found in rows] == [("export", "external")]


def test_a_run_whose_runner_is_gone_is_not_shown_as_under_way() -> None:
    gone = Identity(pid=2**22 - 1, start_ticks=1, boot_id=boot_id())
    row = Run(id="1", trigger=Trigger.EXTERNAL, started_at=AT, runner=gone)
    found = view.as_it_is(JobRecord(name="export", runs=(row,)), AT + 5)
    assert found.runs[0].result is Result.UNKNOWN


@pytest.mark.parametrize("plain", [{}, [], {"jobs": None}, {"jobs": [{}]}])
def test_without_a_configuration_there_are_no_jobs(home: Home, plain: object) -> None:
    assert view.remembered_jobs(home) == []
    home.config_pointer.write_text(json.dumps(plain))
    assert view.remembered_jobs(home) == []


def test_the_jobs_of_the_last_configuration_are_known_from_disk(home: Home) -> None:
    home.config_pointer.write_text(json.dumps({"jobs": [to_plain(SPEC)]}))
    assert view.remembered_jobs(home) == [SPEC]
