"""What a look at the snapshots themselves proves, and what it says when it cannot look."""

from dataclasses import replace
from pathlib import Path

import pytest

from holdfast.errors import Refused
from holdfast.machine.backup.copy import Copy
from holdfast.machine.backup.engine import choose
from holdfast.machine.backup.evidence import observe
from holdfast.machine.backup.place import MARKER, is_remote
from holdfast.machine.backup.restic import Restic
from holdfast.machine.backup.retention import local_in, prune
from holdfast.model.backup import BackupRecord, BackupSpec, EngineName, Keep
from holdfast.rules.backups import taken as after


@pytest.fixture
def spec(tmp_path: Path) -> BackupSpec:
    project = tmp_path / "project"
    project.mkdir()
    (project / "a").write_text("alpha", encoding="utf-8")
    return BackupSpec(
        name="notes", path=str(project), repository=str(tmp_path / "repository"), host="box"
    )


def test_a_project_that_was_never_backed_up_misses_no_repository(spec: BackupSpec) -> None:
    record, facts = observe(spec, None, BackupRecord(name="notes"), 5.0)
    assert (facts["missing"], facts["covered_at"], record.engine) == ("", None, None)


def test_a_snapshot_nobody_told_of_is_found_and_a_claim_without_one_is_not(
    spec: BackupSpec,
) -> None:
    engine = Copy(spec)
    engine.init()
    claim = BackupRecord(name="notes", covered_at=9e9, last_attempt_at=9e9)
    assert observe(spec, engine, claim, 1e10)[1]["covered_at"] is None
    made = engine.backup()
    now = made.began_at + 60
    record, facts = observe(spec, None, BackupRecord(name="notes"), now)
    assert facts["covered_at"] == made.began_at
    assert (facts["files"], facts["snapshot_seen_at"]) == (1, now)
    assert record.engine is EngineName.COPY


def test_a_project_or_a_repository_that_is_gone_is_missing_and_ages_on(
    spec: BackupSpec, tmp_path: Path
) -> None:
    engine = Copy(spec)
    engine.init()
    made = engine.backup()
    record = after(BackupRecord(name="notes"), made, made.began_at, settle_after=1.0)
    record, _ = observe(spec, engine, record, made.began_at)
    (tmp_path / "project").rename(tmp_path / "away")
    _, facts = observe(spec, engine, record, made.began_at + 5)
    assert "project folder" in str(facts["missing"])
    assert facts["covered_at"] == made.began_at
    (Path(spec.repository) / MARKER).unlink()
    _, facts = observe(spec, None, record, made.began_at + 5)
    assert str(facts["missing"]).startswith("the repository")
    assert facts["covered_at"] == made.began_at
    (tmp_path / "away").rename(tmp_path / "project")
    moved = replace(spec, repository=str(tmp_path / "new"))
    record, facts = observe(moved, None, record, made.began_at + 5)
    assert (facts["missing"], facts["covered_at"], record.snapshots) == ("", None, ())


def test_what_keeps_from_looking_is_told_and_what_was_known_stays(spec: BackupSpec) -> None:
    Copy(spec).init()
    known = BackupRecord(name="notes", covered_at=7.0)
    wrong = replace(spec, engine=EngineName.RESTIC)
    record, facts = observe(wrong, None, known, 9.0)
    assert "repository of copy" in str(facts["unverified"])
    assert (record.covered_at, facts["covered_at"]) == (7.0, 7.0)


def test_the_engine_is_what_the_repository_is_then_what_is_named_then_what_there_is(
    spec: BackupSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked = replace(spec, password_file=str(tmp_path / "password"))
    tool = tmp_path / "bin" / "restic"
    tool.parent.mkdir()
    tool.touch(mode=0o700)
    monkeypatch.setenv("PATH", str(tool.parent))
    assert isinstance(choose(locked), Restic)
    assert isinstance(choose(spec), Copy)
    assert isinstance(choose(replace(locked, engine=EngineName.COPY)), Copy)
    with pytest.raises(Refused, match="password_file"):
        choose(replace(spec, engine=EngineName.RESTIC))
    monkeypatch.setenv("PATH", "/nowhere")
    assert isinstance(choose(locked), Copy)
    assert isinstance(choose(replace(locked, repository="sftp:box:/backups")), Restic)
    Copy(spec).init()
    monkeypatch.setenv("PATH", str(tool.parent))
    assert isinstance(choose(locked), Copy)


def test_a_letter_before_a_colon_is_no_remote_repository() -> None:
    assert [is_remote(one) for one in ("rest:http://box/", "s3:x", "C:\\backups", "/s3:x")] == [
        True,
        True,
        False,
        False,
    ]


def test_what_no_period_needs_is_removed_from_the_repository(
    spec: BackupSpec, tmp_path: Path
) -> None:
    engine = Copy(replace(spec, timezone="Europe/Berlin"))
    engine.init()
    record = BackupRecord(name="notes")
    for text in ("one", "two", "three"):
        (tmp_path / "project" / "a").write_text(text, encoding="utf-8")
        made = engine.backup()
        record = after(record, made, made.began_at, settle_after=1.0)
    one = Keep(hourly=0, daily=1, weekly=0, monthly=0)
    assert len(prune(replace(spec, keep=one), engine, record)) == 2
    assert len(engine.snapshots()) == 1
    assert local_in("Europe/Berlin")(0.0).hour == 1
    assert local_in(None)(0.0).tzinfo is not None
