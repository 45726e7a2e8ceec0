"""A run is a success only with a snapshot that is believed, and everything it finds is written down and told."""

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from holdfast import statefile
from holdfast.clock import SystemClock
from holdfast.errors import LockHeld, Refused, StateIOError, UnknownName
from holdfast.home import Home
from holdfast.machine.backup import record
from holdfast.machine.backup.copy import Copy
from holdfast.machine.backup.engine import (
    BackupFailed,
    Engine,
    Phase,
    Progress,
    ProjectMissing,
    Report,
    RepositoryMissing,
    RepositoryUnusable,
    Verdict,
    choose,
    silent,
)
from holdfast.machine.backup.progress import ProgressFile, path_of
from holdfast.machine.backup.run import Ports, back_up, ended_by_signals, run, verify
from holdfast.machine.backup.telling import Told
from holdfast.model.backup import BackupRecord, EngineName, Keep, Snapshot, Taken
from holdfast.model.check import CheckKind, CheckSpec, Evidence, Observation
from holdfast.model.project import Project
from holdfast.model.wire import from_plain, to_plain
from holdfast.rules.evidence import observed

DAY = 86_400.0


class Hand(SystemClock):
    """The clock of this machine, put forward by a test."""

    ahead = 0.0

    def wall(self) -> float:
        return super().wall() + self.ahead


class Bench:
    def __init__(self, root: Path) -> None:
        self.home = Home(root / "home")
        self.home.make()
        self.folder = root / "notes"
        self.folder.mkdir()
        (self.folder / "a.md").write_text("one", encoding="utf-8")
        self.spec = Project(
            name="notes",
            path=str(self.folder),
            repository=str(root / "repository"),
            engine=EngineName.COPY,
            host="here",
        )
        self.clock = Hand()
        self.told: list[Told] = []
        self.said: list[str] = []
        self.is_heard = True
        self.wrap: Callable[[Engine], Any] = lambda engine: engine

    def tell(self, _home: Home, events: Sequence[Told]) -> bool:
        self.told += events
        return self.is_heard

    @property
    def ports(self) -> Ports:
        return Ports(
            clock=self.clock,
            choose=lambda spec: self.wrap(choose(spec)),
            tell=self.tell,
            say=self.said.append,
        )

    def back_up(self, **changes: Any) -> int:
        self.told.clear()
        self.said.clear()
        return back_up(self.home, replace(self.spec, **changes), self.ports)

    @property
    def kinds(self) -> list[str]:
        return [one.kind for one in self.told]

    @property
    def observation(self) -> dict[str, object]:
        return dict(self.told[-1].facts)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


