"""When a change of a watched file is told, to which service, and what is told instead where nothing can be seen."""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import pytest

from holdfast.machine.watch.eyes import Eyes, open_notifier
from holdfast.machine.watch.sights import POLL_EVERY, ROOTS_EVERY, UNQUIET_FOR, Sights, Wish


class AheadClock:
    """The clocks of this machine, each set forward by hand; but for that the monotonic one stands."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.ahead = 0.0
        self.wall_ahead = 0.0

    def wall(self) -> float:
        return time.time() + self.wall_ahead

    def monotonic(self) -> float:
        return self.began + self.ahead


class Kernel:
    """Tells of what the test says, or refuses to watch."""

    def __init__(self) -> None:
        self.told: set[str] = set()
        self.refuses = False
        self.fails = False

    def open(self, paths: Sequence[str], recursive: bool) -> "Kernel":
        if self.refuses:
            raise OSError("OS file watch limit reached.")
        return self

    def watch(
        self, debounce_ms: int, step_ms: int, timeout_ms: int, stop_event: None, /
    ) -> set[tuple[int, str]] | Literal["signal", "stop", "timeout"]:
        if self.fails:
            raise RuntimeError("error in underlying watcher")
        told, self.told = self.told, set()
        return {(1, path) for path in told}

    def close(self) -> None:
        pass


class Scene:
    """Sights over a kernel and a clock that obey."""

    def __init__(self) -> None:
        self.kernel = Kernel()
        self.clock = AheadClock()
        self.sights = Sights(Eyes(self.kernel.open), self.clock)

    def told(self, *paths: Path, after: float = 100.0) -> list[dict[str, Any]]:
        """Let the kernel tell of paths, and return what is told some time later."""
        self.kernel.told |= {str(path) for path in paths}
        early = list(self.sights.look())
        self.clock.ahead += after
        return early + list(self.sights.look())


@pytest.fixture
def scene() -> Scene:
    return Scene()


def wish(
    *paths: Path, debounce: float = 5.0, generation: int = 1, started_at: float | None = None
) -> Wish:
    return Wish(
        paths=tuple(map(str, paths)),
        debounce=debounce,
        generation=generation,
        started_at=time.time() if started_at is None else started_at,
    )


def test_a_change_is_told_once_after_its_files_were_quiet(scene: Scene, tmp_path: Path) -> None:
    scene.sights.wish({"api": wish(tmp_path)})
    assert scene.told(tmp_path / "a", after=4.0) == []
    assert scene.told(tmp_path / "b", after=4.0) == []
    (report,) = scene.told(after=2.0)
    assert report == {
        "service": "api",
        "generation": 1,
        "changed": [str(tmp_path / "a"), str(tmp_path / "b")],
        "count": 2,
    }
    assert scene.told() == []


def test_files_that_are_never_quiet_are_told_all_the_same(scene: Scene, tmp_path: Path) -> None:
    scene.sights.wish({"api": wish(tmp_path)})
    reports = []
    for _ in range(6):
        reports += scene.told(tmp_path / "a", after=UNQUIET_FOR / 5)
    assert len(reports) == 1


def test_each_service_hears_of_its_own_paths(scene: Scene, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.write_text("x")
    scene.sights.wish({"a": wish(one), "b": wish(two), "c": wish(tmp_path), "d": wish(one, two)})
    heard = {report["service"]: report["count"] for report in scene.told(one / "x", two)}
    assert heard == {"a": 1, "b": 1, "c": 2, "d": 2}


def test_ignored_files_and_neighbours_of_a_name_are_not_told(scene: Scene, tmp_path: Path) -> None:
    watched = tmp_path / "src"
    watched.mkdir()
    scene.sights.wish({"api": wish(watched)})
    assert scene.told(watched / ".git" / "index", watched / "a.pyc", tmp_path / "src2") == []


def test_a_watched_folder_may_itself_lie_in_an_ignored_one(scene: Scene, tmp_path: Path) -> None:
    watched = tmp_path / "node_modules" / "own"
    watched.mkdir(parents=True)
    scene.sights.wish({"api": wish(watched)})
    assert len(scene.told(watched / "index.js")) == 1


def test_a_long_list_is_shortened_and_counted(scene: Scene, tmp_path: Path) -> None:
    scene.sights.wish({"api": wish(tmp_path)})
    (report,) = scene.told(*(tmp_path / str(number) for number in range(50)))
    assert (len(report["changed"]), report["count"]) == (20, 50)


def test_what_changed_since_the_process_started_is_told_although_nobody_watched(
    scene: Scene, tmp_path: Path
) -> None:
    (tmp_path / "a").write_text("x")
    scene.sights.wish({"late": wish(tmp_path, started_at=time.time() - 3600)})
    (report,) = scene.told()
    assert report["changed"] == [str(tmp_path / "a")]


def test_a_change_at_the_very_start_of_the_process_is_told(scene: Scene, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    scene.sights.wish({"api": wish(tmp_path, started_at=(tmp_path / "a").stat().st_ctime)})
    assert len(scene.told()) == 1


def test_what_changed_before_the_process_started_is_not_told(scene: Scene, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("x")
    os.utime(path, (2**33, 2**33))  # a time in the future means nothing
    scene.clock.wall_ahead = 100.0
    scene.sights.wish({"api": wish(tmp_path, started_at=time.time() + 50)})
    assert scene.told() == []


def test_a_new_process_forgets_what_the_old_one_did_not_hear_of(
    scene: Scene, tmp_path: Path
) -> None:
    scene.sights.wish({"api": wish(tmp_path)})
    assert scene.told(tmp_path / "a", after=0.0) == []
    scene.sights.wish({"api": wish(tmp_path, generation=2)})
    assert scene.told() == []


def test_another_service_that_comes_or_goes_changes_nothing_for_the_others(
    scene: Scene, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    scene.sights.wish({"api": wish(tmp_path)})
    assert scene.told(tmp_path / "a", after=0.0) == []
    scene.sights.wish({"api": wish(tmp_path), "b": wish(other)})
    assert [report["service"] for report in scene.told()] == ["api"]


def test_a_missing_path_is_told_and_its_coming_is_a_change(scene: Scene, tmp_path: Path) -> None:
    path = tmp_path / "late"
    scene.sights.wish({"api": wish(path)})
    assert scene.told() == [{"service": "api", "degraded": f"{path} does not exist"}]
    path.mkdir()
    restored, report = scene.told(after=ROOTS_EVERY) + scene.told()
    assert restored == {"service": "api", "degraded": None}
    assert report["changed"] == [str(path)]


def test_a_path_that_vanishes_is_told_and_no_change_until_it_is_back(
    scene: Scene, tmp_path: Path
) -> None:
    path = tmp_path / "app"
    path.mkdir()
    scene.sights.wish({"api": wish(path)})
    path.rmdir()
    assert [list(report) for report in scene.told()] == [["service", "degraded"]]
    path.mkdir()
    assert [report.get("changed") for report in scene.told() + scene.told()] == [
        None,
        [str(path)],
    ]


def test_a_link_that_is_switched_to_another_release_is_a_change(
    scene: Scene, tmp_path: Path
) -> None:
    current = tmp_path / "current"
    for name in ("1", "2"):
        (tmp_path / name).mkdir()
    current.symlink_to(tmp_path / "1")
    scene.sights.wish({"api": wish(current)})
    assert scene.told() == []
    (tmp_path / "new").symlink_to(tmp_path / "2")
    (tmp_path / "new").rename(current)
    (report,) = scene.told() + scene.told()
    assert report["changed"] == [str(current)]


def test_what_the_kernel_refuses_to_watch_is_told_and_polled(scene: Scene, tmp_path: Path) -> None:
    scene.kernel.refuses = True
    (tmp_path / "a").write_text("x")
    scene.sights.wish({"api": wish(tmp_path, debounce=0.0, started_at=time.time() + 50)})
    (report,) = scene.told(after=POLL_EVERY)
    assert report["degraded"] == f"{tmp_path}: OS file watch limit reached."
    (tmp_path / "b").write_text("x")
    found = scene.told(after=POLL_EVERY) + scene.told(after=POLL_EVERY)
    assert [report["changed"] for report in found] == [[str(tmp_path / "b")]]
    scene.kernel.refuses = False
    assert scene.told(after=60.0) == [{"service": "api", "degraded": None}]


def test_what_changed_when_the_kernel_gave_up_is_found(scene: Scene, tmp_path: Path) -> None:
    scene.sights.wish({"api": wish(tmp_path, debounce=0.0)})
    scene.told()
    (tmp_path / "a").write_text("x")
    scene.kernel.fails = True
    found = scene.told(after=POLL_EVERY) + scene.told(after=POLL_EVERY)
    assert [report["changed"] for report in found if "changed" in report] == [
        [str(tmp_path / "a")]
    ]


def test_a_folder_replaced_while_another_service_comes_is_noticed(
    scene: Scene, tmp_path: Path
) -> None:
    for name in ("app", "next", "other"):
        (tmp_path / name).mkdir()
    scene.sights.wish({"api": wish(tmp_path / "app")})
    scene.told()
    (tmp_path / "app").rmdir()
    (tmp_path / "next").rename(tmp_path / "app")
    scene.sights.wish({"api": wish(tmp_path / "app"), "b": wish(tmp_path / "other")})
    (report,) = scene.told() + scene.told()
    assert report["changed"] == [str(tmp_path / "app")]


def test_a_wish_is_read_as_the_supervisor_writes_it(tmp_path: Path) -> None:
    plain = {"paths": [f"{tmp_path}/x/../y/"], "debounce": 0.3, "generation": 7, "started_at": 1.5}
    assert Wish.from_plain(plain) == wish(
        tmp_path / "y", debounce=0.3, generation=7, started_at=1.5
    )


def test_the_real_kernel_is_understood(tmp_path: Path) -> None:
    eyes = Eyes(open_notifier)
    sights = Sights(eyes, AheadClock())
    sights.wish({"api": wish(tmp_path, debounce=0.0)})
    (tmp_path / "a").write_text("x")
    deadline = time.monotonic() + 30
    while not (found := list(sights.look())):
        assert time.monotonic() < deadline
    assert found[0]["changed"] == [str(tmp_path / "a")]
    eyes.close()
