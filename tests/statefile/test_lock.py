"""Locks exclude, name their holder, and die with it."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from holdfast.errors import LockHeld, LockTimeout, StateIOError
from holdfast.statefile.documents import read_json, write_json
from holdfast.statefile.durability import Durability
from holdfast.statefile.lock import hold, holder, locked
from holdfast.statefile.system.flock import lock_shared
from holdfast.statefile.system.ops import Ops
from holdfast.statefile.write import write_atomic

if sys.platform == "win32":
    pytest.skip("the files, links and processes of POSIX", allow_module_level=True)


class FakeClock:
    """Moves only when somebody pauses."""

    def __init__(self) -> None:
        self.now = 0.0

    def wall(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now


class FakeWait(Ops):
    """Pauses by moving a clock, and calls back after each."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self.clock = clock
        self.pauses: list[float] = []

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.clock.now += seconds


class PauseThen(Ops):
    """Lets something happen during each pause."""

    def __init__(self, happen: Callable[[], object]) -> None:
        super().__init__()
        self.happen = happen

    def pause(self, seconds: float) -> None:
        assert seconds > 0
        self.happen()


_LOCKED = """
import sys
from holdfast.statefile import locked
with locked(sys.argv[1]):
    print("ready", flush=True)
    sys.stdin.read()
"""
_HELD = """
import sys
from holdfast.statefile import hold
held = hold(sys.argv[1])
print("ready", flush=True)
sys.stdin.read()
held.close()
"""


