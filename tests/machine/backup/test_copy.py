"""The copy engine: what it keeps, what it gives back, and what no crash and no full disk takes from it."""

import hashlib
import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from holdfast.clock import SystemClock
from holdfast.errors import Refused, UnknownName
from holdfast.machine.backup import copy_restore, copy_take
from holdfast.machine.backup.copy import Copy
from holdfast.machine.backup.copy_take import FILES
from holdfast.machine.backup.engine import (
    BackupFailed,
    Phase,
    Progress,
    ProjectMissing,
    RepositoryMissing,
    RepositoryUnusable,
)
from holdfast.machine.backup.manifest import Entry, EntryKind
from holdfast.machine.backup.place import MARKER
from holdfast.machine.backup.tree import Copied, Tick, read_through
from holdfast.model.backup import BackupSpec, EngineName
from holdfast.statefile import hold

KILL = 9
NO_UTF8 = os.fsdecode(b"caf\xe9")


class Here:
    """A project, its repository and its engine."""

    def __init__(self, root: Path, **options: object) -> None:
        self.root = root
        self.project = root / "project"
        self.project.mkdir()
        self.repository = root / "repository"
        self.spec = BackupSpec(
            name="notes",
            path=str(self.project),
            repository=str(self.repository),
            host="box",
            engine=EngineName.COPY,
            **options,  # type: ignore[arg-type] # the fields of a spec
        )
        self.engine = Copy(self.spec)
        self.engine.init()
        self.kept = self.repository / "box" / "notes"

    def write(self, path: str, text: str, *, age: float = 60.0) -> Path:
        """Write a file of the project, long enough ago that its times can be trusted."""
        whole = self.project / path
        whole.parent.mkdir(parents=True, exist_ok=True)
        whole.write_text(text, encoding="utf-8")
        then = whole.stat().st_mtime - age
        os.utime(whole, (then, then))
        return whole

    def stored(self, snapshot: str, path: str) -> Path:
        return self.kept / snapshot / FILES / path


@pytest.fixture
def here(tmp_path: Path) -> Here:
    return Here(tmp_path, exclude=("*.tmp", "build/out"))


def marks(root: Path) -> dict[str, tuple[int, int, str]]:
    """Return mode, date and content of everything below a folder."""
    found = {}
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        inside = ""
        if path.is_symlink():
            inside = str(path.readlink())
        elif path.is_file():
            inside = path.read_text(encoding="utf-8")
        found[str(path.relative_to(root))] = (status.st_mode, status.st_mtime_ns, inside)
    return found


def test_a_restore_brings_back_bytes_modes_dates_links_and_names_that_are_no_utf8(
    here: Here, tmp_path: Path
) -> None:
    here.write("a", "alpha").chmod(0o640)
    here.write("deep/er/b", "beta").chmod(0o4711)
    here.write(NO_UTF8, "coffee")
    (here.project / "empty").mkdir(mode=0o750)
    (here.project / "gone").symlink_to("nowhere")
    (here.project / "link").symlink_to("deep/er")
    os.utime(here.project / "deep", (1_000_000_000, 1_000_000_000))
    (here.project / "deep").chmod(0o510)
    taken = here.engine.backup()
    assert (taken.snapshot.files, taken.snapshot.bytes) == (3, 15)
    restored = here.engine.restore(taken.snapshot.id, str(tmp_path / "to" / "here"))
    assert (restored.files, restored.bytes, restored.lost) == (3, 15, ())
    assert marks(tmp_path / "to" / "here") == marks(here.project)


def test_what_is_excluded_and_the_repository_inside_the_project_are_left_out(
    tmp_path: Path,
) -> None:
    here = Here(tmp_path, exclude=("*.tmp", "build/out"))
    spec = here.spec
    inner = BackupSpec(
        name="notes", path=str(tmp_path), repository=spec.repository, exclude=spec.exclude
    )
    for path in ("a", "x.tmp", "build/out/1", "build/kept", "sub/build/out/2"):
        here.write(path, "x")
    assert here.engine.backup().snapshot.files == 3
    assert Copy(inner).backup().snapshot.files == 4


