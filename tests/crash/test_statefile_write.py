"""A write that fails or dies at any step leaves the old or the new content, whole, and no temp of the living."""

import errno
import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from holdfast.errors import CommittedNotDurable, StateError, StateIOError
from holdfast.statefile.durability import Durability
from holdfast.statefile.system.ops import Ops
from holdfast.statefile.write import write_atomic

if sys.platform == "win32":
    pytest.skip("the files, links and processes of POSIX", allow_module_level=True)

if TYPE_CHECKING:
    from tests.crash.conftest import FragileOps

OLD = b"the old content\n"
NEW = b"the new content, which is longer than the old one\n"
EARLIER = b"the version before the old one\n"
LARGE = b"from this size on the temp is certified only while the disk writes\n" * 2000

Write = Callable[[Path, Ops], object]


def replace(target: Path, ops: Ops) -> None:
    write_atomic(target, NEW, ops=ops)


def replace_at_file(target: Path, ops: Ops) -> None:
    write_atomic(target, NEW, durability=Durability.FILE, ops=ops)


def replace_at_atomic(target: Path, ops: Ops) -> None:
    write_atomic(target, NEW, durability=Durability.ATOMIC, ops=ops)


def replace_keeping_backups(target: Path, ops: Ops) -> None:
    write_atomic(target, NEW, backups=2, ops=ops)


def replace_with_much(target: Path, ops: Ops) -> None:
    write_atomic(target, LARGE, ops=ops)


def replace_again(target: Path, ops: Ops) -> None:
    known(target, ops)
    write_atomic(target, NEW, ops=ops)


def replace_again_at_atomic(target: Path, ops: Ops) -> None:
    known(target, ops)
    write_atomic(target, NEW, durability=Durability.ATOMIC, ops=ops)


def known(target: Path, ops: Ops) -> None:
    """Let it be a path that this process has written before."""
    before = Ops()
    write_atomic(target, OLD, ops=before)
    ops.written = before.written


def create_only(target: Path, ops: Ops) -> None:
    write_atomic(target, NEW, create_only=True, mode=0o640, ops=ops)


WRITES: list[tuple[Write, bytes | None]] = [
    (replace, OLD),
    (replace_at_file, OLD),
    (replace_at_atomic, OLD),
    (replace_keeping_backups, OLD),
    (replace_with_much, OLD),
    (replace_again, OLD),
    (replace_again_at_atomic, OLD),
    (replace, None),
    (replace_with_much, None),
    (create_only, None),
]
ERRORS = [errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EINTR, errno.EROFS]


def prepared(folder: Path, old: bytes | None) -> Path:
    folder.mkdir()
    target = folder / "state.json"
    if old is not None:
        target.write_bytes(old)
        target.chmod(0o640)
    return target


def content(target: Path) -> bytes | None:
    return target.read_bytes() if target.exists() else None


def temps(folder: Path) -> list[str]:
    return [name for name in os.listdir(folder) if name.endswith(".tmp")]


def outcome(write: Write, target: Path, ops: Ops) -> StateError | None:
    try:
        write(target, ops)
    except StateError as failure:
        return failure
    return None


@pytest.mark.parametrize(("write", "old"), WRITES)
def test_death_before_any_step_leaves_old_or_new_and_a_later_write_sweeps(
    tmp_path: Path, fragile: "type[FragileOps]", write: Write, old: bytes | None
) -> None:
    counted = fragile()
    new = content_after(write, prepared(tmp_path / "counted", old), counted)
    outcomes = set()
    for at, name in enumerate(counted.made, start=1):
        target = prepared(tmp_path / f"step{at}", old)
        ops = fragile(at)

        with pytest.raises(ops.Died):
            write(target, ops)
        ops.bury()

        left = content(target)
        assert left in (old, new), f"torn before step {at}, {name}"
        if left is not None and old is not None:
            assert target.stat().st_mode & 0o777 == 0o640
        outcomes.add(left)
        write_atomic(target, b"a later write", ops=Ops())
        assert temps(target.parent) == [], f"left by a death before step {at}, {name}"
        assert target.read_bytes() == b"a later write"
    assert outcomes == {old, new}


def content_after(write: Write, target: Path, ops: Ops) -> bytes:
    write(target, ops)
    return target.read_bytes()