class Over:
    """An engine in front of another; a test puts its own calls in the place of some."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.name = engine.name

    def __getattr__(self, name: str) -> object:
        return getattr(self.engine, name)


def test_a_run_makes_a_snapshot_writes_it_down_and_tells_it(bench: Bench) -> None:
    assert bench.back_up() == 0
    found = record.read(bench.home, "notes")
    assert [one.valid for one in found.snapshots] == [True]
    assert found.engine is EngineName.COPY
    assert found.told
    assert bench.kinds == ["backup.verified", "backup.observed"]
    assert bench.observation["covered_at"] == found.covered_at
    assert not {"id", "at", "kind", "subject"} & bench.observation.keys()
    json.dumps([dict(one.facts) for one in bench.told])
    assert "made snapshot" in bench.said[1]


def test_a_project_that_did_not_change_is_fresh_all_the_same(bench: Bench) -> None:
    bench.back_up()
    before = record.read(bench.home, "notes")
    bench.clock.ahead = 100.0
    in_its_time(bench)
    assert bench.back_up() == 0
    after = record.read(bench.home, "notes")
    assert len(after.snapshots) == 1
    assert (after.covered_at or 0) - (before.covered_at or 0) > 90


def test_a_project_that_never_changes_stays_fresh_for_the_hub(bench: Bench) -> None:
    check = CheckSpec(
        name="notes", kind=CheckKind.BACKUP, warning_after=DAY, critical_after=3 * DAY
    )
    evidence = Evidence(first_seen_at=bench.clock.wall())
    in_its_time(bench)
    for day in range(5):
        bench.clock.ahead = day * DAY
        assert bench.back_up() == 0
        now = bench.clock.wall()
        seen = from_plain(Observation, {"at": now, **bench.observation})
        evidence = observed(check, evidence, seen, now)
        assert evidence.last_success_at is not None
        assert now - evidence.last_success_at < DAY


def test_a_clock_that_was_ahead_makes_nothing_fresh_once_it_is_right(bench: Bench) -> None:
    class Locked(Over):
        def backup(self, report: Report = silent) -> Taken:
            raise RepositoryUnusable("locked", cause="locked")

        def snapshots(self) -> tuple[Snapshot, ...]:
            raise RepositoryUnusable("locked", cause="locked")

    in_its_time(bench)
    bench.back_up()
    bench.clock.ahead = 9 * DAY
    assert bench.back_up() == 0
    bench.clock.ahead = 0.0
    bench.wrap = Locked
    with pytest.raises(RepositoryUnusable):
        bench.back_up()
    covered = bench.observation["covered_at"]
    assert isinstance(covered, float)
    assert covered <= bench.clock.wall()


def test_what_was_removed_by_hand_does_not_fail_the_run_that_would_forget_it(bench: Bench) -> None:
    in_its_time(bench)
    for hours in (0, 2, 4):
        bench.clock.ahead = hours * 3600.0
        (bench.folder / "a.md").write_text(f"{hours}", encoding="utf-8")
        bench.back_up()
    first = record.read(bench.home, "notes").snapshots[0].id
    shutil.rmtree(Path(bench.spec.repository, "here", "notes", first))
    bench.clock.ahead = 6 * 3600.0
    (bench.folder / "a.md").write_text("six", encoding="utf-8")
    assert bench.back_up(keep=Keep(hourly=1, daily=0, weekly=0, monthly=0)) == 0


def test_a_verify_that_comes_to_nothing_is_no_failed_backup(bench: Bench) -> None:
    class Broken(Over):
        def verify(
            self, snapshot: str, part: int | None, parts: int, report: Report = silent
        ) -> Verdict:
            raise bench_error

    bench.back_up()
    bench.wrap = Broken
    for bench_error in (KeyboardInterrupt(), RepositoryUnusable("locked", cause="locked")):
        bench.told.clear()
        with pytest.raises(type(bench_error)):
            verify(bench.home, bench.spec, bench.ports, whole=False)
        assert (bench.kinds, bench.observation["failure"]) == (["backup.observed"], "")


def test_what_the_system_refuses_is_a_failure_that_is_remembered(bench: Bench) -> None:
    class Refusing(Over):
        def backup(self, report: Report = silent) -> Taken:
            raise PermissionError(13, "Permission denied", "/x")

    bench.wrap = Refusing
    with pytest.raises(PermissionError):
        bench.back_up()
    assert bench.observation["failure"] == "/x: Permission denied"


def test_a_full_state_folder_does_not_keep_a_project_from_being_backed_up(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(home: Home, found: BackupRecord) -> None:
        path = str(home.backup(found.name))
        raise StateIOError(f"{path}: No space left", path=path, errno_name="ENOSPC")

    monkeypatch.setattr(record, "save", full)
    assert bench.back_up() == 0
    assert any("not remembered" in line for line in bench.said)


def test_a_project_that_leads_into_its_repository_is_refused(bench: Bench, tmp_path: Path) -> None:
    inner = tmp_path / "repository" / "inner"
    inner.mkdir(parents=True)
    (tmp_path / "link").symlink_to(inner)
    with pytest.raises(Refused, match="lies within its repository"):
        bench.back_up(path=str(tmp_path / "link"))


def test_what_nobody_heard_is_remembered_as_untold(bench: Bench) -> None:
    bench.is_heard = False
    assert bench.back_up() == 0
    assert record.read(bench.home, "notes").told is False


def test_a_missing_folder_is_a_failure_that_is_told(bench: Bench) -> None:
    bench.back_up()
    bench.folder.rename(bench.folder.with_name("elsewhere"))
    with pytest.raises(ProjectMissing):
        bench.back_up()
    assert bench.kinds == ["backup.failed", "backup.observed"]
    assert "is not there" in str(bench.observation["missing"])
    assert record.read(bench.home, "notes").last_failure_at is not None


def test_a_repository_that_is_gone_is_never_made_anew(bench: Bench) -> None:
    bench.back_up()
    Path(bench.spec.repository).rename(f"{bench.spec.repository}-away")
    with pytest.raises(RepositoryMissing):
        bench.back_up()
    assert not Path(bench.spec.repository).exists()
    assert "repository" in str(bench.observation["missing"])
    assert bench.back_up(repository=f"{bench.spec.repository}-new") == 0


def test_a_snapshot_that_is_not_believed_is_told_in_the_last_line(bench: Bench) -> None:
    (bench.folder / "a.md").unlink()
    assert bench.back_up() == 1
    assert "failed" in bench.said[-1]
    assert "holds no file" in bench.said[-1]


def test_an_empty_project_is_no_success(bench: Bench) -> None:
    bench.back_up()
    covered = record.read(bench.home, "notes").covered_at
    (bench.folder / "a.md").unlink()
    assert bench.back_up() == 1
    assert record.read(bench.home, "notes").covered_at == covered
    assert bench.observation["suspect"]


def test_what_is_too_old_is_forgotten_and_the_newest_stays(bench: Bench) -> None:
    for turn in range(3):
        bench.clock.ahead = turn * 2 * DAY
        (bench.folder / "a.md").write_text(f"version {turn}", encoding="utf-8")
        wanted = {"keep": Keep(hourly=1, daily=1, weekly=1, monthly=1)}
        in_its_time(bench)
        assert bench.back_up(**wanted) == 0
    left = record.read(bench.home, "notes").snapshots
    assert 1 <= len(left) < 3
    assert "backup.pruned" in bench.kinds


def in_its_time(bench: Bench) -> None:
    """Let the engine live in the time of the bench."""
    bench.wrap = lambda _engine: Copy(bench.spec, clock=bench.clock)


def test_damage_is_told_and_fails_the_run(bench: Bench) -> None:
    class Damaged(Over):
        def verify(
            self, snapshot: str, part: int | None, parts: int, report: Report = silent
        ) -> Verdict:
            return Verdict(
                sound=False, snapshot=snapshot, part=part, parts=parts, why="a.md is other"
            )

    bench.wrap = Damaged
    assert bench.back_up() == 1
    assert "backup.damaged" in bench.kinds
    assert "a.md is other" in str(bench.observation["suspect"])


def test_another_run_of_the_same_project_is_refused(bench: Bench) -> None:
    with statefile.hold(record.lock_of(bench.home, "notes")):
        assert record.running(bench.home, "notes") == os.getpid()
        with pytest.raises(LockHeld, match=f"pid {os.getpid()}"):
            bench.back_up()
    assert bench.back_up() == 0


def test_how_far_it_is_stands_in_a_file_while_it_runs(bench: Bench) -> None:
    seen: list[bool] = []

    class Slow(Over):
        def backup(self, report: Report = silent) -> Taken:
            report(Progress(phase=Phase.SAVE, percent=50.0, files=1))
            seen.append(os.path.exists(path_of(bench.home, "notes")))
            return self.engine.backup(report)

    bench.wrap = Slow
    assert bench.back_up() == 0
    assert seen == [True]
    assert not os.path.exists(path_of(bench.home, "notes"))


def test_a_full_disk_costs_the_progress_and_not_the_run(bench: Bench) -> None:
    os.mkdir(path_of(bench.home, "notes"))
    assert bench.back_up() == 0


def test_progress_is_written_only_now_and_then(bench: Bench) -> None:
    file = ProgressFile(bench.home, "notes", bench.clock)
    file(Progress(phase=Phase.SAVE, percent=1.0))
    file(Progress(phase=Phase.SAVE, percent=2.0))
    plain = json.loads(Path(path_of(bench.home, "notes")).read_bytes())
    assert (plain["percent"], plain["phase"], plain["pid"]) == (1.0, "save", os.getpid())
    file.close()
    file.close()


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_run_that_is_ended_is_no_failure_and_takes_back_what_it_began(bench: Bench) -> None:
    class Endless(Over):
        def backup(self, report: Report = silent) -> Taken:
            os.kill(os.getpid(), signal.SIGTERM)
            raise AssertionError("it went on")

    bench.wrap = Endless
    with pytest.raises(SystemExit) as ended, ended_by_signals():
        bench.back_up()
    assert ended.value.code == 128 + signal.SIGTERM
    known = record.read(bench.home, "notes")
    assert (known.last_error, known.last_attempt_at is None) == ("", False)
    assert bench.kinds == ["backup.observed"]
    bench.wrap = lambda engine: engine
    assert bench.back_up() == 0


def test_a_record_that_cannot_be_read_is_set_aside(bench: Bench) -> None:
    bench.back_up()
    bench.home.backup("notes").write_text("{", encoding="utf-8")
    assert bench.back_up() == 0
    assert record.read(bench.home, "notes").covered_at is not None
    assert list(bench.home.backups.glob("notes.json.corrupt-*"))


def test_verify_reads_back_and_says_what_it_read(bench: Bench) -> None:
    with pytest.raises(BackupFailed, match="no snapshot"):
        verify(bench.home, bench.spec, bench.ports, whole=False)
    bench.back_up()
    assert verify(bench.home, bench.spec, bench.ports, whole=True) == 0
    assert "verified all of it" in bench.said[-1]


def test_a_run_of_the_supervisor_goes_by_what_is_in_force(bench: Bench) -> None:
    with pytest.raises(UnknownName, match="known: none"):
        run(bench.home, "notes", bench.clock)
    statefile.write_json(bench.home.config_pointer, {"backups": [to_plain(bench.spec)]})
    assert run(bench.home, "notes", bench.clock) == 0
    with pytest.raises(UnknownName, match="did you mean notes"):
        run(bench.home, "note", bench.clock)
