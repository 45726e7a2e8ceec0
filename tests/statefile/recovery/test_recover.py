"""Recovery promotes only what is whole, never over what is valid, and never robs the living."""

import errno
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from holdfast.errors import (
    CommittedNotDurable,
    Conflict,
    Corrupt,
    LockTimeout,
    StateIOError,
    UsageError,
)
from holdfast.statefile.intent import Change, Intent, encoded, intent_name
from holdfast.statefile.lock import locked, write_mark
from holdfast.statefile.place import open_place
from holdfast.statefile.recovery.inspect import inspect
from holdfast.statefile.recovery.recover import NotAllMended, Outcome, Recovery, recover
from holdfast.statefile.system.ops import Folder, Ops
from holdfast.statefile.temp import checksum, temp_name
from holdfast.statefile.write import write_atomic

if sys.platform == "win32":
    pytest.skip("the files, links and processes of POSIX", allow_module_level=True)

import fcntl

NOW = 1_767_225_600.0
WEEK_S = 7 * 24 * 3600.0
OLD, NEW = b'{"a":1}\n', b'{"a":2}\n'


class FixedClock:
    def __init__(self) -> None:
        self.ticks = 0.0

    def wall(self) -> float:
        return NOW

    def monotonic(self) -> float:
        self.ticks += 1.0
        return self.ticks


def put(path: Path, content: bytes, age_s: float = 100.0) -> Path:
    path.write_bytes(content)
    os.utime(path, (NOW - age_s, NOW - age_s))
    return path


def orphan(
    target: Path, content: bytes, *, cut: int = 0, age_s: float = 100.0, chance: str = ""
) -> Path:
    """Leave what a killed writer leaves."""
    chance = chance or os.urandom(8).hex()
    name = temp_name(target.name, len(content), checksum(content), chance)
    return put(target.with_name(name), content[: len(content) - cut], age_s)


def stamp(target: Path, age_s: float) -> None:
    """Have a process lock the target for a write."""
    put(target.with_name(f".{target.name}.lock"), b"         7\n", age_s)


def mend(path: Path, ops: Ops | None = None, **wishes: Any) -> Recovery:
    return recover(path, clock=FixedClock(), ops=ops or Ops(), **wishes)


def left(folder: Path) -> set[str]:
    return {name for name in os.listdir(folder) if not name.endswith(".lock")}


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "state.json"


def test_a_stale_temp_never_replaces_a_valid_file(target: Path) -> None:
    put(target, OLD)
    week_old = orphan(target, NEW, age_s=WEEK_S)
    younger = orphan(target, NEW, age_s=0.0)
    cut = orphan(target, NEW, cut=3)

    done = mend(target)

    assert done.outcome is Outcome.INTACT
    assert set(done.removed) == {week_old.name, younger.name, cut.name}
    assert done.bytes == 8 + 8 + 5
    assert target.read_bytes() == OLD
    assert left(target.parent) == {"state.json"}


def test_a_cut_file_is_replaced_by_a_complete_temp_and_kept_as_evidence(target: Path) -> None:
    put(target, b'{"a":')
    temp = orphan(target, NEW)

    done = mend(target)

    assert (done.outcome, done.source, done.removed) == (Outcome.PROMOTED, temp.name, ())
    assert target.read_bytes() == NEW
    assert done.evidence is not None
    assert re.fullmatch(r"state\.json\.corrupt-20260101T000000\.000Z-[0-9a-f]{16}", done.evidence)
    assert target.with_name(done.evidence).read_bytes() == b'{"a":'
    assert target.stat().st_nlink == 1
    assert left(target.parent) == {"state.json", done.evidence}


def test_a_missing_file_comes_back_from_the_temp_of_its_last_writer(target: Path) -> None:
    stamp(target, age_s=100.0)
    orphan(target, NEW, age_s=100.0)

    done = mend(target)

    assert (done.outcome, done.evidence) == (Outcome.PROMOTED, None)
    assert target.read_bytes() == NEW
    assert left(target.parent) == {"state.json"}


