"""A write that fails or dies at any step leaves the old or the new content, whole, and no temp of the living."""

import errno
import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from holdfast.errors import CommittedNotDurable, StateError, StateIOError
from holdfast.statefile.ops import Folder, Ops
from holdfast.statefile.write import Durability, write_atomic

if sys.platform == "win32":
    pytest.skip("the files, links and processes of POSIX", allow_module_level=True)

OLD = b"the old content\n"
NEW = b"the new content, which is longer than the old one\n"

_NO_CALLS = {"check_name", "pid", "uid", "is_alive", "pause"}
_CALLS = [
    name
    for name, member in vars(Ops).items()
    if callable(member) and not name.startswith("_") and name not in _NO_CALLS
]


class Died(BaseException):
    """The process is gone: nothing after this has an effect."""


class FragileOps(Ops):
    """Fails once, or dies, before the call of a chosen number."""

    def __init__(self, at: int = 0, error: int | None = None) -> None:
        super().__init__()
        self.made: list[str] = []
        self.open_fds: set[int] = set()
        self._at = at
        self._error = error
        self._dead = False

    def before(self, name: str) -> None:
        if self._dead:
            raise Died
        self.made.append(name)
        if len(self.made) != self._at:
            return
        if self._error is not None:
            raise OSError(self._error, os.strerror(self._error))
        self._dead = True
        raise Died

    def after(self, name: str, answer: object, facts: tuple[object, ...]) -> None:
        if name == "open_folder" and isinstance(answer, Folder):
            self.open_fds.add(answer.fd)
        elif name == "open" and isinstance(answer, int):
            self.open_fds.add(answer)
        elif name == "close" and isinstance(facts[0], int):
            self.open_fds.discard(facts[0])
        elif name == "close_folder" and isinstance(facts[0], Folder):
            self.open_fds.discard(facts[0].fd)

    def bury(self) -> None:
        """Close what the kernel would close."""
        for fd in self.open_fds:
            os.close(fd)
        self.open_fds.clear()


def _fragile(name: str) -> Callable[..., object]:
    def call(self: FragileOps, *facts: object, **named: object) -> object:
        self.before(name)
        answer: object = getattr(Ops, name)(self, *facts, **named)
        self.after(name, answer, facts)
        return answer

    return call


for _name in _CALLS:
    setattr(FragileOps, _name, _fragile(_name))


def replace(target: Path, ops: Ops) -> None:
    write_atomic(target, NEW, ops=ops)


def create_only(target: Path, ops: Ops) -> None:
    write_atomic(target, NEW, create_only=True, mode=0o640, ops=ops)


def replace_atomic(target: Path, ops: Ops) -> None:
    write_atomic(target, NEW, durability=Durability.ATOMIC, ops=ops)


WRITES = [(replace, OLD), (replace_atomic, OLD), (replace, None), (create_only, None)]
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


def outcome(write: Callable[[Path, Ops], None], target: Path, ops: Ops) -> StateError | None:
    try:
        write(target, ops)
    except StateError as failure:
        return failure
    return None


def steps(tmp_path: Path, write: Callable[[Path, Ops], None], old: bytes | None) -> list[str]:
    ops = FragileOps()
    write(prepared(tmp_path / "counted", old), ops)
    return ops.made


@pytest.fixture
def closing() -> Iterator[list[FragileOps]]:
    used: list[FragileOps] = []
    yield used
    for ops in used:
        ops.bury()


@pytest.mark.parametrize(("write", "old"), WRITES)
def test_death_before_any_step_leaves_old_or_new_and_a_later_write_sweeps(
    tmp_path: Path, write: Callable[[Path, Ops], None], old: bytes | None
) -> None:
    count = len(steps(tmp_path, write, old))
    outcomes = set()
    for at in range(1, count + 1):
        target = prepared(tmp_path / f"step{at}", old)
        ops = FragileOps(at)

        with pytest.raises(Died):
            write(target, ops)
        ops.bury()

        left = content(target)
        assert left in (old, NEW), f"torn before step {at}, {ops.made[-1]}"
        if left is not None and old is not None:
            assert target.stat().st_mode & 0o777 == 0o640
        outcomes.add(left)
        write_atomic(target, b"a later write", ops=Ops())
        assert temps(target.parent) == [], f"left by a death before step {at}, {ops.made[-1]}"
        assert target.read_bytes() == b"a later write"
    assert outcomes == {old, NEW}


@pytest.mark.parametrize("error", ERRORS, ids=errno.errorcode.get)
@pytest.mark.parametrize(("write", "old"), WRITES)
def test_an_error_at_any_step_keeps_the_old_or_says_the_new_is_there(
    tmp_path: Path,
    closing: list[FragileOps],
    write: Callable[[Path, Ops], None],
    old: bytes | None,
    error: int,
) -> None:
    for at, name in enumerate(steps(tmp_path, write, old), start=1):
        target = prepared(tmp_path / f"step{at}", old)
        ops = FragileOps(at, error)
        closing.append(ops)

        failure = outcome(write, target, ops)

        if isinstance(failure, StateIOError):
            assert content(target) == old, f"changed by a write that failed at {name}"
            assert failure.errno_name == errno.errorcode[error]
        else:
            assert content(target) == NEW, f"{failure} although {name} failed"
        if isinstance(failure, CommittedNotDurable):
            assert name in ("sync_folder", "close")

        # The second name of a created file cannot be removed when removing is what fails.
        assert name == "unlink" or temps(target.parent) == []


def test_the_steps_stand_in_the_order_that_survives_a_power_cut(tmp_path: Path) -> None:
    made = steps(tmp_path, replace, OLD)

    order = ["lock", "open", "write", "chmod", "sync_file", "replace", "sync_folder"]
    positions = [len(made) - 1 - made[::-1].index(name) for name in order[2:]]
    assert made.index("lock") < positions[0]
    assert positions == sorted(positions)


@pytest.mark.parametrize("failing", ["sync_file", "sync_folder"])
def test_a_failed_sync_is_never_repeated(tmp_path: Path, failing: str) -> None:
    at = steps(tmp_path, replace, OLD).index(failing) + 1
    target = prepared(tmp_path / "failing", OLD)
    ops = FragileOps(at, errno.EIO)

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
