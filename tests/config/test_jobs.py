"""From the section of a job to what the supervisor runs."""

from pathlib import Path

from holdfast.config.jobs import jobs_of
from holdfast.config.load import load
from holdfast.model.job import JobSpec, Overlap
from holdfast.model.spec import When


def jobs(tmp_path: Path, text: str) -> dict[str, JobSpec]:
    path = tmp_path / "holdfast.toml"
    path.write_text(text, encoding="utf-8")
    return {spec.name: spec for spec in jobs_of(load(path).jobs)}


def test_a_job_says_when_and_how_long_it_runs(tmp_path: Path) -> None:
    spec = jobs(
        tmp_path,
        """
        [job.report]
        command = ["python", "report.py"]
        schedule = "0 7 * * *"
        timezone = "Europe/Berlin"
        timeout = "1h"
        overlap = "queue"
        grace = "15m"
        env = { A = "1" }
        umask = "027"
        """,
    )["report"]
    assert (spec.schedule, spec.timezone) == ("0 7 * * *", "Europe/Berlin")
    assert (spec.timeout, spec.overlap, spec.grace) == (3600.0, Overlap.QUEUE, 900.0)
    assert spec.program.command == ("python", "report.py")
    assert spec.program.cwd == str(tmp_path)
    assert (spec.program.env, spec.program.umask) == ({"A": "1"}, 0o027)


def test_its_program_starts_only_when_it_is_due_and_never_again(tmp_path: Path) -> None:
    program = jobs(tmp_path, '[job.report]\ncommand = "true"\n')["report"].program
    assert program.autostart is False
    assert program.restart.when is When.NEVER


def test_what_is_not_said_has_its_default(tmp_path: Path) -> None:
    spec = jobs(tmp_path, '[job.report]\ncommand = "true"\nenabled = false\n')["report"]
    assert (spec.schedule, spec.timezone, spec.timeout) == (None, None, None)
    assert spec.overlap is Overlap.SKIP
    assert spec.program.enabled is False