def test_a_project_that_did_not_change_gets_no_second_snapshot(here: Here) -> None:
    here.write("a", "alpha")
    first = here.engine.backup()
    again = here.engine.backup()
    assert (first.is_new, again.is_new) == (True, False)
    assert again.snapshot == first.snapshot
    assert again.began_at >= first.began_at


def test_every_change_of_a_project_makes_a_snapshot(here: Here) -> None:
    path = here.write("a", "alpha")
    (here.project / "link").symlink_to("a")
    here.engine.backup()
    was = path.stat()

    def rewrite_behind_its_date() -> None:
        path.write_text("other", encoding="utf-8")
        os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))

    def relink() -> None:
        (here.project / "link").unlink()
        (here.project / "link").symlink_to("b")

    changes: tuple[Callable[[], object], ...] = (
        rewrite_behind_its_date,
        relink,
        lambda: path.chmod(0o600),
        (here.project / "new").mkdir,
        (here.project / "new").rmdir,
        lambda: path.rename(here.project / "moved"),
    )
    for change in changes:
        change()
        assert here.engine.backup().is_new


def test_a_snapshot_of_the_future_stands_for_nothing_that_is_made_now(here: Here) -> None:
    class Ahead(SystemClock):
        def wall(self) -> float:
            return super().wall() + 1e6

    stored = here.write("a", "alpha")
    ahead = Copy(here.spec, clock=Ahead()).backup().snapshot
    now = here.engine.backup()
    assert (now.is_new, now.snapshot.at < ahead.at) == (True, True)
    names = [here.stored(one, stored.name) for one in (ahead.id, now.snapshot.id)]
    assert names[0].samefile(names[1])
    assert not here.engine.backup().is_new


def test_a_file_that_did_not_change_is_stored_once_and_nobody_may_write_to_it(here: Here) -> None:
    here.write("same", "x" * 1000)
    touched = here.write("touched", "y" * 1000)
    first = here.engine.backup().snapshot.id
    here.write("new", "z")
    os.utime(touched)
    second = here.engine.backup().snapshot.id
    for name in ("same", "touched"):
        status = here.stored(second, name).stat()
        assert status.st_ino == here.stored(first, name).stat().st_ino
        assert stat.S_IMODE(status.st_mode) == 0o400


