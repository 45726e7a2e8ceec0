"""One Holdfast of its own for a test, driven from outside only: by its commands, its control socket and the kernel."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from holdfast.control import ControlClient
from holdfast.errors import NotRunning
from holdfast.home import Home

DEADLINE_S = 30.0
KILL = 9
STOP = 19
EXEC_WITHIN_S = 5.0
COMMAND_WITHIN_S = 50.0
INTERNAL_FAULTS = ("Traceback", "supervisor.fault", "never retrieved", "was destroyed")


def environment_of(pid: int) -> dict[str, str]:
    """Return the environment a process was started with; empty when it is gone or a zombie."""
    deadline = time.monotonic() + EXEC_WITHIN_S
    try:
        while not (raw := Path(f"/proc/{pid}/environ").read_bytes()):
            if not _is_in_exec(pid) or time.monotonic() > deadline:
                break
    except OSError:
        return {}
    return dict(entry.split("=", 1) for entry in os.fsdecode(raw).split("\0") if "=" in entry)


def _is_in_exec(pid: int) -> bool:
    """Tell whether a process is just becoming another program: whoever started it may go on before it has an environment.

    A zombie and a thread of the kernel have no program, and whatever runs has at least one word on its command line.
    """
    os.readlink(f"/proc/{pid}/exe")
    return not Path(f"/proc/{pid}/cmdline").read_bytes()


def all_pids() -> Iterator[int]:
    """Yield the number of every process."""
    return map(int, filter(str.isdecimal, os.listdir("/proc")))


def is_alive(pid: int) -> bool:
    """Tell whether a process exists and is no zombie."""
    return state_of(pid) not in ("", "Z", "X")


def state_of(pid: int) -> str:
    """Return the letter the kernel has for what a process does; empty when it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[0]