@pytest.mark.parametrize("error", ERRORS, ids=errno.errorcode.get)
@pytest.mark.parametrize(("write", "old"), WRITES)
def test_an_error_at_any_step_keeps_the_old_or_says_the_new_is_there(
    tmp_path: Path,
    fragile: "type[FragileOps]",
    write: Write,
    old: bytes | None,
    error: int,
) -> None:
    counted = fragile()
    new = content_after(write, prepared(tmp_path / "counted", old), counted)
    for at, name in enumerate(counted.made, start=1):
        target = prepared(tmp_path / f"step{at}", old)

        failure = outcome(write, target, fragile(at, error))

        if isinstance(failure, StateIOError):
            assert content(target) == old, f"changed by a write that failed at {name}"
            assert failure.errno_name == errno.errorcode[error]
        else:
            assert content(target) == new, f"{failure} although {name} failed"
        if isinstance(failure, CommittedNotDurable):
            assert name in ("sync_folder", "close")

        # The second name of a created file cannot be removed when removing is what fails.
        assert name == "unlink" or temps(target.parent) == []


def test_a_backup_is_the_old_content_whole_whatever_step_the_writer_died_before(
    tmp_path: Path, fragile: "type[FragileOps]"
) -> None:
    counted = fragile()
    replace_keeping_backups(prepared(tmp_path / "counted", OLD), counted)
    for at in range(1, len(counted.made) + 1):
        target = prepared(tmp_path / f"step{at}", OLD)
        backups = [target.with_name(f"state.json.~{number}~") for number in (1, 2)]
        backups[0].write_bytes(EARLIER)
        ops = fragile(at)

        with pytest.raises(ops.Died):
            replace_keeping_backups(target, ops)
        ops.bury()

        kept = [content(backup) for backup in backups]
        assert EARLIER in kept
        assert set(kept) <= {OLD, EARLIER, None}
        if content(target) == NEW:
            assert kept == [OLD, EARLIER]


def test_the_steps_stand_in_the_order_that_survives_a_power_cut(
    tmp_path: Path, fragile: "type[FragileOps]"
) -> None:
    ops = fragile()
    replace(prepared(tmp_path / "counted", OLD), ops)
    made = ops.made

    order = ["lock", "open", "write", "chmod", "sync_file", "replace", "sync_folder"]
    positions = [len(made) - 1 - made[::-1].index(name) for name in order[2:]]
    assert made.index("lock") < positions[0]
    assert positions == sorted(positions)


@pytest.mark.parametrize("failing", ["sync_file", "sync_folder"])
def test_a_failed_sync_is_never_repeated(
    tmp_path: Path, fragile: "type[FragileOps]", failing: str
) -> None:
    counted = fragile()
    replace(prepared(tmp_path / "counted", OLD), counted)
    target = prepared(tmp_path / "failing", OLD)
    ops = fragile(counted.made.index(failing) + 1, errno.EIO)

    with pytest.raises((StateIOError, CommittedNotDurable)):
        replace(target, ops)

    assert ops.made.count(failing) == 1


_ENDLESS_WRITER = """
import itertools, sys
from holdfast.statefile import Durability, write_json
path = sys.argv[1]
for number in itertools.count(1):
    write_json(path, {"number": number, "ballast": "x" * (number * 997 % 200_000)},
               durability=Durability.ATOMIC)
    print(number, flush=True)
"""


def test_a_writer_killed_at_any_moment_never_leaves_a_torn_document(tmp_path: Path) -> None:
    target = tmp_path / "state.json"
    for _ in range(6):
        with subprocess.Popen(
            [sys.executable, "-c", _ENDLESS_WRITER, str(target)], stdout=subprocess.PIPE, text=True
        ) as writer:
            assert writer.stdout is not None
            acknowledged = 0
            for _ in range(1 + secrets.randbelow(60)):
                acknowledged = int(writer.stdout.readline())
                read_whole(target, acknowledged)
            writer.send_signal(signal.SIGKILL)
            acknowledged = max([acknowledged, *map(int, whole_lines(writer.stdout.read()))])

        read_whole(target, acknowledged)
    write_atomic(target, "{}", ops=Ops())
    assert temps(tmp_path) == []


def whole_lines(text: str) -> list[str]:
    return text.split("\n")[:-1]


def read_whole(target: Path, at_least: int) -> None:
    document = json.loads(target.read_bytes())
    assert document["number"] >= at_least
    assert len(document["ballast"]) == document["number"] * 997 % 200_000
