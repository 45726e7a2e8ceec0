"""Jobs of a whole Holdfast: on time, on demand, over the death of the supervisor, and those of somebody else's cron."""

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.conftest import Machine

SLOW = """
    [service.api]
    command = ["sleep", "8101"]

    [job.report]
    command = ["sh", "-c", "echo begun; while [ ! -e go ]; do sleep 0.02; done; echo over"]
    overlap = "{overlap}"
"""


def listed(machine: "Machine") -> dict[str, dict[str, Any]]:
    rows = json.loads(machine.holdfast("job", "list", "--json").stdout)
    return {row["name"]: row for row in rows}


def history(machine: "Machine", name: str = "report") -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(
        machine.holdfast("job", "history", name, "--json").stdout
    )
    return rows


def ended(machine: "Machine", count: int = 1) -> list[dict[str, Any]]:
    """Wait until so many runs are over, and none is under way."""

    def look() -> list[dict[str, Any]]:
        rows = history(machine)
        return rows if len(rows) >= count and all(row["result"] for row in rows) else []

    rows: list[dict[str, Any]] = machine.await_(look)
    return rows


def let_go(machine: "Machine") -> None:
    """Let the slow job come to its end."""
    (machine.root / "go").touch()


def test_a_job_on_demand_runs_and_its_result_is_the_exit_code(machine: "Machine") -> None:
    machine.config("""
        [job.good]
        command = ["echo", "17 rows"]
        [job.bad]
        command = ["sh", "-c", "echo no; exit 3"]
    """)
    machine.up()
    assert "17 rows" in machine.holdfast("job", "run", "good").stdout
    answer = json.loads(machine.holdfast("job", "run", "bad", "--json", expect=1).stdout)
    assert (answer["run"]["result"], answer["run"]["exit_code"]) == ("failed", 3)
    assert answer["run"]["output_tail"] == "no\n"
    machine.holdfast("job", "run", "gud", expect=2)
    kinds = [event["kind"] for event in machine.events() if event["subject"] in ("good", "bad")]
    assert kinds == ["job.started", "job.finished", "job.started", "job.failed"]


def test_a_job_is_no_service(machine: "Machine") -> None:
    machine.config(SLOW.format(overlap="skip"))
    machine.up()
    assert machine.rows().keys() == {"api"}
    assert machine.status()["health"]["total"] == 1
    assert machine.living("report") == []
    machine.holdfast("stop", "--all")
    machine.holdfast("start", "--all")
    assert machine.living("report") == []
    assert history(machine) == []


def test_a_job_runs_when_it_is_due(machine: "Machine") -> None:
    machine.config("""
        [job.report]
        command = ["echo", "on time"]
        schedule = "* * * * *"
        timezone = "UTC"
    """)
    machine.up()
    # As if it had been last due long ago: waiting for a minute would show no more.
    machine.holdfast("down")
    path = machine.home / "jobs" / "report.json"
    record = json.loads(path.read_bytes())
    assert record["next_due_at"] % 60 == 0
    for key in ("since_at", "next_due_at"):
        record[key] -= 7200
    record[
        "runs"
    ] = []  # a minute may have turned just before, and `down` have killed what was due then
    path.write_text(json.dumps(record))
    machine.up()
    first = ended(machine)[0]
    assert (first["trigger"], first["result"]) in (("schedule", "success"), ("missed", "success"))
    assert first["output_tail"] == "on time\n"
    assert listed(machine)["report"]["next_due_at"] > first["due_at"]


@pytest.mark.parametrize(
    ("overlap", "code", "results"),
    [
        ("skip", 4, ["success"]),
        ("queue", 0, ["success", "success"]),
        ("kill", 0, ["killed", "success"]),
    ],
)
def test_a_job_that_is_ordered_while_it_runs_does_as_it_was_told(
    machine: "Machine", overlap: str, code: int, results: list[str]
) -> None:
    machine.config(SLOW.format(overlap=overlap))
    machine.up()
    machine.holdfast("job", "run", "report", "--no-wait")
    machine.await_(lambda: b"begun" in machine.log("report"))
    machine.holdfast("job", "run", "report", "--no-wait", expect=code)
    assert len(machine.copies("report")) <= 1
    let_go(machine)
    assert [row["result"] for row in ended(machine, len(results))] == results
    machine.await_(lambda: machine.living("report") == [])


