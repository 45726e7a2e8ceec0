"""Inspection finds what crashes left, tells the living from the dead, and leaves no trace."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.errors import StateIOError
from holdfast.statefile.intent import Change, Intent, encoded, intent_name
from holdfast.statefile.lock import locked
from holdfast.statefile.recovery.inspect import LOOKS_AT_MOST, Report, Target, inspect
from holdfast.statefile.recovery.judge import State, Status
from holdfast.statefile.system.ops import Folder, Ops
from holdfast.statefile.temp import checksum, temp_name
from holdfast.statefile.write import write_atomic

if sys.platform == "win32":
    pytest.skip("the files, links and processes of POSIX", allow_module_level=True)

NOW = 1_767_225_600.0


class FixedClock:
    def wall(self) -> float:
        return NOW

    def monotonic(self) -> float:
        return 0.0


def orphan(folder: Path, stem: str, content: bytes, *, cut: int = 0, age_s: float = 100.0) -> str:
    """Leave what a killed writer leaves."""
    name = temp_name(stem, len(content), checksum(content), os.urandom(8).hex())
    put(folder / name, content[: len(content) - cut], age_s)
    return name


def put(path: Path, content: bytes, age_s: float = 100.0) -> Path:
    path.write_bytes(content)
    os.utime(path, (NOW - age_s, NOW - age_s))
    return path


def look(path: Path, looks: int | None = LOOKS_AT_MOST, ops: Ops | None = None) -> Report:
    return inspect(path, looks=looks, clock=FixedClock(), ops=ops or Ops())


def only(report: Report) -> Target:
    [target] = report.targets
    return target


def status(report: Report, name: str) -> Status:
    [found] = [temp for temp in only(report).temps if temp.name == name]
    return found.status


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return put(tmp_path / "state.json", b'{"a":1}\n')


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process that lives until the test is over."""
    with subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE
    ) as process:
        yield process


def test_a_whole_file_by_itself_is_well(target: Path) -> None:
    report = look(target)

    assert report.is_well
    assert only(report) == Target("state.json", State.VALID, None, (), (), ())


def test_a_missing_file_is_told_and_is_not_well(tmp_path: Path) -> None:
    report = look(tmp_path / "state.json")

    assert only(report).state is State.MISSING
    assert not report.is_well


def test_a_corrupt_file_is_found_with_its_reason(target: Path) -> None:
    put(target, b'{"a":')

    for report in (look(target), look(target.parent)):
        assert only(report).state is State.INVALID
        assert "no JSON" in (only(report).why or "")
        assert not report.is_well


def test_complete_and_partial_temps_are_told_apart_by_their_checksum(target: Path) -> None:
    folder = target.parent
    complete = orphan(folder, "state.json", b'{"a":2}\n')
    bad = {
        orphan(folder, "state.json", b'{"a":2}\n', cut=3): "holds 5 of 8 bytes",
        orphan(folder, "state.json", b'{"a":'): "Expecting value",
        temp_name("state.json", 2, checksum(b"{}"), "1" * 16): "not what its name says",
        temp_name("state.json", 2, None, "2" * 16): "died before it was certain",
    }
    for name in bad:
        if not (folder / name).exists():
            put(folder / name, b"[]")

    report = look(target)

    assert status(report, complete) is Status.COMPLETE
    whys = {temp.name: temp.why or "" for temp in only(report).temps}
    for name, words in bad.items():
        assert status(report, name) is Status.PARTIAL
        assert words in whys[name]
    assert not report.is_well


@pytest.mark.parametrize("content", [b"", b"\0" * 8, b"{}{}", b"12", b"\xef\xbb\xbf"])
def test_a_bad_temp_is_partial_even_when_its_name_fits(target: Path, content: bytes) -> None:
    said = b"123" if content == b"12" else content
    name = temp_name("state.json", len(said), checksum(said), "1" * 16)
    put(target.parent / name, content)

    assert status(look(target), name) is Status.PARTIAL


def test_a_temp_under_the_lock_of_its_writer_is_live_and_well(target: Path) -> None:
    name = orphan(target.parent, "state.json", b"{}")
    with open(target.parent / name, "rb") as writing:
        assert Ops().lock(writing.fileno())

        report = look(target)

    assert status(report, name) is Status.LIVE
    assert report.is_well


def test_a_young_temp_is_live_while_its_target_is_locked(target: Path) -> None:
    young = orphan(target.parent, "state.json", b"{}", cut=2, age_s=1.0)
    old = orphan(target.parent, "state.json", b"{}", cut=2, age_s=61.0)

    with locked(target):
        held = look(target)
    free = look(target)

    assert (status(held, young), status(held, old)) == (Status.LIVE, Status.PARTIAL)
    assert status(free, young) is Status.PARTIAL


def test_a_file_that_is_just_being_made_is_well(tmp_path: Path) -> None:
    name = orphan(tmp_path, "new.json", b"{}")
    with open(tmp_path / name, "rb") as writing:
        assert Ops().lock(writing.fileno())

        assert look(tmp_path / "new.json").is_well
        assert look(tmp_path).is_well