def test_a_file_is_copied_where_the_file_system_has_no_links(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.write("a", "alpha")
    here.engine.backup()
    here.write("b", "beta")
    monkeypatch.setattr(copy_take, "link", lambda *_: False)
    second = here.engine.backup().snapshot.id
    assert here.stored(second, "a").read_text(encoding="utf-8") == "alpha"


def test_a_file_that_cannot_be_read_makes_the_snapshot_partial_and_is_named(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.write("a", "alpha")
    here.write(NO_UTF8, "x")

    def refusing(source: str, target: str | None, tick: Tick) -> Copied:
        if source.endswith(NO_UTF8):
            raise PermissionError(13, "Permission denied", source)
        return read_through(source, target, tick)

    monkeypatch.setattr(copy_take, "read_through", refusing)
    found = here.engine.backup().snapshot
    assert (found.partial, found.files, found.unread) == (True, 1, ("caf\\udce9",))
    json.dumps(found.unread).encode()


def test_a_file_that_never_stands_still_is_kept_as_it_was_read_and_marked(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = here.write("log", "1")

    def writing(source: str, target: str | None, tick: Tick) -> Copied:
        copied = read_through(source, target, tick)
        with path.open("a", encoding="utf-8") as log:
            log.write("+")
        return copied._replace(is_still=False)

    monkeypatch.setattr(copy_take, "read_through", writing)
    found = here.engine.backup().snapshot
    assert (found.partial, found.changed, found.bytes) == (False, ("log",), 3)
    monkeypatch.undo()
    assert here.engine.backup().is_new
    assert here.engine.verify(found.id, None, 4).sound


def test_a_full_disk_is_told_and_leaves_what_was_there(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.write("a", "alpha")
    first = here.engine.backup().snapshot
    here.write("b", "beta")

    def full(source: str, target: str | None, tick: Tick) -> Copied:
        raise OSError(28, "No space left on device", target)

    monkeypatch.setattr(copy_take, "read_through", full)
    with pytest.raises(RepositoryUnusable, match="is full") as caught:
        here.engine.backup()
    assert caught.value.cause == "full"
    assert here.engine.snapshots() == (first,)
    assert sorted(os.listdir(here.kept)) == sorted([first.id, "lock"])


def test_a_run_that_is_cancelled_takes_back_what_it_began(here: Here) -> None:
    for number in range(5):
        here.write(str(number), "x")

    def cancel(step: Progress) -> None:
        if step.phase is Phase.SAVE and step.files == 3:
            raise SystemExit(143)

    with pytest.raises(SystemExit):
        here.engine.backup(cancel)
    assert os.listdir(here.kept) == ["lock"]


KILLED_AT = """
import os, sys
from holdfast.machine.backup.copy import Copy
from holdfast.model.backup import BackupSpec
at, calls = int(sys.argv[3]), 0
def die(event, arguments):
    global calls
    if event in ("open", "os.mkdir", "os.rename", "os.link", "os.remove", "os.chmod", "os.utime", "os.rmdir", "shutil.rmtree"):
        if sys.argv[2] in str(arguments):
            calls += 1
            if calls == at:
                os.kill(os.getpid(), 9)
engine = Copy(BackupSpec(name="notes", path=sys.argv[1], repository=sys.argv[2], host="box"))
newest = engine.snapshots()[-1].id
sys.addaudithook(die)
engine.backup()
engine.forget([newest])
"""


def test_killed_at_any_line_the_old_snapshots_stand_and_the_next_run_cleans_up(
    here: Here, tmp_path: Path
) -> None:
    here.write("a", "alpha")
    here.write("deep/b", "beta")
    first = here.engine.backup().snapshot
    here.write("c", "gamma")
    survived = False
    kills = 0
    for at in (1, 3, 5, 8, 11, 14, 17, 20, 24, 28, 33, 99):
        words = [
            *(sys.executable, "-c", KILLED_AT, str(here.project)),
            *(str(here.repository), str(at)),
        ]
        ended = subprocess.run(words, check=False, capture_output=True, text=True)
        survived = ended.returncode == 0
        assert survived or ended.returncode == -KILL, ended.stderr
        kills += not survived
        for one in here.engine.snapshots():
            assert here.engine.verify(one.id, 0, 1).sound
        if not survived:
            assert here.engine.snapshots()
            here.write("c", f"gamma {at}")
            here.engine.backup()
            assert not [name for name in os.listdir(here.kept) if name.startswith(".")]
    assert survived
    assert kills >= 6
    assert first.at <= here.engine.snapshots()[-1].at


def test_damage_is_found_told_not_restored_and_healed_by_the_next_snapshot(
    here: Here, tmp_path: Path
) -> None:
    for name in ("a", "b", "c", "d"):
        here.write(name, name * 100)
    taken = here.engine.backup().snapshot.id
    stored = here.stored(taken, "c")
    stored.chmod(0o600)
    stored.write_text("C" * 100, encoding="utf-8")
    verdicts = [here.engine.verify(taken, part, 4) for part in range(4)]
    assert [one.sound for one in verdicts] == [True, True, False, True]
    assert verdicts[2].why == "c no longer holds what was saved"
    assert here.engine.restore(taken, str(tmp_path / "to")).lost == ("c",)
    assert not (tmp_path / "to" / "c").exists()
    healed = here.engine.backup()
    assert healed.is_new
    assert here.engine.verify(healed.snapshot.id, 2, 4).sound
    assert here.stored(healed.snapshot.id, "c").read_text(encoding="utf-8") == "c" * 100


def test_a_snapshot_whose_manifest_is_damaged_is_none(here: Here, tmp_path: Path) -> None:
    here.write("a", "alpha")
    taken = here.engine.backup().snapshot.id
    entries = here.kept / taken / "entries.jsonl"
    was = entries.read_bytes()
    entries.write_bytes(was[:-2])
    assert here.engine.snapshots() == ()
    entries.write_bytes(was.replace(b"420", b"511"))
    with pytest.raises(RepositoryUnusable, match="damaged"):
        here.engine.restore(taken, str(tmp_path / "to"))
    assert here.engine.backup().is_new


def test_a_damaged_manifest_is_damage_that_a_verify_finds(here: Here) -> None:
    here.write("a", "alpha")
    taken = here.engine.backup().snapshot.id
    entries = here.kept / taken / "entries.jsonl"
    entries.write_bytes(entries.read_bytes().replace(b"420", b"511"))
    for part in (0, None):
        verdict = here.engine.verify(taken, part, 4)
        assert (verdict.sound, taken in verdict.why) == (False, True)
    healed = here.engine.backup().snapshot.id
    assert here.engine.verify(healed, 0, 4).sound
    (here.kept / taken / "manifest.json").write_text("{", encoding="utf-8")
    assert not here.engine.verify(healed, None, 4).sound


@pytest.mark.skipif(sys.platform != "linux", reason="a file of Linux that cannot be read")
def test_a_bad_sector_of_the_project_is_no_fault_of_the_repository(here: Here) -> None:
    target = here.root / "target"
    with pytest.raises(OSError, match="Input/output") as caught:
        read_through("/proc/self/mem", str(target), lambda _: None)
    assert caught.value.filename == "/proc/self/mem"


def test_a_restore_puts_nothing_through_a_link_of_a_forged_manifest(tmp_path: Path) -> None:
    outside, stored, to = (tmp_path / name for name in ("outside", "stored", "to"))
    (stored / FILES / "d").mkdir(parents=True)
    outside.mkdir()
    (stored / FILES / "d" / "x").write_text("x", encoding="utf-8")
    digest = hashlib.sha256(b"x").hexdigest()
    usual = {"mode": 0o600, "mtime_ns": 0, "ctime_ns": 0, "uid": 0, "gid": 0}
    link = Entry(path="d", kind=EntryKind.LINK, content=str(outside), **usual)
    below = Entry(path="d/x", kind=EntryKind.FILE, size=1, content=digest, **usual)
    for count, entries in enumerate(((link, below), (below,))):
        forged = {one.path: one for one in entries}
        place = to / str(count)
        place.mkdir(parents=True)
        if len(entries) == 1:  # a link that stood there before
            (place / "d").symlink_to(outside)
        done = copy_restore.restore("id", str(stored), forged, str(place), lambda _: None)
        assert done.lost == ("d/x",)
        assert not list(outside.iterdir())


def test_a_restore_to_a_full_disk_is_told_and_leaves_no_half_of_a_file(
    here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.write("a", "alpha")
    taken = here.engine.backup().snapshot.id

    def full(source: str, target: str, tick: Tick) -> Copied:
        Path(target).write_text("al", encoding="utf-8")
        raise OSError(28, "No space left on device", target)

    monkeypatch.setattr(copy_restore, "read_through", full)
    with pytest.raises(BackupFailed, match="to is full"):
        here.engine.restore(taken, str(tmp_path / "to"))
    assert not list((tmp_path / "to").iterdir())


def test_what_is_forgotten_is_gone_and_what_others_hold_too_stays(here: Here) -> None:
    here.write("a", "alpha")
    first = here.engine.backup().snapshot.id
    here.write("b", "beta")
    second = here.engine.backup().snapshot.id
    here.engine.forget([first])
    assert [one.id for one in here.engine.snapshots()] == [second]
    assert here.engine.verify(second, None, 4).files == 2
    here.engine.forget([first])  # somebody may have removed it by hand
    for wrong in ("..", "lock/.."):
        with pytest.raises(UnknownName):
            here.engine.forget([wrong])


def test_only_one_run_at_a_time_makes_snapshots(here: Here) -> None:
    here.write("a", "alpha")
    here.engine.backup()
    with (
        hold(here.kept / "lock"),
        pytest.raises(RepositoryUnusable, match="another run") as caught,
    ):
        here.engine.backup()
    assert caught.value.cause == "locked"
    assert here.engine.snapshots()


def test_a_missing_project_and_a_missing_repository_are_told_apart(here: Here) -> None:
    (here.repository / MARKER).unlink()
    for call in (here.engine.backup, here.engine.snapshots, lambda: here.engine.forget(["x"])):
        with pytest.raises(RepositoryMissing, match="mounted"):
            call()
    (here.repository / "foreign").touch()
    with pytest.raises(Refused, match="no repository of Holdfast"):
        here.engine.init()
    (here.repository / "foreign").unlink()
    assert here.engine.init()
    here.project.rmdir()
    with pytest.raises(ProjectMissing, match="notes"):
        here.engine.backup()
    here.project.touch()
    with pytest.raises(ProjectMissing):
        here.engine.backup()


def test_a_restore_over_what_is_there_needs_force_and_never_follows_a_link(
    here: Here, tmp_path: Path
) -> None:
    here.write("d/a", "alpha")
    taken = here.engine.backup().snapshot.id
    to, outside = tmp_path / "to", tmp_path / "outside"
    to.mkdir()
    outside.mkdir()
    (to / "d").symlink_to(outside)
    (to / "other").touch()
    with pytest.raises(Refused, match="not empty"):
        here.engine.restore(taken, str(to))
    assert here.engine.restore(taken, str(to), force=True).lost == ()
    assert (to / "d" / "a").read_text(encoding="utf-8") == "alpha"
    assert (to / "other").exists()
    assert not list(outside.iterdir())
    with pytest.raises(UnknownName):
        here.engine.restore("20200101T000000Z-000000", str(tmp_path / "new"))


def test_the_repository_is_for_its_owner_only(here: Here) -> None:
    here.write("a", "alpha")
    here.engine.backup()
    assert stat.S_IMODE(here.repository.stat().st_mode) == 0o700
    assert stat.S_IMODE(here.kept.stat().st_mode) == 0o700


def test_a_file_that_becomes_a_link_or_loses_its_folder_is_passed_over(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.write("a", "alpha")
    here.write("b", "beta")
    here.write("d/c", "gamma")

    def changing(source: str, target: str | None, tick: Tick) -> Copied:
        path = Path(source)
        if path.name == "b":
            path.unlink()
            path.symlink_to("a")
        if path.name == "c":
            path.unlink()
            path.parent.rmdir()
            path.parent.write_text("", encoding="utf-8")
        return read_through(source, target, tick)

    monkeypatch.setattr(copy_take, "read_through", changing)
    found = here.engine.backup().snapshot
    assert (found.files, found.partial) == (1, False)


def test_what_is_no_file_and_what_goes_away_is_passed_over(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.write("a", "alpha")
    here.write("b", "beta")
    if sys.platform != "win32":
        os.mkfifo(here.project / "pipe")

    def vanishing(source: str, target: str | None, tick: Tick) -> Copied:
        if source.endswith("b"):
            raise FileNotFoundError(2, "gone", source)
        return read_through(source, target, tick)

    monkeypatch.setattr(copy_take, "read_through", vanishing)
    found = here.engine.backup().snapshot
    assert (found.files, found.partial) == (1, False)
