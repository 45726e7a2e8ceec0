"""A home of its own for a command, run inside the test or beside it."""

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from holdfast.cli.main import main
from holdfast.clock import boot_id
from holdfast.home import Home
from holdfast.machine.supervisor.records import Records
from holdfast.model.service import ServiceState
from holdfast.model.spec import ServiceSpec
from holdfast.statefile import Durability

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
