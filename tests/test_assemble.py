"""How a supervisor comes to life: on its own, once per home, with nothing of its caller."""

import contextlib
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from holdfast import assemble
from holdfast.control import ControlClient
from holdfast.errors import HoldfastError, LockHeld, NotRunning, Refused
from holdfast.home import Home
from holdfast.machine.probes.errand import VARIABLE
from holdfast.model.service import HISTORY_KEPT, Exit, Now, Reason, Restart, ServiceState, Wait
from holdfast.rules.restart import next_start

if sys.platform != "linux":
    pytest.skip("these tests look into /proc", allow_module_level=True)


class Nest:
    """A home in which Holdfast is started, and its certain end."""

    def __init__(self, root: Path) -> None:
        self.home = Home(root)
        self.watchdogs: list[subprocess.Popen[bytes]] = []

    def start(self) -> int:
        """Start all, and return the pid of the supervisor."""
        self.watchdogs.append(assemble.spawn(self.home))
        return self.supervisor()

    def supervisor(self) -> int:
        with ControlClient(self.home.control_socket) as control:
            pid: int = control.call("ping")["pid"]
        return pid

    def end(self) -> None:
        if self.watchdogs:
            os.kill(self.supervisor(), signal.SIGTERM)
        for watchdog in self.watchdogs:
            assert watchdog.wait(timeout=30) == 0


@pytest.fixture
def nest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Nest]:
    runtime = tempfile.mkdtemp(prefix="hf-", dir="/tmp")
    os.chmod(runtime, 0o711)
    monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
    nest = Nest(tmp_path / "home")
    yield nest
    nest.end()
    shutil.rmtree(runtime)


def own_log(nest: Nest) -> str:
    return (nest.home.logs / "supervisor.log").read_text(encoding="utf-8")


def test_it_takes_orders_once_it_is_started(nest: Nest) -> None:
    pid = nest.start()
    with ControlClient(nest.home.control_socket) as control:
        assert (control.call("ping")["pid"], control.call("ping")["ready"]) == (pid, True)


def test_there_is_one_holdfast_per_home(nest: Nest) -> None:
    pid = nest.start()
    watchdog = nest.watchdogs[0].pid
    with pytest.raises(LockHeld, match=str(watchdog)):
        assemble.start(nest.home)
    assert nest.home.supervisor_lock.read_text().strip() == str(pid)
    assert nest.home.watchdog_lock.read_text().strip() == str(watchdog)


def test_the_supervisor_is_a_child_of_the_watchdog_and_follows_it_in_the_end(nest: Nest) -> None:
    pid = nest.start()
    watchdog = nest.watchdogs[0]
    assert f"PPid:\t{watchdog.pid}\n" in Path(f"/proc/{pid}/status").read_text()
    nest.end()
    nest.watchdogs.clear()
    assert not nest.home.runtime().exists()


def test_what_outlives_its_caller_outlives_it(nest: Nest) -> None:
    assemble.start(nest.home)
    first = nest.supervisor()
    watchdog = int(nest.home.watchdog_lock.read_text())
    os.kill(first, signal.SIGTERM)
    assert os.waitpid(watchdog, 0) == (watchdog, 0)


def test_a_supervisor_without_a_watchdog_gets_one_and_the_caller_is_told(nest: Nest) -> None:
    supervisor = nest.start()
    os.kill(supervisor, signal.SIGSTOP)
    first = nest.watchdogs.pop()
    first.kill()
    first.wait()
    with pytest.raises(LockHeld, match=f"process {supervisor}"):
        assemble.start(nest.home)
    os.kill(supervisor, signal.SIGCONT)
    watchdog = int(nest.home.watchdog_lock.read_text())
    os.kill(supervisor, signal.SIGTERM)
    assert os.waitpid(watchdog, 0) == (watchdog, 0)


def test_a_watchdog_for_a_supervisor_that_runs_is_started_without_waiting(nest: Nest) -> None:
    nest.start()
    second = assemble.start_watchdog(nest.home)
    assert os.waitstatus_to_exitcode(os.waitpid(second, 0)[1]) == LockHeld.exit_code
    log = (nest.home.logs / "watchdog.log").read_text()
    assert "watchdog.lock is held" in log


def test_a_hung_supervisor_leaves_its_stacks_in_its_log(nest: Nest) -> None:
    first = nest.start()
    os.kill(first, signal.SIGABRT)
    while True:
        with contextlib.suppress(NotRunning):
            if nest.supervisor() != first:
                break
    assert "Fatal Python error: Aborted" in own_log(nest)


def test_nobody_need_be_there_to_hear_the_answer() -> None:
    told, tell = os.pipe()
    os.close(told)
    answer = assemble._Answer(tell)
    answer.give({"ready": True})
    answer.give({"ready": True})
    assert not Path(f"/proc/self/fd/{tell}").exists()