def test_what_was_perhaps_deleted_on_purpose_is_only_offered(target: Path) -> None:
    stamp(target, age_s=50.0)
    temp = orphan(target, NEW, age_s=100.0)

    with pytest.raises(Corrupt, match="on purpose") as offered:
        mend(target)

    assert f"--use {temp.name}" in str(offered.value)
    assert not target.exists()
    assert mend(target, use=temp.name).source == temp.name
    assert target.read_bytes() == NEW


def test_the_second_recovery_sees_what_the_first_saw(target: Path) -> None:
    stamp(target, age_s=50.0)
    orphan(target, NEW, age_s=100.0)
    for _ in range(2):
        with pytest.raises(Corrupt, match="on purpose"):
            mend(target)

    target.with_name(".state.json.lock").unlink()
    with locked(target.with_name("other.json")):
        assert mend(target).outcome is Outcome.PROMOTED


def test_a_partial_text_that_looks_fine_is_not_promoted(tmp_path: Path) -> None:
    target = tmp_path / "STATE.md"
    temp = orphan(target, b"# State\n\nStatus: all is well\n", cut=12)

    with pytest.raises(Corrupt, match="holdfast state rebuild") as refused:
        mend(target)

    assert refused.value.exit_code == 6
    assert "holds 17 of 29 bytes" in str(refused.value)
    assert temp.exists()
    assert not target.exists()


@pytest.mark.parametrize(
    ("said", "content"),
    [(b"", b""), (b"{}", b"\0\0"), (b"{}{}", b"{}{}"), (b"123", b"12"), (b"\xef\xbb\xbf",) * 2],
)
def test_what_only_looks_like_json_is_rejected(target: Path, said: bytes, content: bytes) -> None:
    put(target, b"{")
    name = temp_name("state.json", len(said), checksum(said), "1" * 16)
    put(target.with_name(name), content)

    with pytest.raises(Corrupt):
        mend(target)

    assert left(target.parent) == {"state.json", name}


def test_one_bad_temp_does_not_cost_the_good_one(target: Path) -> None:
    put(target, b"{")
    good = orphan(target, NEW, age_s=100.0)
    bad = orphan(target, b'{"a":3}\n', cut=2, age_s=1.0)

    done = mend(target)

    assert (done.source, done.removed) == (good.name, (bad.name,))
    assert target.read_bytes() == NEW


def test_a_valid_backup_comes_before_old_temps(target: Path) -> None:
    put(target, b"{")
    stamp(target, age_s=50.0)
    old_temp = orphan(target, NEW, age_s=100.0)
    put(target.with_name("state.json.~1~"), b"[")
    put(target.with_name("state.json.~2~"), OLD)

    done = mend(target)

    assert (done.outcome, done.source) == (Outcome.RESTORED, "state.json.~2~")
    assert done.removed == (old_temp.name,)
    assert target.read_bytes() == OLD


def test_a_backup_brings_a_missing_file_back(target: Path) -> None:
    write_atomic(target, OLD, backups=1, ops=Ops())
    write_atomic(target, NEW, backups=1, ops=Ops())
    target.unlink()

    assert mend(target).outcome is Outcome.RESTORED
    assert target.read_bytes() == OLD


def test_without_anything_whole_all_is_left_as_evidence(target: Path) -> None:
    put(target, b"{")
    orphan(target, NEW, cut=1)
    put(target.with_name("state.json.~1~"), b"")
    put(target.with_name("state.json.tmp.99999999"), b"{}")
    before = left(target.parent)

    with pytest.raises(Corrupt, match="--foreign") as refused:
        mend(target)

    assert refused.value.path == str(target)
    assert left(target.parent) == before
    assert target.read_bytes() == b"{"


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_file_that_never_was_is_no_loss_and_leaves_no_lock(target: Path, dry_run: bool) -> None:
    with pytest.raises(StateIOError, match="no such file") as refused:
        mend(target, dry_run=dry_run)

    assert refused.value.errno_name == "ENOENT"
    assert os.listdir(target.parent) == []


