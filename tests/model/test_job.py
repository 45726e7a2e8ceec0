"""What is remembered of a job survives its way to disk and back."""

import json

from holdfast.model.job import JobRecord, JobSpec, Mark, Overlap, Result, Run, Trigger
from holdfast.model.service import Identity
from holdfast.model.spec import ServiceSpec
from holdfast.model.wire import from_plain, to_plain

RUN = Run(
    id="1",
    trigger=Trigger.QUEUED,
    started_at=1.5,
    result=Result.TIMEOUT,
    began=Mark(inode=3, size=4),
    runner=Identity(pid=1, start_ticks=2, boot_id="b"),
)


def test_a_record_survives_json() -> None:
    record = JobRecord(name="report", waiting=Trigger.MISSED, last_due_at=1.0, runs=(RUN,))
    assert from_plain(JobRecord, json.loads(json.dumps(to_plain(record)))) == record


def test_a_description_survives_json_and_bears_the_name_of_its_program() -> None:
    program = ServiceSpec(name="report", command=("true",), cwd="/")
    spec = JobSpec(program=program, schedule="@daily", overlap=Overlap.KILL, timeout=3.0)
    assert from_plain(JobSpec, json.loads(json.dumps(to_plain(spec)))) == spec
    assert spec.name == "report"