@contextmanager
def running(script: str, path: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a script that holds the lock until its input ends."""
    with subprocess.Popen(
        [sys.executable, "-c", script, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def end(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "state.json"


class TestLocked:
    def test_a_lock_that_is_not_free_in_time_names_its_holder(self, target: Path) -> None:
        clock = FakeClock()
        ops = FakeWait(clock)

        with running(_LOCKED, target) as other:
            names_it = pytest.raises(LockTimeout, match=f"process {other.pid} holds its lock")
            with names_it as caught, locked(target, 2.0, ops=ops, clock=clock):
                pytest.fail("two hold one lock")

        assert caught.value.path == str(target)
        assert 2.0 <= sum(ops.pauses) < 2.1
        assert (ops.pauses[0], max(ops.pauses)) == (0.001, 0.005)

    def test_a_killed_holder_frees_it(self, target: Path) -> None:
        with running(_LOCKED, target) as other:
            end(other)

            with locked(target, 0):
                write_atomic(target, "mine")

        assert target.read_text() == "mine"

    def test_it_is_had_as_soon_as_the_holder_lets_go(self, target: Path) -> None:
        with (
            running(_LOCKED, target) as other,
            locked(target, 10, ops=PauseThen(lambda: end(other))),
        ):
            pass

    def test_a_thread_enters_again_and_another_thread_does_not(self, target: Path) -> None:
        refused = []

        def from_another_thread() -> None:
            try:
                with locked(target, 0):
                    pass
            except LockTimeout as error:
                refused.append(error)

        with locked(target), locked(target):
            other = threading.Thread(target=from_another_thread)
            other.start()
            other.join()
        with locked(target, 0):
            pass

        assert len(refused) == 1
        assert f"process {os.getpid()}" in str(refused[0])

    def test_leaving_the_inner_lock_keeps_the_outer(self, target: Path) -> None:
        with locked(target):
            with locked(target):
                pass
            with open(sidecar(target), "rb") as probe:
                assert Ops().is_locked(probe.fileno())

    def test_an_error_inside_frees_it_and_is_not_dressed_up(self, target: Path) -> None:
        with pytest.raises(FileNotFoundError), locked(target):
            target.read_text()

        with locked(target, 0):
            pass

    def test_a_link_and_its_target_share_one_lock(self, target: Path, tmp_path: Path) -> None:
        link = tmp_path / "link"
        link.symlink_to(target)

        with running(_LOCKED, target), pytest.raises(LockTimeout), locked(link, 0):
            pytest.fail("two hold one lock")

    def test_the_sidecar_stays_and_is_private(self, target: Path) -> None:
        with locked(target):
            first = sidecar(target).stat()
        with locked(target):
            pass

        assert sidecar(target).stat().st_ino == first.st_ino
        assert first.st_mode & 0o777 == 0o600

    def test_a_forged_sidecar_is_refused_not_followed(self, target: Path, tmp_path: Path) -> None:
        sidecar(target).symlink_to(tmp_path / "elsewhere")

        with pytest.raises(StateIOError) as caught, locked(target):
            pass

        assert caught.value.errno_name == "ELOOP"
        assert not (tmp_path / "elsewhere").exists()

    def test_a_missing_folder_is_a_typed_error(self, tmp_path: Path) -> None:
        with pytest.raises(StateIOError) as caught, locked(tmp_path / "none" / "state.json"):
            pass

        assert caught.value.errno_name == "ENOENT"


def sidecar(target: Path) -> Path:
    return target.with_name(f".{target.name}.lock")


_INCREMENT = """
import sys
from holdfast.statefile import Durability, locked, read_json, write_json
for _ in range(50):
    with locked(sys.argv[1], 60):
        count = read_json(sys.argv[1])["count"]
        write_json(sys.argv[1], {"count": count + 1}, durability=Durability.ATOMIC)
"""


def test_four_processes_that_read_change_and_write_lose_nothing(target: Path) -> None:
    write_json(target, {"count": 0}, durability=Durability.ATOMIC)

    writers = [subprocess.Popen([sys.executable, "-c", _INCREMENT, str(target)]) for _ in range(4)]

    assert [writer.wait() for writer in writers] == [0, 0, 0, 0]
    assert read_json(target) == {"count": 200}


class TestHold:
    def test_only_one_process_holds_it_and_the_other_learns_who(self, tmp_path: Path) -> None:
        path = tmp_path / "supervisor.lock"

        with running(_HELD, path) as other:
            with pytest.raises(LockHeld, match=f"process {other.pid}") as caught:
                hold(path)

            assert caught.value.holder == other.pid
            assert path.read_text().strip() == str(other.pid)

    def test_it_is_private_and_stays_after_a_close(self, tmp_path: Path) -> None:
        path = tmp_path / "supervisor.lock"

        with hold(path):
            assert path.stat().st_mode & 0o777 == 0o600
            assert holder(path) == os.getpid()

        assert path.exists()
        assert holder(path) is None

    def test_a_second_hold_in_the_same_process_is_refused(self, tmp_path: Path) -> None:
        with hold(tmp_path / "supervisor.lock") as held:
            with pytest.raises(LockHeld):
                hold(tmp_path / "supervisor.lock")
            held.close()
            hold(tmp_path / "supervisor.lock").close()

    def test_a_killed_holder_frees_it_at_once(self, tmp_path: Path) -> None:
        path = tmp_path / "supervisor.lock"

        with running(_HELD, path) as other:
            end(other)
            assert holder(path) is None
            with hold(path):
                assert holder(path) == os.getpid()

    def test_a_child_does_not_inherit_it(self, tmp_path: Path) -> None:
        path = tmp_path / "supervisor.lock"
        held = hold(path)

        with subprocess.Popen(
            [sys.executable, "-c", "import sys; print(flush=True); sys.stdin.read()"],
            close_fds=False,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as child:
            assert child.stdout is not None
            child.stdout.readline()
            held.close()
            hold(path).close()
            child.kill()

    def test_a_probe_in_the_way_is_waited_out(self, tmp_path: Path) -> None:
        path = tmp_path / "supervisor.lock"
        path.touch()
        probe = os.open(path, os.O_RDONLY)
        assert lock_shared(probe)

        with hold(path, ops=PauseThen(lambda: os.close(probe))):
            assert holder(path) == os.getpid()

    def test_a_probe_that_never_ends_is_not_waited_for_without_end(self, tmp_path: Path) -> None:
        path = tmp_path / "supervisor.lock"
        path.touch()
        with open(path, "rb") as probe:
            assert lock_shared(probe.fileno())

            with pytest.raises(LockHeld, match="another process") as caught:
                hold(path, ops=FakeWait(FakeClock()))

        assert caught.value.holder is None

    def test_a_lock_file_that_cannot_be_made_is_a_typed_error(self, tmp_path: Path) -> None:
        with pytest.raises(StateIOError) as caught:
            hold(tmp_path / "none" / "supervisor.lock")

        assert caught.value.errno_name == "ENOENT"


_PROBES = """
import sys
from holdfast.statefile import holder
print("ready", flush=True)
while True:
    holder(sys.argv[1])
"""


class TestHolder:
    def test_nobody_holds_a_lock_that_was_never_made(self, tmp_path: Path) -> None:
        assert holder(tmp_path / "supervisor.lock") is None
        assert os.listdir(tmp_path) == []

    def test_looking_changes_nothing(self, tmp_path: Path) -> None:
        path = tmp_path / "supervisor.lock"
        path.write_text("4711\n")
        before = path.stat()

        assert holder(path) is None

        assert path.stat().st_mtime_ns == before.st_mtime_ns
        assert path.read_text() == "4711\n"

    def test_looking_all_the_time_never_makes_a_hold_fail(self, tmp_path: Path) -> None:
        path = tmp_path / "supervisor.lock"
        path.touch()

        with running(_PROBES, path), running(_PROBES, path):
            for _ in range(300):
                hold(path).close()

    def test_the_pid_a_killed_holder_left_is_not_taken_for_its_successor(
        self, tmp_path: Path
    ) -> None:
        path = tmp_path / "supervisor.lock"
        with running(_HELD, path) as other:
            end(other)
        with open(path, "r+b") as late:
            assert Ops().lock(late.fileno())

            successor_writes = PauseThen(lambda: os.write(late.fileno(), b"%10d\n" % os.getpid()))
            assert holder(path, ops=successor_writes) == os.getpid()

    def test_a_holder_without_a_name_is_said_so(self, tmp_path: Path) -> None:
        path = tmp_path / "supervisor.lock"
        with open(path, "w+b") as stranger:
            assert Ops().lock(stranger.fileno())

            with pytest.raises(LockHeld, match="left no pid"):
                holder(path, ops=FakeWait(FakeClock()))
