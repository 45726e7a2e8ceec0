"""Recovery that dies or fails at any step loses nothing, and done again comes to the same end."""

import errno
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from holdfast.errors import CommittedNotDurable, Corrupt, StateError, StateIOError
from holdfast.statefile.intent import Change, Intent, encoded, intent_name
from holdfast.statefile.recovery.inspect import inspect
from holdfast.statefile.recovery.recover import recover
from holdfast.statefile.system.ops import Ops
from holdfast.statefile.temp import checksum, temp_name
from holdfast.statefile.transactions import transaction
from holdfast.statefile.write import write_atomic

if sys.platform == "win32":
    pytest.skip("the files, links and processes of POSIX", allow_module_level=True)

OLD, NEW, BAD = b'{"a":1}\n', b'{"a":2}\n', b'{"a":'
ERRORS = [errno.EIO, errno.ENOSPC, errno.EACCES, errno.EROFS]


def orphan(target: Path, content: bytes, *, cut: int = 0, age_s: float = 0.0) -> Path:
    name = temp_name(target.name, len(content), checksum(content), os.urandom(8).hex())
    temp = target.with_name(name)
    temp.write_bytes(content[: len(content) - cut])
    if age_s:
        changed = temp.stat().st_mtime - age_s
        os.utime(temp, (changed, changed))
    return temp


def intact(target: Path) -> None:
    target.write_bytes(NEW)
    orphan(target, OLD)
    orphan(target, OLD, cut=2)


def cut(target: Path) -> None:
    target.write_bytes(BAD)
    target.chmod(0o640)
    orphan(target, OLD, cut=2)
    orphan(target, NEW)


def cut_with_an_old_temp(target: Path) -> None:
    cut(target)
    target.with_name(".state.json.lock").write_bytes(b"         7\n")
    for temp in target.parent.glob(".state.json.*.tmp"):
        os.utime(temp, (1e9, 1e9))


def missing(target: Path) -> None:
    orphan(target, OLD, age_s=100.0)
    orphan(target, NEW)


def with_a_backup(target: Path) -> None:
    target.write_bytes(BAD)
    target.with_name("state.json.~1~").write_bytes(NEW)
    orphan(target, OLD, cut=1)


def committed(target: Path) -> None:
    changes = []
    for name in ("state.json", "other.json"):
        temp = temp_name(name, len(NEW), None, os.urandom(8).hex())
        target.with_name(temp).write_bytes(NEW)
        changes.append(Change(name, name, temp, "absent", len(NEW), checksum(NEW)))
    intent = Intent("a" * 16, tuple(changes))
    target.with_name(intent_name(intent.id)).write_bytes(encoded(intent))


CASES = [intact, cut, cut_with_an_old_temp, missing, with_a_backup, committed]


def prepared(folder: Path, case: Callable[[Path], None]) -> Path:
    folder.mkdir()
    target = folder / "state.json"
    case(target)
    return target


def steps(folder: Path, case: Callable[[Path], None], fragile: Any) -> list[str]:
    target = prepared(folder, case)
    ops = fragile()
    recover(target, ops=ops)
    assert_mended(target)
    made: list[str] = ops.made
    return made


def assert_mended(target: Path) -> None:
    assert target.read_bytes() == NEW
    assert [name for name in os.listdir(target.parent) if name.endswith(".tmp")] == []
    evidence = list(target.parent.glob("*.corrupt-*"))
    assert [one.read_bytes() for one in evidence] in ([], [BAD])
    assert inspect(target.parent).is_well


def everything_whole(folder: Path) -> Iterator[bytes]:
    for path in folder.iterdir():
        if path.is_file() and path.read_bytes() in (OLD, NEW):
            yield path.read_bytes()


@pytest.mark.parametrize("case", CASES)
def test_death_before_any_step_loses_nothing_and_done_again_it_ends_the_same(
    tmp_path: Path, fragile: Any, case: Callable[[Path], None]
) -> None:
    made = steps(tmp_path / "counted", case, fragile)
    assert len(made) > 10
    for at, name in enumerate(made, start=1):
        target = prepared(tmp_path / f"step{at}", case)
        ops = fragile(at)

        with pytest.raises(ops.Died):
            recover(target, ops=ops)
        ops.bury()

        assert NEW in everything_whole(target.parent), f"lost before step {at}, {name}"
        recover(target, ops=Ops())
        assert_mended(target)


