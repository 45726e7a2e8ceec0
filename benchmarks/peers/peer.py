"""What a supervisor must offer to be measured, and one launch of it."""

import subprocess
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from benchmarks import processes
from benchmarks.toolbox import Toolbox

MAX_STOP_SECONDS = 30.0
PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
SCALE_ROWS = frozenset({"start", "memory", "status"})
USUAL_ROWS = SCALE_ROWS | {"crash"}
ALL_ROWS = USUAL_ROWS | {"takeover", "logs"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One service: its name, the words of its command, and what its output needs."""

    name: str
    command: tuple[str, ...]
    log_bytes: int | None = (
        None  # captured, with a new file after so many bytes and LOGS_KEPT old ones
    )


LOGS_KEPT = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How one peer is launched, asked and stopped; without ``stop`` it is simply ended."""

    launch: Sequence[str]
    returns: bool = False  # the launching command ends once the peer runs
    status: Sequence[str] | None = None
    status_json: Sequence[str] | None = None
    stop: Sequence[str] | None = None
    supervisors: Sequence[
        str
    ] = ()  # words only its supervisors' command lines hold; else the children's parents
    logs: Path | None = None  # where NAME.log and what it was renamed to stand
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
    rows: frozenset[str] = USUAL_ROWS
    in_quick: bool = True
    readiness: bool = False  # the child is to declare readiness on descriptor 3
    detaches: bool = False  # the child is to go into the background and leave a pid file
    relaunched: bool = False  # when its supervisor is killed, the launching command is run again
    kills_of_one: int | None = None  # most kills of one child, for a peer that delays the second
    note: str = ""  # printed below the crash table


class Launch:
    """One launch of a peer, in a session, a folder and an environment of its own."""

    def __init__(self, peer: Peer, *, folder: Path, tools: Toolbox, child: Path) -> None:
        self.folder = folder
        self._peer = peer
        self._tools = tools
        self._child = child
        self._plan = Plan(launch=())
        self._launcher: subprocess.Popen[bytes] | None = None

    def prepare(self, programs: Sequence[Program]) -> None:
        """Write the peer's configuration for the programs into the folder."""
        (self.folder / "tmp").mkdir()
        self._plan = self._peer.prepare(self._tools, self.folder, programs)

    @property
    def environment(self) -> dict[str, str]:
        """The environment of every command of this peer; it names the folder, so its processes can be found."""
        own = {
            "PATH": PATH,
            "HOME": str(self.folder),
            "TMPDIR": str(self.folder / "tmp"),
            "LANG": "C.UTF-8",
        }
        return own | dict(self._plan.environment)

    def up(self) -> None:
        """Run the launching command, without waiting for anything; raises OSError when it cannot be run."""
        with (self.folder / "launch.log").open("wb") as log:
            self._launcher = subprocess.Popen(
                self._plan.launch,
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def up_again(self) -> None:
        """Run the launching command once more, after what it ran was killed."""
        if self._launcher is not None and not self._plan.returns:
            self._launcher.wait()
        self.up()

    def supervisors_of(self, children: Sequence[int]) -> set[int]:
        """Return the processes that supervise these children now."""
        if not self._plan.supervisors:
            return {parent for child in children if (parent := processes.parent_of(child)) > 1}
        return {
            pid
            for pid in processes.belonging_to(self.folder)
            if any(words in processes.command_line(pid) for words in self._plan.supervisors)
        }

    @property
    def supervises_all(self) -> bool:
        """Tell whether one supervisor is known to look after every child, whoever its parent is."""
        return bool(self._plan.supervisors)

    def is_child(self, pid: int) -> bool:
        """Tell whether a process still runs the children's program."""
        return processes.runs(pid, self._child)

    def copies(self) -> Counter[str]:
        """Return how many living processes each child has, by its name."""
        mine = processes.belonging_to(self.folder)
        lines = [processes.command_line(pid) for pid in mine if processes.runs(pid, self._child)]
        return Counter(line.split()[2] for line in lines)

    def log_files(self, name: str) -> list[Path]:
        """Return the files the captured output of a child stands in, the newest first."""
        assert self._plan.logs is not None
        return sorted(self._plan.logs.glob(f"{name}.log*"), key=_age)

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
            for pid in processes.belonging_to(self.folder)
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
            cwd=self.folder,
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
        processes.end_all(self.folder, last=self._child)
        if self._launcher is not None:
            self._launcher.wait()

    def _stop(self, command: Sequence[str]) -> None:
        try:
            subprocess.run(
                command,
                cwd=self.folder,
                env=self.environment,
                capture_output=True,
                timeout=MAX_STOP_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return  # whatever it left is ended next

    def last_words(self) -> str:
        """Return the end of what the launching command printed."""
        log = self.folder / "launch.log"
        return log.read_text(errors="replace").strip()[-300:] if log.exists() else ""


def _age(log: Path) -> int:
    """Order NAME.log before NAME.log.1, and that before NAME.log.2."""
    number = log.suffix.removeprefix(".")
    return int(number) if number.isdecimal() else 0
