"""macOS: a barrier before the rename, a full flush after it, and honesty where there is neither."""

import errno
import os
from pathlib import Path

import pytest

from holdfast.errors import CommittedNotDurable, StateIOError
from holdfast.statefile.durability import Durability
from holdfast.statefile.system.macos import F_BARRIERFSYNC, F_FULLFSYNC, MacOps
from holdfast.statefile.system.ops import Folder
from holdfast.statefile.write import write_atomic


class FakeMac(MacOps):
    """A Mac whose drive knows only some of the commands."""

    def __init__(self, *, known: set[int], refusal: int = errno.ENOTSUP) -> None:
        super().__init__()
        self.known = known
        self.refusal = refusal
        self.done: list[str] = []

    def control(self, fd: int, command: int) -> None:
        if command not in self.known:
            raise OSError(self.refusal, os.strerror(self.refusal), fd)
        self.done.append("full" if command == F_FULLFSYNC else "barrier")

    def fsync(self, fd: int) -> None:
        self.done.append("fsync" if fd >= 0 else "nothing")

    def replace(self, folder: Folder, source: str, target: str) -> None:
        self.done.append("rename")
        super().replace(folder, source, target)


BOTH = {F_BARRIERFSYNC, F_FULLFSYNC}


@pytest.mark.parametrize(
    ("known", "steps", "achieved"),
    [
        (BOTH, ["barrier", "rename", "full"], Durability.FULL),
        ({F_BARRIERFSYNC}, ["barrier", "rename", "barrier"], Durability.FILE),
        ({F_FULLFSYNC}, ["fsync", "rename", "full"], Durability.FULL),
        (set(), ["fsync", "rename", "fsync"], Durability.ATOMIC),
    ],
)
def test_full_falls_back_to_what_the_drive_knows_and_says_so(
    tmp_path: Path, known: set[int], steps: list[str], achieved: Durability
) -> None:
    ops = FakeMac(known=known)

    result = write_atomic(tmp_path / "state.json", "new", ops=ops)

    assert ops.done == steps
    assert result.achieved is achieved
    assert (tmp_path / "state.json").read_text() == "new"


def test_the_file_level_costs_one_barrier(tmp_path: Path) -> None:
    ops = FakeMac(known=BOTH)

    result = write_atomic(tmp_path / "state.json", "new", durability=Durability.FILE, ops=ops)

    assert ops.done == ["barrier", "rename"]
    assert result.achieved is Durability.FILE


def test_a_failed_barrier_is_a_failure_not_a_missing_feature(tmp_path: Path) -> None:
    target = tmp_path / "state.json"
    target.write_text("old")

    with pytest.raises(StateIOError) as caught:
        write_atomic(target, "new", ops=FakeMac(known=set(), refusal=errno.EIO))

    assert caught.value.errno_name == "EIO"
    assert target.read_text() == "old"


def test_a_failed_full_flush_is_committed_not_durable(tmp_path: Path) -> None:
    target = tmp_path / "state.json"

    with pytest.raises(CommittedNotDurable):
        write_atomic(target, "new", ops=FakeMac(known={F_BARRIERFSYNC}, refusal=errno.EIO))

    assert target.read_text() == "new"


def test_access_lists_are_reported_as_lost_since_they_cannot_be_seen(tmp_path: Path) -> None:
    target = tmp_path / "state.json"
    target.write_text("old")

    assert write_atomic(target, "new", ops=FakeMac(known=BOTH)).lost == ("attributes",)