def test_forged_temps_are_foreign_and_never_opened(tmp_path: Path, target: Path) -> None:
    opened = []

    class Watching(Ops):
        def open(self, folder: Folder | None, name: str, flags: int, mode: int = 0o600) -> int:
            opened.append(name)
            return super().open(folder, name, flags, mode)

    content = b'{"a":2}\n'
    names = [temp_name("state.json", 8, checksum(content), f"{n:016x}") for n in range(4)]
    (tmp_path / "elsewhere").write_bytes(content)
    (tmp_path / names[0]).symlink_to("elsewhere")
    (tmp_path / names[1]).hardlink_to(tmp_path / "elsewhere")
    os.mkfifo(tmp_path / names[2])
    (tmp_path / names[3]).mkdir()

    report = look(target, ops=Watching())

    assert {temp.name: temp.status for temp in only(report).temps} == dict.fromkeys(
        names[:3], Status.FOREIGN
    )
    assert not set(names) & set(opened)


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="gives files away")
def test_a_temp_of_another_user_is_foreign_unless_the_file_is_theirs(target: Path) -> None:
    name = orphan(target.parent, "state.json", b"{}")
    os.chown(target.parent / name, 1234, -1)
    assert status(look(target), name) is Status.FOREIGN

    os.chown(target, 1234, -1)
    assert status(look(target), name) is Status.COMPLETE


def test_the_second_name_of_the_target_itself_is_ours(target: Path) -> None:
    name = temp_name("state.json", 8, checksum(b'{"a":1}\n'), "1" * 16)
    (target.parent / name).hardlink_to(target)

    assert status(look(target), name) is Status.COMPLETE


def test_temps_of_other_programs_are_foreign(target: Path) -> None:
    names = ["state.json.tmp", "state.json.tmp.9999999", ".state.json.tmp.x", "state.json.part"]
    for name in names:
        put(target.parent / name, b"{}")

    report = look(target)

    assert {temp.name: temp.status for temp in only(report).temps} == dict.fromkeys(
        names, Status.FOREIGN
    )
    assert not report.is_well


