"""A real watchdog over a supervisor that can be told what to do: everything else is the real thing."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from holdfast import statefile
from holdfast.home import Home

if sys.platform != "linux":
    pytest.skip("a watchdog needs Linux", allow_module_level=True)

DEADLINE_S = 30.0

PUPPET = """
import asyncio, json, os, signal, subprocess, sys, time
from pathlib import Path
import faulthandler
from holdfast import statefile
from holdfast.clock import boot_id
from holdfast.home import Home
from holdfast.machine.process.kernel import become_subreaper
from holdfast.machine.supervisor import custody
from holdfast.machine.supervisor.custody import Custody

faulthandler.enable()
custody.WELCOMED_WITHIN = 30.0  # a watchdog that this machine keeps waiting is no watchdog that hangs
home, tell = Home(Path(os.environ["HOLDFAST_HOME"])), int(sys.argv[1])
mood = (home.root / "mood").read_text() if (home.root / "mood").exists() else ""
if mood == "refuse":
    os.write(tell, json.dumps({"error": "no room", "held": False}).encode() + b"\\n")
    sys.exit(1)
if mood == "silent":
    sys.exit(1)
lock = statefile.hold(home.supervisor_lock)
become_subreaper()
loop = asyncio.new_event_loop()
custody = Custody(loop, home)
custody.connect()
opened, lost = {}, []
custody.on_lost = lost.append

def beat():
    content = {"timestamp": time.time(), "pid": os.getpid(), "mono": time.monotonic(), "boot_id": boot_id(), "services": 7}
    if mood == "by message":
        custody.beat(content)
    elif mood != "no beat":
        statefile.write_json(home.heartbeat("supervisor"), content, durability=statefile.Durability.ATOMIC)
    loop.call_later(0.1, beat)

def do(order, *words):
    if order == "report":
        return {"pid": os.getpid(), "ppid": os.getppid(), "held": sorted(custody.held), "fate": custody.fate, "lost": lost,
                "exits": [[*key, status] for key, status in custody.exits.items()],
                "watchdog": custody.watchdog_pid, "above": custody.is_ancestor}
    if order == "hold":
        opened[words[0]] = os.open(words[1], os.O_RDWR | os.O_NONBLOCK)
        custody.hold(words[0], opened[words[0]])
    if order == "many":
        for number in range(int(words[0])):
            custody.hold(f"x{number}", 0)
    if order == "pidfd":
        opened["p"] = os.pidfd_open(int(words[1]))
        custody.hold(words[0], opened["p"])
    if order == "drop":
        custody.drop(words[0])
    if order == "read":
        return os.read(custody.held[words[0]], 1000).decode()
    if order == "spawn":
        started = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True)
        started.returncode = 0
        return started.pid
    if order == "call":
        return custody.call()
    if order == "settings":
        custody.settings(json.loads(words[0]))
    if order == "ending":
        custody.ending()
    if order == "exit":
        custody.close()
        os._exit(int(words[0]))
    return None

async def serve(reader, writer):
    words = json.loads(await reader.readline())
    writer.write(json.dumps(do(*words)).encode() + b"\\n")
    await writer.drain()
    writer.close()

async def main():
    path = home.runtime() / "puppet.sock"
    path.unlink(missing_ok=True)
    await asyncio.start_unix_server(serve, path)
    beat()
    custody.ready()
    try:
        os.write(tell, b'{"ready": true}\\n')
    except BrokenPipeError:
        pass
    os.close(tell)
    await asyncio.Event().wait()

loop.run_until_complete(main())
"""

WATCHDOG = """
import os, sys
from pathlib import Path
from holdfast.clock import SystemClock
from holdfast.errors import HoldfastError
from holdfast.home import Home
from holdfast.machine.process.kernel import become_subreaper
from holdfast.machine.process.launch import Launch
from holdfast.machine.process.spawn import spawn
from holdfast.machine.watchdog.run import Orders, run
from holdfast.machine.watchdog.takeover import take_lock
import json

home, puppet, tell = Home(Path(os.environ["HOLDFAST_HOME"])), sys.argv[1], int(sys.argv[2])

def launch(fd):
    argv = (sys.executable, "-P", puppet, str(fd))
    env = {name: value for name, value in os.environ.items() if name != "NOTIFY_SOCKET"}
    return spawn(Launch(argv=argv, env=env, stdout=2, stderr=2, pass_fds=(fd,)))

def reply(words):
    os.write(tell, json.dumps(words).encode() + b"\\n")

become_subreaper()
try:
    with take_lock(home, take_over="--take-over" in sys.argv):
        sys.exit(run(Orders(home=home, clock=SystemClock(), launch=launch, reply=reply if tell else None)))
