"""Changed files order a backup; what the kernel cannot watch, or what is gone, is told and tried again."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import pytest

from holdfast.machine.backup.telling import Told
from holdfast.machine.backup.watcher import AT_ONCE, RETRY_EVERY, Answer, Watcher
from holdfast.machine.watch.eyes import Eyes
from holdfast.model.project import Project

QUIET = 60.0


class Kernel:
    """Stands for watchfiles: tells what a test says has changed, and refuses what a test says is too much."""

    def __init__(self) -> None:
        self.changed: set[str] = set()
        self.refuses: set[str] = set()
        self.watched: set[str] = set()

    def open(self, paths: Sequence[str], recursive: bool) -> "Kernel":
        if self.refuses & set(paths):
            raise OSError(28, "no space left on device")
        self.watched = set(paths)
        return self

    def watch(
        self, _debounce: int, _step: int, _timeout: int, _stop: None, /
    ) -> set[tuple[int, str]] | Literal["signal", "stop", "timeout"]:
        told, self.changed = {(1, path) for path in self.changed}, set()
        return told or "timeout"

    def close(self) -> None:
        self.watched = set()


class Holdfast:
    """Stands for the supervisor."""

    def __init__(self) -> None:
        self.answer = Answer.TAKEN
        self.orders: list[str] = []
        self.told: list[Told] = []
        self.running = 0

    def order(self, name: str) -> Answer:
        self.orders.append(name)
        return self.answer

    def tell(self, events: Sequence[Told]) -> bool:
        self.told += events
        return True

    def under_way(self, names: Sequence[str]) -> int:
        return self.running


class Hand:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def wall(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now


class Bench:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.clock, self.kernel, self.port = Hand(), Kernel(), Holdfast()
        self.watcher = Watcher(Eyes(self.kernel.open), self.clock, self.port)

    def project(self, name: str, **facts: Any) -> Project:
        folder = self.root / name
        folder.mkdir(exist_ok=True)
        usual = {"name": name, "path": str(folder), "repository": "/r", "on_change": QUIET}
        return Project(**{**usual, **facts})

    def settled(self, *projects: Project) -> None:
        """Watch projects, and let what may have changed before be backed up."""
        self.watcher.watch(projects)
        for _ in projects:
            self.after(QUIET)
        self.port.orders.clear()

    def after(self, seconds: float) -> list[str]:
        self.clock.now += seconds
        before = len(self.port.orders)
        self.watcher.look()
        return self.port.orders[before:]

    def change(self, *paths: Path) -> None:
        self.kernel.changed |= {str(path) for path in paths}
        self.after(0.0)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_change_orders_one_backup_of_its_project_once_it_is_quiet(bench: Bench) -> None:
    bench.settled(bench.project("notes"), bench.project("photos"))
    bench.change(bench.root / "notes" / "a.md")
    assert bench.after(QUIET - 1) == []
    assert bench.after(1.0) == ["notes"]
    assert bench.after(10 * QUIET) == []


def test_what_may_have_changed_while_nobody_watched_is_backed_up(bench: Bench) -> None:
    bench.watcher.watch([bench.project("notes")])
    assert bench.after(QUIET) == ["notes"]
    bench.watcher.watch([bench.project("notes")])
    assert bench.after(QUIET) == []


def test_changes_of_what_is_left_out_order_nothing(bench: Bench) -> None:
    bench.settled(bench.project("notes", exclude=("*.tmp", "cache", "/inner/repository")))
    bench.change(
        *(
            bench.root / "notes" / below
            for below in ("a.tmp", "x/cache/deep/file", "inner/repository/data/1")
        )
    )
    assert bench.after(10 * QUIET) == []
    bench.change(bench.root / "notes" / "inner" / "other")
    assert bench.after(QUIET) == ["notes"]


def test_projects_that_want_none_of_it_are_not_watched(bench: Bench) -> None:
    bench.watcher.watch(
        [bench.project("notes", on_change=None), bench.project("photos", enabled=False)]
    )
    assert bench.kernel.watched == set()
    assert bench.after(10 * QUIET) == []


def test_a_folder_that_is_gone_orders_the_run_that_tells_it_and_again_when_it_is_back(
    bench: Bench,
) -> None:
    notes = bench.project("notes")
    bench.settled(notes)
    (bench.root / "notes").rmdir()
    bench.after(1.0)
    assert bench.kernel.watched == set()
    assert bench.after(QUIET) == ["notes"]
    assert bench.after(10 * QUIET) == []
    (bench.root / "notes").mkdir()
    bench.after(1.0)
    assert bench.kernel.watched == {notes.path}
    assert bench.after(QUIET) == ["notes"]


def test_a_folder_the_kernel_refuses_is_told_once_and_tried_again(bench: Bench) -> None:
    notes, photos = bench.project("notes"), bench.project("photos")
    bench.kernel.refuses = {notes.path}
    bench.settled(notes, photos)
    assert [(one.kind, one.project) for one in bench.port.told] == [
        ("backup.watch_degraded", "notes")
    ]
    assert "no space left" in bench.watcher.degraded["notes"]
    bench.kernel.refuses = set()
    bench.after(RETRY_EVERY)
    bench.after(1.0)
    assert bench.watcher.degraded == {}
    assert bench.port.told[-1].kind == "backup.watch_restored"


def test_an_order_nobody_takes_is_repeated_until_somebody_does(bench: Bench) -> None:
    bench.port.answer = Answer.LATER
    bench.watcher.watch([bench.project("notes")])
    assert bench.after(QUIET) == ["notes"]
    assert bench.after(1.0) == []
    bench.port.answer = Answer.TAKEN
    assert bench.after(QUIET) == ["notes"]
    assert bench.after(QUIET) == []


def test_only_a_few_are_ordered_at_once(bench: Bench) -> None:
    bench.watcher.watch([bench.project(name) for name in ("a", "b", "c")])
    assert bench.after(QUIET) == ["a", "b"]
    bench.port.running = AT_ONCE
    assert bench.after(1.0) == []
    bench.port.running = 1
    assert bench.after(1.0) == ["c"]


def test_it_looks_more_often_where_a_project_is_impatient(bench: Bench) -> None:
    bench.watcher.watch([bench.project("notes")])
    assert bench.watcher.every == 1.0
    bench.watcher.watch([bench.project("notes", on_change=1.0)])
    assert bench.watcher.every == 0.25


def test_a_project_that_is_taken_out_is_forgotten(bench: Bench) -> None:
    bench.watcher.watch([bench.project("notes")])
    bench.watcher.watch([])
    assert bench.after(10 * QUIET) == []
    assert bench.kernel.watched == set()