def test_it_has_nothing_of_its_caller(nest: Nest, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*assemble.OF_A_SERVICE, VARIABLE):
        monkeypatch.setenv(name, "outer")
    ours, theirs = os.pipe()
    os.set_inheritable(theirs, True)
    pipe = os.readlink(f"/proc/self/fd/{theirs}")
    pid = nest.start()
    os.close(ours)
    os.close(theirs)
    folder = Path(f"/proc/{pid}")
    held = set()
    for entry in (folder / "fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # it opens and closes while it is looked at
            held.add(os.readlink(entry))
    assert pipe not in held
    environment = (folder / "environ").read_bytes()
    assert b"outer" not in environment
    assert f"HOLDFAST_HOME={nest.home.root}\0".encode() in environment
    assert os.getsid(pid) == pid
    assert os.readlink(folder / "cwd") == str(nest.home.root)
    assert os.readlink(folder / "fd" / "0") == "/dev/null"
    assert os.readlink(folder / "fd" / "2").endswith("logs/supervisor.log")


def test_it_does_without_what_it_never_needs(nest: Nest) -> None:
    maps = Path(f"/proc/{nest.start()}/maps").read_text(encoding="utf-8")
    assert "_asyncio" in maps or "_socket" in maps
    assert "ssl" not in maps
    assert "libcrypto" not in maps


def modes_of_files(root: Path) -> Iterator[tuple[Path, int]]:
    for path in root.rglob("*"):
        with contextlib.suppress(
            FileNotFoundError
        ):  # a beat comes as a temp, which is renamed at any time
            found = path.lstat()
            if stat.S_ISREG(found.st_mode):
                yield path, stat.S_IMODE(found.st_mode)


def test_all_it_writes_is_private(nest: Nest) -> None:
    nest.start()
    modes = dict(modes_of_files(nest.home.root))
    assert nest.home.logs / "supervisor.log" in modes
    assert [path for path, mode in modes.items() if mode & 0o077] == []
    socket = nest.home.control_socket
    assert stat.S_IMODE(socket.stat().st_mode) == 0o600


def test_the_runtime_folder_is_remembered_for_callers_without_a_session(
    nest: Nest, monkeypatch: pytest.MonkeyPatch
) -> None:
    nest.start()
    before = nest.home.control_socket
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert nest.home.control_socket == before


def test_it_raises_its_own_limit_on_open_files(nest: Nest) -> None:
    import resource

    soft, hard = resource.prlimit(nest.start(), resource.RLIMIT_NOFILE)
    assert soft == hard
    assert resource.prlimit(nest.watchdogs[0].pid, resource.RLIMIT_NOFILE) == (hard, hard)


def test_a_state_folder_that_cannot_be_used_is_told_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    with pytest.raises(HoldfastError, match=r"cannot be used: .*set HOLDFAST_HOME"):
        assemble.start(Home(tmp_path / "home"))


def test_a_log_that_cannot_be_written_is_told_before_anything_starts(nest: Nest) -> None:
    nest.home.make()
    (nest.home.logs / "supervisor.log").mkdir()
    with pytest.raises(HoldfastError, match=r"supervisor\.log cannot be written"):
        assemble.start(nest.home)


def test_what_keeps_it_from_getting_ready_is_told_in_its_own_words(nest: Nest) -> None:
    nest.home.make()
    runtime = nest.home.new_runtime()
    runtime.write_text("no folder")
    with pytest.raises(HoldfastError, match=f"{runtime} belongs to somebody else"):
        assemble.start(nest.home)


def test_a_record_that_cannot_be_read_is_named_and_nothing_is_guessed(nest: Nest) -> None:
    nest.home.make()
    nest.home.service("api").mkdir()
    with pytest.raises(HoldfastError, match=r"api\.json could not be read"):
        assemble.start(nest.home)


def test_an_end_without_words_points_to_the_log(nest: Nest) -> None:
    nest.home.make()
    (nest.home.new_runtime() / "control.sock").mkdir(parents=True)
    with pytest.raises(HoldfastError, match=r"see .*supervisor\.log"):
        assemble.start(nest.home)
    assert "control.sock" in own_log(nest)


def test_another_program_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert assemble._main(["watchcat"]) == 1
    assert "there is no program 'watchcat'" in capsys.readouterr().err


def test_a_refusal_names_itself_apart_from_a_held_lock() -> None:
    assert issubclass(LockHeld, Refused)


def test_what_holdfast_runs_for_itself_is_never_held_however_often_it_dies() -> None:
    spec = assemble.builtins(hub=True, backup=True)[0]
    state = ServiceState(name="hub")
    now = Now(wall=1e9, mono=1000.0, boot_id="b", draw=1.0)
    for death in range(200):
        start = next_start(spec.restart, state, now)
        assert start.wait is Wait.DELAY
        assert start.mono - now.mono <= 30.0 + 1e-6
        row = Restart(
            at=now.wall, mono=start.mono, boot_id="b", reason=Reason.SIGNAL, exit=Exit(signal=9)
        )
        history = (*state.history, row)[-HISTORY_KEPT:]
        state = replace(state, history=history, level=state.level + 1)
        now = replace(now, wall=now.wall + 0.01 * death, mono=start.mono + 0.01)
    assert spec.builtin