@pytest.mark.parametrize("trace", [".state.json.lock", "state.json.corrupt-x"])
def test_a_file_of_which_only_a_trace_is_left_is_unrecoverable(target: Path, trace: str) -> None:
    put(target.with_name(trace), b"7\n")

    with pytest.raises(Corrupt, match="is missing, and nothing beside it"):
        mend(target)


def test_a_generation_decides_before_a_time(target: Path) -> None:
    put(target, b"{")
    orphan(target, b'{"generation":2}', age_s=1.0)
    right = orphan(target, b'{"generation":3}', age_s=50.0)

    assert mend(target).source == right.name


def test_equal_times_are_asked_about_and_the_answer_is_taken(target: Path) -> None:
    put(target, b"{")
    one, two = orphan(target, OLD), orphan(target, NEW)

    with pytest.raises(Corrupt, match="none is the newer") as asked:
        mend(target)

    assert one.name in str(asked.value)
    assert two.name in str(asked.value)
    done = mend(target, use=str(one))
    assert (done.source, done.removed) == (one.name, (two.name,))


def test_a_time_in_the_future_decides_nothing(target: Path) -> None:
    put(target, b"{")
    orphan(target, OLD)
    orphan(target, NEW, age_s=-3600.0)

    with pytest.raises(Corrupt, match="in the future"):
        mend(target)


def test_what_is_named_must_be_whole_and_there(target: Path) -> None:
    put(target, b"{")
    cut = orphan(target, NEW, cut=1)
    put(target.with_name("state.json.~1~"), b"{")
    put(target.with_name("state.json.tmp"), NEW)

    for name in (cut.name, "state.json.~1~", "state.json.tmp"):
        with pytest.raises(Corrupt, match="cannot take the place"):
            mend(target, use=name)
    with pytest.raises(UsageError):
        mend(target, use="state.json.~7~")
    with pytest.raises(UsageError):
        mend(target.parent, use=cut.name)
    assert mend(target, use="state.json.tmp", foreign=True).source == "state.json.tmp"


def test_nothing_is_put_over_a_valid_file_even_when_named(target: Path) -> None:
    put(target, OLD)
    temp = orphan(target, NEW)

    with pytest.raises(Conflict):
        mend(target, use=temp.name)

    assert target.read_bytes() == OLD
    assert temp.exists()


def test_permissions_come_from_the_file_that_is_replaced(target: Path) -> None:
    put(target, b"{").chmod(0o640)
    orphan(target, NEW).chmod(0o600)

    mend(target)

    assert target.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("stage", ["target", "temp"])
def test_what_cannot_be_read_is_not_corrupt_and_nothing_is_done(target: Path, stage: str) -> None:
    put(target, b"{")
    temp = orphan(target, NEW)
    refused = {"target": target.name, "temp": temp.name}[stage]

    class Denied(Ops):
        def open(self, folder: Folder | None, name: str, flags: int, mode: int = 0o600) -> int:
            if name == refused:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return super().open(folder, name, flags, mode)

    with pytest.raises(StateIOError) as caught:
        mend(target, Denied())

    assert caught.value.errno_name == "EIO"
    assert left(target.parent) == {"state.json", temp.name}


def test_a_failed_sync_is_not_repeated_but_the_bytes_are_written_anew(target: Path) -> None:
    put(target, b"{").chmod(0o640)
    orphan(target, NEW)
    synced = []

    class FailsOnce(Ops):
        def sync_file(self, fd: int) -> bool:
            synced.append(os.fstat(fd).st_ino)
            if len(synced) == 1:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return super().sync_file(fd)

    done = mend(target, FailsOnce())

    assert len(set(synced)) == len(synced) == 2
    assert done.outcome is Outcome.PROMOTED
    assert target.read_bytes() == NEW
    assert target.stat().st_mode & 0o777 == 0o640
    assert left(target.parent) == {"state.json", done.evidence}


def test_a_folder_that_cannot_be_synced_is_told_after_the_mending(target: Path) -> None:
    orphan(target, NEW)

    class Unsynced(Ops):
        def sync_folder(self, folder: Folder) -> bool:
            raise OSError(errno.EIO, os.strerror(errno.EIO), folder.path)

    with pytest.raises(CommittedNotDurable):
        mend(target, Unsynced())

    assert target.read_bytes() == NEW