def test_a_job_that_takes_too_long_is_ended_with_all_it_started(machine: "Machine") -> None:
    machine.config("""
        [job.report]
        command = ["sh", "-c", "setsid sleep 8102 & exec sleep 8103"]
        timeout = "300ms"
    """)
    machine.up()
    answer = json.loads(machine.holdfast("job", "run", "report", "--json", expect=1).stdout)
    assert answer["run"]["result"] == "timeout"
    assert machine.living("report") == []


def test_a_run_outlives_the_supervisor_and_is_told_to_its_end_by_the_next(
    machine: "Machine",
) -> None:
    machine.config(SLOW.format(overlap="skip"))
    machine.up()
    machine.holdfast("job", "run", "report", "--no-wait")
    machine.await_(lambda: b"begun" in machine.log("report"))
    (pid,) = machine.copies("report")
    for _ in range(3):
        machine.kill_supervisor()
        machine.up()
        assert machine.copies("report") == [pid]
    let_go(machine)
    (row,) = ended(machine)
    assert row["output_tail"] == "begun\nover\n"
    assert (row["result"], row["exit_code"]) == ("success", 0)
    assert machine.rows().keys() == {"api"}


def test_a_run_that_ends_while_nobody_looks_is_told_to_its_end(machine: "Machine") -> None:
    machine.config(SLOW.format(overlap="skip"))
    machine.up()
    machine.holdfast("job", "run", "report", "--no-wait")
    machine.await_(lambda: b"begun" in machine.log("report"))
    machine.holdfast("down", "--keep-services")
    let_go(machine)
    machine.await_(lambda: machine.living("report") == [])
    machine.up()
    (row,) = ended(machine)
    assert row["result"] in ("success", "unknown")
    assert row["output_tail"].startswith("begun\n")  # its last words had no keeper


def test_a_reload_adds_takes_out_and_leaves_alone(machine: "Machine") -> None:
    machine.config(SLOW.format(overlap="skip"))
    machine.up()
    machine.holdfast("job", "run", "report", "--no-wait")
    machine.await_(lambda: b"begun" in machine.log("report"))
    (pid,) = machine.copies("report")
    extra = '\n    [job.extra]\n    command = ["true"]\n    schedule = "@yearly"\n'
    machine.config(SLOW.format(overlap="queue") + extra)
    machine.holdfast("reload")
    assert machine.copies("report") == [pid]
    assert listed(machine).keys() == {"report", "extra"}
    assert listed(machine)["report"]["overlap"] == "queue"
    machine.config(extra)
    machine.holdfast("reload")
    assert machine.living("report") == []
    assert [row["result"] for row in history(machine)] == ["killed"]


def test_down_ends_a_run_and_up_does_not_begin_it_again(machine: "Machine") -> None:
    machine.config(SLOW.format(overlap="skip"))
    machine.up()
    machine.holdfast("job", "run", "report", "--no-wait")
    machine.await_(lambda: b"begun" in machine.log("report"))
    machine.holdfast("down")
    assert machine.living() == []
    assert [row["result"] for row in history(machine)] == ["killed"]
    machine.up()
    assert machine.living("report") == []
    assert len(history(machine)) == 1


def test_a_run_of_another_cron_is_remembered_and_told(machine: "Machine") -> None:
    machine.config(SLOW.format(overlap="skip"))
    machine.up()
    done = machine.holdfast(
        "run", "--check", "export", "--", "sh", "-c", "echo 17; exit 5", expect=5
    )
    assert done.stdout == "17\n"
    (row,) = history(machine, "export")
    assert (row["trigger"], row["result"], row["exit_code"]) == ("external", "failed", 5)
    # The run is over and on disk; the supervisor is told of it, and nobody waits long for it.
    (event,) = machine.await_(
        lambda: [event for event in machine.events() if event["subject"] == "export"]
    )
    assert (event["kind"], event["exit_code"]) == ("job.failed", 5)
    assert listed(machine)["export"]["kind"] == "external"
    machine.holdfast("down")
    machine.holdfast("run", "--check", "export", "--", "true")
    assert [row["result"] for row in history(machine, "export")] == ["failed", "success"]
