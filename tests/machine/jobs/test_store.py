"""The record of a job on disk, changed by several side by side."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from holdfast.clock import boot_id
from holdfast.errors import Corrupt, LockTimeout
from holdfast.home import Home
from holdfast.machine.jobs import store
from holdfast.machine.process.identity import identify
from holdfast.model.job import JobRecord, Result, Run, Trigger
from holdfast.model.service import Identity, Now
from holdfast.statefile import locked

AT = 1_769_846_400.0
NOW = Now(wall=AT, mono=5.0, boot_id="b")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.make()
    return home


def run(number: int, **facts: object) -> Run:
    return Run(id=str(number), started_at=AT + number, **{"trigger": Trigger.EXTERNAL, **facts})  # type: ignore[arg-type]  # checked by from_plain


def test_a_job_that_never_ran_has_an_empty_record(home: Home) -> None:
    assert store.read(home, "report") == JobRecord(name="report")
    assert store.names(home) == []


def test_what_is_saved_is_read_again_and_private(home: Home) -> None:
    record = JobRecord(name="report", schedule="@daily", runs=(run(1, result=Result.FAILED),))
    assert store.save(home, record) == record
    assert store.read(home, "report") == record
    assert store.names(home) == ["report"]
    if sys.platform != "win32":
        assert home.job("report").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", ["", "{", "[]", '{"name": "other"}', '{"runs": []}'])
def test_what_is_no_record_is_refused_and_left_alone(home: Home, content: str) -> None:
    home.job("report").write_text(content)
    with pytest.raises(Corrupt):
        store.read(home, "report")
    with pytest.raises(Corrupt):
        store.save(home, JobRecord(name="report"))
    assert home.job("report").read_text() == content


def test_the_supervisor_and_external_runs_keep_each_others_rows(home: Home) -> None:
    ours = JobRecord(name="report", schedule="@daily", next_due_at=AT)
    store.save(home, ours)
    store.add_run(home, "report", run(1, result=Result.SUCCESS), NOW)
    ours = store.save(
        home, JobRecord(name="report", schedule="@daily", runs=(run(2, trigger=Trigger.MANUAL),))
    )
    assert [one.id for one in ours.runs] == ["1", "2"]
    store.add_run(home, "report", run(3), NOW)
    assert [one.id for one in store.read(home, "report").runs] == ["1", "2", "3"]
    assert store.read(home, "report").schedule == "@daily"


def test_one_run_written_twice_is_one_row(home: Home) -> None:
    me = identify(os.getpid())
    store.add_run(home, "report", run(1, runner=me), NOW)
    store.add_run(home, "report", run(1, result=Result.SUCCESS), NOW)
    store.add_run(home, "report", run(1, result=Result.SUCCESS), NOW)
    assert [one.result for one in store.read(home, "report").runs] == [Result.SUCCESS]


def test_a_run_whose_runner_was_killed_is_told_to_its_end_by_the_next(home: Home) -> None:
    gone = Identity(pid=2**22 - 1, start_ticks=1, boot_id=boot_id())
    me = identify(os.getpid())
    store.add_run(home, "report", run(1, runner=gone), NOW)
    assert store.read(home, "report").runs[0].result is None
    store.add_run(home, "report", run(2, runner=me), NOW)
    results = [one.result for one in store.read(home, "report").runs]
    assert results == [Result.UNKNOWN, None]


def test_the_supervisor_does_not_wait_long_for_a_record_somebody_holds(home: Home) -> None:
    holding = f"""
from holdfast.statefile import locked
with locked({str(home.job("report"))!r}):
    print(flush=True)
    input()
"""
    with subprocess.Popen(
        [sys.executable, "-c", holding], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(LockTimeout):
            store.save(home, JobRecord(name="report"), wait_for=0.01)
        holder.communicate(b"\n")
    store.save(home, JobRecord(name="report"))


def test_many_external_runs_at_once_lose_none(home: Home) -> None:
    adding = """
import sys
from pathlib import Path
from holdfast.home import Home
from holdfast.machine.jobs import store
from holdfast.model.job import Result, Run, Trigger
from holdfast.model.service import Now
for number in range(10):
    row = Run(id=f"{sys.argv[2]}{number}", trigger=Trigger.EXTERNAL, started_at=1.0, result=Result.SUCCESS)
    store.add_run(Home(Path(sys.argv[1])), "report", row, Now(wall=2.0, mono=0.0, boot_id="b"))
"""
    command = [sys.executable, "-c", adding, str(home.root)]
    for one in [subprocess.Popen([*command, letter]) for letter in "abc"]:
        assert one.wait() == 0
    assert len(store.read(home, "report").runs) == 30


def test_inside_the_lock_of_the_file_a_save_enters_it(home: Home) -> None:
    with locked(home.job("report")):
        store.save(home, JobRecord(name="report"), wait_for=0.0)
    assert json.loads(home.job("report").read_bytes())["name"] == "report"
