"""Several files change together, or none does."""

import errno
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from holdfast.errors import (
    CommittedNotDurable,
    Conflict,
    InvalidContent,
    LockTimeout,
    StateIOError,
    UsageError,
)
from holdfast.statefile.durability import Durability
from holdfast.statefile.intent import pending
from holdfast.statefile.lock import locked
from holdfast.statefile.system.ops import Folder, Ops
from holdfast.statefile.system.this import SYSTEM
from holdfast.statefile.transactions import transaction
from holdfast.statefile.write import write_atomic

if sys.platform == "win32":
    pytest.skip("the files, links and processes of POSIX", allow_module_level=True)


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    first, second = tmp_path / "STATE.md", tmp_path / "history.json"
    first.write_text("old state\n")
    second.write_text("[]\n")
    return first, second


def visible(folder: Path) -> list[str]:
    return sorted(name for name in os.listdir(folder) if not name.endswith(".lock"))


def write_both(pair: tuple[Path, Path], *, expect: str | None = None, ops: Ops = SYSTEM) -> None:
    with transaction(*pair, ops=ops) as txn:
        txn.write(pair[0], "new state\n")
        txn.write(pair[1], "[1]\n", expect=expect)


def write_unnamed(first: Path, second: Path) -> None:
    with transaction() as txn:
        txn.write(first, "new")
        txn.write(second, "new")


def contents(pair: tuple[Path, Path]) -> tuple[str, str]:
    return pair[0].read_text(), pair[1].read_text()


@pytest.mark.parametrize("durability", list(Durability))
def test_all_files_are_written_and_nothing_else_is_left(
    pair: tuple[Path, Path], durability: Durability
) -> None:
    pair[0].chmod(0o640)

    with transaction(*pair, durability=durability) as txn:
        txn.write(pair[0], "new state\n")
        txn.write(pair[1], b"[1]\n")
        txn.write(pair[1].with_name("third.txt"), "made\n")

    assert contents(pair) == ("new state\n", "[1]\n")
    assert pair[0].stat().st_mode & 0o777 == 0o640
    assert visible(pair[0].parent) == ["STATE.md", "history.json", "third.txt"]


def test_an_error_inside_the_block_writes_nothing(pair: tuple[Path, Path]) -> None:
    def fail() -> None:
        with transaction(*pair) as txn:
            txn.write(pair[0], "new state\n")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    assert contents(pair) == ("old state\n", "[]\n")


def test_the_locks_of_named_files_are_held_from_the_start(pair: tuple[Path, Path]) -> None:
    refused: list[type[BaseException]] = []

    def write_beside() -> None:
        try:
            with locked(pair[1], 0.01):
                pass
        except LockTimeout as error:
            refused.append(type(error))

    with transaction(*pair) as txn:
        thread = threading.Thread(target=write_beside)
        thread.start()
        thread.join()
        txn.write(pair[1], json.dumps([*json.loads(pair[1].read_text()), "x"]))

    assert refused == [LockTimeout]
    assert pair[1].read_text() == '["x"]'


def test_a_surprise_in_one_file_keeps_all_of_them(pair: tuple[Path, Path]) -> None:
    with pytest.raises(Conflict, match=r"history\.json"):
        write_both(pair, expect="absent")

    assert contents(pair) == ("old state\n", "[]\n")
    assert visible(pair[0].parent) == ["STATE.md", "history.json"]


def test_files_of_different_folders_are_refused(pair: tuple[Path, Path]) -> None:
    other = pair[0].parent / "elsewhere"
    other.mkdir()
    with pytest.raises(UsageError, match="one folder"):
        write_unnamed(pair[0], other / "x")

    assert pair[0].read_text() == "old state\n"
    assert visible(other) == []


def test_two_paths_to_one_file_are_refused(pair: tuple[Path, Path]) -> None:
    link = pair[0].with_name("link.md")
    link.symlink_to(pair[0])
    with pytest.raises(UsageError, match="one file"):
        write_unnamed(pair[0], link)

    assert pair[0].read_text() == "old state\n"


def test_what_is_equal_is_not_written(pair: tuple[Path, Path]) -> None:
    before = pair[0].stat().st_ino
    with transaction(*pair) as txn:
        txn.write(pair[0], "old state\n")
        txn.write(pair[1], "[1]\n")

    assert pair[0].stat().st_ino == before
    assert pair[1].read_text() == "[1]\n"


def test_text_that_is_no_unicode_is_refused_at_once(pair: tuple[Path, Path]) -> None:
    with pytest.raises(InvalidContent), transaction(*pair) as txn:
        txn.write(pair[0], "\ud800")


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(StateIOError, match="create its folder first"), transaction() as txn:
        txn.write(tmp_path / "missing" / "x", "new")


class FailingAt(Ops):
    """Fails the n-th rename."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.left = at

    def replace(self, folder: Folder, source: str, target: str) -> None:
        self.left -= 1
        if self.left == 0:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        super().replace(folder, source, target)


def test_an_error_before_the_commitment_leaves_all_old(pair: tuple[Path, Path]) -> None:
    with pytest.raises(StateIOError):
        write_both(pair, ops=FailingAt(1))

    assert contents(pair) == ("old state\n", "[]\n")
    assert visible(pair[0].parent) == ["STATE.md", "history.json"]


def test_an_error_after_the_commitment_says_so_and_the_next_writer_finishes(
    pair: tuple[Path, Path],
) -> None:
    with pytest.raises(CommittedNotDurable):
        write_both(pair, ops=FailingAt(3))
    assert contents(pair) == ("new state\n", "[]\n")

    with locked(pair[1]):
        assert contents(pair) == ("new state\n", "[1]\n")
    assert visible(pair[0].parent) == ["STATE.md", "history.json"]


_KILLED_HALFWAY = """
import os, signal, sys
from holdfast.statefile.system.ops import Ops
from holdfast.statefile.system.this import SYSTEM
from holdfast.statefile.transactions import transaction

class Mortal(Ops):
    renames = 0
    def replace(self, folder, source, target):
        self.renames += 1
        if self.renames == int(sys.argv[3]):
            os.kill(os.getpid(), signal.SIGKILL)
        super().replace(folder, source, target)

with transaction(sys.argv[1], sys.argv[2], ops=Mortal()) as txn:
    txn.write(sys.argv[1], "new state\\n")
    txn.write(sys.argv[2], "[1]\\n")
"""


def die_at(rename: int, pair: tuple[Path, Path]) -> None:
    command = [sys.executable, "-c", _KILLED_HALFWAY, *map(str, pair), str(rename)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL


@pytest.mark.parametrize(
    ("rename", "expected"),
    [
        (1, ("old state\n", "[]\n")),  # the journal's own
        (2, ("new state\n", "[1]\n")),
        (3, ("new state\n", "[1]\n")),
    ],
)
def test_the_next_writer_settles_what_a_killed_one_left(
    pair: tuple[Path, Path], rename: int, expected: tuple[str, str]
) -> None:
    die_at(rename, pair)

    write_atomic(pair[1], "[2]\n")

    assert contents(pair) == (expected[0], "[2]\n")
    with locked(pair[0]):
        assert contents(pair) == (expected[0], "[2]\n")
    folder = Folder(str(pair[0].parent), os.open(pair[0].parent, os.O_RDONLY))
    try:
        assert pending(folder, Ops()) == []
    finally:
        os.close(folder.fd)
