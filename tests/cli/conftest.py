"""A home of its own for a command, run inside the test or beside it."""

import asyncio
import json
import os
import queue
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

from holdfast import statefile
from holdfast.cli.main import main
from holdfast.clock import SystemClock, boot_id
from holdfast.home import Home
from holdfast.hub.checks import sync
from holdfast.hub.keys import settle_token
from holdfast.hub.parts import Parts
from holdfast.hub.store.interface import Tx
from holdfast.hub.store.sqlite import SqliteStore
from holdfast.hub.sweep import sweep
from holdfast.hub.web.api import application
from holdfast.hub.web.serve import Server
from holdfast.machine.supervisor.records import Records
from holdfast.model.check import CheckSpec
from holdfast.model.hub import HubSettings
from holdfast.model.message import Channel
from holdfast.model.service import ServiceState
from holdfast.model.spec import ServiceSpec
from holdfast.rules.ticking import Tick
from holdfast.statefile import Durability

T = TypeVar("T")

DEADLINE_S = 30.0


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    for name in ("SERVICE", "GENERATION", "INSTANCE", "CONFIG", "LOG_LEVEL"):
        monkeypatch.delenv(f"HOLDFAST_{name}", raising=False)
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    monkeypatch.setenv("HOLDFAST_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    # Socket paths are short, the folders of tests are not.
    runtime = tempfile.mkdtemp(prefix="hf-", dir="/tmp")
    Path(runtime).chmod(0o711)
    monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
    monkeypatch.chdir(tmp_path)
    home = Home(tmp_path / "home")
    home.make()
    yield home
    shutil.rmtree(runtime, ignore_errors=True)


@dataclass(frozen=True)
class Done:
    """What a command said, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


@pytest.fixture
def run(home: Home, capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Run one command inside the test."""

    def run(*words: str) -> Done:
        capsys.readouterr()
        try:
            code = main(list(words))
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        said = capsys.readouterr()
        return Done(code=code, out=said.out, err=said.err)

    return run


@pytest.fixture
def own_pids(run: Callable[..., Done]) -> Callable[[], dict[str, int]]:
    """Return the pids of supervisor and watchdog, once they have found each other."""

    def own_pids() -> dict[str, int]:
        deadline = time.monotonic() + DEADLINE_S
        while True:
            found = run("status", "--json").json
            own = {name: found[name]["pid"] for name in ("supervisor", "watchdog")}
            if None not in own.values():
                return own
            assert time.monotonic() < deadline, f"they do not know each other: {own}"

    return own_pids


@pytest.fixture
def record(home: Home) -> Callable[..., None]:
    """Write the record of a service, as a supervisor that is gone left it."""

    def record(name: str, **state: Any) -> None:
        spec = ServiceSpec(name=name, command=("sleep", "1"), cwd="/")
        Records(home, boot_id()).save(spec, ServiceState(name=name, **state), Durability.ATOMIC)

    return record


class Following:
    """A command that goes on printing until it is interrupted."""

    def __init__(self, words: tuple[str, ...]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "holdfast", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._held = b""

    def lines(self, count: int) -> list[str]:
        """Return the next lines it prints."""
        deadline = time.monotonic() + DEADLINE_S
        while self._held.count(b"\n") < count:
            self._read(deadline)
        *lines, self._held = self._held.split(b"\n", count)
        return [line.decode() for line in lines]

    def line(self) -> str:
        return self.lines(1)[0]

    def until(self, last: str) -> list[str]:
        """Return the lines up to one of them."""
        found = [self.line()]
        while found[-1] != last:
            found.append(self.line())
        return found

    def interrupted(self) -> tuple[int, str, str]:
        """Press Ctrl-C; return the exit code and what else was said."""
        self.process.send_signal(signal.SIGINT)
        out, err = self.process.communicate(timeout=DEADLINE_S)
        return self.process.returncode, (self._held + out).decode(), err.decode()

    def _read(self, deadline: float) -> None:
        assert self.process.stdout is not None
        descriptor = self.process.stdout.fileno()
        ready, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
        chunk = os.read(descriptor, 1_000_000) if ready else b""
        assert chunk, f"no line came; so far {self._held[-200:]!r}"
        self._held += chunk


@pytest.fixture
def follow(home: Home) -> Iterator[Callable[..., Following]]:
    """Start a command that follows; it is ended with the test."""
    started: list[Following] = []

    def follow(*words: str) -> Following:
        started.append(Following(words))
        return started[-1]

    yield follow
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
        one.process.communicate()


@pytest.fixture
def loaded(home: Home) -> Callable[..., set[str]]:
    """Run a command in an interpreter of its own, and return all modules it loaded."""

    def loaded(*words: str) -> set[str]:
        program = (
            "import sys; from holdfast.cli.main import main; main(sys.argv[1:]); "
            "print(*sys.modules, file=sys.stderr)"
        )
        done = subprocess.run(
            [sys.executable, "-c", program, *words], capture_output=True, text=True, check=True
        )
        modules = set(done.stderr.split())
        assert "holdfast.cli.main" in modules
        return modules

    return loaded


@dataclass
class Hub:
    """What answers the commands of a test: the hub's own application over its own database, without its rounds."""

    parts: Parts
    loop: asyncio.AbstractEventLoop

    def write(self, act: Callable[[Tx], T]) -> T:
        """Run one transaction."""
        return asyncio.run_coroutine_threadsafe(self.parts.store.write(act), self.loop).result(
            DEADLINE_S
        )

    def expect(self, *checks: CheckSpec) -> None:
        """Make these the checks of the configuration."""
        policy, now = self.parts.settings.policy, self.parts.now()
        self.write(lambda tx: sync(tx, checks, policy, now))

    def sweep(self) -> None:
        """Look at what is due, as the hub does again and again."""
        now, settings = self.parts.now(), self.parts.settings
        tick = Tick(wall=now.wall, mono=now.mono, boottime=None, boot_id=now.boot_id, run="test")
        self.write(lambda tx: sweep(tx, settings, now, tick))


async def _serve(parts: Parts, made: "queue.SimpleQueue[Hub]", over: asyncio.Event) -> None:
    await parts.store.open()
    await settle_token(parts.home, parts.store, parts.now())
    server = Server(application(parts), parts.settings)
    server.prepare()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        parts.condition.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        served = asyncio.ensure_future(server.serve([listener]))
        await server.opened.wait()
        made.put(Hub(parts, asyncio.get_running_loop()))
        await over.wait()
        server.leave()
        await served
    await parts.store.close()


@pytest.fixture
def hub(home: Home) -> Iterator[Hub]:
    """A hub of this home that answers over HTTP."""
    clock = SystemClock()
    parts = Parts(
        home=home,
        clock=clock,
        store=SqliteStore(home.hub_db, clock),
        settings=HubSettings(machine="box", channels=(Channel(name="file", url="file:///none"),)),
        ping_key="key",
    )
    queued: queue.SimpleQueue[Hub] = queue.SimpleQueue()
    over = asyncio.Event()
    thread = threading.Thread(target=lambda: asyncio.run(_serve(parts, queued, over)))
    with statefile.hold(home.hub_db.with_suffix(".lock")):
        thread.start()
        made = queued.get(timeout=DEADLINE_S)
        home.hub_address.write_text(
            json.dumps({"url": parts.condition.url, "pid": os.getpid()}), encoding="utf-8"
        )
        yield made
        made.loop.call_soon_threadsafe(over.set)
        thread.join(DEADLINE_S)