def test_a_foreign_temp_lives_with_the_process_it_is_named_after(
    tmp_path: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    target = tmp_path / "state.json"
    target.write_text("{}")
    (tmp_path / f"state.json.tmp.{sleeper.pid}").write_text("{")

    assert inspect(target).is_well

    sleeper.kill()
    sleeper.wait()
    assert not inspect(target).is_well


def test_a_process_that_began_after_the_change_is_another_one(
    tmp_path: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    if sys.platform != "linux":
        pytest.skip("only /proc tells when a process began")
    target = tmp_path / "state.json"
    target.write_text("{}")
    temp = tmp_path / f"state.json.tmp.{sleeper.pid}"
    temp.write_text("{")
    os.utime(temp, (temp.stat().st_mtime - 3600,) * 2)

    assert only(inspect(target)).temps[0].status is Status.FOREIGN


def test_a_locked_foreign_temp_is_live(target: Path) -> None:
    name = "state.json.tmp"
    with open(put(target.parent / name, b"{}"), "rb") as writing:
        assert Ops().lock(writing.fileno())

        assert status(look(target), name) is Status.LIVE


def test_backups_and_evidence_are_listed(target: Path) -> None:
    put(target.parent / "state.json.~1~", b"{")
    put(target.parent / "state.json.~2~", b"{}")
    (target.parent / "state.json.~3~").symlink_to("state.json")
    evidence = "state.json.corrupt-20260101T000000.000Z-0123456789abcdef"
    put(target.parent / evidence, b"{")

    found = only(look(target))

    assert [(one.name[-3:], one.valid) for one in found.backups] == [
        ("~1~", False),
        ("~2~", True),
        ("~3~", False),
    ]
    assert found.evidence == (evidence,)
    assert found.is_well


def test_a_folder_is_searched_for_state_files_and_for_what_was_left(tmp_path: Path) -> None:
    for name, content in {
        "a.json": b"{}",
        "b.jsonl": b"{}\n",
        "c.md": b"# C\n",
        "d.dat": b"\0",
        "e.dat": b"x",
    }.items():
        put(tmp_path / name, content)
    orphan(tmp_path, "e.dat", b"y")
    orphan(tmp_path, "lost.json", b"{}")
    put(tmp_path / "gone.md.~1~", b"x")
    put(tmp_path / "set-aside.json.corrupt-20260101T000000.000Z-0123456789abcdef", b"")
    put(tmp_path / ".deleted.json.lock", b"")
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "other").mkdir()

    report = look(tmp_path)

    assert {target.name: (target.state, target.is_well) for target in report.targets} == {
        "a.json": (State.VALID, True),
        "b.jsonl": (State.VALID, True),
        "c.md": (State.VALID, True),
        "e.dat": (State.VALID, False),
        "gone.md": (State.MISSING, False),
        "lost.json": (State.MISSING, False),
    }


def test_links_are_followed_to_the_file_and_to_what_stands_beside_it(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    real = put(tmp_path / "real" / "state.json", b"{")
    name = orphan(real.parent, "state.json", b"{}")
    (tmp_path / "here").mkdir()
    link = tmp_path / "here" / "link.json"
    link.symlink_to(real)
    (tmp_path / "here" / "circle.json").symlink_to("circle.json")

    assert status(look(link), name) is Status.COMPLETE
    circle, linked = look(tmp_path / "here").targets
    assert (linked.name, linked.state, len(linked.temps)) == ("link.json", State.INVALID, 1)
    assert circle.state is State.UNREADABLE


def test_what_cannot_be_read_is_told_and_is_not_called_corrupt(target: Path) -> None:
    temp = orphan(target.parent, "state.json", b"{}")

    class Denied(Ops):
        def open(self, folder: Folder | None, name: str, flags: int, mode: int = 0o600) -> int:
            if name in ("state.json", temp):
                raise OSError(5, "Input/output error")
            return super().open(folder, name, flags, mode)

    report = look(target, ops=Denied())

    assert only(report).state is State.UNREADABLE
    assert "Input/output" in (only(report).temps[0].why or "")
    assert not report.is_well


def test_a_pipe_is_no_state_file_and_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")

    assert only(look(tmp_path)).state is State.UNREADABLE
    with pytest.raises(StateIOError):
        look(tmp_path / "pipe.json")
    with pytest.raises(StateIOError):
        look(tmp_path / "nowhere" / "state.json")


def journal(folder: Path, *names: str) -> str:
    txn = os.urandom(8).hex()
    changes = tuple(Change(name, name, ".temp", "absent", 8, "0" * 8) for name in names)
    put(folder / intent_name(txn), encoded(Intent(txn, changes)))
    return txn


def test_a_stranded_transaction_is_found_and_a_living_one_is_well(target: Path) -> None:
    txn = journal(target.parent, "state.json", "other.json")

    stranded = look(target)
    with locked(target.parent / "other.json"):
        living = look(target.parent)

    assert [(one.id, one.files, one.live) for one in stranded.transactions] == [
        (txn, ("state.json", "other.json"), False)
    ]
    assert not stranded.is_well
    assert living.transactions[0].live
    assert living.is_well


def test_a_transaction_of_other_files_does_not_concern_a_file(target: Path) -> None:
    journal(target.parent, "other.json")

    assert look(target).is_well
    assert not look(target.parent).is_well


def test_long_names_find_their_temps(tmp_path: Path) -> None:
    target = tmp_path / f"{'long' * 60}.json"
    write_atomic(target, "{}", ops=Ops())
    [lock] = [name for name in os.listdir(tmp_path) if name.endswith(".lock")]
    orphan(tmp_path, lock[1:-5], b"{}")

    for path in (target, tmp_path):
        found = only(look(path))
        assert (found.name, found.state, len(found.temps)) == (target.name, State.VALID, 1)


def test_of_a_large_folder_no_more_is_opened_than_was_allowed(tmp_path: Path) -> None:
    for number in range(20):
        put(tmp_path / f"{number}.json", b"{}" if number else b"{")
    put(tmp_path / "other.dat", b"x")
    for _ in range(3):
        orphan(tmp_path, "other.dat", b"y")

    some, all_of_it = look(tmp_path, looks=10), look(tmp_path, looks=None)

    assert (len(some.targets), some.unread) == (7, 14)
    assert "other.dat" in {target.name for target in some.targets}
    assert (len(all_of_it.targets), all_of_it.unread) == (21, 0)
    assert look(tmp_path, looks=2).unread == 22


def test_inspection_changes_nothing(tmp_path: Path, target: Path) -> None:
    orphan(tmp_path, "state.json", b"{}")
    put(tmp_path / "state.json.tmp.1", b"{}")
    put(tmp_path / "bad.md", b"")
    journal(tmp_path, "state.json")

    def everything() -> dict[str, tuple[int, int, int]]:
        return {
            one.name: (one.stat().st_ino, one.stat().st_mtime_ns, one.stat().st_size)
            for one in tmp_path.iterdir()
        }

    before = everything()
    look(tmp_path)
    look(target)

    assert everything() == before


def test_the_plain_report_is_json(tmp_path: Path, target: Path) -> None:
    orphan(tmp_path, "state.json", b"{}")
    put(tmp_path / "state.json.~1~", b"{}")
    journal(tmp_path, "state.json")

    plain = json.loads(json.dumps(look(tmp_path).plain()))

    assert plain["well"] is False
    [told] = plain["targets"]
    assert (told["name"], told["state"], told["well"]) == ("state.json", "valid", False)
    assert told["temps"][0]["status"] == "complete"
    assert told["temps"][0]["age_s"] == 100.0
    assert told["backups"] == [{"name": "state.json.~1~", "valid": True, "why": None}]
    assert plain["transactions"][0]["files"] == ["state.json"]


def test_without_locks_the_owner_of_the_file_tells_who_lives(target: Path) -> None:
    class Lockless(Ops):
        def is_locked(self, fd: int) -> bool:
            raise OSError(95, "Operation not supported", fd)

    name = orphan(target.parent, "state.json", b"{}")
    put(target.parent / ".state.json.lock", b"")

    assert status(look(target, ops=Lockless()), name) is Status.COMPLETE
