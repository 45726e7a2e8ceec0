"""What a supervisor must offer to be measured, and one launch of it."""

import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from benchmarks import processes
from benchmarks.toolbox import Toolbox

MAX_STOP_SECONDS = 30.0
PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
ALL_ROWS = frozenset({"crash", "start", "memory", "status"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One service: its name and the words of its command."""

    name: str
    command: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How one peer is launched, asked and stopped; without ``stop`` it is simply ended."""

    launch: Sequence[str]
    returns: bool = False  # the launching command ends once the peer runs
    status: Sequence[str] | None = None
    status_json: Sequence[str] | None = None
    stop: Sequence[str] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


class Prepare(Protocol):
    """Writes what a peer needs to keep the programs alive into the folder; raises NotInstalledError."""

    def __call__(self, tools: Toolbox, folder: Path, programs: Sequence[Program]) -> Plan: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """One line of the tables."""

    name: str
    label: str
    prepare: Prepare
    rows: frozenset[str] = ALL_ROWS
    in_quick: bool = True
    readiness: bool = False  # the child is to declare readiness on descriptor 3
    detaches: bool = False  # the child is to go into the background and leave a pid file
    kills_of_one: int | None = None  # most kills of one child, for a peer that delays the second
    note: str = ""  # printed below the crash table


class Launch:
    """One launch of a peer, in a session, a folder and an environment of its own."""

    def __init__(self, peer: Peer, *, folder: Path, tools: Toolbox, child: Path) -> None:
        self._peer = peer
        self._folder = folder
        self._tools = tools
        self._child = child
        self._plan = Plan(launch=())
        self._launcher: subprocess.Popen[bytes] | None = None

    def prepare(self, programs: Sequence[Program]) -> None:
        """Write the peer's configuration for the programs into the folder."""
        (self._folder / "tmp").mkdir()
        self._plan = self._peer.prepare(self._tools, self._folder, programs)

    @property
    def environment(self) -> dict[str, str]:
        """The environment of every command of this peer; it names the folder, so its processes can be found."""
        own = {
            "PATH": PATH,
            "HOME": str(self._folder),
            "TMPDIR": str(self._folder / "tmp"),
            "LANG": "C.UTF-8",
        }
        return own | dict(self._plan.environment)

    def up(self) -> None:
        """Run the launching command, without waiting for anything; raises OSError when it cannot be run."""
        with (self._folder / "launch.log").open("wb") as log:
            self._launcher = subprocess.Popen(
                self._plan.launch,
                cwd=self._folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def settle(self, within: float) -> None:
        """Wait until a launching command that returns has returned; raise TimeoutError."""
        if self._launcher is None or not self._plan.returns:
            return
        try:
            self._launcher.wait(within)
        except subprocess.TimeoutExpired as error:
            raise TimeoutError(
                f"{self._peer.name}: the launching command ran for over {within:.0f} s"
            ) from error

    def pids_of_own_processes(self) -> set[int]:
        """Return the living processes of the peer, its children's programs left out."""
        return {
            pid
            for pid in processes.belonging_to(self._folder)
            if not processes.runs(pid, self._child)
        }

    def status_command(self) -> Sequence[str] | None:
        """Return the peer's own status command, if it has one."""
        return self._plan.status

    def status_json_command(self) -> Sequence[str] | None:
        """Return the same for programs, if it has one beside it."""
        return self._plan.status_json

    def ask(self, command: Sequence[str]) -> float:
        """Run a status command; return its wall time in ms, or raise RuntimeError when it fails."""
        began = time.monotonic_ns()
        done = subprocess.run(
            command,
            cwd=self._folder,
            env=self.environment,
            capture_output=True,
            timeout=MAX_STOP_SECONDS,
            check=False,
        )
        took_ms = (time.monotonic_ns() - began) / 1e6
        if done.returncode != 0:
            said = (done.stderr or done.stdout).decode(errors="replace").strip()[-300:]
            raise RuntimeError(f"{' '.join(command[:4])} ended with {done.returncode}: {said}")
        return took_ms

    def down(self) -> None:
        """Stop the peer its own way if it needs that, then end everything that carries its folder."""
        if self._plan.stop is not None:
            self._stop(self._plan.stop)
        processes.end_all(self._folder, last=self._child)
        if self._launcher is not None:
            self._launcher.wait()

    def _stop(self, command: Sequence[str]) -> None:
        try:
            subprocess.run(
                command,
                cwd=self._folder,
                env=self.environment,
                capture_output=True,
                timeout=MAX_STOP_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return  # whatever it left is ended next

    def last_words(self) -> str:
        """Return the end of what the launching command printed."""
        log = self._folder / "launch.log"
        return log.read_text(errors="replace").strip()[-300:] if log.exists() else ""
