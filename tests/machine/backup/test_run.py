"""A run is a success only with a snapshot that is believed, and everything it finds is written down and told."""

import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from holdfast import statefile
from holdfast.clock import SystemClock
from holdfast.errors import LockHeld, UnknownName
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
    Verdict,
    choose,
    silent,
)
from holdfast.machine.backup.progress import ProgressFile, path_of
from holdfast.machine.backup.run import Ports, back_up, ended_by_signals, run, verify
from holdfast.machine.backup.telling import Told
from holdfast.model.backup import EngineName, Keep, Taken
from holdfast.model.project import Project
from holdfast.model.wire import to_plain

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
def test_a_run_that_is_ended_says_so_and_takes_back_what_it_began(bench: Bench) -> None:
    class Endless(Over):
        def backup(self, report: Report = silent) -> Taken:
            os.kill(os.getpid(), signal.SIGTERM)
            raise AssertionError("it went on")

    bench.wrap = Endless
    with pytest.raises(SystemExit) as ended, ended_by_signals():
        bench.back_up()
    assert ended.value.code == 128 + signal.SIGTERM
    assert "ended before" in record.read(bench.home, "notes").last_error
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
