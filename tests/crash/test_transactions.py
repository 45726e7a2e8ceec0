"""A transaction that fails or dies at any step, and a settlement that dies too, leave all files old or all new."""

import errno
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from holdfast.errors import CommittedNotDurable, Corrupt, StateError, StateIOError
from holdfast.statefile import locked, write_atomic
from holdfast.statefile.recovery.recover import recover
from holdfast.statefile.system.ops import Ops
from holdfast.statefile.transactions import transaction

if sys.platform == "win32":
    pytest.skip("the files and locks of POSIX", allow_module_level=True)

if TYPE_CHECKING:
    from tests.crash.conftest import FragileOps

OLD = b"the old content\n"
NEW = b"the new content, which is longer than the old one\n"
ERRORS = [errno.EIO, errno.ENOSPC, errno.EINTR, errno.EROFS]


def prepared(folder: Path, count: int) -> list[Path]:
    folder.mkdir()
    paths = [folder / f"{number}.txt" for number in range(count)]
    for path in paths[:-1]:
        path.write_bytes(OLD)
    return paths  # the last one is new


def change(paths: list[Path], ops: Ops) -> None:
    with transaction(*paths, ops=ops) as together:
        for path in paths:
            together.write(path, NEW)


def contents(paths: list[Path]) -> list[bytes | None]:
    return [path.read_bytes() if path.exists() else None for path in paths]


def all_old(paths: list[Path]) -> list[bytes | None]:
    return [*([OLD] * (len(paths) - 1)), None]


def all_new(paths: list[Path]) -> list[bytes | None]:
    return [NEW] * len(paths)


def hidden(folder: Path) -> list[str]:
    return [
        name for name in os.listdir(folder) if name.endswith(".tmp") or name.startswith(".txn-")
    ]


def enter_each_lock(paths: list[Path]) -> None:
    for path in paths:
        with locked(path, ops=Ops()):
            pass


def recover_the_folder(paths: list[Path]) -> None:
    try:
        recover(paths[0].parent, ops=Ops())
    except Corrupt:  # of the file that was to be new there is only a piece
        assert contents(paths) == all_old(paths)
    else:
        assert hidden(paths[0].parent) == []


@pytest.mark.parametrize("heal", [enter_each_lock, recover_the_folder])
@pytest.mark.parametrize("count", [2, 10])
def test_death_before_any_step_leaves_all_old_or_all_new(
    tmp_path: Path, fragile: "type[FragileOps]", heal: Callable[[list[Path]], None], count: int
) -> None:
    counted = fragile()
    change(prepared(tmp_path / "counted", count), counted)
    found = []
    for at, name in enumerate(counted.made, start=1):
        paths = prepared(tmp_path / f"step{at}", count)
        ops = fragile(at)
        with pytest.raises(ops.Died):
            change(paths, ops)
        ops.bury()

        heal(paths)

        left = contents(paths)
        assert left in (all_old(paths), all_new(paths)), f"mixed by a death at {at}, {name}"
        found.append(left == all_new(paths))
        for path in paths:
            write_atomic(path, b"a later write", ops=Ops())
        assert hidden(paths[0].parent) == [], f"left by a death before step {at}, {name}"
    # From one step on it is committed, and never again not.
    assert found == sorted(found)
    assert set(found) == {False, True}


@pytest.mark.parametrize("error", ERRORS, ids=errno.errorcode.get)
def test_an_error_at_any_step_keeps_all_or_says_that_all_will_be_new(
    tmp_path: Path, fragile: "type[FragileOps]", error: int
) -> None:
    counted = fragile()
    change(prepared(tmp_path / "counted", 3), counted)
    for at, name in enumerate(counted.made, start=1):
        paths = prepared(tmp_path / f"step{at}", 3)

        failure = outcome(paths, fragile(at, error))

        if isinstance(failure, StateIOError):
            assert contents(paths) == all_old(paths), f"changed by an error at {name}"
            assert name == "unlink" or hidden(paths[0].parent) == [], f"left by an error at {name}"
        enter_each_lock(paths)
        if not isinstance(failure, StateIOError):
            assert contents(paths) == all_new(paths), f"{failure} although {name} failed"
            assert hidden(paths[0].parent) == [], f"left by an error at {name}"


def outcome(paths: list[Path], ops: Ops) -> StateError | None:
    try:
        change(paths, ops)
    except (StateIOError, CommittedNotDurable) as failure:
        return failure
    return None


def test_a_settlement_that_dies_at_any_step_is_finished_by_the_next(
    tmp_path: Path, fragile: "type[FragileOps]"
) -> None:
    committed = steps_to_commitment(tmp_path, fragile)
    for at in range(1, 1000):
        paths = prepared(tmp_path / f"step{at}", 3)
        die_at(committed, paths, fragile)
        settling = fragile(at)
        with suppress(settling.Died):
            for path in paths:
                with locked(path, ops=settling):
                    pass
        settling.bury()

        enter_each_lock(paths)

        assert contents(paths) == all_new(paths)
        assert hidden(paths[0].parent) == []
        if len(settling.made) < at:
            return
    pytest.fail("a settlement has no end")


def steps_to_commitment(tmp_path: Path, fragile: "type[FragileOps]") -> int:
    """Return before which step to die so that the journal and one of the new names stand."""
    counted = fragile()
    change(prepared(tmp_path / "counted", 3), counted)
    renames = [at for at, name in enumerate(counted.made, start=1) if name == "replace"]
    return renames[-2]


def die_at(step: int, paths: list[Path], fragile: "type[FragileOps]") -> None:
    ops = fragile(step)
    with pytest.raises(ops.Died):
        change(paths, ops)
    ops.bury()
    assert len({*contents(paths)}) > 1