def test_a_rename_that_fails_leaves_everything_as_it_was(target: Path) -> None:
    put(target, b"{")
    temp = orphan(target, NEW)

    class Stuck(Ops):
        def replace(self, folder: Folder, source: str, target: str) -> None:
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), f"{folder}{source}{target}")

    with pytest.raises(StateIOError):
        mend(target, Stuck())

    assert left(target.parent) == {"state.json", temp.name}


def test_without_links_the_evidence_is_moved(target: Path) -> None:
    put(target, b"{")
    orphan(target, NEW)

    class Linkless(Ops):
        def link(self, folder: Folder, source: str, target: str) -> None:
            raise OSError(errno.EPERM, os.strerror(errno.EPERM), f"{folder}{source}{target}")

    done = mend(target, Linkless())

    assert target.read_bytes() == NEW
    assert target.with_name(done.evidence or "").read_bytes() == b"{"


def test_a_temp_that_cannot_be_removed_is_told(target: Path) -> None:
    put(target, OLD)
    temp = orphan(target, NEW)

    class Kept(Ops):
        def unlink(self, folder: Folder, name: str) -> None:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), f"{folder}{name}")

    with pytest.raises(StateIOError, match=f"{re.escape(temp.name)} beside it") as caught:
        mend(target, Kept())

    assert caught.value.errno_name == "EROFS"


def test_forged_temps_are_neither_followed_nor_removed(tmp_path: Path, target: Path) -> None:
    put(target, b"{")
    (tmp_path / "elsewhere").write_bytes(NEW)
    names = [temp_name("state.json", 8, checksum(NEW), f"{number:016x}") for number in range(3)]
    (tmp_path / names[0]).symlink_to("elsewhere")
    (tmp_path / names[1]).hardlink_to(tmp_path / "elsewhere")
    os.mkfifo(tmp_path / names[2])

    with pytest.raises(Corrupt):
        mend(target)
    put(target, OLD)
    assert mend(target).removed == ()

    assert set(names) <= left(tmp_path)
    assert set(mend(target, foreign=True).removed) == set(names)
    assert (tmp_path / "elsewhere").read_bytes() == NEW


_PAUSED_WRITER = """
import sys
from holdfast.statefile import write_atomic
from holdfast.statefile.system.ops import Ops

class Paused(Ops):
    def replace(self, folder, source, target):
        if target == "state.json":
            print(source, flush=True)
            sys.stdin.readline()
        super().replace(folder, source, target)

write_atomic(sys.argv[1], b'{"a":2}\\n', ops=Paused())
print("done", flush=True)
"""