except HoldfastError as error:
    print(error, file=sys.stderr)
    sys.exit(error.exit_code)
"""


class Kennel:
    """A home, its watchdogs, and the puppet supervisor they guard."""

    def __init__(self, root: Path) -> None:
        self.home = Home(root / "home")
        self.home.make()
        self.runtime = Path(tempfile.mkdtemp(prefix="hf-", dir="/tmp"))
        self.runtime.chmod(0o711)
        self.env = {
            "PATH": os.environ["PATH"],
            "HOLDFAST_HOME": str(self.home.root),
            "XDG_RUNTIME_DIR": str(self.runtime),
            "LANG": "C.UTF-8",
        }
        self.folder = self.home_runtime()
        self.output = root / "output"
        self.watchdogs: list[subprocess.Popen[bytes]] = []
        for name, text in (("puppet.py", PUPPET), ("watchdog.py", WATCHDOG)):
            (root / name).write_text(text, encoding="utf-8")
        self.root = root

    def home_runtime(self) -> Path:
        folder = self.runtime / "run"
        folder.mkdir()
        self.home.runtime_pointer.write_text(f"{folder}\n")
        return folder

    def settle(self, **settings: float) -> None:
        """Write `[watchdog]` as the supervisor remembers it."""
        statefile.write_json(self.home.config_pointer, {"watchdog": settings})

    def mood(self, mood: str) -> None:
        (self.home.root / "mood").write_text(mood)

    def start(self, *flags: str, env: dict[str, str] | None = None) -> "subprocess.Popen[bytes]":
        """Start a watchdog nobody waits for."""
        return self._popen("0", *flags, env=env)

    def ask(self) -> tuple["subprocess.Popen[bytes]", dict[str, Any]]:
        """Start a watchdog, and return it with its answer."""
        told, tell = os.pipe()
        with os.fdopen(told, "rb") as answer:
            started = self._popen(str(tell), pass_fds=(tell,))
            os.close(tell)
            line = answer.readline()
        return started, json.loads(line) if line else {}

    def _popen(
        self, *words: str, pass_fds: tuple[int, ...] = (), env: dict[str, str] | None = None
    ) -> "subprocess.Popen[bytes]":
        command = [
            sys.executable,
            "-P",
            str(self.root / "watchdog.py"),
            str(self.root / "puppet.py"),
        ]
        with self.output.open("ab") as output:
            started = subprocess.Popen(
                [*command, *words],
                env={**self.env, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=pass_fds,
                start_new_session=True,
            )
        self.watchdogs.append(started)
        return started

    def tell(self, *words: object) -> Any:
        """Give the puppet an order."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.settimeout(DEADLINE_S)
            line.connect(str(self.folder / "puppet.sock"))
            line.sendall(json.dumps([str(word) for word in words]).encode() + b"\n")
            with line.makefile("rb") as answer:
                return json.loads(answer.readline())

    def report(self) -> dict[str, Any]:
        """Return what the puppet knows."""
        found: dict[str, Any] = self.tell("report")
        return found

    def new_report(self, old: int) -> dict[str, Any]:
        """Wait until another puppet than the old one answers, and return what it knows."""
        found: dict[str, Any] = self.await_(
            lambda: (report := self.report())["pid"] != old and report
        )
        return found

    def await_(self, look: Callable[[], Any]) -> Any:
        """Look until something is there, for what no event tells to a test outside."""
        deadline = time.monotonic() + DEADLINE_S
        while True:
            with contextlib.suppress(OSError, ValueError):
                if found := look():
                    return found
            assert time.monotonic() < deadline, f"it did not happen:\n{self.log()}"
            time.sleep(0.01)

    def status(self) -> dict[str, Any]:
        """Return what `watchdog.status` says."""
        found: dict[str, Any] = json.loads(self.home.watchdog_status.read_bytes())
        return found

    def log(self) -> str:
        """Return all the watchdogs and puppets have written."""
        log = self.home.logs / "watchdog.log"
        said = log.read_text() if log.exists() else ""
        return said + (self.output.read_text() if self.output.exists() else "")

    def living(self) -> list[int]:
        """Return every process of this home."""
        mark = f"HOLDFAST_HOME={self.home.root}\0".encode()
        found = []
        for name in filter(str.isdecimal, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                if mark in Path(f"/proc/{name}/environ").read_bytes():
                    found.append(int(name))
        return found

    def end(self) -> None:
        while left := self.living():
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            for watchdog in self.watchdogs:
                watchdog.poll()
        for watchdog in self.watchdogs:
            watchdog.wait()
        shutil.rmtree(self.runtime)


@pytest.fixture
def kennel(tmp_path: Path) -> Iterator[Kennel]:
    kennel = Kennel(tmp_path)
    yield kennel
    kennel.end()
