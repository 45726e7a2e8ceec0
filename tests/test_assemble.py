"""How a supervisor comes to life: on its own, once per home, with nothing of its caller."""

import os
import shutil
import signal
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast import assemble
from holdfast.control import ControlClient
from holdfast.errors import HoldfastError, LockHeld, Refused
from holdfast.home import Home

if sys.platform != "linux":
    pytest.skip("these tests look into /proc", allow_module_level=True)


class Nest:
    """A home in which supervisors are started, and their certain end."""

    def __init__(self, root: Path) -> None:
        self.home = Home(root)
        self.pids: list[int] = []

    def start(self) -> int:
        supervising = assemble.spawn_supervisor(self.home)
        supervising.returncode = 0
        self.pids.append(supervising.pid)
        return supervising.pid

    def end(self) -> None:
        for pid in self.pids:
            os.kill(pid, signal.SIGTERM)
            os.waitpid(pid, 0)


@pytest.fixture
def nest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Nest]:
    runtime = tempfile.mkdtemp(prefix="hf-", dir="/tmp")
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


def test_there_is_one_supervisor_per_home(nest: Nest) -> None:
    pid = nest.start()
    with pytest.raises(LockHeld, match=str(pid)):
        assemble.start_supervisor(nest.home)
    assert nest.home.supervisor_lock.read_text().strip() == str(pid)


def test_it_has_nothing_of_its_caller(nest: Nest, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in assemble.OF_A_SERVICE:
        monkeypatch.setenv(name, "outer")
    ours, theirs = os.pipe()
    os.set_inheritable(theirs, True)
    pipe = os.readlink(f"/proc/self/fd/{theirs}")
    pid = nest.start()
    os.close(ours)
    os.close(theirs)
    folder = Path(f"/proc/{pid}")
    held = {os.readlink(entry) for entry in (folder / "fd").iterdir()}
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


def test_all_it_writes_is_private(nest: Nest) -> None:
    nest.start()
    files = [path for path in nest.home.root.rglob("*") if path.is_file()]
    assert nest.home.logs / "supervisor.log" in files
    assert {stat.S_IMODE(path.stat().st_mode) & 0o077 for path in files} == {0}
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


def test_a_state_folder_that_cannot_be_used_is_told_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    with pytest.raises(HoldfastError, match=r"cannot be used: .*set HOLDFAST_HOME"):
        assemble.start_supervisor(Home(tmp_path / "home"))


def test_a_log_that_cannot_be_written_is_told_before_anything_starts(nest: Nest) -> None:
    nest.home.make()
    (nest.home.logs / "supervisor.log").mkdir()
    with pytest.raises(HoldfastError, match=r"supervisor\.log cannot be written"):
        assemble.start_supervisor(nest.home)


def test_what_keeps_it_from_getting_ready_is_told_in_its_own_words(nest: Nest) -> None:
    nest.home.make()
    runtime = nest.home.new_runtime()
    runtime.write_text("no folder")
    with pytest.raises(HoldfastError, match=f"{runtime} belongs to somebody else"):
        assemble.start_supervisor(nest.home)


def test_a_record_that_cannot_be_read_is_named_and_nothing_is_guessed(nest: Nest) -> None:
    nest.home.make()
    nest.home.service("api").mkdir()
    with pytest.raises(HoldfastError, match=r"api\.json could not be read"):
        assemble.start_supervisor(nest.home)


def test_an_end_without_words_points_to_the_log(nest: Nest) -> None:
    nest.home.make()
    (nest.home.new_runtime() / "control.sock").mkdir(parents=True)
    with pytest.raises(HoldfastError, match=r"see .*supervisor\.log"):
        assemble.start_supervisor(nest.home)
    assert "control.sock" in own_log(nest)


def test_another_program_is_refused() -> None:
    with pytest.raises(HoldfastError, match="there is no program 'watchcat'"):
        assemble._main(["watchcat", "--ready-fd", "1"])


def test_a_refusal_names_itself_apart_from_a_held_lock() -> None:
    assert issubclass(LockHeld, Refused)