def test_the_temp_of_a_living_writer_is_never_touched(target: Path) -> None:
    put(target, OLD)
    with subprocess.Popen(
        [sys.executable, "-c", _PAUSED_WRITER, str(target)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdin is not None
        temp = target.with_name(writer.stdout.readline().strip())

        with pytest.raises(LockTimeout):
            mend(target, wait_for=0.0)
        assert inspect(target).is_well
        foretold = mend(target, dry_run=True)
        # Also without its lock, as where somebody took the lock file away.
        target.with_name(".state.json.lock").unlink()
        robbed = mend(target)

        assert (foretold.removed, robbed.removed) == ((), ())
        assert temp.exists()
        writer.stdin.write("\n")
        writer.stdin.flush()
        assert writer.stdout.readline() == "done\n"
    assert target.read_bytes() == NEW


def test_the_temp_of_a_killed_writer_goes(target: Path) -> None:
    put(target, OLD)
    with subprocess.Popen(
        [sys.executable, "-c", _PAUSED_WRITER, str(target)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as writer:
        assert writer.stdout is not None
        temp = writer.stdout.readline().strip()
        writer.kill()
        writer.wait()

        assert mend(target).removed == (temp,)
    assert target.read_bytes() == OLD


def test_foreign_temps_are_left_alone_unless_asked(target: Path) -> None:
    put(target, OLD)
    names = {"state.json.tmp.9999999", "state.json.tmp", ".state.json.tmp.9999999"}
    for name in names:
        put(target.with_name(name), NEW)

    assert mend(target).removed == ()
    assert left(target.parent) == {"state.json", *names}

    assert set(mend(target, foreign=True).removed) == names
    assert target.read_bytes() == OLD


def test_the_newest_valid_foreign_temp_is_the_last_resort(target: Path) -> None:
    put(target, b"{")
    put(target.with_name("state.json.tmp.9999998"), OLD, age_s=100.0)
    newest = put(target.with_name("state.json.tmp.9999999"), NEW, age_s=50.0)
    empty = put(target.with_name("state.json.tmp.9999997"), b"", age_s=1.0)

    done = mend(target, foreign=True)

    assert (done.outcome, done.source) == (Outcome.PROMOTED, newest.name)
    assert empty.name in done.removed
    assert target.read_bytes() == NEW


def test_a_foreign_temp_never_wins_over_one_of_ours(target: Path) -> None:
    put(target, b"{")
    ours = orphan(target, OLD, age_s=WEEK_S)
    put(target.with_name("state.json.tmp.9999999"), NEW, age_s=1.0)

    assert mend(target, foreign=True).source == ours.name


def test_the_temp_of_a_living_foreign_writer_stays(target: Path) -> None:
    put(target, OLD)
    with subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE
    ) as process:
        temp = target.with_name(f"state.json.tmp.{process.pid}")
        temp.write_bytes(NEW)

        assert recover(target, foreign=True).removed == ()
    assert temp.exists()


def test_a_guess_whose_a_foreign_temp_is_never_promotes_it(tmp_path: Path) -> None:
    put(tmp_path / "watchdog.status", b"")
    put(tmp_path / ".watchdog-status.tmp.9999999", b"healthy")

    with pytest.raises(Corrupt):
        mend(tmp_path / "watchdog.status", foreign=True)

    put(tmp_path / "watchdog.status", b"ok")
    done = mend(tmp_path / "watchdog.status", foreign=True)
    assert done.removed == (".watchdog-status.tmp.9999999",)


@pytest.mark.parametrize("state", [OLD, b"{", None])
def test_a_dry_run_tells_what_would_be_done_and_changes_nothing(
    target: Path, state: bytes | None
) -> None:
    if state is not None:
        put(target, state)
    orphan(target, NEW)
    orphan(target, NEW, cut=1)
    before = sorted(os.listdir(target.parent))

    foretold = mend(target, dry_run=True)

    assert foretold.dry_run
    assert sorted(os.listdir(target.parent)) == before
    done = mend(target)
    assert (foretold.outcome, foretold.source) == (done.outcome, done.source)
    assert set(foretold.removed) == set(done.removed)


def test_a_link_is_recovered_where_it_leads(tmp_path: Path, target: Path) -> None:
    put(target, b"{")
    orphan(target, NEW)
    (tmp_path / "folder").mkdir()
    link = tmp_path / "folder" / "link.json"
    link.symlink_to(target)

    mend(link)

    assert link.is_symlink()
    assert target.read_bytes() == NEW


def test_in_a_folder_every_file_is_mended(tmp_path: Path) -> None:
    put(tmp_path / "well.json", OLD)
    put(tmp_path / "left.json", OLD)
    orphan(tmp_path / "left.json", NEW)
    put(tmp_path / "cut.json", b"{")
    orphan(tmp_path / "cut.json", NEW)
    orphan(tmp_path / "lost.json", NEW)
    put(tmp_path / "unknown.bin.part", b"?")

    done = mend(tmp_path)

    assert done.outcome is Outcome.FOLDER
    assert {os.path.basename(part.path): part.outcome for part in done.parts} == {
        "cut.json": Outcome.PROMOTED,
        "left.json": Outcome.INTACT,
        "lost.json": Outcome.PROMOTED,
        "well.json": Outcome.INTACT,
    }
    assert not any(name.endswith(".tmp") for name in os.listdir(tmp_path))
    assert (tmp_path / "unknown.bin.part").exists()
    assert not (tmp_path / ".well.json.lock").exists()
    assert json.loads(json.dumps(done.plain()))["parts"][0]["outcome"] == "promoted"


def test_one_lost_file_of_a_folder_does_not_keep_the_others_from_being_mended(
    tmp_path: Path,
) -> None:
    put(tmp_path / "a.json", b"{")
    put(tmp_path / "b.json", b"{")
    put(tmp_path / "c.json", b"{")
    orphan(tmp_path / "b.json", NEW)

    with pytest.raises(Corrupt, match="2 files") as lost:
        mend(tmp_path)

    assert "a.json" in str(lost.value)
    assert "c.json" in str(lost.value)
    assert (tmp_path / "b.json").read_bytes() == NEW


def test_what_cannot_be_read_or_locked_in_a_folder_does_not_keep_the_others_from_being_mended(
    tmp_path: Path,
) -> None:
    os.mkfifo(tmp_path / "a.json")
    (tmp_path / "b.json").symlink_to("nowhere.json")
    (tmp_path / "c.json").symlink_to("c.json")
    for name in ("d.json", "e.json"):
        put(tmp_path / name, b"{")
        orphan(tmp_path / name, NEW)
    put(tmp_path / "f.json", OLD)
    open_lock = os.open(tmp_path / ".d.json.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(open_lock, fcntl.LOCK_EX)
    try:
        with pytest.raises(NotAllMended, match="4 files") as told:
            mend(tmp_path, wait_for=0.0)
    finally:
        os.close(open_lock)

    assert isinstance(told.value, StateIOError)
    assert (told.value.exit_code, told.value.errno_name) == (7, "EINVAL")
    assert [os.path.basename(one.path) for one in told.value.failures] == [
        "a.json",
        "b.json",
        "c.json",
        "d.json",
    ]
    assert {os.path.basename(part.path): part.outcome for part in told.value.done.parts} == {
        "e.json": Outcome.PROMOTED,
        "f.json": Outcome.INTACT,
    }
    assert "\nmended or cleaned up: e.json; all other files are whole" in str(told.value)
    assert (tmp_path / "e.json").read_bytes() == NEW
    assert (tmp_path / "d.json").read_bytes() == b"{"


def test_the_gravest_failure_of_a_folder_gives_the_exit_code(tmp_path: Path) -> None:
    for name in ("a.json", "b.json"):
        put(tmp_path / name, b"{")
    open_lock = os.open(tmp_path / ".b.json.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(open_lock, fcntl.LOCK_EX)
    try:
        with pytest.raises(Corrupt) as both:
            mend(tmp_path, wait_for=0.0)
        (tmp_path / "a.json").unlink()
        with pytest.raises(LockTimeout, match="nothing else was changed") as locked_only:
            mend(tmp_path, wait_for=0.0)
    finally:
        os.close(open_lock)

    assert (both.value.exit_code, locked_only.value.exit_code) == (6, 4)


def test_a_folder_of_which_something_was_mended_is_not_said_to_be_as_it_was(
    tmp_path: Path,
) -> None:
    put(tmp_path / "a.json", b"{")
    put(tmp_path / "b.json", b"{")
    orphan(tmp_path / "b.json", NEW)

    with pytest.raises(Corrupt) as told:
        mend(tmp_path)

    assert "all was left" not in str(told.value)
    assert "mended or cleaned up: b.json" in str(told.value)


@pytest.mark.parametrize("name", ["STATE.md", "state.json", "log.jsonl"])
def test_a_file_that_only_a_foreign_temp_is_left_of_is_lost_also_in_its_folder(
    tmp_path: Path, name: str
) -> None:
    put(tmp_path / f"{name}.tmp.99999999", b"{}\n")

    with pytest.raises(Corrupt, match="--foreign"):
        mend(tmp_path)

    assert [part.outcome for part in mend(tmp_path, foreign=True).parts] == [Outcome.PROMOTED]
    assert (tmp_path / name).read_bytes() == b"{}\n"


def journal(*files: Path) -> str:
    """Leave a transaction whose writer died as soon as it was committed."""
    txn = os.urandom(8).hex()
    changes = []
    for file in files:
        temp = temp_name(file.name, len(NEW), None, os.urandom(8).hex())
        put(file.with_name(temp), NEW)
        changes.append(Change(file.name, file.name, temp, "absent", len(NEW), checksum(NEW)))
    put(files[0].with_name(intent_name(txn)), encoded(Intent(txn, tuple(changes))))
    return txn


def test_a_committed_transaction_is_finished_for_all_its_files(tmp_path: Path) -> None:
    files = [tmp_path / "a.json", tmp_path / "b.json"]
    txn = journal(*files)

    assert mend(files[0], dry_run=True).transactions == (txn,)
    assert not files[0].exists()
    done = mend(files[0])

    assert (done.outcome, done.transactions) == (Outcome.FINISHED, (txn,))
    assert [file.read_bytes() for file in files] == [NEW, NEW]
    assert left(tmp_path) == {"a.json", "b.json"}


def test_a_folder_settles_its_transactions_first(tmp_path: Path) -> None:
    files = [tmp_path / "a.json", tmp_path / "b.json"]
    txn = journal(*files)

    assert mend(tmp_path, dry_run=True).transactions == (txn,)
    assert mend(tmp_path).transactions == (txn,)
    assert [file.read_bytes() for file in files] == [NEW, NEW]


def test_a_transaction_that_never_began_is_undone(tmp_path: Path) -> None:
    made, changed = tmp_path / "made.json", put(tmp_path / "changed.json", OLD)
    for file in (made, changed):
        with locked(file), open_place(file, follow=True, ops=Ops()) as place:
            write_mark(place, "a" * 16)
        put(tmp_path / temp_name(file.name, 8, None, "1" * 16), NEW)
    draft = temp_name(f".txn-{'a' * 16}.json", 2, checksum(b"{}"), "1" * 16)
    put(tmp_path / draft, b"{}")

    assert mend(made, dry_run=True).outcome is Outcome.UNDONE
    assert mend(made).outcome is Outcome.UNDONE
    assert mend(changed).outcome is Outcome.INTACT

    assert left(tmp_path) == {"changed.json"}
    assert changed.read_bytes() == OLD


def test_the_draft_of_a_journal_goes_when_no_writer_can_be_at_it(tmp_path: Path) -> None:
    put(tmp_path / "a.json", OLD)
    name = temp_name(f".txn-{'a' * 16}.json", 2, checksum(b"{}"), "1" * 16)
    put(tmp_path / name, b"{}", age_s=1.0)

    with locked(tmp_path / "b.json"):
        assert mend(tmp_path).removed == ()
        assert mend(tmp_path / "a.json").removed == ()

    assert not inspect(tmp_path).is_well
    assert mend(tmp_path).removed == (name,)
    assert inspect(tmp_path).is_well


def test_a_journal_nobody_can_read_is_no_transaction(tmp_path: Path) -> None:
    put(tmp_path / "a.json", OLD)
    put(tmp_path / f".txn-{'a' * 16}.json", b"{")

    assert mend(tmp_path / "a.json").transactions == ()
    assert mend(tmp_path).transactions == ("a" * 16,)
    assert not (tmp_path / f".txn-{'a' * 16}.json").exists()


def test_a_name_that_only_its_temp_knows_is_not_made_up(tmp_path: Path) -> None:
    target = tmp_path / f"{'long' * 60}.json"
    write_atomic(target, OLD, ops=Ops())
    [lock] = [name for name in os.listdir(tmp_path) if name.endswith(".lock")]
    temp = put(tmp_path / temp_name(lock[1:-5], 8, checksum(NEW), "1" * 16), NEW, age_s=-1e9)
    target.unlink()

    with pytest.raises(Corrupt, match="by its name"):
        mend(tmp_path)
    assert mend(target).source == temp.name


def test_a_recovered_file_can_be_recovered_again(target: Path) -> None:
    put(target, b"{")
    orphan(target, NEW)
    mend(target)

    again = mend(target)

    assert again == Recovery(str(target), Outcome.INTACT)