def pytest_configure() -> None:
    """Let no test depend on the speed of the machine, and Ctrl-C reach the programs of the tests.

    A shell in the background has it ignored by all it starts.
    """
    settings.register_profile(
        "at any speed", deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
    settings.load_profile("at any speed")
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


class Machine:
    """A home, a short runtime folder and a configuration file of one test."""

    def __init__(self, root: Path, runtime: Path) -> None:
        self.root = root
        self.home = root / "home"
        self.runtime = runtime
        self.file = root / "holdfast.toml"
        self.env = {
            "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            "HOME": str(root),
            "LANG": "C.UTF-8",
            "HOLDFAST_HOME": str(self.home),
            "XDG_RUNTIME_DIR": str(runtime),
        }
        self.may_fault = False
        self.has_hub = False
        """Whether `up` starts the hub too: most tests are not about it, and it costs a second of a processor."""
        self._beside: list[subprocess.Popen[str]] = []
        self._ports: list[socket.socket] = []

    def config(self, text: str) -> Path:
        """Write the configuration of this machine."""
        self.file.write_text(textwrap.dedent(text), encoding="utf-8")
        return self.file

    def holdfast(
        self,
        *words: str,
        expect: int | Iterable[int] | None = 0,
        env: dict[str, str] | None = None,
        **options: Any,
    ) -> "subprocess.CompletedProcess[str]":
        """Run one command to its end; whatever happens it shows no traceback and its exit code is one expected."""
        words = self._with_hub(words)
        done = subprocess.run(
            [sys.executable, "-m", "holdfast", *words],
            **{
                "env": {**self.env, **(env or {})},
                "cwd": self.root,
                "stdin": subprocess.DEVNULL,
                "stdout": subprocess.PIPE,
                "stderr": subprocess.PIPE,
                "encoding": "utf-8",
                "errors": "surrogateescape",
                "timeout": COMMAND_WITHIN_S,
                **options,
            },
            check=False,
        )
        said = "\n".join(text for text in (done.stdout, done.stderr) if isinstance(text, str))
        told = f"holdfast {' '.join(words)} -> {done.returncode}\n{said}"
        assert "Traceback" not in told, told
        expected = (expect,) if isinstance(expect, int) else expect
        assert expected is None or done.returncode in expected, told
        return done

    def beside(self, *words: str, env: dict[str, str] | None = None) -> "subprocess.Popen[str]":
        """Start one command and return at once; it is ended with the test."""
        words = self._with_hub(words)
        started = subprocess.Popen(
            [sys.executable, "-m", "holdfast", *words],
            env={**self.env, **(env or {})},
            cwd=self.root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._beside.append(started)
        return started

    def _with_hub(self, words: tuple[str, ...]) -> tuple[str, ...]:
        return (*words, "--no-hub") if words[:1] == ("up",) and not self.has_hub else words

    def finished(
        self, started: "subprocess.Popen[str]", *, expect: int | Iterable[int] | None = 0
    ) -> str:
        """Wait for a command that was started beside, and return all it said."""
        out, err = started.communicate(timeout=COMMAND_WITHIN_S)
        told = f"{started.args!r} -> {started.returncode}\n{out}\n{err}"
        assert "Traceback" not in out + err, told
        expected = (expect,) if isinstance(expect, int) else expect
        assert expected is None or started.returncode in expected, told
        return out + err

    def up(self, *words: str, expect: int = 0) -> "subprocess.CompletedProcess[str]":
        """Bring the configuration of this machine up."""
        return self.holdfast("up", "-c", str(self.file), *words, expect=expect)

    def begin(self) -> None:
        """Order everything up, and do not wait until it is ready: it may never be."""
        self.holdfast("up", "-c", str(self.file), "--no-wait", expect=(0, 1))

    def call(self, method: str, **params: Any) -> Any:
        """Give one order over the control socket."""
        with ControlClient(Home(self.home).control_socket, timeout=DEADLINE_S) as control:
            return control.call(method, params)

    def status(self) -> dict[str, Any]:
        """Return what the running supervisor says."""
        found: dict[str, Any] = self.call("status")
        return found

    def rows(self) -> dict[str, dict[str, Any]]:
        """Return the services by name."""
        return {row["name"]: row for row in self.status()["services"]}

    def row(self, name: str) -> dict[str, Any]:
        """Return one service."""
        return self.rows().get(name) or dict.fromkeys(("state", "pid", "desired", "adopted"), None)

    def pid(self, name: str) -> int:
        """Return the pid of a service that must be alive."""
        pid = self.row(name)["pid"]
        assert isinstance(pid, int), f"{name} has no process: {self.row(name)}"
        return pid

    def supervisor(self) -> int:
        """Return the pid of the supervisor."""
        pid = self.call("ping")["pid"]
        assert isinstance(pid, int)
        return pid

    def await_(self, look: Callable[[], Any], *, within: float = DEADLINE_S) -> Any:
        """Look until something is there, for what no event tells to a test outside."""
        deadline = time.monotonic() + within
        while True:
            with contextlib.suppress(NotRunning):
                found = look()
                if found:
                    return found
            assert time.monotonic() < deadline, f"it did not happen in {within} s{self._said()}"
            time.sleep(0.02)

    def await_state(self, name: str, *states: str) -> dict[str, Any]:
        """Wait until a service is in one of these states."""
        row: dict[str, Any] = self.await_(
            lambda: (row := self.row(name))["state"] in states and row
        )
        return row

    def await_new_pid(self, name: str, old: int) -> int:
        """Wait until another process than the old one runs a service."""
        pid: int = self.await_(lambda: (pid := self.row(name)["pid"]) != old and pid)
        return pid

    def history(self, name: str) -> list[dict[str, Any]]:
        """Return the restarts of a service as the command tells them."""
        rows: list[dict[str, Any]] = json.loads(
            self.holdfast("history", name, "--json").stdout or "[]"
        )
        return rows

    def events(self) -> list[dict[str, Any]]:
        """Return the journal, oldest first; a line that is just being written is not there yet."""
        segments = sorted((self.home / "journal").glob("*.jsonl"))
        *lines, _ = b"".join(segment.read_bytes() for segment in segments).split(b"\n")
        return [json.loads(line) for line in lines]

    def log(self, name: str) -> bytes:
        """Return the newest log file of a service."""
        try:
            return (self.home / "logs" / f"{name}.log").read_bytes()
        except FileNotFoundError:  # not there yet, or between two names of a rotation
            return b""

    def own_log(self) -> str:
        """Return what the supervisor said of itself."""
        return self.log("supervisor").decode(errors="replace")

    def living(self, name: str | None = None) -> list[int]:
        """Return every process of this machine, or of one of its services, that is no zombie."""
        wanted = {"HOLDFAST_HOME": str(self.home)} | ({"HOLDFAST_SERVICE": name} if name else {})
        return [
            pid
            for pid in all_pids()
            if wanted.items() <= environment_of(pid).items() and is_alive(pid)
        ]

    def copies(self, name: str) -> list[int]:
        """Return the processes of a service that lead a session of their own, as its main process does."""
        found: list[int] = []
        for pid in self.living(name):
            if "HOLDFAST_INSTANCE" not in environment_of(pid):
                continue  # a probe or a hook of the service
            with contextlib.suppress(ProcessLookupError):
                if sys.platform != "win32" and os.getsid(pid) == pid:
                    found.append(pid)
        return found

    def is_alive(self, pid: int) -> bool:
        """Tell whether a process exists and is no zombie."""
        return is_alive(pid)

    def port(self) -> int:
        """Return a port on which a program of this machine may listen and, until the test is over, nobody else will.

        A socket that is bound and does not listen keeps it: the kernel gives it to nobody who asks for any port, and a
        server that names it and reuses addresses, as those of the standard library do, may have it.
        """
        held = socket.socket()
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        self._ports.append(held)
        return int(held.getsockname()[1])

    def kill(self, pid: int, number: int = KILL) -> None:
        """Send a signal to a process of this machine, and to no other."""
        assert environment_of(pid).get("HOLDFAST_HOME") == str(self.home), f"{pid} is not ours"
        os.kill(pid, number)

    def kill_supervisor(self) -> int:
        """End the supervisor as the kernel would, and return once it is gone."""
        pid = self.supervisor()
        self.kill(pid)
        self.await_(lambda: not is_alive(pid))
        return pid

    def watchdog(self) -> int:
        """Return the pid of the watchdog."""
        pid: int = self.await_(lambda: self.status()["watchdog"]["pid"])
        return pid

    def kill_both(self) -> None:
        """End watchdog and supervisor as the kernel would, and return once both are gone."""
        pids = (self.watchdog(), self.supervisor())
        for pid in pids:  # or the one that is killed last might replace the other
            self.kill(pid, STOP)
        self.await_(lambda: all(state_of(pid) in ("T", "", "Z", "X") for pid in pids))
        for pid in pids:
            self.kill(pid)
        self.await_(lambda: not any(map(is_alive, pids)))

    def adopt(self, *names: str) -> None:
        """Wait until a new supervisor knows all of them again."""
        self.await_(lambda: all(self.row(name)["adopted"] for name in names))

    def end(self) -> list[str]:
        """Stop everything, and return what was found amiss afterwards."""
        self._end_what_stands_beside()
        if not self.home.exists():
            return []
        amiss = []
        was_served = self._is_served()
        done = self.holdfast("down", "--timeout", "5s", expect=None)
        if done.returncode != 0:
            amiss.append(f"down ended with {done.returncode}: {done.stdout}{done.stderr}")
        left = {pid: _command_of(pid) for pid in self.living()}
        if left:
            amiss.append(f"left alive: {left}")
        self.kill_the_rest()
        own = self.own_log()
        if not self.may_fault and any(word in own for word in INTERNAL_FAULTS):
            amiss.append(f"supervisor.log tells of internal faults:\n{own[-3000:]}")
        if was_served and not left and (here := os.listdir(self.runtime)):
            amiss.append(f"left in the runtime folder: {here}")
        return amiss

    def _end_what_stands_beside(self) -> None:
        for started in self._beside:
            if started.poll() is None:
                started.kill()
            started.communicate()
        for held in self._ports:
            held.close()

    def kill_the_rest(self) -> None:
        """Kill whatever of this machine is left."""
        deadline = time.monotonic() + DEADLINE_S
        while (left := self.living()) and time.monotonic() < deadline:
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, KILL)

    def _is_served(self) -> bool:
        with contextlib.suppress(NotRunning):
            return bool(self.call("ping"))
        return False

    def _said(self) -> str:
        try:
            states = {name: (row["state"], row["pid"]) for name, row in self.rows().items()}
        except NotRunning as error:
            return f"; {error}"
        return f"; services: {states}"


def _command_of(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    return ""


@pytest.fixture
def new_machine(tmp_path: Path) -> Iterator[Callable[[], Machine]]:
    """Make machines; each is brought down afterwards, and nothing of it may be left."""
    if sys.platform != "linux":
        pytest.skip("these tests look into /proc")
    machines: list[Machine] = []

    def make() -> Machine:
        root = tmp_path / f"machine{len(machines)}"
        root.mkdir()
        runtime = Path(tempfile.mkdtemp(prefix="hf-", dir="/tmp"))
        runtime.chmod(0o711)  # services of other users pass through it
        machines.append(Machine(root, runtime))
        return machines[-1]

    yield make
    amiss = []
    for machine in machines:
        try:
            amiss += machine.end()
        finally:
            machine.kill_the_rest()
            shutil.rmtree(machine.runtime, ignore_errors=True)
    assert not amiss, "\n".join(amiss)


@pytest.fixture
def machine(new_machine: Callable[[], Machine]) -> Machine:
    """Return a machine of one's own."""
    return new_machine()


@pytest.fixture(autouse=True, scope="session")
def _nothing_outlives_the_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    yield
    if sys.platform != "linux":
        return
    own = str(tmp_path_factory.getbasetemp())
    left = [
        pid for pid in all_pids() if environment_of(pid).get("HOLDFAST_HOME", "").startswith(own)
    ]
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, KILL)
    assert not left, f"processes outlived the tests: {left}"