@pytest.mark.parametrize("error", ERRORS, ids=errno.errorcode.get)
@pytest.mark.parametrize("case", CASES)
def test_an_error_at_any_step_is_told_and_leaves_the_way_open(
    tmp_path: Path, fragile: Any, case: Callable[[Path], None], error: int
) -> None:
    for at, name in enumerate(steps(tmp_path / "counted", case, fragile), start=1):
        target = prepared(tmp_path / f"step{at}", case)
        before = target.read_bytes() if target.exists() else None
        ops = fragile(at, error)

        failure = failed(target, ops)

        content = target.read_bytes() if target.exists() else None
        assert content in (before, NEW), f"changed by a recovery that failed at {name}"
        if failure is None:
            assert content == NEW
        elif isinstance(failure, CommittedNotDurable):
            assert (name, content) == ("sync_folder", NEW)
        else:
            assert isinstance(failure, StateIOError), f"{failure!r} as {name} failed"
            assert failure.errno_name == errno.errorcode[error]
        assert NEW in everything_whole(target.parent)
        ops.bury()
        recover(target, ops=Ops())
        assert_mended(target)


def failed(target: Path, ops: Ops) -> StateError | None:
    try:
        recover(target, ops=ops)
    except StateError as failure:
        return failure
    return None


def test_what_is_promoted_is_on_the_disk_before_it_has_the_name(
    tmp_path: Path, fragile: Any
) -> None:
    made = steps(tmp_path / "counted", cut, fragile)

    order = [made.index(name) for name in ("lock", "sync_file", "link", "replace", "sync_folder")]
    assert order == sorted(order)
    assert made.index("unlink") > order[-1]


@pytest.mark.parametrize("case", CASES)
def test_a_dry_run_writes_nothing_at_any_step(
    tmp_path: Path, fragile: Any, case: Callable[[Path], None]
) -> None:
    target = prepared(tmp_path / "dry", case)
    before = sorted(os.listdir(target.parent))
    ops = fragile()

    recover(target, dry_run=True, ops=ops)

    writing = {"write", "replace", "rename_new", "link", "unlink", "truncate", "chmod", "chown"}
    assert not writing & set(ops.made)
    assert sorted(os.listdir(target.parent)) == before


def replaced(folder: Path, ops: Ops) -> None:
    write_atomic(folder / "state.json", NEW, backups=2, ops=ops)


def created(folder: Path, ops: Ops) -> None:
    write_atomic(folder / "new.json", NEW, create_only=True, ops=ops)


def committed_together(folder: Path, ops: Ops) -> None:
    with transaction(folder / "state.json", folder / "new.json", ops=ops) as together:
        together.write(folder / "state.json", NEW)
        together.write(folder / "new.json", NEW)


@pytest.mark.parametrize("write", [replaced, created, committed_together])
def test_a_writer_that_died_at_any_step_is_cleaned_up_after(
    tmp_path: Path, fragile: Any, write: Callable[[Path, Ops], None]
) -> None:
    def fresh(name: str) -> Path:
        (tmp_path / name).mkdir()
        (tmp_path / name / "state.json").write_bytes(OLD)
        return tmp_path / name

    counted = fragile()
    write(fresh("counted"), counted)
    for at, name in enumerate(counted.made, start=1):
        folder = fresh(f"step{at}")
        ops = fragile(at)
        with pytest.raises(ops.Died):
            write(folder, ops)
        ops.bury()

        unfinished = failed(folder, Ops())

        here = {one.name: one.read_bytes() for one in folder.glob("*.json")}
        if write is committed_together:
            assert here in ({"state.json": OLD}, {"state.json": NEW, "new.json": NEW}), name
        else:
            assert here["state.json"] in (OLD, NEW)
            assert here.get("new.json", NEW) == NEW
        if isinstance(unfinished, Corrupt):
            assert "new.json" in str(unfinished)  # which never came to be
            assert here == {"state.json": OLD}, name
            continue
        assert unfinished is None
        assert [one for one in os.listdir(folder) if one.endswith(".tmp")] == [], name
        assert inspect(folder).is_well, f"not well after a death before step {at}, {name}"
